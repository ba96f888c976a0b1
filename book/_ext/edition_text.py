"""Text of a built page as Markdown for a notebook: formulas, blocks, and where links lead."""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from urllib.parse import quote

from bs4 import Tag
from docutils import nodes
from markdownify import MarkdownConverter
from sphinx.application import Sphinx

# What the formulas in definitions need where only plain text can stand.
SIGNS = {
    "\\tau": "τ",
    "\\lambda": "λ",
    "\\sum": "Σ",
    "\\lVert": "‖",
    "\\rVert": "‖",
    "\\mid": "|",
    "\\bar x": "x\N{COMBINING MACRON}",
    "\\bar y": "y\N{COMBINING MACRON}",
    "\\frac1N": "1/N",
    "\\mathcal ": "",
}
LATEX = re.compile("|".join(map(re.escape, SIGNS)))


class Markdown(MarkdownConverter):
    """HTML of a page into the Markdown that JupyterLab, VS Code, Colab and nbviewer show."""

    def __init__(self, link: Callable[[Tag, str], str]) -> None:
        """Turn links into Markdown by `link(element, text)`."""
        super().__init__(heading_style="atx", bullets="-", code_language_callback=language)
        self.link = link

    def convert_a(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """A link; nothing for the signs beside headings."""
        return "" if "headerlink" in el.get("class", []) else self.link(el, text)

    def convert_span(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """A formula in a line, as it stands."""
        return f"${el.get_text()[2:-2]}$" if "math" in el.get("class", []) else text

    def convert_div(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """A formula of its own with its number, or a block with a title."""
        classes = el.get("class", [])
        if "math" in classes:
            number = el.find(class_="eqno")
            tag = rf" \tag{{{number.extract().get_text().strip('()#')}}}" if number else ""
            # In one line: the mark of a quotation before each line would get into the formula.
            formula = " ".join(
                el.get_text().strip().removeprefix(r"\[").removesuffix(r"\]").split()
            )
            return f"\n\n$$ {formula}{tag} $$\n\n"
        if "admonition" in classes:
            quoted = re.sub("^", "> ", text.strip(), flags=re.MULTILINE)
            return f"\n\n{quoted}\n\n"
        return text

    def convert_p(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """A paragraph; the title of a block in bold."""
        if "admonition-title" in el.get("class", []):
            text = f"**{' '.join(text.split())}**"
        return super().convert_p(el, text, parent_tags)

    def convert_dt(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """A term and its definition, as an entry of a list."""
        return f"\n- {text.strip()}: "

    def convert_dd(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """What follows the term."""
        return f"{text.strip()}\n"


def language(pre: Tag) -> str:
    """The language of a block of code: Python, if the page names none."""
    outer = pre.find_parent(class_=re.compile("^highlight-"))
    name = outer["class"][0].removeprefix("highlight-") if outer else "none"
    return {"none": "python", "ipython3": "python"}.get(name, name)


class Links:
    """Where the links of a page lead when it is a notebook."""

    def __init__(self, app: Sphinx) -> None:
        """Between notebooks, to the references' own addresses, and to the website if it has one."""
        self.env, self.pages, self.site = app.env, app.book_pages, app.config.book_site_url
        self.doctree = cache(lambda name: app.env.get_and_resolve_doctree(name, app.builder))

    def convert(self, page: str, element: Tag, text: str) -> str:
        """A link on a page as Markdown."""
        target = element["href"]
        if re.match(r"https?:|mailto:", target):
            return f"[{text}]({target})"
        path, _, anchor = target.partition("#")
        file = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
        name = file.removesuffix(".html")
        if name == "book/glossary" and anchor.startswith("term-"):
            return f'<abbr title="{self.definition(anchor)}">{text}</abbr>'
        if title := element.get("title"):  # a work that is cited
            address = re.search(r"https?://\S+?(?=\.?$)|(?<=doi:)\S+?(?=\.?$)", title)
            if not address:
                return f'<abbr title="{html.escape(title)}">{text}</abbr>'
            url = address[0] if "://" in address[0] else f"https://doi.org/{address[0]}"
            return f"[{text}]({url})"
        if name in self.pages:
            place = self.heading(name, anchor) if anchor else ""
            return f"[{text}]({'' if name == page else Path(name).name + '.ipynb'}{place})"
        if file.endswith(".ipynb"):
            return f"[{text}]({Path(file).name})"
        return f"[{text}]({self.site}/{file}{'#' * bool(anchor)}{anchor})" if self.site else text

    def heading(self, page: str, anchor: str) -> str:
        """The heading above a place on a page, as JupyterLab and nbviewer name it."""
        elements = self.doctree(page).findall(nodes.Element)
        found = next((element for element in elements if anchor in element["ids"]), None)
        while found is not None and not isinstance(found, nodes.section):
            found = found.parent
        if found is None:
            return ""
        numbers = self.env.toc_secnumbers.get(page, {})
        anchors = [f"#{name}" for name in found["ids"]] if found.parent.parent else [""]
        number = next((numbers[anchor] for anchor in anchors if anchor in numbers), ())
        title = found.next_node(nodes.title).astext()
        text = f"{'.'.join(map(str, number))}. {title}" if number else title
        return "#" + quote(text.replace(" ", "-"))

    def definition(self, anchor: str) -> str:
        """The definition of a term of the glossary."""
        for term in self.doctree("book/glossary").findall(nodes.term):
            if anchor in term["ids"]:
                text = term.parent.next_node(nodes.definition).astext()
                plain = LATEX.sub(lambda sign: SIGNS[sign[0]], text)
                return html.escape(" ".join(plain.split()))
        return ""
