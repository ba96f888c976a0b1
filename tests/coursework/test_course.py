"""The two commands, from a chapter to marks, feedback and a page about the class."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
import torch
from nbconvert.exporters import HTMLExporter
from nbgrader.api import Gradebook
from tiny import CHAPTER, RIGHT, answered, needs_box

from modality_gap.coursework import box, report
from modality_gap.coursework.course import attempts, main, make_data

LIVE = (
    "<script>alert(1)</script> <img src=x onerror=alert(2)> I vary one thing. "
    r"[a](javascript:alert(4)) $\href{javascript:alert(5)}{b}$"
)
LIVELY = r"<script>alert|<[^>]*onerror=|<img src=.?x|<a [^>]*javascript:"


def run(*argv: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "modality_gap.coursework", *map(str, argv)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course of one chapter and three students, marked once, in this process."""
    root = tmp_path_factory.mktemp("course")
    (root / "chapters").mkdir()
    shutil.copy(CHAPTER, root / "chapters")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setenv("PATH", os.environ["PATH"])
        patch.setattr("modality_gap.coursework.course.attempts", here)
        said = ["--course", str(root / "course")]
        assert main(["release", "--chapters", str(root / "chapters"), *said]) == 0
        send(root)
        assert main(["grade", str(root / "sent"), *said]) == 0
    return root


def here(work: Callable[..., str], jobs: list[tuple[Any, ...]], _: int) -> list[tuple[int, str]]:
    return [(number, work(*job)) for number, job in enumerate(jobs)]


def send(root: Path) -> None:
    release = nbformat.read(root / "course/release/01_tiny/01_tiny.ipynb", 4)
    sent = root / "sent"
    sent.mkdir()
    for name, answers in {
        "ada": RIGHT | {"ex-design": LIVE},
        "=1+1, bob": {"ex-value": "count = 9\nprint('<script>alert(3)</script>')"},
    }.items():
        nbformat.write(answered(release, answers), sent / f"{name}.ipynb")
    (sent / "dora.ipynb").write_bytes(b"broken")


def grades(course: Path) -> dict[str, dict[str, str]]:
    text = (course / "course/grades.csv").read_text("utf-8-sig")
    return {row["student"]: row for row in csv.DictReader(io.StringIO(text))}


@needs_box
def test_everybody_has_a_row_with_the_points_earned(course: Path) -> None:
    rows = grades(course)
    assert {name: row["points"] for name, row in rows.items()} == {
        "ada": "7", "1_1_bob": "0", "dora": "0",
    }  # fmt: skip
    assert {row["of"] for row in rows.values()} == {"9"}
    assert rows["ada"]["01 ex-twice (4)"] == "4"
    assert rows["ada"]["to mark by hand"] == "1"
    assert rows["1_1_bob"]["name"] == "'=1+1, bob"
    assert "damaged" in rows["dora"]["notes"]


@needs_box
def test_feedback_has_messages_and_seeds_and_nothing_hidden_or_live(course: Path) -> None:
    for student in ("ada", "1_1_bob", "dora"):
        page = (course / f"course/feedback/{student}/01_tiny/01_tiny.html").read_text("utf-8")
        assert "half(twice(drawn))" not in page
        assert not re.search(LIVELY, page)
    ada = (course / "course/feedback/ada/01_tiny/01_tiny.html").read_text("utf-8")
    assert "passed, with the seeds" in ada
    bob = (course / "course/feedback/1_1_bob/01_tiny/01_tiny.html").read_text("utf-8")
    assert "one more than 3, and you said 9" in bob


@needs_box
def test_formgrader_is_given_nothing_live(course: Path) -> None:
    marked = nbformat.read(course / "course/autograded/ada/01_tiny/01_tiny.ipynb", 4)
    page = HTMLExporter().from_notebook_node(marked)[0]
    assert "I vary one thing." in page
    assert not re.search(LIVELY, page)


@needs_box
def test_the_page_on_the_class_is_one_file_that_says_what_is_open(course: Path) -> None:
    page = (course / "course/class.html").read_text("utf-8")
    assert "3 students" in page
    assert "one more than 3, and you said 9" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "It varies one thing." in page
    assert not re.search(r"<script|<img|<a |<link", page)


@needs_box
def test_a_second_run_marks_what_changed_and_keeps_what_was_marked_by_hand(
    course: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Gradebook(f"sqlite:///{course / 'course/gradebook.db'}", "modality-gap") as book:
        grade = book.find_grade("ex-design-answer", "01_tiny", "01_tiny", "ada")
        grade.manual_score, grade.needs_manual_grade = 1.5, False
        book.db.commit()
    path = course / "sent/ada.ipynb"
    notebook = nbformat.read(path, 4)
    path.write_text(json.dumps(answered(notebook, {"ex-value": "count = 0"})), "utf-8")
    said = run("grade", course / "sent", "--course", course / "course", "--workers", "1")
    assert "3 submissions, 1 of them new or changed" in said.stdout
    assert "Score: 1.5" in (course / "course/feedback/ada/01_tiny/01_tiny.html").read_text("utf-8")
    row = grades(course)["ada"]
    assert (row["points"], row["01 ex-design (2)"], row["to mark by hand"]) == ("6.5", "1.5", "0")
    assert main(["grade", str(course / "sent"), "--course", str(course / "course")]) == 0
    assert "3 submissions, 0 of them new or changed" in capsys.readouterr().out


def test_who_kills_the_process_that_marks_stops_nobody_else() -> None:
    jobs = [("'a'",), ("__import__('os')._exit(1)",), ("'b'",), ("1 / 0",)]
    found = dict(attempts(eval, jobs, 2))
    assert (found[0], found[2]) == ("a", "b")
    assert "BrokenProcessPool" in found[1]
    assert "ZeroDivisionError" in found[3]


def test_without_a_release_or_a_chapter_it_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["grade", str(tmp_path), "--course", str(tmp_path / "none")]) == 1
    assert "make coursework first" in capsys.readouterr().err
    assert main(["release", "--chapters", str(tmp_path), "--course", str(tmp_path)]) == 1
    assert "holds no chapters" in capsys.readouterr().err
    assert main(["release", "--variant", "9"]) == 1
    assert "--variant 9" in capsys.readouterr().err


def test_data_that_a_chapter_reads_are_made_before_marking_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {"shapes": torch.zeros(1797, 1), "labels": torch.arange(1797) % 10}
    monkeypatch.setattr("modality_gap.lab.mad.dataset.make", lambda: made)
    monkeypatch.setenv("MODALITY_GAP_CACHE", str(tmp_path / "cache"))
    chapter = tmp_path / "source" / "01_tiny" / "01_tiny.ipynb"
    chapter.parent.mkdir(parents=True)
    chapter.write_text("twice(x)")
    make_data(tmp_path)
    assert not (tmp_path / "cache").exists()
    chapter.write_text("data = mad.load_mad()")
    make_data(tmp_path)
    assert list((tmp_path / "cache").glob("mad-*.safetensors"))
    monkeypatch.setenv("MODALITY_GAP_CACHE", str(chapter))
    with pytest.raises(ValueError, match="MODALITY_GAP_CACHE names a folder"):
        make_data(tmp_path)


def test_without_a_box_it_refuses_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(box.NoBoxError, match=r"(?s)bwrap is not installed.*apt install.*--trust"):
        box.check(tmp_path)


@needs_box
def test_a_box_that_holds_passes_and_one_that_does_not_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    box.check(tmp_path)
    monkeypatch.setattr(box, "command", lambda *program: list(program))
    with pytest.raises(box.NoBoxError, match="could read a file of yours"):
        box.check(tmp_path)


MOODLE = (
    "Identifier,Full name,Status,Grade,Maximum Grade,Last modified (grade)\n"
    "Participant 81512,Ada Lovelace,Submitted,,10.00,-\nParticipant 9,Bob,,3,10.00,-\n"
)
CANVAS = (
    "Student,ID,SIS User ID,Section,Coursework 5 (77),Final Score\n"
    "    Points Possible,,,,10,\nLovelace,81512,,A,,\n"
)


def test_moodles_worksheet_is_filled() -> None:
    filled = report.worksheet(MOODLE, {"81512": 7.5})
    assert filled.splitlines()[1] == "Participant 81512,Ada Lovelace,Submitted,7.5,10.00,-"
    assert filled.splitlines()[2] == MOODLE.splitlines()[2]


def test_canvas_export_is_filled() -> None:
    filled = report.worksheet(CANVAS, {"81512": 7})
    assert filled.splitlines()[2] == "Lovelace,81512,,A,7,"
    assert filled.splitlines()[:2] == CANVAS.splitlines()[:2]


def test_a_worksheet_in_another_language_is_filled_when_its_column_is_named() -> None:
    text = MOODLE.replace("Identifier", "Kennung").replace("Grade", "Bewertung").replace(",", ";")
    filled = report.worksheet(text, {"81512": 7.5}, "Bewertung")
    assert filled.splitlines()[1] == "Participant 81512;Ada Lovelace;Submitted;7.5;10.00;-"


@pytest.mark.parametrize("text", ["", "Name,Mark\nAda,\n", CANVAS.replace("Section", "Other (78)")])
def test_a_worksheet_without_one_column_for_points_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="--column"):
        report.worksheet(text, {})


@pytest.mark.parametrize("sign", ["", ",", ";", "\t", "\n", "|"])
def test_no_name_and_no_note_is_a_formula(sign: str) -> None:
    for text in ("=1+1", "-1", "+1", "@a"):
        assert report.harmless(text) == f"'{text}"
        assert report.harmless(f"a{sign} {text}") == (f"a{sign}' {text}" if sign else f"a {text}")
    assert (
        report.harmless("Ada O'Neil-Łu; 2 files; a=b.ipynb") == "Ada O'Neil-Łu; 2 files; a=b.ipynb"
    )
    assert report.harmless(-1) == -1


def test_a_student_without_marks_has_a_row() -> None:
    table = pd.DataFrame(columns=report.COLUMNS)
    assert report.grades(table, {"eve": ["not marked"]}).splitlines()[1].startswith("eve,eve")
