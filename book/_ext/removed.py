"""What the code of a page takes from cells that the page removes."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from types import CodeType

from nbformat import NotebookNode


def has(cell: NotebookNode, *tags: str) -> bool:
    """Whether a cell has one of these tags."""
    return not set(tags).isdisjoint(cell.metadata.get("tags", []))


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
