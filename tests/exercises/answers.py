"""The right and the wrong answers to the exercises of the chapters, from the files beside this one.

    ## ex-label                      an exercise
    ### right: how it is computed    followed by code; at least two that differ
    ### wrong: what was mistaken     followed by code; at least three, each plausible

A wrong answer has to fail by an assertion of the exercise, whose message teaches.
"""

from __future__ import annotations

import json
import os
import re
import traceback
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from modality_gap.coursework import exercises
from modality_gap.coursework.exercises import Chapter, Exercise

ROOT = Path(__file__).parents[2]
VARIANT = re.compile(r"^VARIANT = 1$", re.MULTILINE)
CHAPTERS = sorted((ROOT / "notebooks").glob("*.md"))


class Answer(NamedTuple):
    """An answer to an exercise of a chapter."""

    chapter: Path
    label: str
    kind: str  # right or wrong
    title: str
    code: str


def collect(chapter: Path) -> list[Answer]:
    """The answers held for a chapter."""
    file = Path(__file__).with_name(chapter.name)
    if not file.exists():
        return []
    found, label = [], ""
    pattern = r"^## (\S+)$|^### (right|wrong): (.+?)\n+```python\n(.*?)^```"
    for match in re.finditer(pattern, file.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        if match[1]:
            label = match[1]
        else:
            found.append(Answer(chapter, label, match[2], match[3], match[4]))
    return found


@cache
def read(chapter: Path) -> Chapter:
    """A chapter's exercises, read once."""
    return exercises.read(chapter)


def exercise(chapter: Path, label: str) -> Exercise:
    """The exercise of that label."""
    (found,) = [item for item in read(chapter).exercises if item.label == label]
    return found


@cache
def setup(chapter: Path) -> dict[str, Any]:
    """What the set-up cells of a chapter bind; run once for all answers."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in read(chapter).setup:
        run(cell.source, names)
    return names


def run(code: str, names: dict[str, Any]) -> None:
    """Execute code, as a cell would be."""
    exec(compile(code, "<cell>", "exec"), names)


def variants(item: Exercise) -> tuple[int, ...]:
    """The variants of an exercise: three if a given cell says VARIANT = 1."""
    return (1, 2, 3) if any(VARIANT.search(cell.source) for cell in item.of("given")) else (1,)


@cache
def judges() -> ProcessPoolExecutor:
    """One process in which nothing else ever ran.

    It forks for every answer. Once PyTorch has worked with two threads, as some tests let it, a
    fork waits for the second thread for ever.
    """
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def outcome(answer: Answer, variant: int = 1, seed: int = 0) -> str:
    """ "" if all tests of the exercise pass, else the error of the first that fails."""
    return next(filter(None, outcomes(answer, variant, seed)), "")


def outcomes(answer: Answer, variant: int = 1, seed: int = 0) -> list[str]:
    """Of each test of the exercise "" or the error, all in a process of their own.

    Args:
        answer: to judge.
        variant: of the numbers that the exercise gives.
        seed: that hidden tests draw from.
    """
    return judges().submit(judge, answer, variant, seed).result()


def judge(answer: Answer, variant: int, seed: int) -> list[str]:
    """As `outcomes`, in a fork of the process that calls it."""
    names, item = setup(answer.chapter), exercise(answer.chapter, answer.label)
    reader, writer = os.pipe()
    if child := os.fork():
        os.close(writer)
        with os.fdopen(reader) as stream:
            said = stream.read()
        os.waitpid(child, 0)
        return json.loads(said) if said else ["the process died"]
    names["SEED"] = seed
    given = [VARIANT.sub(f"VARIANT = {variant}", cell.source) for cell in item.of("given")]
    tests = [cell.source for cell in item.of("test", "hidden-test")]
    errors = [error for code in [*given, answer.code] if (error := attempt(code, names))]
    with os.fdopen(writer, "w") as stream:
        json.dump(errors or [attempt(code, names) for code in tests], stream)
    os._exit(0)


def attempt(code: str, names: dict[str, Any]) -> str:
    """Execute code; the error that it raises, if any."""
    try:
        run(code, names)
    except BaseException as raised:
        return traceback.format_exception_only(raised)[-1].strip() or type(raised).__name__
    return ""
