"""What the teacher gets: a table, the learning platform's own, a page on the class."""

from __future__ import annotations

import csv
import html
import io
import re
from collections import Counter
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
from nbgrader.api import Gradebook

from .execute import role
from .source import WRITE_HERE

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>The class</title>
<meta name="viewport" content="width=device-width"><style>
body{{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse;display:block;overflow-x:auto}}
td,th{{border:1px solid #999;padding:.2rem .5rem;text-align:left}}
pre{{white-space:pre-wrap;overflow-wrap:anywhere;background:#f2f2f2;padding:.5rem;margin:.5rem 0}}
.two{{display:flex;gap:0 1rem;flex-wrap:wrap}}.two>*{{flex:1 1 18rem;min-width:0}}
</style>{body}</html>"""


def gradebook(course: Path) -> Gradebook:
    """nbgrader's database of the course."""
    return Gradebook(f"sqlite:///{course / 'gradebook.db'}", "modality-gap")


def marks(course: Path) -> pd.DataFrame:
    """A row for each student and exercise: student, name, chapter, exercise, points, of, open
    (still to be marked by hand), messages (of failed tests), answer (of free text), rubric."""
    rows: list[dict[str, Any]] = []
    with gradebook(course) as book:
        for assignment in book.assignments:
            chapter = assignment.name
            source = cells(course / "source" / chapter / f"{chapter}.ipynb")
            for submission in assignment.submissions:
                who = submission.student
                path = course / "autograded" / who.id / chapter / f"{chapter}.ipynb"
                marked = cells(path) if path.exists() else {}
                for grade in (grade for part in submission.notebooks for grade in part.grades):
                    cell, original = marked.get(grade.name), source.get(grade.name)
                    if original is None:
                        continue
                    free = original.cell_type == "markdown"
                    outputs = cell.get("outputs", []) if cell else []
                    said = [out.evalue for out in outputs if out.output_type == "error"]
                    rows.append(
                        {
                            "student": who.id,
                            "name": who.last_name or who.id,
                            "chapter": chapter,
                            "exercise": original.metadata.modality_gap.label,
                            "points": grade.score,
                            "of": grade.max_score,
                            "open": bool(grade.needs_manual_grade),
                            "messages": [re.sub(r"\s*\(seed \d+\)$", "", text) for text in said],
                            "answer": unfenced(cell.source) if free and cell else "",
                            "rubric": original.source if free else "",
                        }
                    )
    table = pd.DataFrame(rows, columns=COLUMNS)
    keys = ["student", "name", "chapter", "exercise"]
    return table.groupby(keys, sort=False, as_index=False).agg(
        {"points": "sum", "of": "sum", "open": "any"} | dict.fromkeys(COLUMNS[7:], "sum")
    )


COLUMNS = ["student", "name", "chapter", "exercise", "points", "of", "open"]
COLUMNS += ["messages", "answer", "rubric"]


def cells(path: Path) -> dict[str, Any]:
    """The cells of a notebook of ours that nbgrader knows, by their names there."""
    found = nbformat.read(path, as_version=4).cells
    return {cell.metadata.nbgrader.grade_id: cell for cell in found if role(cell)}


def unfenced(text: str) -> str:
    """A free text as it was written; see `execute.verbatim`."""
    found = re.fullmatch(r"(`{3,})text\n(.*)\n\1", text, re.DOTALL)
    return found[2] if found else text


def grades(table: pd.DataFrame, notes: dict[str, list[str]]) -> str:
    """grades.csv: a row a student, a column an exercise, what is open, notes; a formula is none."""
    heads = table.chapter.str[:2] + " " + table.exercise + " (" + table.of.map("{:g}".format) + ")"
    wide = table.assign(column=heads).pivot_table(
        index=["student", "name"], columns="column", values="points", aggfunc="sum", sort=False
    )
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["student", "name", "points", "of", "to mark by hand", *wide.columns, "notes"])
    for (student, name), own in table.groupby(["student", "name"], sort=False):
        points = wide.loc[(student, name), :]  # type: ignore[index]
        shown = ["" if pd.isna(value) else f"{value:g}" for value in points]
        sums = [f"{own.points.sum():g}", f"{own.of.sum():g}", int(own.open.sum())]
        row = [student, name, *sums, *shown, "; ".join(notes.get(str(student), []))]
        writer.writerow([harmless(value) for value in row])
    for student in notes.keys() - set(table.student):  # a row for everybody
        writer.writerow([student, student, *[""] * (3 + wide.shape[1]), "; ".join(notes[student])])
    return out.getvalue()


def harmless(value: Any) -> Any:
    """Text that no spreadsheet takes for a formula, whichever sign it splits a line at."""
    return re.sub(r"(^|[,;|\t\r\n])(\s*[=+\-@])", r"\1'\2", value) if type(value) is str else value


def worksheet(text: str, totals: dict[str, float], column: str = "") -> str:
    """Moodle's grading worksheet or Canvas's export, with points in its column for them.

    Args:
        text: of the table, with commas, semicolons or tabs.
        totals: points, by the number with which a student's identifier ends.
        column: the heading of the column for points, where there is not one alone.

    Raises:
        ValueError: no column of identifiers, or not one column for points.
    """
    first = text.partition("\n")[0]
    sign = max(",;\t", key=first.count)

    def of(identifier: str) -> str:
        return identifier[len(identifier.rstrip("0123456789")) :]

    rows = list(csv.reader(io.StringIO(text), delimiter=sign)) or [[]]
    head = rows[0]
    known = [
        [bool(of(cell) in totals) for cell in row] for row in rows[1:] if len(row) == len(head)
    ]
    counts = [sum(column) for column in zip(*known, strict=True)]
    identity = next((i for i, name in enumerate(head) if name in ("Identifier", "ID")), None)
    if identity is None and any(counts):  # a heading in the site's language
        identity = counts.index(max(counts))
    canvas = identity is not None and head[identity] == "ID"
    wanted = [i for i, name in enumerate(head) if name == column]
    if not column:
        shape = r".*\(\d+\)" if canvas else r"Grade"
        wanted = [i for i, name in enumerate(head) if re.fullmatch(shape, name)]
    if identity is None or len(wanted) != 1:
        raise ValueError(
            "the worksheet needs a column Identifier (Moodle) or ID (Canvas), and one column for "
            f"points: name it with --column; it has {', '.join(head)}"
        )
    for row in rows[1:]:
        if len(row) == len(head) and of(row[identity]) in totals:
            row[wanted[0]] = f"{totals[of(row[identity])]:g}"
    out = io.StringIO()
    csv.writer(out, delimiter=sign, lineterminator="\n").writerows(rows)
    return out.getvalue()


def page(table: pd.DataFrame, notes: dict[str, list[str]]) -> str:
    """class.html: points by exercise, frequent messages, what is open, answers beside rubrics."""
    say = html.escape
    body = [f"<h1>The class</h1><p>{table.student.nunique()} students.</p>"]
    for chapter, part in table.groupby("chapter"):
        counted = part.assign(full=part.points >= part.of, none=part.points == 0)
        by_exercise = counted.groupby("exercise", sort=False).agg(
            {"of": "max", "points": "mean", "full": "sum", "none": "sum", "open": "sum"}
        )
        by_exercise.columns = ["of", "mean points", "full marks", "no point", "to mark by hand"]
        shown = by_exercise.rename_axis(None).to_html(border=0, float_format="{:.4g}".format)
        body.append(f"<h2>{say(str(chapter))}</h2>{shown}<h3>Most frequent messages</h3><ol>")
        said = part.explode("messages").dropna(subset="messages")
        said = said[["student", "exercise", "messages"]].drop_duplicates()
        counts = Counter(zip(said.exercise, said.messages, strict=True))
        for (exercise, text), count in counts.most_common(20):
            body.append(f"<li>{count} × {say(exercise)}: {say(text)}</li>")
        body.append("</ol>")
        for label, rows in part[part.rubric != ""].groupby("exercise", sort=False):
            body.append(f"<h3>{say(str(label))}: answers beside the rubric</h3>")
            for row in rows.to_dict("records"):
                if row["answer"].strip() in ("", WRITE_HERE):
                    continue
                by_hand = f"{row['points']:g} of {row['of']:g}"
                state = "to be marked by hand" if row["open"] else by_hand
                body.append(f"<h4>{say(row['name'])}, {state}</h4><div class=two>")
                body.append(f"<pre>{say(row['answer'])}</pre><pre>{say(row['rubric'])}</pre></div>")
    listed = [f"<li>{say(who)}: {say('; '.join(what))}</li>" for who, what in notes.items() if what]
    return PAGE.format(body="\n".join([*body, "<h2>Notes</h2><ul>", *listed, "</ul>"]))
