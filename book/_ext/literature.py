"""The table of the literature: what each work claims, and what became of that in this book.

It is made of book/references.bib: a work with the field `claim` has a row. `code` tells what its
authors have published, as far as we know, and `here` what of it was run; a work with claims in the
ledger is judged there. Where a work is discussed follows from the citations.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from pybtex.database import parse_file
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

HEADINGS = ("work", "what it says", "code", "here", "discussed in")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive, and the step that fills its last column."""
    app.add_node(Places)
    app.add_directive("literature", Literature)
    app.connect("env-get-updated", lambda app, env: sorted(getattr(env, "literature_pages", [])))
    app.connect("doctree-resolved", fill_places)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Places(nodes.Inline, nodes.Element):
    """Where links to the chapters that cite a work will stand."""


class Literature(SphinxDirective):
    """A table with a row for each work that has a claim, in the order of the years."""

    def run(self) -> list[nodes.Node]:
        """Make the rows; citations are links as anywhere."""
        from modality_gap.book.claims import PAPERS

        self.env.literature_pages = {self.env.docname}
        source = Path(self.config.bibtex_bibfiles[0])
        self.env.note_dependency(str(source))
        works = parse_file(Path(self.env.srcdir, source), "bibtex").entries.items()
        told = [(work.fields["year"], key, work) for key, work in works if "claim" in work.fields]
        lines = ["```{list-table}", ":header-rows: 1", ":widths: 22 42 12 12 12", ""]
        lines += self.row(HEADINGS)
        for _, key, work in sorted(told, key=lambda row: row[:2]):
            fields = work.fields
            here = "[ledger](ledger)" if key in PAPERS else fields.get("here", "not run")
            venue = fields.get("booktitle") or fields.get("journal") or "preprint"
            lines += self.row(
                (
                    f"{{cite:t}}`{key}`, {venue}",
                    fields["claim"],
                    fields.get("code", "not checked"),
                    here,
                    f"PLACES {key}",
                )
            )
        parent = nodes.Element()
        self.state.nested_parse(StringList([*lines, "```"], str(source)), 0, parent)
        for text in list(parent.findall(nodes.Text)):
            if text.startswith("PLACES "):
                text.parent.replace(text, Places(key=text.removeprefix("PLACES ")))
        return parent.children

    @staticmethod
    def row(cells: tuple[str, ...]) -> list[str]:
        """A row as lines of a list of lists."""
        return [f"{'  ' if at else '* '}- {cell}" for at, cell in enumerate(cells)]


def fill_places(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put in the links to the chapters, now that all are read."""
    for places in list(doctree.findall(Places)):
        links: list[nodes.Node] = []
        for page, number in chapters_citing(app, places["key"]):
            link = make_refnode(app.builder, docname, page, "", nodes.Text(number))
            links += [nodes.Text(", "), link] if links else [link]
        places.replace_self(links or nodes.Text("this page"))


def chapters_citing(app: Sphinx, key: str) -> list[tuple[str, str]]:
    """(page, name) of the chapters and other pages that cite a work, but for this table."""
    citing = {
        ref.docname
        for ref in app.env.get_domain("cite").citation_refs
        if key in {target.key for target in ref.targets}
    }
    citing -= app.env.literature_pages
    found = []
    for page in sorted(citing):
        name = page.rpartition("/")[2]
        number = name.partition("_")[0]
        found.append((page, f"{int(number)}" if number.isdigit() else name.replace("_", " ")))
    return found
