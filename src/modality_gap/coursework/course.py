"""Coursework: hand out the exercises of the chapters, mark what comes back.

python -m modality_gap.coursework release [--variant N]
python -m modality_gap.coursework grade SUBMISSIONS [--worksheet FILE]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import re
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.api import MissingEntry
from nbgrader.apps.api import NbGraderAPI
from tqdm import tqdm
from traitlets.config.loader import PyFileConfigLoader

from .. import storage
from ..lab.mad import load_mad
from . import box, collect, report, source


def main(argv: list[str] | None = None) -> int:
    """The command; 0, or 1 after a sentence that says what to do."""
    parser = argparse.ArgumentParser(prog="modality-gap coursework", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    hand_out = commands.add_parser("release", help="student notebooks of every chapter")
    hand_out.add_argument("--variant", type=int, default=1, help="the numbers of value exercises")
    hand_out.add_argument("--chapters", type=Path, default=Path("notebooks"), help="their folder")
    hand_out.add_argument("--edition", type=Path, default=Path("_build/html/edition"))
    hand_out.add_argument("--site", default="", help="address of the website, for links")
    mark = commands.add_parser("grade", help="mark a folder or a zip of submissions")
    mark.add_argument("submissions", type=Path, help="a folder, or the zip of Moodle or Canvas")
    mark.add_argument("--worksheet", type=Path, help="Moodle's worksheet or Canvas's export")
    mark.add_argument("--column", default="", help="its column for the points")
    mark.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    mark.add_argument("--seed", type=int, default=0, help="to repeat a mark; feedback names it")
    mark.add_argument("--trust-submissions", action="store_true", help="run them without a box")
    for command in (hand_out, mark):
        command.add_argument("--course", type=Path, default=Path("coursework"), help="its folder")
    options = parser.parse_args(argv)
    if getattr(options, "trust_submissions", False):
        os.environ[box.TRUST] = "1"
    try:
        release(options) if options.command == "release" else grade(options)
    except (ValueError, box.NoBoxError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def nbgrader(course: Path, seed: int = 0) -> NbGraderAPI:
    """nbgrader, as the course's own file configures it, and without its log on the screen."""
    bin_ = str(Path(sys.executable).parent)  # it runs alembic by its bare name
    os.environ["PATH"] = os.pathsep.join([bin_, os.environ.get("PATH", "")])
    warnings.simplefilter("ignore")  # of its database, on every submission
    config = PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config()
    config.CourseDirectory.root = str(course.resolve())
    config.BoxedExecute.seed = seed
    api = NbGraderAPI(config=config)
    api.log.handlers, api.log.propagate = [logging.NullHandler()], False
    return api


def release(options: argparse.Namespace) -> None:
    """Make the source and the release of every chapter, and one zip of the releases."""
    course = options.course
    if options.variant not in (1, 2, 3):
        raise ValueError(f"--variant {options.variant}: the exercises have the variants 1, 2 and 3")
    chapters = sorted(options.chapters.glob("*.md"))
    if not chapters:
        raise ValueError(f"{options.chapters} holds no chapters: run this in the book's folder")
    course.mkdir(parents=True, exist_ok=True)
    (course / "nbgrader_config.py").write_text(source.CONFIG, "utf-8")
    api, names, plain = nbgrader(course), [], 0
    for path in tqdm(chapters, desc="chapters", unit="", leave=False):
        name, edition = path.stem, options.edition / f"{path.stem}.ipynb"
        link = f"{options.site.rstrip('/')}/notebooks/{name}.html" if options.site else ""
        made = source.notebook(path, edition, options.variant, link)
        if not any(cell.metadata.modality_gap.label for cell in made.cells):
            continue
        target = course / "source" / name / f"{name}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(made, target)
        result = api.generate_assignment(name)
        if not result["success"]:
            said = result.get("log", "").strip().splitlines()
            raise ValueError(f"{name}: {said[-1] if said else 'nbgrader failed'}")
        plain += not edition.exists()
        names.append(name)
    if plain:
        print(f"{plain} with statements in the book's markup: make book first, for the website's")
    with zipfile.ZipFile(course / "release.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.write(course / "release" / name / f"{name}.ipynb", f"{name}.ipynb")
    print(f"{len(names)} notebooks: {course / 'release'}, all of them in release.zip")


def read(path: Path) -> NotebookNode:
    """A notebook of ours."""
    return nbformat.read(path, as_version=4)


def make_data(course: Path) -> None:
    """Make the data set that a chapter reads, once: a box has no time for it and keeps nothing.

    Raises:
        ValueError: there is no room to keep it.
    """
    if not any("load_mad" in path.read_text("utf-8") for path in course.glob("source/*/*.ipynb")):
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "MAD is")
        try:
            load_mad()
        except UserWarning as warning:
            raise ValueError(f"{warning}; MODALITY_GAP_CACHE names a folder for it") from None


def grade(options: argparse.Namespace) -> None:
    """Rebuild what was sent, mark what is new or changed, write the reports."""
    course = options.course
    paths = sorted((course / "release").glob("*/*.ipynb"))
    if not paths:
        raise ValueError(f"{course} holds no release to mark against: make coursework first")
    box.check(course)
    make_data(course)
    collected = collect.collect(options.submissions, {path.stem: read(path) for path in paths})
    ledger = course / "marked.json"
    done: dict[str, list[str]] = json.loads(ledger.read_text()) if ledger.exists() else {}
    jobs: list[tuple[collect.Rebuilt, str, bool]] = []  # what, its digest, whether it is new
    notes: dict[str, list[str]] = {}
    for item in collected:
        notes.setdefault(item.student, []).extend(item.notes)
        target = place(course, "rebuilt", item)
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(item.notebook, target)
        original = course / "source" / item.chapter / target.name
        digest = hashlib.sha256(target.read_bytes() + original.read_bytes()).hexdigest()
        finished = place(course, "feedback", item).with_suffix(".html").exists()
        last = done.get(f"{item.student}/{item.chapter}", []) if finished else []
        if last != [digest, by_hand(course, item)]:
            jobs.append((item, digest, last[:1] != [digest]))
    print(f"{len(collected)} submissions, {sum(job[2] for job in jobs)} of them new or changed")
    failed, work = 0, [(course, item, options.seed, new) for item, _, new in jobs]
    outcomes = attempts(one, work, options.workers)
    for place_, problem in tqdm(outcomes, total=len(jobs), desc="marked", leave=False):
        item, digest, _ = jobs[place_]
        if problem:
            failed += 1
            notes[item.student].append(f"not marked: {problem}")
            continue
        done[f"{item.student}/{item.chapter}"] = [digest, by_hand(course, item)]
        storage.write(ledger, json.dumps(done, indent=1).encode())
    write_reports(options, notes, {item.chapter for item in collected})
    if failed:
        raise ValueError(f"{failed} submissions could not be marked; notes in grades.csv say why")


def attempts(
    work: Callable[..., str], jobs: list[tuple[Any, ...]], workers: int
) -> Iterator[tuple[int, str]]:
    """(index, what work says of that job or its error), as they end.

    A job that kills its process is tried alone, and takes no other with it.
    """
    again = [[*range(len(jobs))]]
    while again:
        numbers = again.pop()
        count = max(1, min(workers, len(numbers)))
        with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
            running = {pool.submit(work, *jobs[number]): number for number in numbers}
            for future in as_completed(running):
                problem = future.exception()
                if isinstance(problem, BrokenProcessPool) and len(numbers) > 1:
                    again.append([running[future]])
                else:
                    yield running[future], repr(problem) if problem else future.result()


def place(course: Path, step: str, item: collect.Rebuilt) -> Path:
    """Where nbgrader has a notebook at a step."""
    return course / step / item.student / item.chapter / f"{item.chapter}.ipynb"


def by_hand(course: Path, item: collect.Rebuilt) -> str:
    """What was marked and said by hand, as text that changes when it does."""
    with report.gradebook(course) as book:
        try:
            parts = book.find_submission(item.chapter, item.student).notebooks
        except MissingEntry:
            return ""
        marks = [[cell.name, cell.manual_score] for part in parts for cell in part.grades]
        said = [[cell.name, cell.manual_comment] for part in parts for cell in part.comments]
    return json.dumps(sorted(cell for cell in [*marks, *said] if cell[1] is not None))


def one(course: Path, item: collect.Rebuilt, seed: int, new: bool) -> str:
    """Mark a notebook if it is new, write the feedback; why it failed, or nothing."""
    api, path = nbgrader(course, seed), place(course, "autograded", item)
    result = {"success": True}
    if new:
        before = {cell.id: cell.source for cell in read(path).cells} if path.exists() else {}
        result = api.autograde(item.chapter, item.student, force=True)
    if new and result["success"]:
        after = {cell.id: cell.source for cell in read(path).cells}
        with report.gradebook(course) as book:
            name = re.sub(r'[<>&"]', "", item.name)  # formgrader's page shows it
            book.update_or_create_student(item.student, last_name=name)
            for part in book.find_submission(item.chapter, item.student).notebooks:
                for cell in part.grades:  # what was marked by hand stays where the text is the same
                    answer = re.sub(r"-(hidden-)?test-\d+$", "-answer", cell.name)
                    if cell.manual_score is not None and before.get(answer) == after[answer]:
                        cell.needs_manual_grade = False
            book.db.commit()
    if result["success"]:
        result = api.generate_feedback(item.chapter, item.student, force=True)
    return "" if result["success"] else (str(result["error"]).strip() or "?").splitlines()[-1]


def write_reports(
    options: argparse.Namespace, notes: dict[str, list[str]], chapters: set[str]
) -> None:
    """grades.csv, class.html, and the learning platform's table."""
    course, table = options.course, report.marks(options.course)
    (course / "grades.csv").write_text(report.grades(table, notes), "utf-8-sig")
    (course / "class.html").write_text(report.page(table, notes), "utf-8")
    if options.worksheet:
        here = table[table.chapter.isin(chapters)]
        totals = {str(who): rows.points.sum() for who, rows in here.groupby("student")}
        text = options.worksheet.read_text("utf-8-sig")
        filled = report.worksheet(text, totals, options.column)
        (course / options.worksheet.name).write_text(filled, "utf-8-sig")
    if left := int(table.open.sum()):
        print(f"{left} answers to mark by hand: jupyter lab in {course}, menu Nbgrader, Formgrader")
    print(f"Marks: {course / 'grades.csv'}. The class: {course / 'class.html'}.")
