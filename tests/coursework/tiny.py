"""A tiny chapter, its release, and what a student may do with it."""

from __future__ import annotations

import copy
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from nbgrader.preprocessors import ClearHiddenTests
from nbgrader.utils import determine_grade, is_grade

from modality_gap.coursework import source
from modality_gap.coursework.execute import BoxedExecute

CHAPTER = Path(__file__).with_name("01_tiny.md")
RIGHT = {
    "ex-value": "count = NUMBER + 1",
    "ex-twice": "def twice(x):\n    return 2 * x",
    "ex-scale": "def scale_(x):\n    x.mul_(2)",
    "ex-design": "I vary one thing.",
}
FULL = {"ex-value": 2, "ex-twice": 4, "ex-scale": 1}
NONE = dict.fromkeys(FULL, 0)

needs_box = pytest.mark.skipif(
    not shutil.which("bwrap") and os.environ.get("MODALITY_GAP_BOX") != "required",
    reason="no bubblewrap",
)


def made(path: Path = CHAPTER, variant: int = 1) -> NotebookNode:
    """The source notebook with stubs for solutions: the release, with hidden tests still in it."""
    notebook = source.notebook(path, variant=variant)
    for index, cell in enumerate(notebook.cells):
        source.Stub().preprocess_cell(cell, {}, index)
    return notebook


def released(path: Path = CHAPTER) -> NotebookNode:
    """What the student gets."""
    return ClearHiddenTests().preprocess(made(path), {})[0]


def answered(
    notebook: NotebookNode, answers: dict[str, str], own: tuple[str, ...] = ()
) -> NotebookNode:
    """A notebook with answers, and with cells of the student's own before the one of ex-twice."""
    notebook, cells = copy.deepcopy(notebook), []
    for cell in notebook.cells:
        if cell.id == "ex-twice-answer":
            cells += [new_code_cell(code) for code in own]
        if cell.metadata.nbgrader.solution:
            cell.source = answers.get(cell.metadata.modality_gap.label, cell.source)
        cells.append(cell)
    notebook.cells = cells
    return notebook


def earned(notebook: NotebookNode) -> dict[str, float]:
    """Points by exercise, of those that are marked by tests."""
    BoxedExecute(seed=7).preprocess(notebook, {})
    points: Counter[str] = Counter()
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata and is_grade(cell) and cell.cell_type == "code":
            points[cell.metadata.modality_gap.label] += determine_grade(cell)[0]
    return dict(points)


def outputs(notebook: NotebookNode) -> str:
    """All that the cells of a notebook put out."""
    return "\n".join(str(cell.get("outputs", "")) for cell in notebook.cells)
