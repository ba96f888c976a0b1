"""What a page takes from its reader: little of the code, and nothing that code it shows needs."""

from __future__ import annotations

import re
from pathlib import Path

import jupytext
import pytest
import yaml
from nbformat import NotebookNode

import objectives
from removed import has, taken_away

ROOT = Path(__file__).parents[1]
CONTENTS = re.findall(r"(?:root|file): (\S+)", (ROOT / "_toc.yml").read_text("utf-8"))
PAGES = [
    path
    for path in (ROOT / f"{name}.md" for name in CONTENTS)
    if path.is_file() and "format_name: myst" in path.read_text("utf-8")
]
# The other pages are prose; what code they have makes a table or a picture and shows nothing else.
CHAPTERS = [path for path in PAGES if path.parent.name == "notebooks"]
REMOVED_AT_MOST = 0.2


def code_cells(path: Path) -> list[NotebookNode]:
    return [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]


def lines(cells: list[NotebookNode]) -> int:
    return sum(bool(line.strip()) for cell in cells for line in cell.source.splitlines())


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_reader_sees_most_of_the_code(path: Path) -> None:
    cells = code_cells(path)
    removed = [cell for cell in cells if has(cell, "remove-cell", "remove-input")]
    share = lines(removed) / lines(cells)
    assert share <= REMOVED_AT_MOST, f"{path.name}: {share:.0%} of the code is removed"


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_asks_three_questions_between_its_paragraphs(path: Path) -> None:
    text, _, exercises = path.read_text("utf-8").partition("\n## Exercises\n")
    assert text.count("\n```{question}\n") == 3
    assert "{question}" not in exercises
    for question in re.findall(r"^```\{question\}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        assert len(re.findall(r"^- \[[ x]\] ", question, re.MULTILINE)) >= 3, question


def test_every_chapter_has_its_line_in_the_table_of_objectives() -> None:
    table = yaml.safe_load((ROOT / objectives.TABLE).read_text("utf-8"))
    assert list(table) == [path.stem for path in CHAPTERS]
    for path in CHAPTERS:
        assert set(table[path.stem]) == {"can", "needs"}, path.stem
        assert path.read_text("utf-8").count("\n```{objectives}\n```\n") == 1, path.stem


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_no_cell_needs_what_a_removed_cell_binds(path: Path) -> None:
    text = path.read_text("utf-8")
    complaints = []
    for cell, name in taken_away(code_cells(path)):
        line = text[: text.index(cell.source)].count("\n") + 1
        complaints.append(f"{path.name}, cell of line {line}: {name}")
    assert complaints == []


def cell(source: str, *tags: str) -> NotebookNode:
    return NotebookNode(source=source, metadata=NotebookNode(tags=list(tags)))


@pytest.mark.parametrize(
    "use",
    [
        "print(a)",
        "a += 1",
        "def f():\n    return a",
        "[a for _ in range(3)]",
        "class C:\n    b = a",
    ],
)
@pytest.mark.parametrize("binding", ["a = 1", "import a", "def a(): ...", "for a in []: ..."])
def test_need_is_seen(binding: str, use: str) -> None:
    before, removed, after = cell("a = 0"), cell(binding, "remove-cell"), cell(use)
    assert taken_away([before, removed, after]) == [(after, "a")]
    assert taken_away([before, cell(binding), after]) == []
    assert taken_away([before, removed, cell(f"a = 2\n{use}")]) == []
    assert taken_away([before, cell(f"{binding}\n{use}", "remove-cell")]) == []
    assert taken_away([before, removed, cell(use, "remove-cell")]) == []


@pytest.mark.parametrize("use", ["def f(): return a", "f = lambda: a"])
def test_need_of_a_function_is_seen(use: str) -> None:
    before, removed = cell("a = 0"), cell("a = 1", "remove-cell")
    assert taken_away([before, cell(use), removed, cell("f()")]) == [(removed, "a")]
    assert taken_away([before, cell("b = [a for _ in range(3)]"), removed]) == []
    assert taken_away([before, cell("def f(a): return a"), removed]) == []
