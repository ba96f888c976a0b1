"""Thirty submissions of one chapter, marked by two workers, and how much of it is set-up.

    make bench ARGUMENTS="-k coursework"

MODALITY_GAP_CHAPTER names another chapter, MODALITY_GAP_SUBMISSIONS another number of them.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from modality_gap.coursework.execute import Session
from modality_gap.coursework.judge import Judge

CHAPTER = os.environ.get("MODALITY_GAP_CHAPTER", "05_random_initialisation")
COUNT = int(os.environ.get("MODALITY_GAP_SUBMISSIONS", 30))
WORKERS = 2
NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def command(*argv: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "modality_gap.coursework", *argv], check=True)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def worked() -> float:
    """CPU seconds of every process that this one has waited for, boxes and kernels too."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.skipif(not shutil.which("bwrap"), reason="no bubblewrap")
def test_coursework_speed(tmp_path: Path, record_property: Callable[[str, str], None]) -> None:
    (tmp_path / "chapters").mkdir()
    (tmp_path / "sent").mkdir()
    shutil.copy(NOTEBOOKS / f"{CHAPTER}.md", tmp_path / "chapters")
    course = tmp_path / "course"
    command("release", "--chapters", tmp_path / "chapters", "--course", course)
    solved = nbformat.read(course / "source" / CHAPTER / f"{CHAPTER}.ipynb", 4)
    for number in range(COUNT):
        nbformat.write(solved, tmp_path / "sent" / f"student{number}.ipynb")
    marking = ("grade", tmp_path / "sent", "--course", course, "--workers", str(WORKERS))
    before = worked()
    whole = seconds(lambda: command(*marking))
    cpu = worked() - before
    session = Session(solved, seed=1)
    cells = [cell for cell in solved.cells if cell.metadata.modality_gap.role == "setup"]
    kernel = seconds(lambda: [session.cell(cell) for cell in cells])
    session.close()
    judge = seconds(lambda: Judge(session.setup, session.given).process.kill())
    share = (COUNT * kernel / WORKERS + judge) / whole
    record_property(
        "coursework",
        f"{COUNT} submissions of {CHAPTER} took {whole:.0f} s with {WORKERS} workers and "
        f"{cpu:.0f} s of CPU; about "
        f"{share:.0%} of it is set-up: {kernel:.1f} s in each student's kernel, {judge:.1f} s in "
        "the judge of each worker.",
    )
