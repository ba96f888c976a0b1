"""The student's file: what it holds, and what it must not."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from tiny import CHAPTER, earned, made, needs_box, released

from modality_gap.coursework import execute, exercises, source

CHAPTERS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.md"))


def solution_lines(path: Path) -> set[str]:
    """Lines that a solution or a hidden test has, and nothing that the student may see."""
    chapter, secret, seen = exercises.read(path), set(), set()
    for cell in chapter.setup:
        seen |= set(cell.source.splitlines())
    for exercise in chapter.exercises:
        seen |= set(f"{exercise.statement}\n{exercise.stub}".splitlines())
        for cell in exercise.of("given", "test"):
            seen |= set(cell.source.splitlines())
        for cell in exercise.of("solution", "hidden-test"):
            secret |= set(cell.source.splitlines())
        secret |= set(exercise.solution.splitlines())
    strip = {line.strip() for line in seen}
    return {line.strip() for line in secret if len(line.strip()) > 12} - strip


@pytest.mark.parametrize("path", [CHAPTER, *CHAPTERS], ids=lambda path: path.stem)
def test_no_line_of_a_solution_or_hidden_test_is_handed_out(path: Path) -> None:
    notebook = released(path)
    assert not any("stub" in cell.metadata.modality_gap for cell in notebook.cells)
    lines = [line.strip() for cell in notebook.cells for line in cell.source.splitlines()]
    assert sorted(solution_lines(path) & set(lines)) == []


def test_the_file_has_link_points_stubs_and_visible_tests() -> None:
    notebook = source.notebook(CHAPTER, link="https://example.org/01")
    assert "4 exercises, 9 points" in notebook.cells[0].source
    assert "(https://example.org/01)" in notebook.cells[0].source
    text = "\n".join(cell.source for cell in released().cells)
    assert 'def twice(x: Tensor) -> Tensor:\n    """Twice of x."""\n    raise NotImpl' in text
    assert "count = ...  # your answer" in text
    assert "assert count == NUMBER + 1" in text
    assert "half of twice is the same again" not in text
    assert "It varies one thing" not in text


@pytest.mark.parametrize("variant", [1, 2, 3])
def test_a_variant_changes_the_number_that_is_given(variant: int) -> None:
    given = [cell for cell in made(variant=variant).cells if "given" in cell.id]
    assert f"VARIANT = {variant}\n" in given[0].source


def test_statements_come_from_the_edition_where_there_is_one(tmp_path: Path) -> None:
    about = {"modality_gap": {"label": "ex-twice", "role": "statement"}}
    cell = {"metadata": about, "source": ["Exercise 1.2: ", "as on the website."]}
    (tmp_path / "01_tiny.ipynb").write_text(json.dumps({"cells": [cell]}))
    texts = {
        cell.id: cell.source for cell in source.notebook(CHAPTER, tmp_path / "01_tiny.ipynb").cells
    }
    assert texts["ex-twice-statement"].startswith("Exercise 1.2: as on the website.")
    assert "Write `twice(x)`" not in texts["ex-twice-statement"]
    assert "How many?" in texts["ex-value-statement"]


@cache
def proved(path: Path) -> dict[str, tuple[float, float, float]]:
    """(points, those of the model solution, those of the stub) by "variant label".

    All of a chapter is marked as one notebook, because its set-up takes longest.
    """
    chapter, notebook = exercises.read(path), source.notebook(path)
    cells = [cell for cell in notebook.cells if not cell.metadata.modality_gap.label]
    points = {}
    for variant in (1, 2, 3):
        for item in chapter.exercises:
            varied = any("VARIANT" in cell.source for cell in item.of("given"))
            if item.of("solution") and (varied or variant == 1):
                points[f"{variant} {item.label}"] = item.points
        for solved in (False, True):
            for cell in source.notebook(path, variant=variant).cells:
                about = cell.metadata.modality_gap
                name = f"{variant} {about.label}"
                if name not in points:
                    continue
                cell.source = cell.source if solved else about.get("stub", cell.source)
                about.label = f"{name} solved" if solved else name
                cells.append(cell)
    notebook.cells = cells
    found = earned(notebook)
    return {name: (of, found[f"{name} solved"], found[name]) for name, of in points.items()}


@needs_box
@pytest.mark.parametrize("variant", [1, 2, 3])
@pytest.mark.parametrize(
    "path",
    [CHAPTER, *(pytest.param(path, marks=pytest.mark.slow) for path in CHAPTERS)],
    ids=lambda path: path.stem,
)
def test_solutions_earn_all_points_and_stubs_none(
    path: Path, variant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "NOTEBOOK", 3000)
    found = {name: of for name, of in proved(path).items() if name.startswith(f"{variant} ")}
    if not found:
        pytest.skip("no exercise in variants")
    assert found == {name: (of, of, 0) for name, (of, *_) in found.items()}
