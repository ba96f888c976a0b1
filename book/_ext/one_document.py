"""The articles of a built website as one HTML document, for print.

Anchors become unique and links between pages become links within the document. What paper cannot
show goes: dark figures, buttons, folded code, whatever needs a script. The solutions of exercises
move to the end. The table of contents has a place for the number of each page.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import matplotlib
from bs4 import BeautifulSoup, Tag

import questions

STYLE = Path(__file__).with_suffix(".css")
COVER = "_static/clip_gap.svg"
UNPRINTABLE = (
    "a.headerlink, button, script, .only-dark, .explore style, .explore-live, details.above-input"
)
# They come with matplotlib, so that the PDF is the same on every machine.
FONTS = {
    "Book": ("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"),
    "Code": ("DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique"),
}
FACES = ("", "font-weight: bold", "font-style: italic", "font-weight: bold; font-style: italic")

SHORT = 16  # lines of code that stay on one page

DOCUMENT = """\
<!doctype html>
<html lang="en-GB" data-theme="light">
<head>
<meta charset="utf-8">
<title>{title}</title>
<meta name="author" content="{author}">
<style>{style}</style>
{head}
</head>
<body>
<header class="cover">
<p class="title">{title}</p>
{cover}
<p class="author">{author}</p>
<p>{edition}</p>
<p class="note">This is the book's website on paper. Code that only draws a figure is folded there
and left out here, interactive figures stand still, and solutions have moved to the end.</p>
</header>
<nav class="contents">
<p class="heading">Contents</p>
{contents}
</nav>
{parts}
</body>
</html>
"""
# MathJax, with nothing beside the visible formula that a search of the PDF would find twice.
FORMULAS = """\
<script>window.MathJax = {{options: {{
  enableMenu: false, enableAssistiveMml: false,
  ignoreHtmlClass: "tex2jax_ignore", processHtmlClass: "tex2jax_process|math"
}}}}</script>
<script src="{}"></script>"""


def assemble(
    site: Path, names: list[str], folder: Path, *, title: str, author: str, edition: str
) -> str:
    """One document of the pages of a site.

    Args:
        site: folder of the website.
        names: the pages in reading order, without `.html`.
        folder: where the document will lie; addresses of pictures are relative to it.
        title, author, edition: for the title page.
    """
    pages = {name: read(site / f"{name}.html") for name in names}
    parts = {name: page.select_one("article > section") for name, page in pages.items()}
    tops = {name: anchor(name, part.get("id", "")) for name, part in parts.items()}
    for name, part in parts.items():
        clean(part)
        rename_anchors(part, name)
        for image in part.select("img[src]"):
            image["src"] = moved(image["src"], (site / name).parent, folder)
        for link in part.select("a[href]"):
            rewrite_link(link, site, name, tops)
    chapters = list(parts.values())
    if solutions := take_solutions(chapters):
        chapters.append(solutions)
    drop_dead_links(chapters)
    cover = f'<img src="{os.path.relpath(site / COVER, folder)}" alt="">'
    return DOCUMENT.format(
        title=escape(title),
        author=escape(author),
        edition=escape(edition),
        style=faces() + STYLE.read_text("utf-8") + "".join(running_heads(chapters)),
        head="\n".join(shared_files(pages, site, folder)),
        cover=cover if (site / COVER).exists() else "",
        contents="\n".join(contents(chapters)),
        parts="\n".join(str(chapter) for chapter in chapters),
    )


def read(path: Path) -> BeautifulSoup:
    """A parsed page."""
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


def moved(address: str, start: Path, folder: Path) -> str:
    """An address relative to one folder as an address relative to another."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return address
    return os.path.relpath((start / unquote(parts.path)).resolve(), folder.resolve())


def shared_files(pages: dict[str, BeautifulSoup], site: Path, folder: Path) -> Iterator[str]:
    """Colours of code and MathJax, from the first page that has them."""
    for selector, attribute, form in (
        ("link[href*='pygments.css']", "href", '<link rel="stylesheet" href="{}">'),
        ("script[src*='mathjax/']", "src", FORMULAS),
    ):
        for name, page in pages.items():
            if tag := page.select_one(selector):
                yield form.format(moved(tag[attribute], (site / name).parent, folder))
                break


def faces() -> str:
    """The fonts, as CSS."""
    fonts = Path(matplotlib.get_data_path(), "fonts", "ttf")
    return "".join(
        f'@font-face {{ font-family: "{family}"; {face}; src: url("{fonts / name}.ttf"); }}\n'
        for family, names in FONTS.items()
        for name, face in zip(names, FACES, strict=False)
    )


# What the pages hold


def clean(part: Tag) -> None:
    """Remove what cannot be printed and cells that are empty without it; unfold the rest."""
    for tag in part.select(UNPRINTABLE):
        tag.decompose()
    for cell in part.select(".cell"):
        if not cell.get_text(strip=True) and not cell.find(["img", "svg", "table"]):
            cell.decompose()
    for fold in part.select("details"):
        fold["open"] = ""
    for code in part.find_all("pre"):
        if code.get_text().count("\n") <= SHORT:
            code["class"] = "short"


def anchor(name: str, identifier: str) -> str:
    """An anchor of a page, unique in the book."""
    return re.sub(r"[^\w.-]", "-", f"{name}--{identifier}")


def rename_anchors(part: Tag, name: str) -> None:
    """Make the anchors of a page unique, in the styles of its tables too."""
    seen = set()
    for tag in [part, *part.find_all(id=True)]:
        tag["id"] = anchor(name, tag.get("id", ""))
        if tag["id"] in seen:
            del tag["id"]
        else:
            seen.add(tag["id"])
    for style in part.find_all("style"):
        style.string = re.sub(
            r"#(\w+)(?=[^{}]*\{)", lambda match: f"#{anchor(name, match[1])}", style.get_text()
        )


def rewrite_link(link: Tag, site: Path, name: str, tops: dict[str, str]) -> None:
    """Point a link to the same place in the document; keep only its words if that is not in it."""
    parts = urlsplit(link["href"])
    if parts.scheme or parts.netloc:
        return
    path = (site / name).parent / unquote(parts.path) if parts.path else site / f"{name}.html"
    target = os.path.relpath(path.resolve(), site.resolve()).removesuffix(".html")
    if target not in tops:
        link.unwrap()
    elif parts.fragment:
        link["href"] = "#" + anchor(target, unquote(parts.fragment))
    else:
        link["href"] = "#" + tops[target]


def drop_dead_links(parts: list[Tag]) -> None:
    """Keep only the words of links to what was removed."""
    anchors = {tag["id"] for part in parts for tag in [part, *part.find_all(id=True)]}
    for part in parts:
        for link in part.select("a[href^='#']"):
            if link["href"][1:] not in anchors:
                link.unwrap()


# What the document adds


def element(markup: str) -> Tag:
    """The element that a piece of HTML describes."""
    return BeautifulSoup(markup, "html.parser").find()


def take_solutions(parts: list[Tag]) -> Tag | None:
    """Move the solutions of all exercises into a part of their own; tell each exercise where."""
    collected = element('<section id="solutions"><h1>Solutions</h1></section>')
    for part in parts:
        found = part.select(".solution")
        asked = part.select(".question")
        if found or asked:
            section = element(f'<section id="{part["id"]}-solutions"><h2></h2></section>')
            section.h2.string = heading(part).get_text()
            collected.append(section)
        for number, question in enumerate(asked, start=1):
            section.append(take_answer(question, f"{part['id']}-answer-{number}"))
        for number, solution in enumerate(found, start=1):
            solution["id"] = f"{part['id']}-solution-{number}"
            link = solution.select_one("a[href^='#']")
            exercise = link and part.find(id=link["href"][1:])
            if exercise:
                exercise.append(
                    element(f'<p class="see">Solution: page {page_link(solution["id"])}</p>')
                )
            section.append(solution.extract())
    return collected if collected.section else None


def take_answer(tag: Tag, identifier: str) -> Tag:
    """Print a question with the letters of its choices; what is right, and why, is returned."""
    question = questions.read(tag)
    for choice in tag.select("details"):
        choice.decompose()
    texts = "".join(f"<li>{each.text}</li>" for each in question.choices)
    tag.append(element(f'<ol type="a">{texts}</ol>'))
    tag.append(element(f'<p class="see">Answer: page {page_link(identifier)}</p>'))
    reasons = "".join(f"<li>{each.why}</li>" for each in question.choices)
    name = f"Question {question.number}"
    return element(
        f'<div class="answer" id="{identifier}"><p class="admonition-title">{name}</p>'
        f'<ol type="a">{reasons}</ol></div>'
    )


def heading(part: Tag) -> Tag:
    """The heading of a section."""
    return part.find(re.compile("^h[1-6]$"))


def page_link(identifier: str) -> str:
    """A link whose words will be the number of the page with that anchor."""
    return f'<a class="page" href="#{identifier}">000</a>'


def contents(parts: list[Tag]) -> Iterator[str]:
    """The lines of the table of contents: every part, and the sections of numbered chapters."""
    for part in parts:
        yield line(part, "chapter")
        if heading(part).select_one(".section-number"):
            for section in part.find_all("section", recursive=False):
                yield line(section, "section")


def line(section: Tag, kind: str) -> str:
    """A line of the table of contents."""
    words = f'<a href="#{section["id"]}">{heading(section).decode_contents()}</a>'
    return f'<p class="{kind}">{words}<span></span>{page_link(section["id"])}</p>'


def running_heads(parts: list[Tag]) -> Iterator[str]:
    """The name of a part at the top of its pages, as CSS."""
    for number, part in enumerate(parts):
        words = json.dumps(" ".join(heading(part).get_text().split()), ensure_ascii=False)
        yield f"@page part-{number} {{ @top-left {{ content: {words}; }} }}\n"
        yield f'[id="{part["id"]}"] {{ page: part-{number}; }}\n'
