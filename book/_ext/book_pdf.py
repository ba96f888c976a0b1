"""The whole book as one PDF, printed from the built website by Chromium.

After the pages are written, their articles are put into one document, which has a title page, a
table of contents with page numbers and the solutions at its end, and Chromium prints it. Without
Chromium there is no PDF and no link to one: the sentence that would carry the link says how to
make it.

    MODALITY_GAP_BROWSER   path of the browser; "none" makes no PDF
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst.states import Inliner
from pikepdf import Name, ObjectStreamMode, OutlineItem, Pdf
from playwright.sync_api import Browser, Error, sync_playwright
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.util import logging

from one_document import assemble

NAME = "mind-the-modality-gap.pdf"
NO_PDF = " (this build has none: make book prints it where Chromium is installed)"

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",  # needed where one builds as root, as in a container
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--force-color-profile=srgb",
)
TIMEOUT = 300_000  # milliseconds, for a slow and busy machine

logger = logging.getLogger(__name__)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the steps with Sphinx."""
    # Whether there will be a PDF. A change of it writes every page again, with or without links.
    app.add_config_value("book_pdf", False, "html")
    app.connect("config-inited", decide)
    app.add_role("pdf", link_role)
    app.add_node(PdfLink, html=(visit_link, None))
    app.connect("html-page-context", add_button, priority=600)  # after the theme's buttons
    app.connect("build-finished", make_pdf, priority=900)  # after the checks of the build
    return {"parallel_read_safe": True, "parallel_write_safe": True}


# The browser


def find_browser() -> str | None:
    """Path of an installed Chromium that starts, or None."""
    wanted = os.environ.get("MODALITY_GAP_BROWSER", "")
    names = BROWSERS if wanted in ("", "required") else (wanted,)
    for path in filter(None, map(shutil.which, names)):
        # Some systems have a file of that name which only tells how to install the browser.
        try:
            started = subprocess.run([path, "--version"], capture_output=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if started.returncode == 0:
            return path
    return None


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """A running Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def can_print(path: str) -> bool:
    """Whether the browser at that path prints an empty page."""
    try:
        with chromium(path) as browser:
            return browser.new_page().pdf()[:4] == b"%PDF"
    except Error as error:
        logger.info("%s does not print: %s", path, str(error).partition("\n")[0])
        return False


def decide(app: Sphinx, config: Config) -> None:
    """Say whether this build makes a PDF, before any page is written."""
    pdf = Path(app.outdir, NAME)
    if config.book_page:  # links stay as they are, and so does the file
        config.book_pdf = pdf.exists()
        return
    browser = find_browser()
    config.book_pdf = bool(browser) and (pdf.exists() or can_print(browser))
    if not config.book_pdf:
        pdf.unlink(missing_ok=True)  # of an earlier build: no page would link it


# The links


def link_role(
    name: str, rawtext: str, text: str, lineno: int, inliner: Inliner, *_: object
) -> tuple[list[nodes.Node], list[nodes.Node]]:
    """Link {pdf}`some words` to the PDF, or say after the words how one is made."""
    return [PdfLink(rawtext, text)], []


class PdfLink(nodes.Inline, nodes.TextElement):
    """Words that are a link to the PDF if there is one."""


def visit_link(translator: Any, node: PdfLink) -> None:  # noqa: ANN401
    """Write the link for the page at hand."""
    builder = translator.builder
    if builder.config.book_pdf:
        up = "../" * builder.get_target_uri(builder.current_docname).count("/")
        link = f'<a class="reference download" href="{up}{NAME}">{escape(node.astext())}</a>'
        translator.body.append(link)
    else:
        translator.body.append(escape(node.astext() + NO_PDF))
    raise nodes.SkipNode


def add_button(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object
) -> None:
    """Add the PDF to the theme's download menu."""
    for menu in context.get("header_buttons", []):
        if menu.get("label") == "download-buttons" and app.config.book_pdf:
            menu["buttons"].append(
                {
                    "type": "link",
                    "url": context["pathto"](NAME, 1),
                    "text": "whole book, .pdf",
                    "tooltip": "Download the whole book",
                    "icon": "fas fa-book",
                    "label": "download-book-button",
                }
            )


# Printing


# Widths are those of the printed column, so what is too wide there is seen, and made smaller.
FIT = """
for (const element of document.querySelectorAll("table, mjx-container[display]")) {
    const room = element.parentElement.clientWidth;
    if (element.scrollWidth > room) element.style.zoom = room / element.scrollWidth;
}
"""
# Numbers of the pages, once they are known.
NUMBER = """
pages => document.querySelectorAll("a.page").forEach(
    link => { link.textContent = pages[decodeURIComponent(link.hash.slice(1))] ?? "" })
"""
# Title, anchor and level of every line of the contents.
LINES = """
[...document.querySelectorAll(".contents p > a:first-child")].map(link => [
    link.textContent, decodeURIComponent(link.hash.slice(1)),
    link.parentElement.className == "chapter" ? 1 : 2])
"""
COLUMN = {"width": 643, "height": 900}  # 170 mm at 96 pixels an inch


def print_document(document: Path, browser: Browser) -> bytes:
    """The PDF of an assembled document, printed twice: the second time with its page numbers."""
    page = browser.new_page(viewport=COLUMN, color_scheme="light")
    page.set_default_timeout(TIMEOUT)
    page.goto(document.as_uri())
    page.emulate_media(media="print")
    page.evaluate("window.MathJax?.startup.promise")
    page.evaluate("document.fonts.ready")
    page.evaluate(FIT)
    with Pdf.open(io.BytesIO(page.pdf(prefer_css_page_size=True))) as draft:
        page.evaluate(NUMBER, page_numbers(draft))
    printed = page.pdf(prefer_css_page_size=True, print_background=True, tagged=True)
    with Pdf.open(io.BytesIO(printed)) as pdf:
        add_bookmarks(pdf, page.evaluate(LINES))
        pdf.docinfo["/Author"] = page.get_attribute("meta[name=author]", "content")
        output = io.BytesIO()
        pdf.save(output, object_stream_mode=ObjectStreamMode.generate)  # half the size
    return output.getvalue()


def page_numbers(pdf: Pdf) -> dict[str, int]:
    """Page of every anchor that a link in the PDF points to, counted from 1."""
    numbers = {page.objgen: number for number, page in enumerate(pdf.pages, start=1)}
    anchors = pdf.Root.get("/Dests", {}).items()
    return {name.lstrip("/"): numbers[place[0].objgen] for name, place in anchors}


def add_bookmarks(pdf: Pdf, lines: list[tuple[str, str, int]]) -> None:
    """Make a tree of bookmarks, two levels deep, of (title, anchor, level).

    Chromium can make one too, but doubles the titles that stand at the top of a page.
    """
    with pdf.open_outline() as outline:
        for title, anchor, level in lines:
            item = OutlineItem(title, pdf.Root.Dests[f"/{anchor}"])
            (outline.root if level == 1 else outline.root[-1].children).append(item)
    pdf.Root.PageMode = Name.UseOutlines


def is_current(pdf: Path, pages: list[Path]) -> bool:
    """Whether a PDF is newer than the pages it was made of, and than what made it."""
    sources = [*pages, *Path(__file__).parent.glob("*.*")]
    return pdf.exists() and pdf.stat().st_mtime > max(path.stat().st_mtime for path in sources)


def make_pdf(app: Sphinx, exception: Exception | None) -> None:
    """Print the book, unless the build failed or the PDF is newer than every page."""
    config = app.config
    if exception or app.statuscode or app.builder.name != "html":
        return
    if config.book_page or not config.book_pdf:
        return
    site = Path(app.outdir)
    names = [name.removesuffix(".md") for name in config.external_site_map]
    target, document = site / NAME, site.with_name("print.html")
    if is_current(target, [site / f"{name}.html" for name in names]):
        return
    author, title = config.author, config.html_title or config.project
    edition = f"Version {version('modality-gap')}"
    text = assemble(site, names, document.parent, title=title, author=author, edition=edition)
    document.write_text(text, "utf-8")
    try:
        with chromium(find_browser() or "") as browser:
            pdf = print_document(document, browser)
    except Error as error:
        hint = "To build without a PDF: MODALITY_GAP_BROWSER=none make book"
        raise ExtensionError(f"Chromium could not print the book. {hint}", error) from error
    part = target.with_suffix(".part")
    part.write_bytes(pdf)
    part.replace(target)
