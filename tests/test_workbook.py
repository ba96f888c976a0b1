"""Notebooks are handed out once, and what the reader changed is his."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from workbook import hand_out

ROOT = Path(__file__).parents[1]


@pytest.fixture
def edition(tmp_path: Path) -> Path:
    folder = tmp_path / "edition"
    folder.mkdir()
    (folder / "01.ipynb").write_text("one")
    (folder / "02.ipynb").write_text("two")
    return folder


def test_a_newer_edition_replaces_only_what_was_not_changed(edition: Path, tmp_path: Path) -> None:
    workbook = tmp_path / "workbook"
    assert hand_out(edition, workbook) == []
    (workbook / "01.ipynb").write_text("mine")
    assert hand_out(edition, workbook) == []
    assert not (workbook / "01.new.ipynb").exists(), "nothing newer"

    (edition / "01.ipynb").write_text("one, newer")
    (edition / "02.ipynb").write_text("two, newer")
    (said,) = hand_out(edition, workbook)
    assert "01.ipynb" in said
    assert "01.new.ipynb" in said
    texts = {path.name: path.read_text() for path in workbook.glob("*.ipynb")}
    assert texts == {"01.ipynb": "mine", "01.new.ipynb": "one, newer", "02.ipynb": "two, newer"}
    assert hand_out(edition, workbook) == [], "said once"


def test_a_deleted_notebook_comes_back(edition: Path, tmp_path: Path) -> None:
    workbook = tmp_path / "workbook"
    hand_out(edition, workbook)
    (workbook / "02.ipynb").unlink()
    hand_out(edition, workbook)
    assert (workbook / "02.ipynb").read_text() == "two"


def test_what_cannot_be_done_is_one_sentence(edition: Path, tmp_path: Path) -> None:
    script = ROOT / "book" / "_ext" / "workbook.py"
    (tmp_path / "taken").write_text("a file where the folder should be")
    shutil.rmtree(tmp_path / "empty", ignore_errors=True)
    for source, target, what in (
        (edition, tmp_path / "taken", "taken"),
        (tmp_path / "empty", tmp_path / "workbook", "make book"),
    ):
        command = [sys.executable, script, source, target]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert what in done.stderr
