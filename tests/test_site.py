"""The built website: pages, links, alt texts, downloads, and nothing loaded from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup

import modality_gap as mg

ROOT = Path(__file__).parents[1]
HTML = ROOT / "_build" / "html"
CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.md"))
NOTEBOOKS = ["book/intro", *(f"notebooks/{chapter}" for chapter in CHAPTERS)]


@pytest.fixture(scope="module", autouse=True)
def site() -> None:
    """Build the book as a reader does. Chapters that were executed before come from the cache."""
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    built = subprocess.run(
        [jupyter_book, "build", ".", "-W", "-n", "--keep-going"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert built.returncode == 0, built.stdout[-5000:]


@cache
def parse(page: Path) -> BeautifulSoup:
    return BeautifulSoup(page.read_text("utf-8"), "html.parser")


def toc_pages() -> list[Path]:
    """The HTML file of every page of the table of contents."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    names = [toc["root"], *(page["file"] for part in toc["parts"] for page in part["chapters"])]
    return [HTML / f"{name.removesuffix('.md')}.html" for name in names]


def all_pages() -> list[Path]:
    """Those pages and every page of the site that can be reached from them."""
    found = [HTML / "index.html", *toc_pages()]
    for page in found:
        for link in parse(page).find_all("a", href=True):
            target, _ = resolve(page, link["href"])
            if target and target.suffix == ".html" and target.exists() and target not in found:
                found.append(target)
    return found


def resolve(page: Path, href: str) -> tuple[Path | None, str]:
    """File and anchor that a link on a page points to; no file if it leaves the site."""
    parts = urlsplit(href)
    if parts.scheme or parts.netloc:
        return None, ""
    return (page.parent / unquote(parts.path)).resolve() if parts.path else page, parts.fragment


def test_every_page_of_the_contents_is_there() -> None:
    assert [page for page in toc_pages() if not page.is_file()] == []


def test_every_chapter_is_in_the_contents() -> None:
    in_contents = [page.stem for page in toc_pages() if page.parent.name == "notebooks"]
    assert in_contents == CHAPTERS


def test_internal_links_and_anchors_resolve() -> None:
    broken = []
    for page in all_pages():
        for link in parse(page).find_all("a", href=True):
            target, anchor = resolve(page, link["href"])
            if target is None or link["href"] == "#":
                continue
            if not target.exists():
                broken.append(f"{page.name}: {link['href']}")
            elif anchor and target.suffix == ".html" and not parse(target).find(id=unquote(anchor)):
                broken.append(f"{page.name}: no anchor {link['href']}")
    assert broken == []


def test_every_picture_has_an_alt_text() -> None:
    silent = [
        f"{page.name}: {image['src']}"
        for page in toc_pages()
        for image in parse(page).select("main img")
        if not image.get("alt", "").strip() or image["alt"].endswith((".svg", ".png"))
    ]
    assert silent == []


def test_every_figure_has_one_numbered_caption() -> None:
    for page in toc_pages():
        bare = [
            image for image in parse(page).select("main img") if not image.find_parent("figure")
        ]
        assert bare == [], page.name
        for figure in parse(page).select("main figure"):
            numbers = figure.select("figcaption .caption-number")
            assert len(numbers) == 1, f"{page.name}: {figure.get('id')}"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_chapter_numbers_come_from_the_file_name(chapter: str) -> None:
    page = parse(HTML / "notebooks" / f"{chapter}.html")
    number = str(int(chapter[:2]))
    assert page.select_one("article h1").get_text().startswith(f"{number}. ")
    for caption in page.select("figure .caption-number"):
        assert re.match(rf"Figure {number}\.\d+ ", caption.get_text())


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_can_be_downloaded_without_outputs(name: str) -> None:
    page = HTML / f"{name}.html"
    links = {
        kind: resolve(page, parse(page).select_one(f".btn-download-{kind}-button")["href"])[0]
        for kind in ("notebook", "source")
    }
    assert links["source"].suffix == ".md"
    assert links["source"].is_file()
    assert links["notebook"].suffix == ".ipynb"
    notebook = nbformat.read(links["notebook"], as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert not any(cell.outputs or cell.execution_count for cell in code)


def test_nothing_is_loaded_from_elsewhere() -> None:
    """Scripts, styles, pictures and fonts come with the site."""
    foreign, styles = [], set()
    for page in all_pages():
        for tag in parse(page).select("script, link, img, source, iframe"):
            source = tag.get("src") or tag.get("href") or ""
            if tag.name == "link" and "canonical" in tag.get("rel", []):
                continue
            target, _ = resolve(page, source)
            if target is None and not source.startswith("data:"):
                foreign.append(f"{page.name}: {source}")
            elif target and target.suffix == ".css":
                styles.add(target)
    for style in styles:
        foreign += re.findall(r"""url\(["']?(?:https?:)?//[^)]*\)""", style.read_text("utf-8"))
    assert foreign == []


def test_no_traceback_and_no_warning_on_a_page() -> None:
    for page in toc_pages():
        text = " ".join(tag.get_text() for tag in parse(page).select(".cell_output"))
        assert not re.search(r"Traceback|\w+Warning:", text), page.name


def test_every_public_name_is_documented() -> None:
    page = parse(HTML / "book" / "api.html")
    names = [name for name in mg.__all__ if callable(getattr(mg, name))]
    assert [name for name in names if not page.find(id=f"modality_gap.{name}")] == []
