"""The list of the literature: what each work claims, and what became of that in this book.

It is made of book/references.bib: a work with the field `claim` has an entry. `code` tells what its
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


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive, and the step that fills in the chapters."""
    app.add_node(Places)
    app.add_directive("literature", Literature)
    app.connect("env-get-updated", lambda app, env: sorted(getattr(env, "literature_pages", [])))
    app.connect("doctree-resolved", fill_places)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Places(nodes.Inline, nodes.Element):
    """Where links to the chapters that cite a work will stand."""


class Literature(SphinxDirective):
    """A list of the works that have a claim, in the order of the years."""

    def run(self) -> list[nodes.Node]:
        """Make the entries; citations are links as anywhere."""
        from modality_gap.book.claims import PAPERS

        self.env.literature_pages = {self.env.docname}
        source = Path(self.config.bibtex_bibfiles[0])
        self.env.note_dependency(str(source))
        works = parse_file(Path(self.env.srcdir, source), "bibtex").entries.items()
        told = [(work.fields["year"], key, work) for key, work in works if "claim" in work.fields]
        lines = []
        for _, key, work in sorted(told, key=lambda entry: entry[:2]):
            fields = work.fields
            here = "[Ledger](ledger)" if key in PAPERS else fields.get("here", "Not run")
            public = f"; code: {fields['code']}" if "code" in fields else ""
            lines.append(f"- {{cite:t}}`{key}`: {fields['claim']} *{here}{public}; PLACES {key}*")
        parent = nodes.Element()
        self.state.nested_parse(StringList(lines, str(source)), 0, parent)
        for text in list(parent.findall(nodes.Text)):
            before, found, key = text.partition("PLACES ")
            if found:
                text.parent.replace(text, [nodes.Text(before), Places(key=key)])
        return parent.children


def fill_places(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put in the links to the chapters, now that all are read."""
    for places in list(doctree.findall(Places)):
        links: list[nodes.Node] = []
        for page, number in chapters_citing(app, places["key"]):
            link = make_refnode(app.builder, docname, page, "", nodes.Text(number))
            links += [nodes.Text(", "), link] if links else [link]
        word = nodes.Text({0: "no chapter", 1: "chapter "}.get(len(links), "chapters "))
        places.replace_self([word, *links])


def chapters_citing(app: Sphinx, key: str) -> list[tuple[str, str]]:
    """(page, number) of the chapters that cite a work."""
    citing = {
        ref.docname
        for ref in app.env.get_domain("cite").citation_refs
        if key in {target.key for target in ref.targets}
    }
    found = [(page, page.rpartition("/")[2].partition("_")[0]) for page in sorted(citing)]
    return [(page, number.lstrip("0")) for page, number in found if number.isdigit()]
