"""What a page takes from its reader: little of the code, and nothing that code it shows needs."""

from __future__ import annotations

import dis
import re
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import jupytext
import pytest
from nbformat import NotebookNode

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


def has(cell: NotebookNode, *tags: str) -> bool:
    return not set(tags).isdisjoint(cell.metadata.get("tags", []))


def lines(cells: list[NotebookNode]) -> int:
    return sum(bool(line.strip()) for cell in cells for line in cell.source.splitlines())


def accesses(code: CodeType, within: bool = False) -> Iterator[tuple[str, str]]:
    """What a cell does with its notebook's names, in order: how, name.

    How: "load", "store", or "call" for what a function loads, some time after it was defined.
    """
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_NAME", "LOAD_GLOBAL"):
            yield "call" if within else "load", step.argval
        elif step.opname == "STORE_NAME":
            yield "store", step.argval
        elif isinstance(step.argval, CodeType):
            later = within or step.argval.co_name == "<lambda>" or "<" not in step.argval.co_name
            inner = list(accesses(step.argval, later))
            own = {name for how, name in inner if how == "store"}  # of a class
            yield from ((how, name) for how, name in inner if name not in own)


def taken_away(cells: list[NotebookNode]) -> list[tuple[NotebookNode, str]]:
    """Cells, and names they load that only what is removed has bound last.

    A removed cell may use what another one binds: they go together.

    A function's names count as loaded where it stands and, as it may be called later, in every
    removed cell that binds one of them anew.
    """
    binder: dict[str, NotebookNode] = {}
    called: set[str] = set()
    found = []
    for cell in cells:
        removed = has(cell, "remove-cell")
        for how, name in accesses(compile(cell.source, "<cell>", "exec")):
            if how == "store":
                binder[name] = cell
                if removed and name in called:
                    found.append((cell, name))
                continue
            if how == "call" and not removed:
                called.add(name)
            if name in binder and not removed and has(binder[name], "remove-cell"):
                found.append((cell, name))
    return found


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_reader_sees_most_of_the_code(path: Path) -> None:
    cells = code_cells(path)
    removed = [cell for cell in cells if has(cell, "remove-cell", "remove-input")]
    share = lines(removed) / lines(cells)
    assert share <= REMOVED_AT_MOST, f"{path.name}: {share:.0%} of the code is removed"


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
