"""Which files of a package some code reaches, on a package made here and on the book's own."""

from __future__ import annotations

from pathlib import Path

import pytest

import imports
from small_book import ROOT

FILES = {
    "__init__": "from .gap import rmg\nfrom .bias import moad as bias\nVERSION = 1\n",
    "bias": "",
    "checks": "",
    "gap": "from . import checks\n\ndef rmg(x): return checks.ok(x)\n\n"
    "def late():\n    from .lab.mad import dataset\n    return dataset.load()\n",
    "alone": "def f(): pass\n",
    "book/__init__": "",
    "book/claims": "from .. import alone\nCLAIMS = alone.f()\n",
    "book/ledger": "from .claims import CLAIMS\n\ndef record(): return CLAIMS\n",
    "lab/__init__": "import os\n\ndef __getattr__(name): ...\n",
    "lab/mad/__init__": "from .dataset import load\n",
    "lab/mad/dataset": "import fox.bias\n\ndef load(): return fox.bias\n",
}
LAB = {"lab/__init__", "lab/mad/__init__", "lab/mad/dataset", "bias"}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "fox" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "fox"


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("import fox", set()),
        ("import fox\nfox.VERSION", {"__init__"}),
        ("import fox as f\nf.bias(1)", {"bias"}),
        ("from fox import bias\nbias(1)", {"bias"}),
        ("import fox.alone\nfox.alone.f()", {"alone"}),
        ("def f():\n    from fox import alone as a\n    return a.f()", {"alone"}),
        ("from fox import rmg\nrmg(1)", {"gap", "checks", "lab/mad/dataset", "bias"}),
        ("import fox\nfox.lab.mad.load", {"lab/mad/dataset", "bias"}),
        ("import fox\nfox.lab.anything", LAB),
        ("from fox import lab\nprint(lab)", LAB),
        ("import fox\ngetattr(fox, name)", set(FILES) - {"book/claims"}),
        ("from fox.book import ledger\nledger.record()", {"book/ledger"}),
        ("import numpy as np\nnp.fox.bias", set()),
    ],
)
def test_code_reaches_the_files_behind_the_names_it_uses(
    package: Path, code: str, names: set[str]
) -> None:
    found = imports.reach(code, package, frozenset({package / "book" / "claims.py"}))
    assert {path.relative_to(package).with_suffix("").as_posix() for path in found} == names


def test_a_metric_of_the_package_reaches_no_other_wing() -> None:
    package = ROOT / "src" / "modality_gap"
    found = imports.reach("import modality_gap as mg\nmg.uniformity(x)", package)
    names = {path.relative_to(package).as_posix() for path in found}
    assert "sphere.py" in names
    assert not any("/" in name for name in names)
