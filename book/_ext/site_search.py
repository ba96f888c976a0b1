"""The search page finds sections, as a Sphinx extension.

Sphinx's own index knows pages, and no number: "0.3" finds nothing. Beside it the texts of all
sections are written, as a script, because a page from the file system may load nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag
from sphinx.application import Sphinx

FILE = "sections.js"
# Neither words of the text, nor what a reader looks for.
LEFT_OUT = "script, style, svg, .headerlink, .math, .cell_input, .sd-d-none, .caption-number"


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the index when all pages are there, and load it on the search page."""
    app.connect("html-page-context", add_scripts)
    app.connect("build-finished", write_sections)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def add_scripts(app: Sphinx, pagename: str, *_: object) -> None:
    """Load index and ranking on the search page, after Sphinx's own."""
    if pagename == "search":
        for name in (FILE, "search.js"):
            app.add_js_file(name, priority=900, loading_method="defer")


def write_sections(app: Sphinx, exception: Exception | None) -> None:
    """Write page, anchor, titles and text of every section of every page."""
    if exception is not None or app.builder.name != "html":
        return
    found = []
    for name in sorted(app.env.found_docs):
        page = Path(app.builder.get_outfilename(name))
        if page.is_file():
            found += [[name, *each] for each in sections(page.read_text("utf-8"))]
    content = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    # A const would be seen by other scripts, too, but could not be looked for.
    Path(app.outdir, "_static", FILE).write_text(f"var SECTIONS = {content};\n", "utf-8")


def sections(page: str) -> Iterator[tuple[str, str, str, str]]:
    """Anchor, title of the page, own title and text of each section or defined term of a page."""
    article = BeautifulSoup(page, "html.parser").select_one("article")
    if article is None:
        return
    for tag in article.select(LEFT_OUT):
        tag.decompose()
    heading = article.select_one("h1")
    of_page = words(heading) if heading else ""
    # What several sections of a page are called leads nowhere.
    for tag in article.select("#exercise-content, #solution-content"):
        tag.name = "div"
    # The last first: an inner one is taken out before the text around it is read.
    for tag in reversed(article.select("section[id], dt[id]")):
        body = tag.find_next_sibling("dd") if tag.name == "dt" else None
        name = tag if tag.name == "dt" else tag.find(["h1", "h2", "h3", "h4"])
        title = words(name) if name else of_page
        if tag.name == "dt" and "sig" in tag.get("class", []):
            title = str(tag["id"])  # without the arguments
        parts = [part for part in (tag, body) if part]
        yield str(tag["id"]), of_page, title, " ".join(map(words, parts))
        for part in parts:
            part.extract()


def words(tag: Tag) -> str:
    """The text of a tag on one line."""
    return " ".join(tag.get_text(" ").split())
