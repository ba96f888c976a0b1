"""The PDF of the book, made of two pages written here; the last test prints them in Chromium."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from docutils import nodes
from pikepdf import Pdf

from browser import chromium

sys.path.insert(0, str(Path(__file__).parents[1] / "book" / "_ext"))

import book_pdf
import one_document

PAGE = """<!doctype html><html><head><title>x</title>
<link rel="stylesheet" href="../_static/pygments.css?v=1"></head>
<body><nav><a href="index.html">home</a></nav><article><section id="{name}">{body}</section>
</article></body></html>"""
FIRST = """
<h1><span class="section-number">1. </span>Cones<a class="headerlink" href="#cones">#</a></h1>
<p>See <a href="../book/terms.html#term-cone">cone</a>, <a href="../book/terms.html">terms</a>,
<a href="#fig-tall">the figure</a>, <a href="../genindex.html">the index</a> and
<a href="https://example.org/a">a paper</a>.</p>
<section id="exercises"><h2><span class="section-number">1.1. </span>Exercises</h2>
<div style="height: 160mm">Filler.</div>
<figure id="fig-tall"><img class="only-light" src="../_images/tall.svg" alt="Tall.">
<img class="only-dark" src="../_images/tall.dark.svg" alt="Tall."><figcaption>Tall.</figcaption>
</figure>
<div class="cell"><details class="hide above-input"><summary>Show</summary>
<div class="cell_input"><pre>plot()</pre></div></details></div>
<div class="exercise admonition" id="ex-one"><p class="admonition-title">Exercise 1.1</p></div>
<div class="solution dropdown admonition" id="cones-solution-1">
<p class="admonition-title">Solution to<a href="#ex-one"> Exercise 1.1</a></p>
<p>Forty-two.</p></div>
<style>#T_ab_row0 td, #T_ab th { color: #aa0000; }</style>
<table id="T_ab"><tr id="T_ab_row0"><td>1</td></tr></table>
</section>"""
SECOND = """
<h1>Terms</h1><dl><dt id="term-cone">cone</dt>
<dd>Narrow. <a href="../notebooks/01_cones.html">Up</a></dd></dl>
<section id="exercises"><h2>Exercises</h2></section>"""
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="560"><rect fill="red"/></svg>'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    files = {
        "notebooks/01_cones.html": PAGE.format(name="cones", body=FIRST),
        "book/terms.html": PAGE.format(name="terms", body=SECOND),
        "_images/tall.svg": SVG,
        "_static/pygments.css": "",
    }
    for name, text in files.items():
        path = tmp_path / "html" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "html"


@pytest.fixture
def document(site: Path) -> Path:
    text = one_document.assemble(
        site,
        ["notebooks/01_cones", "book/terms"],
        site.parent,
        title="Cones & terms",
        author="Nobody",
        edition="Version 1",
    )
    path = site.with_name("print.html")
    path.write_text(text)
    return path


@pytest.fixture
def page(document: Path) -> BeautifulSoup:
    return one_document.read(document)


def test_anchors_are_unique_and_links_stay_in_the_document(page: BeautifulSoup) -> None:
    anchors = [tag["id"] for tag in page.find_all(id=True)]
    assert len(anchors) == len(set(anchors))
    links = {link.get_text(): link["href"] for link in page.select("section p a, dd a")}
    assert links["cone"] == "#book-terms--term-cone"
    assert links["terms"] == "#book-terms--terms"
    assert links["Up"] == "#notebooks-01_cones--cones"
    assert links["a paper"] == "https://example.org/a"
    assert "the index" not in links
    assert "the index" in page.get_text()
    inner = {link["href"][1:] for link in page.select("a[href^='#']")}
    assert inner <= set(anchors)


def test_styles_of_a_table_follow_its_anchors(page: BeautifulSoup) -> None:
    cell = page.select_one("section table tr")
    style = page.select_one("section style").get_text()
    assert f"#{cell['id']} td" in style
    assert "#aa0000" in style


def test_what_paper_cannot_show_is_gone(page: BeautifulSoup, document: Path) -> None:
    assert not page.select(".only-dark, .headerlink, .cell, nav:not(.contents)")
    assert "plot()" not in page.get_text()
    (picture,) = page.select("figure img")
    assert (document.parent / picture["src"]).is_file()
    (style,) = page.select("link")
    assert (document.parent / style["href"]).is_file()


def test_solutions_stand_at_the_end(page: BeautifulSoup) -> None:
    part = page.select_one("body > section:last-of-type")
    assert part["id"] == "solutions"
    assert "Forty-two" in part.get_text()
    exercise, solution = page.select_one(".exercise"), page.select_one(".solution")
    assert exercise.select_one(".see a")["href"] == "#" + solution["id"]
    assert solution.select_one("a")["href"] == "#" + exercise["id"]


def test_contents_name_parts_and_the_sections_of_chapters(page: BeautifulSoup) -> None:
    lines = [line.get_text() for line in page.select(".contents p:not(.heading)")]
    assert lines == ["1. Cones000", "1.1. Exercises000", "Terms000", "Solutions000"]


def test_document_with_a_title_that_needs_escaping(page: BeautifulSoup) -> None:
    assert page.title.get_text() == page.select_one(".cover .title").get_text() == "Cones & terms"


@pytest.mark.parametrize(("status", "found"), [(0, True), (1, False)])
def test_browser_that_does_not_start_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, found: bool
) -> None:
    stub = tmp_path / "chromium"
    stub.write_text(f"#!/bin/sh\nexit {status}\n")
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=None)
    monkeypatch.delenv("MODALITY_GAP_BROWSER", raising=False)
    assert book_pdf.find_browser() == (str(stub) if found else None)
    assert not book_pdf.can_print(str(stub))


def test_no_pdf_is_made_if_none_is_wanted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODALITY_GAP_BROWSER", "none")
    (tmp_path / book_pdf.NAME).write_text("of an earlier build")
    config = SimpleNamespace(book_pdf=True, book_page="")
    book_pdf.decide(SimpleNamespace(outdir=tmp_path), config)
    assert config.book_pdf is False
    assert not (tmp_path / book_pdf.NAME).exists()


def test_build_of_one_page_leaves_the_pdf_as_it_is(tmp_path: Path) -> None:
    config = SimpleNamespace(book_pdf=False, book_page="book/intro")
    for made in (False, True):
        book_pdf.decide(SimpleNamespace(outdir=tmp_path), config)
        assert config.book_pdf is made
        app = SimpleNamespace(config=config, statuscode=0, builder=SimpleNamespace(name="html"))
        book_pdf.make_pdf(app, None)
        (tmp_path / book_pdf.NAME).write_text("of an earlier build")


@pytest.mark.parametrize("made", [True, False])
def test_link_or_a_word_on_how_to_make_one(made: bool) -> None:
    builder = SimpleNamespace(
        config=SimpleNamespace(book_pdf=made),
        current_docname="book/intro",
        get_target_uri=lambda name: f"{name}.html",
    )
    translator = SimpleNamespace(builder=builder, body=[])
    (node,), _ = book_pdf.link_role("pdf", "", "the book & more", 1, None)
    with pytest.raises(nodes.SkipNode):
        book_pdf.visit_link(translator, node)
    link = BeautifulSoup("".join(translator.body), "html.parser")
    assert link.get_text().startswith("the book & more")
    if made:
        assert link.a["href"] == f"../{book_pdf.NAME}"
    else:
        assert link.a is None
        assert "make book" in link.get_text()


def test_download_menu_gets_the_pdf_only_if_there_is_one() -> None:
    for made in (True, False):
        menu = {"label": "download-buttons", "buttons": []}
        context = {"header_buttons": [menu], "pathto": lambda name, _: f"../{name}"}
        app = SimpleNamespace(config=SimpleNamespace(book_pdf=made))
        book_pdf.add_button(app, "book/intro", "page.html", context, None)
        assert [button["url"] for button in menu["buttons"]] == [f"../{book_pdf.NAME}"] * made


def test_pdf_is_current_until_a_page_is_written_again(tmp_path: Path) -> None:
    pdf, page = tmp_path / "book.pdf", tmp_path / "page.html"
    page.touch()
    assert not book_pdf.is_current(pdf, [page])
    pdf.touch()
    later = page.stat().st_mtime + 10
    os.utime(pdf, (later, later))
    assert book_pdf.is_current(pdf, [page])
    os.utime(page, (later + 10, later + 10))
    assert not book_pdf.is_current(pdf, [page])


def test_printed_book(document: Path) -> None:
    with chromium() as browser:
        printed = book_pdf.print_document(document, browser)
    with Pdf.open(io.BytesIO(printed)) as pdf:
        pages = book_pdf.page_numbers(pdf)
        with pdf.open_outline() as outline:
            titles = [item.title for item in outline.root]
            assert [item.title for item in outline.root[0].children] == ["1.1. Exercises"]
        assert titles == ["1. Cones", "Terms", "Solutions"]
        assert [pages[name] for name in ("notebooks-01_cones--cones", "solutions")] == [3, 6]

        links = [link for page in pdf.pages for link in page.get("/Annots", [])]
        names = {str(link.Dest).lstrip("/") for link in links if "/Dest" in link}
        assert names <= set(pages), "every link inside the book has a place to go"
        assert len(names) >= 8

        # The figure does not fit below the filler, so it starts the next page, in one piece.
        figure = pdf.Root.Dests["/notebooks-01_cones--fig-tall"]
        assert pages["notebooks-01_cones--fig-tall"] == 4
        top = float(figure[3])
        assert top > 740, "at the top of the page, which is 842 points high"
        assert str(pdf.docinfo["/Title"]) == "Cones & terms"
        assert str(pdf.docinfo["/Author"]) == "Nobody"
