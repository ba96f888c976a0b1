"""The ledger's page: what became of every claim, filled in after all chapters have run.

Chapters enter their numbers with `modality_gap.book.ledger.record`, which leaves them in the output
of a cell. When every page has been read, the directives below become tables of them, one for each
class of claims, and the same rows are written as `ledger.csv` beside the page. A claim that no
chapter has recorded, a record in the wrong chapter and a figure that does not exist are warnings,
so the build fails.
"""

from __future__ import annotations

import ast
import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

if TYPE_CHECKING:  # importing the package takes seconds
    from modality_gap.book.claims import Claim

logger = logging.getLogger(__name__)

FILE = "ledger.csv"
HEADINGS = ("our number", "stated", "ours", "band", "band set by", "verdict", "shown in")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives and the steps with Sphinx."""
    app.add_node(Placeholder)
    app.add_directive("ledger-summary", Summary)
    app.add_directive("ledger-table", Table)
    app.add_css_file("ledger.css")
    app.connect("env-purge-doc", forget_page)
    app.connect("env-merge-info", merge_pages)
    # After the numbers of figures, which Sphinx assigns at the same event.
    app.connect("env-get-updated", update_pages, priority=700)
    app.connect("doctree-resolved", fill_page)
    app.connect("build-finished", write_csv, priority=400)  # before the checks and the PDF
    return {"parallel_read_safe": True, "parallel_write_safe": True}


# In the page's source


class Placeholder(nodes.General, nodes.Element):
    """Where a table will stand."""


class Summary(SphinxDirective):
    """How many numbers of each class met which verdict, and the link to the CSV file."""

    def run(self) -> list[nodes.Node]:
        """Leave a placeholder, and note the page."""
        pages_of(self.env).add(self.env.docname)
        return [Placeholder()]


class Table(SphinxDirective):
    """The rows of one class, which is the argument: one of `modality_gap.book.claims.KINDS`."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Leave a placeholder, and note the page."""
        from modality_gap.book.claims import KINDS

        kind = self.arguments[0]
        if kind not in KINDS:
            raise self.error(f"{kind!r} is no class of claims; name one of {', '.join(KINDS)}")
        pages_of(self.env).add(self.env.docname)
        return [Placeholder(kind=kind)]


def pages_of(env: BuildEnvironment) -> set[str]:
    """The pages that show the ledger."""
    if not hasattr(env, "ledger_pages"):
        env.ledger_pages = set()
    return env.ledger_pages


def forget_page(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """Drop a page that is about to be read again."""
    pages_of(env).discard(docname)


def merge_pages(
    app: Sphinx, env: BuildEnvironment, docnames: set[str], other: BuildEnvironment
) -> None:
    """Take over what another process has read."""
    pages_of(env).update(pages_of(other) & set(docnames))


# From the chapters' outputs to rows


@dataclass(frozen=True)
class Row:
    """A claim with what was recorded of it."""

    claim: Claim
    verdict: str
    values: list[float] = field(default_factory=list)
    direction_values: list[float] | None = None
    page: str = ""  # the chapter, if it is in the book
    anchor: str = ""
    label: str = ""  # such as "Fig. 4.3"


def records(env: BuildEnvironment) -> Iterator[tuple[str, str, dict[str, list[float]]]]:
    """(page, id, entry) of all that the executed chapters have recorded."""
    from modality_gap.book.ledger import KEY

    folder = Path(env.mystnb_config.output_folder)
    for page, data in sorted(NbMetadataCollector.get_doc_data(env).items()):
        names = [name for name in data.get("glue", []) if name.startswith(KEY)]
        outputs = json.loads((folder / f"{page}.glue.json").read_text("utf-8")) if names else {}
        for name in names:
            text = ast.literal_eval(outputs[name]["data"]["text/plain"])
            yield page, name.removeprefix(KEY), json.loads(text)


def make_rows(env: BuildEnvironment) -> tuple[list[Row], list[str]]:
    """The ledger, class by class and else in its own order, and what is wrong with it."""
    from modality_gap.book.claims import KINDS
    from modality_gap.book.ledger import BY_ID, CLAIMS, verdict

    found, problems = {}, []
    for page, name, entry in records(env):
        if name not in BY_ID:
            problems.append(f"{page} records {name}, which is no claim")
        elif page != f"notebooks/{BY_ID[name].chapter}":
            problems.append(f"{page} records {name}, which belongs to {BY_ID[name].chapter}")
        else:
            found[name] = entry
    rows = []
    for claim in sorted(CLAIMS, key=lambda claim: KINDS.index(claim.kind)):
        page, anchor, label = place(env, claim.chapter, claim.figure)
        if claim.figure and not anchor:
            problems.append(f"{claim.id} is shown in {claim.figure}, which does not exist")
        if claim.quoted:
            rows.append(Row(claim, verdict([], claim), page=page, anchor=anchor, label=label))
        elif claim.id in found:
            entry = found[claim.id]
            values, signs = entry["values"], entry.get("direction_values")
            decided = verdict(values, claim, signs)
            rows.append(Row(claim, decided, values, signs, page, anchor, label))
        else:
            problems.append(f"{claim.id} is recorded nowhere; it belongs to {claim.chapter}")
    return rows, problems


def place(env: BuildEnvironment, chapter: str, figure: str) -> tuple[str, str, str]:
    """Page, anchor and name of a figure, of an equation, or of a chapter if there is neither."""
    page = f"notebooks/{chapter}"
    if figure.startswith("eq-"):
        page = env.domaindata["math"]["objects"].get(figure, ("",))[0]
        kind, name, anchor = "displaymath", "Eq. ({})", nodes.make_id(f"equation-{figure}")
    elif figure:
        page, anchor, _ = env.domaindata["std"]["labels"].get(figure, ("", "", ""))
        kind, name = "figure", "Fig. {}"
    else:
        number = chapter[:2].lstrip("0")
        return (page, "", f"Ch. {number}") if page in env.found_docs else ("", "", "")
    number = env.toc_fignumbers.get(page, {}).get(kind, {}).get(anchor)
    if number is None:
        return "", "", ""
    return page, anchor, name.format(".".join(map(str, number)))


def update_pages(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Make the rows; ask for the page to be written again if they have changed."""
    app.ledger_rows = []
    # Where a page alone is built, most of the others record nothing.
    if not pages_of(env) or app.config.book_page:
        return []
    app.ledger_rows, problems = make_rows(env)
    for problem in problems:
        logger.warning("ledger: %s", problem)
    state = repr(app.ledger_rows)
    changed = state != getattr(env, "ledger_state", "")
    env.ledger_state = state
    return sorted(pages_of(env)) if changed else []


# From rows to tables


def fill_page(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Replace the placeholders of a page."""
    for placeholder in list(doctree.findall(Placeholder)):
        rows = app.ledger_rows
        if "kind" in placeholder:
            chosen = [row for row in rows if row.claim.kind == placeholder["kind"]]
            new = [rows_as_table(app, docname, chosen)]
        else:
            new = [summary(rows), csv_link()]
        placeholder.replace_self(new)


def summary(rows: list[Row]) -> nodes.bullet_list:
    """Verdicts counted, a line for each class."""
    from modality_gap.book.ledger import VERDICTS

    lines = []
    for kind, verdicts in VERDICTS.items():
        found = [row.verdict for row in rows if row.claim.kind == kind]
        counts = ", ".join(f"{verdict} {found.count(verdict)}" for verdict in verdicts)
        name = nodes.strong("", kind.capitalize())
        words = nodes.Text(f": {len(found)} ({counts}).")
        lines.append(nodes.list_item("", nodes.paragraph("", "", name, words)))
    return nodes.bullet_list("", *lines, classes=["ledger-summary"])


def csv_link() -> nodes.paragraph:
    """The sentence that offers the file."""
    link = nodes.reference("", FILE, refuri=FILE, internal=True)
    return nodes.paragraph(
        "", "", nodes.Text("All of it, with every single value: "), link, nodes.Text(".")
    )


def rows_as_table(app: Sphinx, docname: str, rows: list[Row]) -> nodes.table:
    """A table with a line for each number, under a heading for each claim."""
    from modality_gap.book.claims import PAPERS

    body, heading = [], None
    for row in rows:
        claim = row.claim
        if heading != (claim.paper, claim.where, claim.claim):
            heading = claim.paper, claim.where, claim.claim
            source = nodes.strong("", f"{PAPERS[claim.paper]}, {claim.where}. ")
            title = nodes.paragraph("", "", source, nodes.Text(claim.claim))
            body.append(table_row(nodes.entry("", title, morecols=len(HEADINGS) - 1)))
            body[-1]["classes"].append("ledger-claim")
        body.append(
            table_row(
                cell(claim.quantity, *["chosen after the results were seen"] * claim.chosen_after),
                cell(stated(claim), *["second-hand"] * claim.second_hand),
                cell(*ours(row)),
                cell(*bands(row)),
                cell(claim.band_from or "–"),
                cell(row.verdict, classes=["ledger-verdict", row.verdict.replace(" ", "-")]),
                link_cell(app, docname, row),
            )
        )
    return table(list(HEADINGS), body, "ledger")


def stated(claim: Claim) -> str:
    """What the source prints, or what it has instead."""
    from modality_gap.book.numbers import shortest

    return claim.stated if isinstance(claim.stated, str) else ", ".join(map(shortest, claim.stated))


def ours(row: Row) -> list[str]:
    """What was measured, in one line or two."""
    from modality_gap.book.numbers import describe

    if row.claim.quoted:
        return ["–"]
    claim = row.claim
    lines = [describe(row.values, claim.band, claim.each or not claim.band, claim.over)]
    if row.direction_values is not None:
        over = claim.over if len(row.values) > 1 else "seeds"
        signs = describe(row.direction_values, claim.direction, True, over)
        lines.append(f"{claim.direction_quantity}: {signs}")
    return lines


def bands(row: Row) -> list[str]:
    """The band and the direction, in words."""
    from modality_gap.book.numbers import interval

    claim, lines = row.claim, []
    if claim.band:
        each = f", each of the {claim.over}" if claim.each and len(row.values) > 1 else ""
        lines.append(interval(claim.band) + each)
    if claim.direction:
        lines.append(f"direction: {interval(claim.direction)}, each value")
    return lines or ["–"]


def link_cell(app: Sphinx, docname: str, row: Row) -> nodes.entry:
    """A reference to the figure, the equation or the chapter."""
    if not row.page:
        return cell("–")
    words = nodes.inline("", row.label)
    link = make_refnode(app.builder, docname, row.page, row.anchor or None, words)
    return nodes.entry("", nodes.paragraph("", "", link))


def cell(*lines: str, classes: list[str] | None = None) -> nodes.entry:
    """A cell with a paragraph for each line."""
    return nodes.entry("", *(nodes.paragraph("", line) for line in lines), classes=classes or [])


def table_row(*cells: nodes.entry) -> nodes.row:
    """A line of a table."""
    return nodes.row("", *cells)


def table(headings: list[str], body: list[nodes.row], name: str) -> nodes.table:
    """A table in a box of its own, which scrolls if it must."""
    columns = [nodes.colspec(colwidth=1) for _ in headings]
    head = nodes.thead("", table_row(*map(cell, headings)))
    group = nodes.tgroup("", *columns, head, nodes.tbody("", *body), cols=len(headings))
    return nodes.table("", group, classes=["colwidths-auto", name])


# The file


COLUMNS = [
    *("id", "class", "item", "paper", "where", "claim", "quantity", "stated", "second_hand"),
    *("values", "over", "count", "mean", "standard_deviation", "band_low", "band_high", "judged"),
    *("band_from", "band_set", "chosen_after"),
    *("direction_low", "direction_high", "direction_quantity", "direction_values"),
    *("verdict", "page", "figure"),
]


def as_fields(row: Row) -> dict[str, object]:
    """The columns of the CSV file; numbers with all their digits."""
    from modality_gap.book.numbers import mean, standard_deviation

    claim = row.claim
    band, direction = claim.band or ("", ""), claim.direction or ("", "")
    origin, _, when = claim.band_from.partition(", ")
    fields = {name: getattr(claim, name) for name in COLUMNS if hasattr(claim, name)}
    return fields | {
        "class": claim.kind,
        "stated": stated(claim),
        "band_from": origin,
        "band_set": when,
        "values": " ".join(map(repr, row.values)),
        "count": len(row.values),
        "mean": mean(row.values) if row.values else "",
        "standard_deviation": standard_deviation(row.values) if len(row.values) > 1 else "",
        "band_low": band[0],
        "band_high": band[1],
        "judged": "" if claim.quoted else "every value" if claim.each else "mean",
        "direction_low": direction[0],
        "direction_high": direction[1],
        "direction_values": " ".join(map(repr, row.direction_values or [])),
        "verdict": row.verdict,
        "page": row.page + ".html" if row.page else "",
    }


def write_csv(app: Sphinx, exception: Exception | None) -> None:
    """Write the rows beside each page that shows them."""
    if exception or app.builder.name != "html" or app.config.book_page:
        return
    for page in pages_of(app.env):
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(as_fields(row) for row in app.ledger_rows)
        target = Path(app.outdir, page).with_name(FILE)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text.getvalue(), "utf-8")
