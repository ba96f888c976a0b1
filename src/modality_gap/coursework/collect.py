"""What students sent, rebuilt from the release: nothing of a file is believed but the answers.

Locked cells come from the release. An answer is known by its cell's id, else by a text that the
release holds, else by the names that it binds. Cells of the student's own stay beside their
exercise, in their order. Whatever cannot be read leaves the release as it was, and a note.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import re
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from . import exercises

LIMIT = 20 * 2**20  # bytes, of a file
TEXT = 20_000  # characters, of a cell: some code takes Pygments the square of its length
CELLS, OWN = 2000, 200  # of a file, and of those the student's own
MOODLE = re.compile(
    r"(?:^|(?<=/))(?P<name>[^/]+?)(?P<late>)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)_?"
    r"(?P<file>.+)"
)
CANVAS = re.compile(  # with the site's names, or with "anon" and an id of letters and digits
    r"(?:^|(?<=/))(?P<name>(?P<anon>anon)|[^/_]+)(?P<late>_LATE)?_(?P<id>(?(anon)[^\W_]+|\d+))"
    r"_\d+_(?P<file>(?!assignsubmission_).+)"
)
HIDDEN = re.compile(r"(^|/)(\.[^./]|__MACOSX)")
UNSEEN = "a hidden file, so not read"
SIGNS = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # that steer a screen


@dataclass
class Cell:
    """What is believed of a cell."""

    code: bool
    source: str
    ids: list[str]  # the names that it goes by: nbgrader's, then its own
    bound: set[str]  # the names that its code binds


@dataclass
class Sent:
    """A file that a student sent."""

    student: str  # an id that can name a folder
    name: str  # of the student, for people
    file: str
    cells: list[Cell]
    when: tuple[Any, ...]  # the later of two files counts
    notes: list[str] = field(default_factory=list)


@dataclass
class Rebuilt:
    """A student's submission of one chapter."""

    student: str
    name: str
    chapter: str
    notebook: NotebookNode
    notes: list[str]


def collect(source: Path, releases: dict[str, NotebookNode]) -> list[Rebuilt]:
    """The submissions in a folder or a zip file, a chapter of a student each once.

    Raises:
        ValueError: there is no such folder or zip file, or nothing in it.
    """
    sent = list(files(source))
    if not sent:
        raise ValueError(f"{source} holds no notebook; give Moodle's or Canvas's zip, or a folder")
    guesses = [guess(item, releases) for item in sent]
    usual = Counter(filter(None, guesses)).most_common(1)
    default = usual[0][0] if usual else next(iter(releases))
    latest: dict[tuple[str, str], list[Sent]] = {}
    for item, chapter in zip(sent, guesses, strict=True):
        latest.setdefault((item.student, chapter or default), []).append(item)
    rebuilt = []
    for (student, chapter), versions in latest.items():
        item = max(versions, key=lambda version: (bool(version.cells), version.when))
        notebook, notes = rebuild(item.cells, releases[chapter])
        if len(versions) > 1:
            notes.insert(0, f"{len(versions)} files; {item.file} counts")
        rebuilt.append(Rebuilt(student, item.name, chapter, notebook, item.notes + notes))
    return rebuilt


def files(source: Path) -> Iterator[Sent]:
    """Every file that could be a submission, with whose it is."""
    taken: dict[str, str] = {}
    found, unseen = list(entries(source)), []
    tops = {tuple(PurePosixPath(path).parts[:2]) for path, *_ in found}
    inner = all(len(top) == 2 and not re.match(r"\d\d_", top[1]) for top in tops)
    alone = len(tops) > 1 and inner and len({top[0] for top in tops}) == 1
    for path, when, cells, note in found:  # a folder around everything says nothing
        inside = alone and not platform(path)
        sent = whose(path.split("/", 1)[1] if inside else path, when, cells)
        sent.notes += [note] if note else []
        if note == UNSEEN:
            unseen.append(sent)
            continue
        first = taken.setdefault(sent.student, sent.name)
        if first != sent.name:  # two names that differ in what a folder's name cannot hold
            sent.student += "-" + hashlib.sha256(sent.name.encode()).hexdigest()[:6]
        yield sent
    yield from (sent for sent in unseen if sent.student not in taken)


def entries(source: Path) -> Iterator[tuple[str, tuple[Any, ...], list[Cell], str]]:
    """(path within source, date, cells, note) of each file; no link is followed."""
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            name = path.relative_to(source).as_posix()
            if path.is_symlink() and wanted(name):
                yield name, (0,), [], "a link instead of a file; it was not followed"
            elif path.is_file() and wanted(name):
                yield name, (path.stat().st_mtime,), *read(name, partial(path.open, "rb"))
        return
    try:
        archive = zipfile.ZipFile(source)
    except (OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{source} is neither a folder nor a zip file ({error})") from None
    with archive:
        for info in archive.infolist():
            if not info.is_dir() and wanted(info.filename):
                name, opened = info.filename, partial(archive.open, info)
                yield name, info.date_time, *read(name, opened)


def wanted(path: str) -> bool:
    """A notebook, or what a learning platform says that a student uploaded instead."""
    notebook = path.lower().endswith(".ipynb") and not HIDDEN.search(path)
    return notebook or platform(path) is not None


def platform(path: str) -> re.Match[str] | None:
    """What a learning platform wrote into a path; what lies further in, the student has named."""
    found = [match for form in (CANVAS, MOODLE) if (match := form.search(path))]
    return min(found, key=re.Match.start, default=None)


def whose(path: str, when: tuple[Any, ...], cells: list[Cell]) -> Sent:
    """The student of a path, in the ways of Moodle, Canvas, nbgrader, and plain folders."""
    path = unicodedata.normalize("NFC", path.encode("utf-8", "replace").decode("utf-8"))
    path = SIGNS.sub(" ", path)
    if found := platform(path):
        name = found["name"].replace("_", " ")[:200]
        name = f"anonymous {found['id']}" if name == "anon" else name
        file = found["file"].rpartition("/")[2][-200:]
        again = re.search(r"-(\d{1,9})(?:\.\w+)?$", file)  # Canvas: a second upload
        order = (int(again[1]) if again and found.re is CANVAS else 0, when)
        notes = ["late"] if found["late"] else []
        return Sent(safe(found["id"]), name, file, cells, order, notes)
    path = path[-1000:]
    parts = [part for part in PurePosixPath(path).parts if part not in ("/", "..")] or [""]
    name = PurePosixPath(parts[-1]).stem
    if len(parts) > 1:  # nbgrader: student/chapter/file
        name = parts[-3] if len(parts) > 2 and re.match(r"\d\d_", parts[-2]) else parts[-2]
    return Sent(safe(name), name, parts[-1], cells, (0, when))


def safe(name: str) -> str:
    """A name as a folder's: letters of any script, digits, - and _."""
    short = re.sub(r"[^\w-]+", "_", name).encode("utf-8", "replace")[:80].decode("utf-8", "ignore")
    return short.strip("_") or "nameless"


def read(path: str, opened: Callable[[], Any]) -> tuple[list[Cell], str]:
    """The cells of a file in whatever format, or what is wrong with it."""
    if HIDDEN.search(path):
        return [], UNSEEN
    try:
        with opened() as stream:
            payload = stream.read(LIMIT + 1)
    except Exception as error:  # no permission, a bad checksum, a password, an unknown method
        return [], f"the file cannot be read ({error})"
    if len(payload) > LIMIT:
        return [], f"larger than {LIMIT // 2**20} MB, so not read: clear the outputs, send it again"
    code = "utf-16" if payload[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        data = json.loads(payload.decode(code, "replace"))
        found = data["cells"] if "cells" in data else data["worksheets"][0]["cells"]
        cells = [read_cell(cell) for cell in found[: CELLS + 1] if isinstance(cell, dict)]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return [], "a damaged notebook, or none: nothing can be read" if payload else "it is empty"
    if len(found) > CELLS:
        return [], f"more than {CELLS} cells, so none was read"
    return cells, ""


def read_cell(cell: dict[str, Any]) -> Cell:
    """What is believed of a cell, whose parts may be anything."""
    lines = cell.get("source", cell.get("input", ""))
    parts = [line for line in (lines if isinstance(lines, list) else [lines]) if type(line) is str]
    source = "".join(parts)[:TEXT].replace("\r\n", "\n").encode("utf-8", "replace").decode("utf-8")
    metadata, bound = cell.get("metadata"), set[str]()
    mark = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    names = [mark.get("grade_id") if isinstance(mark, dict) else None, cell.get("id")]
    if code := cell.get("cell_type") == "code":
        try:
            bound = set(exercises.bindings(source))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            bound = set(re.findall(r"^(?:def\s+)?(\w+)\s*[(=]", source, re.MULTILINE))
    return Cell(code, source, [name for name in names if isinstance(name, str)], bound)


def guess(sent: Sent, releases: dict[str, NotebookNode]) -> str:
    """The chapter of a file: the one whose cells it holds, else the one that its path names."""
    held = {name for cell in sent.cells for name in cell.ids} | {cell.source for cell in sent.cells}
    scores = {
        name: sum(cell.id in held for cell in release.cells if cell.metadata.modality_gap.label)
        + sum(cell.source in held for cell in release.cells if cell.cell_type == "markdown")
        + any(binds(cell, release) for cell in sent.cells)
        for name, release in releases.items()
    }
    best = max(scores, key=lambda name: scores[name])
    named = [name for name in releases if name in sent.file or name[:2] in sent.file]
    return best if scores[best] else (named or [""])[0]


def binds(cell: Cell, release: NotebookNode) -> str:
    """The id of the answer whose names a cell binds, if any."""
    for answer in release.cells:
        names = set(answer.metadata.modality_gap.get("answers", []))
        if answer.metadata.nbgrader.solution and names and names <= cell.bound:
            return str(answer.id)
    return ""


def rebuild(found: list[Cell], release: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """The release with a student's answers in it, and notes on what had to be mended."""
    by_id = {cell.id: cell for cell in release.cells}
    by_text = {cell.source: cell.id for cell in release.cells if cell.source.strip()}
    answers: dict[str, list[str]] = {}  # of two, all are kept; the last counts
    own: dict[tuple[str, bool], list[str]] = {}  # (exercise, after the answer): code
    notes, place, after = [], "", False
    restored: set[str] = set()
    known = [
        next(filter(by_id.get, [*cell.ids, by_text.get(cell.source, "")]), "") for cell in found
    ]
    for index, cell in enumerate(found):
        if not known[index] and (name := binds(cell, release)) and name not in known:
            known[index] = name
            notes.append(
                f"the answer to {by_id[name].metadata.modality_gap.label} had lost its mark"
            )
    for cell, name in zip(found, known, strict=True):
        if not cell.source.strip():
            continue
        free = f"{place}-answer"
        if not name and cell.code:
            own.setdefault((place, after), []).append(cell.source)
        elif not name and free in by_id and by_id[free].cell_type == "markdown":
            answers.setdefault(free, []).append(cell.source)  # in a cell beside the one for it
        if not name:
            continue
        original = by_id[name]
        label, answer = original.metadata.modality_gap.label, original.metadata.nbgrader.solution
        if label != place:
            place, after = label, False
        after = after or answer
        if not answer and cell.code and cell.source != original.source:
            restored.add(label or "the set-up")
        if answer and cell.source not in (original.source, *answers.get(name, [])):
            answers.setdefault(name, []).append(cell.source)
    notes += [
        f"{len(texts)} answers to {by_id[name].metadata.modality_gap.label}; the last counts"
        for name, texts in answers.items()
        if len(texts) > 1
    ]
    if restored:
        notes.append(f"changed cells of {', '.join(sorted(restored))} are as they were handed out")
    if found and not any(known):
        notes.append("nothing of the hand-out is left in it")
    if missing := len(set(by_id) - set(known)) if found else 0:
        notes.append(f"{missing} cells of the hand-out were missing and are back")
    if any(len(cell.source) >= TEXT for cell in found):
        notes.append(f"a cell of more than {TEXT} characters was cut")
    written = [text for texts in (*own.values(), *answers.values()) for text in texts]
    if len(written) > OWN or sum(map(len, written)) > 10 * TEXT:
        own, answers = {}, {name: texts[-1:] for name, texts in answers.items()}
        notes.append("too many cells of its own, or too long ones; they were left out")
    rebuilt = copy.deepcopy(release)
    rebuilt.cells = list(assemble(rebuilt.cells, answers, own))
    return rebuilt, notes


def assemble(
    cells: list[NotebookNode], answers: dict[str, list[str]], own: dict[tuple[str, bool], list[str]]
) -> Iterator[NotebookNode]:
    """The cells of a release with answers in place, and the student's own cells around them."""
    number = itertools.count(1)

    def extra(sources: list[str]) -> Iterator[NotebookNode]:
        return (new_code_cell(source, id=f"own-{next(number)}") for source in sources)

    last = sum(not cell.metadata.modality_gap.label for cell in cells) - 1  # of the set-up
    for index, cell in enumerate(cells):
        label, answer = cell.metadata.modality_gap.label, cell.metadata.nbgrader.solution
        if answer:
            texts = answers.get(cell.id, [cell.source])
            yield from extra(own.get((label, False), []))
            if cell.cell_type == "code":
                yield from extra(texts[:-1])
                texts = texts[-1:]
            cell.source = "\n\n".join(texts)[:TEXT]
        yield cell
        if answer:
            yield from extra(own.get((label, True), []))
        if index == last:
            yield from extra(own.get(("", False), []))
