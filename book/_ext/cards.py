"""Definitions beside the links to them: the script cards.js shows them on hover and on focus.

A term of the glossary gets its definition as the title of the link, as a citation has its work. An
equation needs nothing: the script takes it from the page.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

from edition_text import Links

TERM = re.compile(r'<a class="reference internal" href="(?:[^"#]*glossary\.html)?#(term-[^"]+)"')


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the step with Sphinx."""
    app.connect("html-page-context", define, priority=450)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def define(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Give the links to terms their definitions."""
    if not hasattr(app, "book_links"):
        app.book_links = Links(app)

    def titled(match: re.Match[str]) -> str:
        definition = app.book_links.definition(match[1])
        return f'{match[0]} title="{definition}"' if definition else match[0]

    if "body" in context:
        context["body"] = TERM.sub(titled, context["body"])
