"""The house: which room may import which, and what an import or an installation costs."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "modality_gap"
# What each wing may import beside itself. Files that lie flat are the metrics.
ALLOWED = {
    "metrics": set(),
    "results": {"metrics"},
    "embeddings": {"metrics", "results"},
    "lab": {"metrics", "results", "embeddings"},
    "experiments": {"metrics", "results", "embeddings", "lab"},
    "coursework": {"metrics", "lab"},
    "cli": {"metrics", "results", "embeddings", "lab", "experiments", "coursework"},
    "__main__": {"cli"},
    "book": {"metrics", "results", "embeddings", "lab", "experiments"},
}


def modules() -> dict[str, Path]:
    """Every module but the package's face, by its name within the package."""
    found = {}
    for path in SOURCE.rglob("*.py"):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    del found["__init__"]
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> set[str]:
    """The modules of the package that a module imports, at its top or within a function."""
    package = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            start = package[: len(package) - node.level + 1]
            module = ".".join([*start, *([node.module] if node.module else [])])
            for alias in node.names:
                deep = f"{module}.{alias.name}".lstrip(".")
                found.add(deep if deep in known else module)
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for full in names:  # by the package's own name
            if full.startswith("modality_gap."):
                inner = full.removeprefix("modality_gap.")
                found.add(inner if inner in known else inner.rpartition(".")[0])
    return found - {name}


def wing(name: str) -> str:
    first = name.split(".")[0]
    return first if first in ALLOWED else "metrics"


def test_imports_point_downwards() -> None:
    known = modules()
    wrong = [
        f"{name} imports {other}"
        for name, path in known.items()
        for other in imports(name, path, known)
        if wing(other) not in ALLOWED[wing(name)] | {wing(name)}
    ]
    assert wrong == []


def test_no_module_imports_itself_through_others() -> None:
    known = modules()
    # A package's face hands on the names of its own modules, and they do not import it.
    graph = {name: imports(name, path, known) for name, path in known.items()}
    TopologicalSorter(graph).prepare()  # CycleError names the circle


def test_the_rule_sees_an_import_that_points_upwards(tmp_path: Path) -> None:
    known = modules()
    file = tmp_path / "gap.py"
    file.write_text(
        "def f():\n    from .book import plots\n    from .lab.mad import load_mad\n"
        "    from modality_gap.book import claims\n    import modality_gap.experiments.engine\n"
    )
    expected = {"book.plots", "lab.mad", "book.claims", "experiments.engine"}
    assert imports("gap", file, known) == expected


HEAVY = (
    *("IPython", "PIL", "anywidget", "distributed", "joblib", "matplotlib", "open_clip", "pandas"),
    *("pyarrow", "rich", "scipy", "skimage", "sklearn", "torchmetrics", "torchvision", "umap"),
)


def test_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, torch; before = set(sys.modules); from modality_gap import *; "
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [name for name in run.stdout.split() if name in HEAVY] == []


def test_metrics_import_numpy_and_torch_only_at_the_top() -> None:
    allowed = {"numpy", "torch", "__future__", *sys.stdlib_module_names}
    wrong = []
    # storage serves the files, and gap_metric is a class of torchmetrics, imported when asked for.
    for path in set(SOURCE.glob("*.py")) - {SOURCE / "storage.py", SOURCE / "gap_metric.py"}:
        for node in ast.parse(path.read_text("utf-8")).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            wrong += [(path.name, name) for name in names if name.split(".")[0] not in allowed]
    assert wrong == []


def test_the_package_leaves_installed_versions_alone() -> None:
    """Lower bounds only, so that pip keeps the PyTorch that is there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    required = {each.name: each for each in map(Requirement, project["dependencies"])}
    assert [
        str(each) for each in required.values() if {s.operator for s in each.specifier} != {">="}
    ] == []
    assert all(required["torch"].specifier.contains(version) for version in ("2.6.0", "2.9.1"))
    assert not required.keys() & {"torchvision", "open_clip_torch", "matplotlib", "distributed"}
