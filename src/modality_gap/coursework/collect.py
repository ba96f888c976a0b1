"""What students sent, rebuilt from the release: nothing of a file is believed but the answers.

Locked cells come from the release. An answer is known by its cell's id, else by a text that the
release holds, else by the names that it binds. Cells of the student's own stay beside their
exercise, in their order. Whatever cannot be read leaves the release as it was, and a note.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import re
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from . import exercises
from .source import WRITE_HERE

LIMIT = 20 * 2**20  # bytes, of a file
TEXT = 200_000  # characters, of a cell
OWN = 200  # cells
MOODLE = re.compile(
    r"(?P<name>[^/]+?)_(?P<id>\d+)_assignsubmission_file_?(?:/(?:.*/)?)?(?P<file>[^/]+)$"
)
CANVAS = re.compile(
    r"(?:(?P<name>[^/_]+)(?P<late>_LATE)?_(?P<id>\d+)|anon_(?P<anon>\w{5}))_\d+_(?P<file>[^/]+)$"
)


@dataclass
class Sent:
    """A file that a student sent."""

    student: str  # an id that can name a folder
    name: str  # of the student, for people
    file: str
    payload: bytes
    when: tuple[Any, ...] = ()  # the later of two files counts
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
    read = [(item, cells(item)) for item in sent]
    guesses = [guess(item, found, releases) for item, found in read]
    usual = Counter(filter(None, guesses)).most_common(1)
    latest: dict[tuple[str, str], list[tuple[Sent, list[dict[str, Any]]]]] = {}
    for (item, found), chapter in zip(read, guesses, strict=True):
        known = chapter or (usual[0][0] if usual else next(iter(releases)))
        latest.setdefault((item.student, known), []).append((item, found))
    rebuilt = []
    for (student, chapter), versions in latest.items():
        item, found = max(versions, key=lambda version: (bool(version[1]), version[0].when))
        notebook, notes = rebuild(found, releases[chapter])
        if len(versions) > 1:
            notes.insert(0, f"{len(versions)} files; {item.file} counts")
        rebuilt.append(Rebuilt(student, item.name, chapter, notebook, item.notes + notes))
    return rebuilt


def files(source: Path) -> Iterator[Sent]:
    """Every file that could be a submission, with whose it is."""
    taken: dict[str, str] = {}
    found = list(entries(source))
    tops = {tuple(PurePosixPath(path).parts[:2]) for path, *_ in found}
    inner = all(len(top) == 2 and not re.match(r"\d\d_", top[1]) for top in tops)
    alone = len(tops) > 1 and inner and len({top[0] for top in tops}) == 1
    for path, payload, when, note in found:  # a folder around everything says nothing
        sent = whose(path.split("/", 1)[1] if alone else path, payload, when)
        first = taken.setdefault(sent.student, sent.name)
        if first != sent.name:  # two names that differ in what a folder's name cannot hold
            sent.student += "-" + hashlib.sha256(sent.name.encode()).hexdigest()[:6]
        sent.notes += [note] if note else []
        yield sent


def entries(source: Path) -> Iterator[tuple[str, bytes, tuple[Any, ...], str]]:
    """(path within source, content, date, note) of each file; no link is followed."""
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            name = path.relative_to(source).as_posix()
            if "/." in f"/{name}" or (not path.is_symlink() and not path.is_file()):
                continue
            if path.suffix.lower() != ".ipynb" and not path.is_symlink():
                continue
            if path.is_symlink():
                yield name, b"", (0,), "a link instead of a file; it was not followed"
                continue
            large = path.stat().st_size > LIMIT
            payload = b"" if large else path.read_bytes()
            yield name, payload, (path.stat().st_mtime,), TOO_LARGE if large else ""
        return
    try:
        archive = zipfile.ZipFile(source)
    except (OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{source} is neither a folder nor a zip file ({error})") from None
    with archive:
        for info in archive.infolist():
            hidden = re.search(r"(^|/)(\.[^./]|__MACOSX)", info.filename)
            if info.is_dir() or hidden or not interesting(info.filename):
                continue
            note, payload = "", b""
            try:
                with archive.open(info) as stream:
                    payload = stream.read(LIMIT + 1)
            except Exception as error:  # a bad checksum, a password, a method unknown here
                note = f"the zip file is damaged at this place ({error})"
            if len(payload) > LIMIT:
                payload, note = b"", TOO_LARGE
            yield info.filename, payload, info.date_time, note


TOO_LARGE = f"larger than {LIMIT // 2**20} MB, so it was not read: clear the outputs, send it again"


def interesting(path: str) -> bool:
    """A notebook, or what a learning platform says that a student uploaded instead."""
    return path.lower().endswith(".ipynb") or bool(MOODLE.search(path) or CANVAS.search(path))


def whose(path: str, payload: bytes, when: tuple[Any, ...]) -> Sent:
    """The student of a path, in the ways of Moodle, Canvas, nbgrader, and plain folders."""
    path = unicodedata.normalize("NFC", path)
    parts = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
    again = re.search(r"-(\d+)(?:\.\w+)?$", parts[-1])
    if found := MOODLE.search(path):
        name = found["name"].rpartition("/")[2].replace("_", " ")
        return Sent(safe(found["id"]), name, found["file"], payload, when)
    if found := CANVAS.search(path):
        name = found["name"] or f"anonymous {found['anon']}"
        notes = ["late"] if found["late"] else []
        order = (int(again[1]) if again else 0, when)
        student = safe(found["id"] or found["anon"])
        return Sent(student, name, found["file"], payload, order, notes)
    name = PurePosixPath(path).stem
    if len(parts) > 1:  # nbgrader: student/chapter/file
        name = parts[-3] if len(parts) > 2 and re.match(r"\d\d_", parts[-2]) else parts[-2]
    return Sent(safe(name), name, parts[-1], payload, when)


def safe(name: str) -> str:
    """A name as a folder's: letters of any script, digits, - and _."""
    return re.sub(r"[^\w-]+", "_", name).strip("_")[:80] or "nameless"


def cells(sent: Sent) -> list[dict[str, Any]]:
    """The cells of a file, in whatever format; notes say what is wrong with it."""
    if not sent.payload:
        sent.notes += [] if sent.notes else ["the file is empty"]
        return []
    payload = sent.payload
    code = "utf-16" if payload[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        data = json.loads(payload.decode(code, "replace"))
        found = data["cells"] if "cells" in data else data["worksheets"][0]["cells"]
        kept = [cell for cell in found if isinstance(cell, dict)]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        sent.notes.append(f"{sent.file} is no notebook, or a damaged one: nothing can be read")
        return []
    return [
        {
            "code": cell.get("cell_type") == "code",
            "source": text(cell.get("source", cell.get("input", ""))),
            "ids": ids(cell),
        }
        for cell in kept
    ]


def text(source: Any) -> str:
    """The text of a cell, which may be lines, and may be anything."""
    lines = source if isinstance(source, list) else [source]
    whole = "".join(line for line in lines if isinstance(line, str)).replace("\r\n", "\n")
    return whole.encode("utf-8", "replace").decode("utf-8")[:TEXT]


def ids(cell: dict[str, Any]) -> list[str]:
    """The names that a cell goes by: nbgrader's, then its own."""
    metadata = cell.get("metadata")
    mark = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    names = [mark.get("grade_id") if isinstance(mark, dict) else None, cell.get("id")]
    return [name for name in names if isinstance(name, str)]


def guess(sent: Sent, found: list[dict[str, Any]], releases: dict[str, NotebookNode]) -> str:
    """The chapter of a file: the one whose cells it holds, else the one that its path names."""
    held = {name for cell in found for name in cell["ids"]} | {cell["source"] for cell in found}
    scores = {
        name: sum(cell.id in held for cell in release.cells if cell.metadata.modality_gap.label)
        + sum(cell.source in held for cell in release.cells if cell.cell_type == "markdown")
        + any(binds(cell, release) for cell in found)
        for name, release in releases.items()
    }
    best = max(scores, key=lambda name: scores[name])
    if scores[best]:
        return best
    named = [name for name in releases if name in sent.file or name[:2] in sent.file]
    return named[0] if named else ""


def binds(cell: dict[str, Any], release: NotebookNode) -> str:
    """The id of the answer whose names a code cell binds, if any."""
    if not cell["code"]:
        return ""
    try:
        bound = set(exercises.bindings(cell["source"]))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        bound = set(re.findall(r"^(?:def\s+)?(\w+)\s*[(=]", cell["source"], re.MULTILINE))
    for answer in release.cells:
        names = set(answer.metadata.modality_gap.get("answers", []))
        if answer.metadata.nbgrader.solution and names and names <= bound:
            return str(answer.id)
    return ""


def rebuild(found: list[dict[str, Any]], release: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """The release with a student's answers in it, and notes on what had to be mended."""
    by_id = {cell.id: cell for cell in release.cells}
    by_text = {cell.source: cell.id for cell in release.cells if cell.source.strip()}
    answers: dict[str, str] = {}
    own: dict[tuple[str, bool], list[str]] = {}  # (exercise, after the answer): code
    notes, place, after = [], "", False
    restored: set[str] = set()
    known = [next((name for name in cell["ids"] if name in by_id), "") for cell in found]
    for index, cell in enumerate(found):
        known[index] = known[index] or by_text.get(cell["source"], "")
    for index, cell in enumerate(found):
        if not known[index] and (name := binds(cell, release)) and name not in known:
            known[index] = name
            label = by_id[name].metadata.modality_gap.label
            notes.append(f"the answer to {label} had lost its mark")
    for cell, name in zip(found, known, strict=True):
        if not name:
            free = f"{place}-answer"
            if not cell["source"].strip():
                continue
            if cell["code"]:
                own.setdefault((place, after), []).append(cell["source"])
            elif free in by_id and by_id[free].cell_type == "markdown":
                own.setdefault((free, True), []).append(cell["source"])
            continue
        label = str(by_id[name].metadata.modality_gap.label)
        answer = by_id[name].metadata.nbgrader.solution
        if label != place:
            place, after = label, False
        after = after or answer
        if not answer and cell["code"] and cell["source"] not in ("", by_id[name].source):
            restored.add(label or "the set-up")
        if answer and cell["source"].strip():
            if answers.get(name, cell["source"]) != cell["source"]:
                notes.append(f"two answers to {label}; the later counts")
            answers[name] = cell["source"]
    for (name, _), texts in own.items():  # free text in a cell beside the one for it
        if name in by_id:
            written = [answers[name]] if answers.get(name, WRITE_HERE) != WRITE_HERE else []
            answers[name] = "\n\n".join([*written, *texts])
    if restored:
        notes.append(f"changed cells of {', '.join(sorted(restored))} are as they were handed out")
    if found and not any(known):
        notes.append("nothing of the hand-out is left in it")
    if missing := len(set(by_id) - set(known)) if found else 0:
        notes.append(f"{missing} cells of the hand-out were missing and are back")
    if sum(map(len, own.values())) > OWN:
        own, notes = {}, [*notes, f"more than {OWN} cells of its own; they were left out"]
    rebuilt = copy.deepcopy(release)
    rebuilt.cells = list(assemble(rebuilt.cells, answers, own))
    return rebuilt, notes


def assemble(
    cells: list[NotebookNode], answers: dict[str, str], own: dict[tuple[str, bool], list[str]]
) -> Iterator[NotebookNode]:
    """The cells of a release with answers in place, and the student's own cells around them."""
    count = 0

    def extra(label: str, after: bool) -> Iterator[NotebookNode]:
        nonlocal count
        for source in own.pop((label, after), []):
            count += 1
            yield new_code_cell(source, id=f"own-{count}")

    last = sum(not cell.metadata.modality_gap.label for cell in cells) - 1  # of the set-up
    for index, cell in enumerate(cells):
        label, answer = cell.metadata.modality_gap.label, cell.metadata.nbgrader.solution
        if answer:
            cell.source = answers.get(cell.id, cell.source)
            yield from extra(label, False)
        yield cell
        if answer:
            yield from extra(label, True)
        if index == last:
            yield from extra("", False)


def pack(notebooks: dict[str, NotebookNode]) -> bytes:
    """The notebooks as one zip file, the same bytes for the same notebooks."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, notebook in notebooks.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.ipynb"), json.dumps(notebook, indent=1))
    return buffer.getvalue()
