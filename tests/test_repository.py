"""What lies in the repository, and that its lists agree with each other."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = [
    *(
        path
        for path in sorted((ROOT / "book").glob("*.md"))
        if "kernelspec:" in path.read_text("utf-8")
    ),
    *sorted((ROOT / "notebooks").glob("*.md")),
]
MEGABYTE = 2**20


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


def test_no_large_file(tracked: list[Path]) -> None:
    assert [path for path in tracked if path.stat().st_size > 2 * MEGABYTE] == []


def test_chapters_are_stored_as_text(tracked: list[Path]) -> None:
    assert [path for path in tracked if path.suffix == ".ipynb"] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_page_is_a_text_notebook(path: Path) -> None:
    notebook = jupytext.read(path)
    representation = notebook.metadata.jupytext.text_representation
    assert representation.format_name == "myst"
    assert notebook.metadata.kernelspec.name == "python3"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert not any(cell.outputs for cell in code)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_code_that_is_read_fits_the_page(path: Path) -> None:
    code = [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    shown = [
        cell
        for cell in code
        if not any(tag.startswith(("hide-", "remove-")) for tag in cell.metadata.get("tags", []))
    ]
    lines = [line for cell in shown for line in cell.source.splitlines()]
    assert [line for line in lines if len(line) > 85] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_figure_cells_carry_caption_name_and_alt_text(path: Path) -> None:
    for cell in jupytext.read(path).cells:
        options = cell.metadata.get("mystnb", {})
        if "figure" in options:
            where = f"{path.name}: {options['figure']}"
            assert options["figure"].get("caption", "").strip(), where
            assert options["figure"].get("name", "").startswith("fig-"), where
            assert options.get("image", {}).get("alt", "").strip(), where


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    needed = {re.match(r"[\w.-]+", line)[0] for group in groups for line in group}
    pins = re.findall(r"^([\w.-]+)==\S+", (ROOT / "constraints.txt").read_text(), re.M)

    def canonical(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    needed.remove("modality-gap")  # an extra may ask for another
    assert {canonical(name) for name in needed} <= {canonical(name) for name in pins}
