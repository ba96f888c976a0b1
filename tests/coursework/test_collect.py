"""Every damage of a file ends as the student's answers in the release, or as a sentence."""

from __future__ import annotations

import copy
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from tiny import RIGHT, answered, released

from modality_gap.coursework import collect

RELEASE = released()
HONEST = answered(RELEASE, RIGHT)


def rebuilt(payload: bytes, tmp_path: Path) -> collect.Rebuilt:
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent" / "Ada Lovelace.ipynb").write_bytes(payload)
    (item,) = collect.collect(tmp_path / "sent", {"01_tiny": RELEASE})
    return item


def text(notebook: NotebookNode) -> list[tuple[str, str]]:
    return [(cell.id, cell.source) for cell in notebook.cells]


def changed(change: Callable[[NotebookNode], object]) -> bytes:
    notebook = copy.deepcopy(HONEST)
    change(notebook)
    return json.dumps(notebook).encode()


def each(change: Callable[[NotebookNode], object]) -> bytes:
    return changed(lambda notebook: [change(cell) for cell in notebook.cells])


def without_ids(cell: NotebookNode) -> None:
    cell.metadata = {}
    cell.id = "x" + str(id(cell))


def unlocked(cell: NotebookNode) -> None:
    cell.metadata.nbgrader.update(locked=False, grade=False, points=100, solution=True)


def as_version_3(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell["input"] = cell.pop("source")
    notebook["worksheets"] = [{"cells": notebook.pop("cells")}]
    notebook.update(nbformat=3)


PLAIN = json.dumps(HONEST).encode()
MENDED = {
    "as it should be": PLAIN,
    "changed tests": each(
        lambda cell: cell.metadata.nbgrader.solution or cell.update(source="pass")
    ),
    "changed flags": each(unlocked),
    "only the answers are left": changed(
        lambda notebook: notebook.update(
            cells=[cell for cell in notebook.cells if cell.metadata.nbgrader.solution]
        )
    ),
    "another order": changed(lambda notebook: notebook.cells.reverse()),
    "metadata lost": each(lambda cell: cell.update(metadata={})),
    "metadata and ids lost": each(without_ids),
    "an old schema": each(lambda cell: cell.metadata.nbgrader.update(schema_version=1)),
    "another kernel": changed(
        lambda notebook: notebook.metadata.update(kernelspec={"name": "sh", "argv": ["rm"]})
    ),
    "version 3": changed(as_version_3),
    "sources as lines": each(lambda cell: cell.update(source=cell.source.splitlines(True))),
    "CRLF": each(lambda cell: cell.update(source=cell.source.replace("\n", "\r\n"))),
    "a mark of byte order": b"\xef\xbb\xbf" + PLAIN,
    "UTF-16": PLAIN.decode().encode("utf-16"),
    "cells that are none": changed(lambda notebook: notebook.cells.extend([7, None, [], {}])),
    "metadata that is none": changed(
        lambda notebook: notebook.cells.append({"cell_type": "code", "metadata": 3, "source": 5})
    ),
}


@pytest.mark.parametrize("name", MENDED)
def test_what_can_be_read_becomes_the_answers_in_the_release(name: str, tmp_path: Path) -> None:
    item = rebuilt(MENDED[name], tmp_path)
    assert text(item.notebook) == text(HONEST)
    assert item.notebook.metadata == RELEASE.metadata
    for cell, original in zip(item.notebook.cells, RELEASE.cells, strict=True):
        assert cell.metadata == original.metadata


@pytest.mark.parametrize(
    "code",
    ["x" + ".a" * 90_000, "(" * 90_000, "-" * 90_000 + "1", "\0", "def f(", "x = " + "9" * 9999],
)
def test_code_that_no_parser_takes_binds_at_most_names(code: str) -> None:
    assert collect.read_cell({"cell_type": "code", "source": code}).bound <= {"f", "x"}


UNREADABLE = {
    "truncated": PLAIN[:200],
    "empty": b"",
    "binary": bytes(range(256)) * 9,
    "deep": b"[" * 100_000,
    "a list": b"[1, 2]",
    "no cells": b'{"cells": 7}',
    "too large": b" " * (collect.LIMIT + 1),
    "too many cells": b'{"cells": [' + b"{}," * 10**6 + b"{}]}",
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_the_release_and_a_sentence(name: str, tmp_path: Path) -> None:
    item = rebuilt(UNREADABLE[name], tmp_path)
    assert text(item.notebook) == text(RELEASE)
    assert len(item.notes) == 1
    assert len(item.notes[0]) > 10


def test_of_two_answers_the_later_counts(tmp_path: Path) -> None:
    again = new_code_cell("count = 5", metadata={"nbgrader": {"grade_id": "ex-value-answer"}})
    item = rebuilt(changed(lambda notebook: notebook.cells.append(again)), tmp_path)
    assert dict(text(item.notebook))["ex-value-answer"] == "count = 5"
    assert any("2 answers to ex-value" in note for note in item.notes)


def test_an_answer_that_was_split_is_whole(tmp_path: Path) -> None:
    def split(notebook: NotebookNode) -> None:
        place = [cell.id for cell in notebook.cells].index("ex-twice-answer")
        first, second = notebook.cells[place], copy.deepcopy(notebook.cells[place])
        first.source, second.id = "import math", "new"
        notebook.cells.insert(place + 1, second)
        notebook.cells.append(copy.deepcopy(RELEASE.cells[place]))  # and the stub once more

    item = rebuilt(changed(split), tmp_path)
    sources = [cell.source for cell in item.notebook.cells]
    assert sources[sources.index("import math") + 1] == RIGHT["ex-twice"]


def test_own_cells_stay_beside_their_exercise(tmp_path: Path) -> None:
    def add(notebook: NotebookNode) -> None:
        at = [cell.id for cell in notebook.cells].index
        notebook.cells.insert(at("ex-twice-answer") + 1, new_code_cell("after = 1"))
        notebook.cells.insert(at("ex-twice-answer"), new_code_cell("before = 1"))
        notebook.cells.insert(at("setup-1"), new_code_cell("import math"))

    item = rebuilt(changed(add), tmp_path)
    sources = [cell.source for cell in item.notebook.cells]
    place = sources.index(RIGHT["ex-twice"])
    assert sources[place - 1 : place + 2 : 2] == ["before = 1", "after = 1"]
    assert sources[2] == "import math"
    own = [cell for cell in item.notebook.cells if cell.source in ("before = 1", "import math")]
    assert not any("nbgrader" in cell.metadata for cell in own)


def test_free_text_in_a_cell_of_its_own_counts(tmp_path: Path) -> None:
    notebook = answered(RELEASE, RIGHT | {"ex-design": "*Your answer, in place of this line.*"})
    notebook.cells.append(new_markdown_cell("I vary it."))
    item = rebuilt(json.dumps(notebook).encode(), tmp_path)
    assert dict(text(item.notebook))["ex-design-answer"] == "I vary it."


def test_lone_surrogates_can_be_written(tmp_path: Path) -> None:
    item = rebuilt(json.dumps(HONEST).replace("I vary", "\\ud800").encode(), tmp_path)
    assert dict(text(item.notebook))["ex-design-answer"] == "? one thing."


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(PLAIN)
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent" / "ada.ipynb").symlink_to(tmp_path / "secret")
    (item,) = collect.collect(tmp_path / "sent", {"01_tiny": RELEASE})
    assert text(item.notebook) == text(RELEASE)
    assert "link" in item.notes[0]


NAMES = [
    # Moodle
    ("Ada Lovelace_81512_assignsubmission_file/tiny.ipynb", "81512", "Ada Lovelace", ""),
    ("Ada Lovelace_81512_assignsubmission_file_/tiny (1).ipynb", "81512", "Ada Lovelace", ""),
    ("Ada_Lovelace_81512_assignsubmission_file_tiny.ipynb", "81512", "Ada Lovelace", ""),
    ("Łukasz 李_7_assignsubmission_file/x.pdf", "7", "Łukasz 李", ""),
    ("5/Ada O'Neil-Łu_7_assignsubmission_file_/a/x.ipynb", "7", "Ada O'Neil-Łu", ""),
    ("Ada_7_assignsubmission_onlinetext/onlinetext.html", "7", "Ada", ""),
    ("Eve_7_assignsubmission_file_/Bob_9_assignsubmission_file_/x.ipynb", "7", "Eve", ""),
    (f"Eve_7_assignsubmission_file/{'x' * 999}/Bob_9_1_x.ipynb", "7", "Eve", ""),
    ("E\x1b[2J\u202eve_7_assignsubmission_file/x.ipynb", "7", "E [2J ve", ""),
    # Canvas
    ("eve_1_99_Bob_9_assignsubmission_file_x.ipynb", "1", "eve", ""),
    ("eve_1_99_x/bob_2_98_y.ipynb", "1", "eve", ""),
    ("lovelaceada_1234_99_tiny.ipynb", "1234", "lovelaceada", ""),
    ("lovelaceada_LATE_1234_99_tiny-1.ipynb", "1234", "lovelaceada", "late"),
    ("李小龍_55_99_tiny.ipynb", "55", "李小龍", ""),
    ("anon_x7Kp2_99_tiny.ipynb", "x7Kp2", "anonymous x7Kp2", ""),
    ("anon_LATE_x7Kp2_99_tiny.ipynb", "x7Kp2", "anonymous x7Kp2", "late"),
    ("all/محمد_LATE_8_99_03_x_2.ipynb", "8", "محمد", "late"),
    # nbgrader, a folder a student, loose files
    ("ada/01_tiny/01_tiny.ipynb", "ada", "ada", ""),
    ("ada l/tiny.ipynb", "ada_l", "ada l", ""),
    ("../../ada.ipynb", "ada", "ada", ""),
    ("=cmd().ipynb", "cmd", "=cmd()", ""),
    ("..\\..\\ada.ipynb", "ada", "..\\..\\ada", ""),
    ("คน" * 60 + ".ipynb", "คน" * 13, "คน" * 60, ""),
]


@pytest.mark.parametrize(("path", "student", "name", "note"), NAMES)
def test_whose_a_file_is(path: str, student: str, name: str, note: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr(path, PLAIN)
    (item,) = collect.collect(tmp_path / "all.zip", {"01_tiny": RELEASE})
    assert (item.student, item.name) == (student, name)
    assert text(item.notebook) == text(HONEST)
    assert [note] == item.notes or not note


def test_the_second_upload_counts(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("lovelaceada_1_12_tiny-1.ipynb", PLAIN.replace(b"2 * x", b"x + x"))
        archive.writestr("lovelaceada_1_11_tiny.ipynb", PLAIN)
        archive.writestr("grace_2_13_tiny.ipynb", PLAIN[:99])
        archive.writestr("__MACOSX/grace_2_13_tiny.ipynb", PLAIN)
    ada, grace = collect.collect(tmp_path / "all.zip", {"01_tiny": RELEASE})
    assert "x + x" in dict(text(ada.notebook))["ex-twice-answer"]
    assert "2 files" in ada.notes[0]
    assert text(grace.notebook) == text(RELEASE)


@pytest.mark.parametrize(
    "form", ["all/{}.ipynb", "{}.ipynb", "all/{}/x.ipynb", "{}/01_a/01_a.ipynb"]
)
def test_each_student_is_one_in_every_form_of_folder(form: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name in ("ada", "bob"):
            archive.writestr(form.format(name), PLAIN)
    items = collect.collect(tmp_path / "all.zip", {"01_tiny": RELEASE})
    assert [item.student for item in items] == ["ada", "bob"]


def test_a_name_that_is_no_text_is_one_all_the_same(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"ad\xff.ipynb")).write_bytes(PLAIN)
    (item,) = collect.collect(tmp_path, {"01_tiny": RELEASE})
    assert (item.student, item.name) == ("ad", "ad?")


def test_a_student_with_a_hidden_file_has_a_row_and_two_files_are_of_one(tmp_path: Path) -> None:
    folder = tmp_path / "Ada_7_assignsubmission_file"
    folder.mkdir()
    (folder / ".x.ipynb").write_bytes(PLAIN)
    (item,) = collect.collect(tmp_path, {"01_tiny": RELEASE})
    assert (item.student, item.notes) == ("7", [collect.UNSEEN])
    (folder / "a.ipynb").write_bytes(PLAIN)
    (item,) = collect.collect(tmp_path, {"01_tiny": RELEASE})
    assert (item.student, item.notes) == ("7", [])
    (folder / "b.ipynb").write_bytes(PLAIN)
    (item,) = collect.collect(tmp_path, {"01_tiny": RELEASE})
    assert item.student == "7"


def test_a_file_of_nothing_but_zeros_is_read_to_its_limit(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ada.ipynb", bytes(5 * collect.LIMIT))
    (item,) = collect.collect(tmp_path / "all.zip", {"01_tiny": RELEASE})
    assert "larger than" in item.notes[0]


@pytest.mark.parametrize(("number", "length"), [(collect.OWN + 1, 1), (12, collect.TEXT)])
def test_answers_without_end_are_one(number: int, length: int, tmp_path: Path) -> None:
    about = {"nbgrader": {"grade_id": "ex-value-answer"}}
    codes = [f"count = {n}  # {'a.' * length}" for n in range(number)]
    more = [new_code_cell(code, metadata=about) for code in codes]
    item = rebuilt(changed(lambda notebook: notebook.cells.extend(more)), tmp_path)
    assert len(item.notebook.cells) == len(RELEASE.cells)
    assert dict(text(item.notebook))["ex-value-answer"] == codes[-1][: collect.TEXT]
    assert any("cut" in note for note in item.notes) == (length > 1)


def test_names_that_differ_in_signs_only_are_two_students(tmp_path: Path) -> None:
    for name in ("a b", "a_b", "a+b"):
        (tmp_path / "sent" / name).mkdir(parents=True)
        (tmp_path / "sent" / name / "tiny.ipynb").write_bytes(PLAIN)
    items = collect.collect(tmp_path / "sent", {"01_tiny": RELEASE})
    assert len({item.student for item in items}) == 3


def test_a_file_belongs_to_the_chapter_whose_cells_it_holds(tmp_path: Path) -> None:
    other = copy.deepcopy(RELEASE)
    for cell in other.cells:
        cell.id = cell.id.replace("ex-", "other-")
        cell.source = cell.source.replace("twice", "thrice").replace("count", "sum")
    (tmp_path / "ada.ipynb").write_bytes(PLAIN)
    (tmp_path / "bob.ipynb").write_bytes(b"broken")
    items = collect.collect(tmp_path, {"00_other": other, "01_tiny": RELEASE})
    assert [item.chapter for item in items] == ["01_tiny", "01_tiny"]


@pytest.mark.parametrize("content", [None, b"no zip"])
def test_what_is_neither_folder_nor_zip_is_said(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    if content:
        path.write_bytes(content)
    with pytest.raises(ValueError, match="neither a folder nor a zip"):
        collect.collect(path, {"01_tiny": RELEASE})


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no notebook"):
        collect.collect(tmp_path, {"01_tiny": RELEASE})
