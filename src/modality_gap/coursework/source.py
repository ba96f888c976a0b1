"""A chapter as nbgrader's source notebook, and what the student gets of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.preprocessors import NbGraderPreprocessor

from . import exercises

WRITE_HERE = "*Your answer, in place of this line.*"
CONFIG = """\
# How nbgrader treats this course; its formgrader reads the file too.
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbgrader import preprocessors as steps

from modality_gap.coursework.execute import BoxedExecute
from modality_gap.coursework.source import Stub

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "modality-gap"
# What a student sent is rebuilt from the release before nbgrader reads it.
c.CourseDirectory.submitted_directory = "rebuilt"
c.GenerateAssignment.preprocessors = [
    steps.LockCells, Stub, steps.ClearOutput, steps.CheckCellMetadata, steps.ComputeChecksums,
    steps.SaveCells, steps.ClearHiddenTests, steps.ComputeChecksums, steps.CheckCellMetadata,
]
c.Autograde.autograde_preprocessors = [
    BoxedExecute, steps.SaveAutoGrades, steps.AssignLatePenalties, steps.CheckCellMetadata,
]
c.GenerateFeedback.preprocessors = [
    steps.GetGrades, steps.ClearHiddenTests, CSSHTMLHeaderPreprocessor,
]
c.HTMLExporter.sanitize_html = True
"""


class Stub(NbGraderPreprocessor):  # type: ignore[misc]
    """Puts in place of a solution what the student starts from."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: Any, index: int
    ) -> tuple[NotebookNode, Any]:
        """Replace the source of a solution; a rubric goes as well."""
        stub = cell.metadata.get("modality_gap", {}).pop("stub", None)
        if stub is not None:
            cell.source = stub
        return cell, resources


def notebook(
    path: Path, edition: Path | None = None, variant: int = 1, link: str = ""
) -> NotebookNode:
    """The source notebook of a chapter.

    Args:
        path: the chapter.
        edition: its notebook edition, for the statements as the website shows them.
        variant: the numbers that exercises with a `VARIANT` take.
        link: address of the chapter on the website.

    Raises:
        ValueError: the chapter's roles are marked wrongly; see `exercises.read`.
    """
    chapter, name = exercises.read(path), path.stem
    shown = statements(edition) if edition and edition.exists() else {}
    points = sum(exercise.points for exercise in chapter.exercises)
    head = f"# {chapter.title}\n\n{len(chapter.exercises)} exercises, {points} points."
    if link:
        head += f" They belong to [the chapter]({link})."
    head += " Run all cells from the top; you may add cells of your own beside your answers."
    cells = [mark(new_markdown_cell(head), "head", "head", "")]
    for number, cell in enumerate(chapter.setup, start=1):
        code = new_code_cell(with_variant(cell.source, variant))
        cells.append(mark(code, f"setup-{number}", "setup", ""))
    for exercise in chapter.exercises:
        statement = shown.get(exercise.label, "").replace("](#", f"]({link}#")
        cells += of_exercise(exercise, statement, variant)
    about = {"chapter": name, "variant": variant}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel, "modality_gap": about})


def of_exercise(exercise: exercises.Exercise, shown: str, variant: int) -> list[NotebookNode]:
    """The cells of one exercise."""
    label = exercise.label
    unit = "point" if exercise.points == 1 else "points"
    text = shown or f"### {exercise.title}\n\n{exercise.statement}"
    text = f"{text}\n\n*{exercise.points} {unit}*"
    cells = [mark(new_markdown_cell(text), f"{label}-statement", "statement", label)]
    for number, cell in enumerate(exercise.of("given"), start=1):
        code = new_code_cell(with_variant(cell.source, variant))
        cells.append(mark(code, f"{label}-given-{number}", "given", label))
    solutions = exercise.of("solution")
    if not solutions:
        free = new_markdown_cell(exercise.solution)
        mark(free, f"{label}-answer", "answer", label, points=exercise.points, solution=True)
        free.metadata.modality_gap["stub"] = WRITE_HERE
        return [*cells, free]
    solution = new_code_cell("\n\n\n".join(cell.source for cell in solutions))
    mark(solution, f"{label}-answer", "answer", label, solution=True)
    solution.metadata.modality_gap |= {"stub": exercise.stub, "answers": exercise.answers}
    cells.append(solution)
    inplace = sorted({n for cell in solutions for n in cell.metadata.get("inplace", [])})
    for role in ("test", "hidden-test"):
        for number, cell in enumerate(exercise.of(role), start=1):
            source = cell.source
            if role == "hidden-test":
                source = f"### BEGIN HIDDEN TESTS\n{source}\n### END HIDDEN TESTS"
            test = new_code_cell(source)
            worth = cell.metadata.get("points", 1)
            mark(test, f"{label}-{role}-{number}", role, label, points=worth)
            test.metadata.modality_gap |= {"answers": exercise.answers, "inplace": inplace}
            cells.append(test)
    return cells


def mark(
    cell: NotebookNode, name: str, role: str, label: str, points: int = 0, solution: bool = False
) -> NotebookNode:
    """Give a cell its id, its place in the exercise, and what nbgrader needs to know."""
    cell.id, grade = name, points > 0
    about = {"grade_id": name, "grade": grade, "locked": not solution, "solution": solution}
    about |= {"task": False, "schema_version": 3} | ({"points": points} if grade else {})
    cell.metadata["nbgrader"] = about
    cell.metadata["modality_gap"] = nbformat.from_dict({"role": role, "label": label})
    return cell


def with_variant(code: str, variant: int) -> str:
    """Code whose `VARIANT = 1` says another number."""
    return re.sub(r"^(VARIANT\b[^=\n]*=\s*)\d+", rf"\g<1>{variant}", code, flags=re.MULTILINE)


def statements(edition: Path) -> dict[str, str]:
    """The statements of a notebook edition, by label."""
    found: dict[str, str] = {}
    for cell in json.loads(edition.read_text("utf-8"))["cells"]:
        about = cell["metadata"].get("modality_gap", {})
        if about.get("role") == "statement":
            label, text = about["label"], "".join(cell["source"])
            found[label] = f"{found[label]}\n\n{text}" if label in found else text
    return found
