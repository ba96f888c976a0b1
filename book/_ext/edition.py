"""The notebook edition: every page that runs, as a notebook that reads like the page.

It is made of the page as it was built, so that numbers, citations and figure numbers are those of
the website, and of the page's source, which has the code. Text is turned into Markdown; code that
the page folds is folded, code that it removes is left out; outputs are not stored. An exercise
becomes its statement, a stub, a check, and a solution that stays out of sight until it is asked
for. The cells of exercises carry their label and role, for the coursework.
"""

from __future__ import annotations

import html
import os
import re
import time
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from bs4 import BeautifulSoup, Tag
from docutils import nodes
from docutils.parsers.rst.states import Inliner
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ConfigError
from sphinx.util import logging
from sphinx_exercise.nodes import solution_node

import questions
from cited import addresses
from edition_text import Links, Markdown
from execute_pages import Page
from removed import has, taken_away

if TYPE_CHECKING:
    from modality_gap.coursework.exercises import Exercise

logger = logging.getLogger(__name__)

# Settings of a build, by variables of its environment. Addresses come from [project.urls] in
# pyproject.toml; a variable that is given wins:
#   BOOK_REPOSITORY_URL     Repository, for example https://github.com/owner/name; for the buttons
#                           of it and of Binder, and what the first cell of a notebook installs
#   BOOK_REPOSITORY_BRANCH  main if not given
#   BOOK_NOTEBOOKS_URL      Notebooks: folder with the edition on GitHub, for the Colab button.
#                           Colab opens .ipynb files only, and the repository holds none; a branch
#                           that the site is published from has them, for example
#                           https://github.com/owner/name/blob/gh-pages/edition
#   BOOK_SITE_URL           Documentation: the website; notebooks link to its glossary
#   BOOK_SOLUTIONS          "none" leaves the solutions of all exercises out of pages, notebooks,
#                           PDF and search, for the weeks before a deadline
KNOWN = addresses()
SETTINGS = {
    "book_repository_url": ("BOOK_REPOSITORY_URL", KNOWN.get("Repository", "")),
    "book_repository_branch": ("BOOK_REPOSITORY_BRANCH", "main"),
    "book_notebooks_url": ("BOOK_NOTEBOOKS_URL", KNOWN.get("Notebooks", "")),
    "book_site_url": ("BOOK_SITE_URL", KNOWN.get("Documentation", "")),
    "book_solutions": ("BOOK_SOLUTIONS", "all"),
}
EDITION = "edition"  # the folder on the site
ZIP = "mind-the-modality-gap-notebooks.zip"
INSTALL = """\
# Where the package is missing, this installs it; elsewhere it does nothing.
from importlib.util import find_spec

if find_spec("modality_gap") is None:
    """
CHECK = "# Check your answer: run this cell."
RIGHT = 'print("Right.")'
ANSWER = "*Your answer here: a double click opens this cell.*"
FOLDED = {"jupyter": {"source_hidden": True}}
# What is left if an element of the page has no rule here, or a role was not known to the page.
LEFTOVER = r"\{[a-z:-]+\}`|^(?:`{3,}|:{3,})\{|<(?!/?(?:abbr|details|summary)\b)[a-z/]"
MATH_OR_CODE = re.compile(r"\$\$.*?\$\$|\$[^$]*\$|```(?!\{).*?```|(?<!`)`[^`\n]+`(?!`)", re.DOTALL)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the steps with Sphinx."""
    for name, (variable, default) in SETTINGS.items():
        app.add_config_value(name, os.environ.get(variable, default).rstrip("/"), "html")
    app.add_role("edition", link_role)
    app.connect("config-inited", check_solutions)
    app.connect("doctree-resolved", remove_solutions)
    app.connect("html-page-context", add_notebook)
    app.connect("html-page-context", mend_download, priority=600)  # after the theme's buttons
    app.connect("build-finished", pack)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def check_solutions(app: Sphinx, config: Config) -> None:
    """Refuse what is neither with nor without solutions."""
    if config.book_solutions not in ("all", "none"):
        raise ConfigError(f"BOOK_SOLUTIONS is none or all, not {config.book_solutions}")


def remove_solutions(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Take the solutions out of a page, if it is to have none."""
    if app.config.book_solutions == "none":
        for node in list(doctree.findall(solution_node)):
            node.parent.remove(node)


def link_role(
    name: str, rawtext: str, text: str, lineno: int, inliner: Inliner, *_: object
) -> tuple[list[nodes.Node], list[nodes.Node]]:
    """Link {edition}`some words <file>` to a notebook of the edition, or to a file of the site."""
    words, _, file = text.removesuffix(">").partition(" <")
    page = inliner.document.settings.env.docname
    folder = f"{EDITION}/" if file.endswith(".ipynb") else ""
    target = "../" * page.count("/") + folder + file
    link = f'<a class="reference download" href="{target}">{html.escape(words)}</a>'
    return [nodes.raw(rawtext, link, format="html")], []


def add_notebook(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object
) -> None:
    """Write the notebook of a page, and offer it for download and, if it is known where, online."""
    page = app.book_pages.get(pagename)
    if not page or not page.stored or app.config.book_page not in ("", pagename):
        return
    if not hasattr(app, "book_links"):
        app.book_links = Links(app)
    path = Path(app.env.doc2path(pagename))
    try:
        edition = Edition(page, app.book_links, path, about(page), install(app.config))
        edition.read(BeautifulSoup(context["body"], "html.parser"))
    except ValueError as error:  # an exercise that cannot be one
        logger.warning("%s", error, location=pagename)
        return
    for cell, name in taken_away(page.code):
        line = page.notebook.metadata.source_map[page.notebook.cells.index(cell)] + 1
        what = (
            "this cell needs %s, which a cell bound last that the page removes; bind it elsewhere"
        )
        logger.warning(what, name, location=f"{path}:{line}")
    for heading, what in leftovers(edition.notebook):
        where = f"{path}:{line_of(heading, path.read_text('utf-8'))}"
        logger.warning("the notebook edition has no rule for: %s", what, location=where)
    target = Path(app.outdir, EDITION, f"{path.stem}.ipynb")
    target.parent.mkdir(exist_ok=True)
    nbformat.write(edition.notebook, target)
    context["ipynb_source"] = f"{EDITION}/{target.name}"  # the theme makes a button of it
    buttons = [
        {"type": "link", "text": name, "tooltip": f"Open in {name}", "icon": icon, "url": url}
        for name, icon, url in launch_links(app.config, path.stem)
    ]
    if buttons:
        menu = {"type": "group", "tooltip": "Run this page", "icon": "fas fa-rocket"}
        context["header_buttons"].append({**menu, "buttons": buttons, "label": "launch-buttons"})


def mend_download(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object
) -> None:
    """Let the theme's button lead to the edition; no page offers its source."""
    for menu in context.get("header_buttons", []):
        kept = []
        for button in menu.get("buttons", []):
            if button.get("label") == "download-notebook-button":
                button["url"] = context["pathto"](context["ipynb_source"], 1)
            if button.get("label") != "download-source-button":
                kept.append(button)
        if "buttons" in menu:
            menu["buttons"] = kept


def about(page: Page) -> str:
    """Which build the numbers are from, and how long the notebook runs, as HTML."""
    day = time.strftime("%Y-%m-%d", time.gmtime(page.store.stat().st_mtime))
    minutes = max(1, round(page.stored["seconds"] / 60))
    return (
        f"<p><em>Notebook edition. The numbers in its sentences were computed on {day} with "
        f"modality-gap {version('modality-gap')}. All cells run in about {minutes} min on one "
        "core.</em></p>"
    )


def install(config: Config) -> str:
    """The first cell: what to install where the package is missing."""
    if config.book_repository_url:
        source = f"git+{config.book_repository_url}@{config.book_repository_branch}"
        return INSTALL + f'%pip install --quiet "modality-gap[lab] @ {source}"'
    what = "In the folder of the book's repository, type: pip install '.[lab]'"
    return INSTALL + f'raise ModuleNotFoundError("{what}")'


def launch_links(config: Config, name: str) -> list[tuple[str, str, str]]:
    """(name, icon, address) of the services that can run a notebook of a published repository."""
    links = []
    repository = re.fullmatch(r"https://github\.com/([^/]+/[^/]+)", config.book_repository_url)
    if repository:
        url = (
            f"https://mybinder.org/v2/gh/{repository[1]}/{config.book_repository_branch}"
            f"?urlpath=lab/tree/workbook/{name}.ipynb"
        )
        links.append(("Binder", "_static/images/logo_binder.svg", url))
    notebooks = re.fullmatch(r"https://github\.com/(.+)", config.book_notebooks_url)
    if notebooks:
        url = f"https://colab.research.google.com/github/{notebooks[1]}/{name}.ipynb"
        links.append(("Colab", "_static/images/logo_colab.png", url))
    return links


def pack(app: Sphinx, exception: Exception | None) -> None:
    """Put all notebooks into one archive, with a folder for data and a README."""
    notebooks = sorted(Path(app.outdir, EDITION).glob("*.ipynb"))
    if exception or app.builder.name != "html" or not notebooks:
        return
    readme = Path(__file__).with_name("edition_readme.md").read_text("utf-8")
    with zipfile.ZipFile(Path(app.outdir, ZIP), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.md", readme)
        archive.writestr("data/README.md", readme[readme.index("## Data") :])
        for path in notebooks:
            archive.write(path, path.name)


class Edition:
    """The notebook of one page."""

    def __init__(self, page: Page, links: Links, path: Path, about: str, install: str) -> None:
        """Read what the body of the page does not show: code, exercises, folded cells.

        Args:
            page: the page, as executed.
            links: where links lead.
            path: the page's source.
            about: a sentence on this edition, shown below the title.
            install: code of the first cell.
        """
        from modality_gap.coursework import exercises  # takes a second: imports PyTorch

        self.name, self.about = page.name, about
        self.markdown = Markdown(lambda element, text: links.convert(page.name, element, text))
        # What belongs to an exercise comes with it.
        self.code = iter(
            [cell for cell in page.code if not has(cell, "remove-cell", *exercises.ROLES)]
        )
        self.exercises = {item.label: item for item in exercises.read(path).exercises}
        self.text: list[str] = []  # HTML that waits for its cell
        self.cells: list[NotebookNode] = [new_code_cell(install, metadata=FOLDED)]

    @property
    def notebook(self) -> NotebookNode:
        """The notebook so far."""
        for number, cell in enumerate(self.cells):  # the same in every build
            cell["id"] = cell.metadata.get("modality_gap", {}).get("id", f"cell-{number}")
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        return new_notebook(cells=self.cells, metadata={"kernelspec": kernel})

    def read(self, element: Tag) -> None:
        """Turn the children of an element of the page into cells."""
        for child in element.find_all(True, recursive=False):
            classes = child.get("class", [])
            if child.name == "section":
                self.read(child)
            elif re.fullmatch("h[1-6]", child.name):
                self.flush()
                self.text.append(str(child))
                if child.name == "h1":
                    self.text.append(self.about)
            elif "cell" in classes:
                self.cell(child, next(self.code))
            elif "question" in classes:
                self.question(questions.read(child))
            elif "exercise" in classes:
                self.exercise(child, self.exercises[child["id"]])
            elif "solution" in classes:
                label = child.find("a", href=True)["href"].removeprefix("#")
                self.solution(child, self.exercises[label])
            elif "toctree-wrapper" not in classes:
                self.text.append(str(child))
        self.flush()

    def flush(self, role: Exercise | None = None, name: str = "") -> None:
        """Make a cell of the text that waits."""
        text = self.markdown.convert("".join(self.text)).strip()
        self.text = []
        if text:
            text = re.sub(r"\n{3,}", "\n\n", text)
            self.cells.append(new_markdown_cell(text, metadata=tagged(role, name)))

    def cell(self, element: Tag, source: NotebookNode) -> None:
        """A code cell, and below it the caption of its figure with the figure in words."""
        self.flush()
        tags = source.metadata.get("tags", [])
        metadata = dict(FOLDED) if "hide-input" in tags else {}
        if "setup" in tags:
            metadata["modality_gap"] = {"role": "setup"}
        self.cells.append(new_code_cell(source.source, metadata=metadata))
        caption = element.find("figcaption")
        if caption:
            number = caption.find(class_="caption-number")
            number.name, number.string = "b", f"{number.get_text().strip()}."
            number.insert_after(" ")
            self.text.append(str(caption.find("p")))
            self.flush()
            if words := source.metadata["mystnb"].get("image", {}).get("alt", ""):
                folded = "<details><summary>The figure in words</summary>{}</details>"
                self.cells[-1].source += "\n\n" + folded.format(html.escape(words))

    def question(self, question: questions.Question) -> None:
        """A question with its choices, and what is right and why, out of sight, in one cell."""
        self.flush()
        choices = questions.letters(question)
        title = f"<p><b>Question {question.number}.</b></p>"
        listed = "".join(f"<li><b>{letter}.</b> {each.text}</li>" for letter, each in choices)
        self.text = [title, question.stem, f"<ul>{listed}</ul>"]
        self.flush()
        said = "".join(
            f"<li>{each.why.replace('<p>', f'<p><b>{letter}.</b> ', 1)}</li>"
            for letter, each in choices
        )
        answer = self.markdown.convert(f"<ul>{said}</ul>").strip()
        folded = f"\n\n<details><summary>Answer</summary>\n\n{answer}\n\n</details>"
        self.cells[-1].source += folded

    def exercise(self, element: Tag, item: Exercise) -> None:
        """Statement, what is given, stub or room for an answer, check."""
        self.flush()
        title = element.find(class_="admonition-title").extract().get_text()
        title = re.sub(r"^(.*?)\s*\((.*)\)\s*$", r"\1. \2", title)
        self.text += [f"<h3>{title}</h3>", *self.prose(element)]
        self.flush(item, "statement")
        for cell in item.of("given"):
            self.cells.append(new_code_cell(cell.source, metadata=tagged(item, "given")))
        if not item.of("solution"):
            self.cells.append(new_markdown_cell(ANSWER, metadata=tagged(item, "stub")))
            return
        self.cells.append(new_code_cell(item.stub, metadata=tagged(item, "stub")))
        tests = item.of("test")
        for cell in tests:
            check = "\n".join([CHECK, cell.source, *([RIGHT] if cell is tests[-1] else [])])
            metadata = FOLDED | tagged(item, "test") | {"tags": ["raises-exception"]}
            self.cells.append(new_code_cell(check, metadata=metadata))

    def solution(self, element: Tag, item: Exercise) -> None:
        """The solution, text and code, in one cell that shows nothing until it is opened."""
        element.find(class_="admonition-title").extract()
        text = self.markdown.convert("".join(self.prose(element))).strip()
        code = "\n\n\n".join(cell.source for cell in item.of("solution"))
        parts = [text, f"```python\n{code}\n```" if code else ""]
        inside = "\n\n".join(part for part in parts if part)
        folded = f"<details><summary>Solution</summary>\n\n{inside}\n\n</details>"
        self.cells.append(new_markdown_cell(folded, metadata=tagged(item, "solution")))

    def prose(self, element: Tag) -> Iterator[str]:
        """HTML of what stands in an exercise or a solution beside its cells."""
        for child in element.find_all(True, recursive=False):
            if child.name == "section":
                yield from self.prose(child)
            elif "cell" not in child.get("class", []):
                yield str(child)


def tagged(item: Exercise | None, role: str) -> dict[str, object]:
    """The metadata of a cell with a role in an exercise."""
    return {"modality_gap": {"label": item.label, "role": role}} if item else {}


def leftovers(notebook: NotebookNode) -> list[tuple[str, str]]:
    """What is still markup of the book, or of the page, in a notebook: heading above, beginning."""
    found, heading = [], ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text = MATH_OR_CODE.sub("`", cell.source)
            for match in re.finditer(rf"^#+ (?P<heading>.*)$|{LEFTOVER}", text, re.MULTILINE):
                if match["heading"]:
                    heading = match["heading"]
                else:
                    found.append((heading, text[match.start() :][:60]))
    return found


def line_of(heading: str, text: str) -> int:
    """The line of a source where a heading of its notebook stands; 1 if it is not found."""
    title = heading.lstrip("0123456789. ")
    lines = (number for number, line in enumerate(text.splitlines(), 1) if title in line)
    return next(lines, 1)
