"""The exercises of a chapter, read from its text.

An exercise is a directive `exercise` (or `exercise-start` to `exercise-end`, where its statement
holds fences) with a label, and a `solution` (or `solution-start` to `solution-end`) of that label.
Every code cell inside has one role, as a tag; book/teaching.md says which, for those who write one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jupytext
from markdown_it import MarkdownIt
from mdit_py_plugins.colon_fence import colon_fence_plugin

ROLES = ("given", "solution", "test", "hidden-test")
MISSING = 'raise NotImplementedError("your code instead of this line")'
DIRECTIVE = re.compile(r"\{((?:exercise|solution)(?:-start|-end)?)\}\s*(.*)")


@dataclass
class Exercise:
    """One exercise of a chapter, in the markup of the book."""

    label: str
    title: str
    statement: str = ""
    solution: str = ""  # the prose of the solution
    cells: list[tuple[str, Any]] = field(default_factory=list)  # (role, code cell), in order

    def of(self, *roles: str) -> list[Any]:
        """The code cells of these roles, in their order."""
        return [cell for role, cell in self.cells if role in roles]

    @property
    def answers(self) -> list[str]:
        """The names asked for: bound by the solution, and named in backticks by the statement."""
        bound = bindings("\n".join(cell.source for cell in self.of("solution")))
        named = set(re.findall(r"`(\w+)", self.statement))
        return [name for name in bound if name in named]

    @property
    def points(self) -> int:
        """Points of the tests; of an exercise in free text, bullets of its rubric."""
        if self.of("solution"):
            tests = self.of("test", "hidden-test")
            return sum(cell.metadata.get("points", 1) for cell in tests)
        return len(re.findall(r"^(?:-|\d+\.) ", self.solution, re.MULTILINE))

    @property
    def stub(self) -> str:
        """What the student starts from: signature and docstring of functions, names of values."""
        code = "\n".join(cell.source for cell in self.of("solution"))
        parts = []
        for node in ast.parse(code).body:
            if isinstance(node, ast.FunctionDef) and node.name in self.answers:
                documented = ast.get_docstring(node) is not None
                end = node.body[0].end_lineno if documented else node.body[0].lineno - 1
                head = code.splitlines()[node.lineno - 1 : end]
                parts.append("\n".join([*head, f"    {MISSING}"]))
        values = [name for name in self.answers if not re.search(rf"^def {name}\(", code, re.M)]
        parts += [f"{name} = ...  # your answer" for name in values]
        return "\n\n\n".join(parts)


@dataclass
class Chapter:
    """What the coursework takes of a chapter."""

    setup: list[Any]  # code cells, in order
    exercises: list[Exercise]
    title: str


def bindings(code: str) -> list[str]:
    """Names that code binds at its top level, in order, each once."""
    names = []
    for node in ast.parse(code).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            found = (item for item in ast.walk(node) if isinstance(item, ast.Name))
            names += [name.id for name in found if isinstance(name.ctx, ast.Store)]
    return list(dict.fromkeys(names))


def read(path: Path) -> Chapter:
    """The exercises of a chapter, and the cells that they need.

    Raises:
        ValueError: a cell in an exercise without a role, a solution of no exercise, an exercise
            without a test or without a rubric, a function or value that no statement names; with
            file, line, label and what to do.
    """
    text = path.read_text("utf-8")
    markdown = MarkdownIt().use(colon_fence_plugin)
    exercises: dict[str, Exercise] = {}
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    chapter = Chapter([], [], title[1] if title else path.stem)
    where: tuple[str, Exercise] | None = None  # which part of which exercise is open

    def fail(what: str, needle: str) -> ValueError:
        line = text[: max(0, text.find(needle))].count("\n") + 1
        return ValueError(f"{path.name}, line {line}: {what}")

    for cell in jupytext.read(path).cells:
        if cell.cell_type == "code":
            tags = cell.metadata.get("tags", [])
            if "setup" in tags:
                chapter.setup.append(cell)
            roles = [role for role in ROLES if role in tags]
            if where and len(roles) != 1:
                open_ = where[1].label
                raise fail(f"a cell of {open_} needs one tag of {', '.join(ROLES)}", cell.source)
            if roles and not where:
                raise fail(f"a cell tagged {roles[0]} stands in no exercise", cell.source)
            if where:
                where[1].cells.append((roles[0], cell))
            continue
        for kind, name, body in blocks(markdown, cell.source):
            if kind in ("exercise", "exercise-start"):
                named = re.search(r"^:label:\s*(\S+)", body, re.MULTILINE)
                if not named:
                    raise fail(f"exercise '{name}' has no :label:", name)
                exercise = Exercise(named[1], name, without_options(body))
                exercises[named[1]] = exercise
                where = ("statement", exercise) if kind == "exercise-start" else where
            elif kind in ("solution", "solution-start"):
                if name not in exercises:
                    raise fail(f"a solution of {name}, which is no exercise", name)
                where = ("solution", exercises[name]) if kind == "solution-start" else where
                if kind == "solution":
                    exercises[name].solution = without_options(body)
            elif kind in ("exercise-end", "solution-end"):
                where = None
            elif where:
                part, exercise = where
                so_far = getattr(exercise, part)
                setattr(exercise, part, f"{so_far}\n\n{body}".strip())
    for exercise in exercises.values():
        label = exercise.label
        what = ""
        if exercise.of("solution") and not exercise.of("test"):
            what = f"{label} has a solution and no cell tagged test"
        elif exercise.of("test") and not exercise.answers:
            what = f"the statement of {label} names in backticks nothing that its solution binds"
        elif not exercise.points:
            what = f"{label} has neither a test nor a rubric of bullets"
        if what:
            raise fail(what, f":label: {label}")
    chapter.exercises = list(exercises.values())
    return chapter


def blocks(markdown: MarkdownIt, text: str) -> Iterator[tuple[str, str, str]]:
    """(directive, its argument, its content) of exercises and solutions; ("", "", text) between."""
    lines = text.splitlines()
    last = 0
    for token in markdown.parse(text):
        found = DIRECTIVE.match(token.info.strip()) if token.map and token.level == 0 else None
        if not found or not token.map:
            continue
        start, end = token.map
        if between := "\n".join(lines[last:start]).strip():
            yield "", "", between
        yield found[1], found[2].strip(), token.content
        last = end
    if rest := "\n".join(lines[last:]).strip():
        yield "", "", rest


def without_options(body: str) -> str:
    """The content of a directive without the options at its head."""
    return re.sub(r"\A(:[\w-]+:.*\n?)*", "", body).strip()
