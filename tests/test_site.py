"""The built website: pages, links, alt texts, downloads, and nothing loaded from elsewhere.

The last tests open every page in Chromium; where there is none they are skipped.
"""

from __future__ import annotations

import csv
import math
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from pikepdf import Pdf
from playwright.sync_api import Browser

import modality_gap as mg
import questions
from axe_faults import contrast_faults, drop_formulas, rule_faults
from browser import book_pdf, browser_path
from built_site import (
    CHAPTERS,
    HTML,
    NOTEBOOKS,
    all_pages,
    open_page,
    parse,
    resolve,
    toc_pages,
)
from modality_gap.book.claims import CLAIMS, DIRECTIONS, KINDS, NUMBERS, OWN
from test_questions import read_gift, read_qti

pytestmark = pytest.mark.usefixtures("site")


def test_every_page_of_the_contents_is_there() -> None:
    assert [page for page in toc_pages() if not page.is_file()] == []


def test_every_chapter_is_in_the_contents() -> None:
    in_contents = [page.stem for page in toc_pages() if page.parent.name == "notebooks"]
    assert in_contents == CHAPTERS


@cache
def ids(page: Path) -> set[str]:
    return {tag["id"] for tag in parse(page).find_all(id=True)}


def test_internal_links_and_anchors_resolve() -> None:
    broken = []
    for page in all_pages():
        for link in parse(page).find_all("a", href=True):
            target, anchor = resolve(page, link["href"])
            if target is None or link["href"] == "#":
                continue
            if not target.exists():
                broken.append(f"{page.name}: {link['href']}")
            elif anchor and target.suffix == ".html" and unquote(anchor) not in ids(target):
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


def test_every_printed_table_has_the_look_of_one() -> None:
    """The theme gives other HTML a pale ground in dark mode."""
    other = [
        f"{page.name}: {table.get('id')}"
        for page in toc_pages()
        for table in parse(page).select("main .cell_output table")
        if "dataframe" not in table.get("class", [])
    ]
    assert other == []


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
    link, _ = resolve(page, parse(page).select_one(".btn-download-notebook-button")["href"])
    assert not parse(page).select(".btn-download-source-button"), "it holds hidden tests"
    notebook = nbformat.read(link, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert not any(cell.outputs or cell.execution_count for cell in code)


def test_the_questions_of_all_chapters_are_in_the_two_files() -> None:
    names = [
        tag.get_text()
        for page in toc_pages()
        for tag in parse(page).select(".question > .question-number")
    ]
    assert len(names) == 3 * len(CHAPTERS)
    assert list(read_gift((HTML / questions.GIFT).read_text("utf-8"))) == names
    items = [item for _, items in read_qti(HTML / questions.QTI) for item in items]
    assert [item.get("title") for item in items] == names


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
        assert not re.search(r"Traceback|\w+Warning:|findfont", text), page.name


def ledger_rows() -> list[dict[str, str]]:
    with (HTML / "book" / "ledger.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def follows(row: dict[str, str]) -> str:
    """The verdict that the numbers in a row of the ledger ask for."""
    values, signs = ([float(v) for v in row[n].split()] for n in ("values", "direction_values"))

    def hold(numbers: list[float], name: str) -> bool:
        low, high = float(row[f"{name}_low"]), float(row[f"{name}_high"])
        return all(low <= number <= high for number in numbers)

    if not row["band_low"]:
        return "quoted only"
    if row["direction_low"] and not hold(signs or values, "direction"):
        return "not reproduced"
    judged = values if row["judged"] == "every value" else [float(row["mean"])]
    if hold(judged, "band"):
        best = {NUMBERS: "reproduced", DIRECTIONS: "direction only", OWN: "holds"}
        return best[row["class"]]
    if row["class"] == OWN:
        return "fails"
    return "direction only" if row["direction_low"] else "not reproduced"


def test_the_ledger_has_every_claim_and_each_verdict_follows_from_its_numbers() -> None:
    rows = ledger_rows()
    by_class = [claim.id for kind in KINDS for claim in CLAIMS if claim.kind == kind]
    assert [row["id"] for row in rows] == by_class
    for row in rows:
        values = [float(value) for value in row["values"].split()]
        assert len(values) == int(row["count"]), row["id"]
        assert bool(values) == bool(row["band_from"]) == (row["verdict"] != "quoted only"), row[
            "id"
        ]
        if values:
            assert math.isclose(float(row["mean"]), sum(values) / len(values), abs_tol=1e-12)
        assert row["verdict"] == follows(row), row["id"]


def test_the_ledger_page_shows_the_same_rows_with_links_to_their_figures() -> None:
    page = HTML / "book" / "ledger.html"
    lines = parse(page).select("table.ledger tbody tr:not(.ledger-claim)")
    assert len(lines) == len(CLAIMS)
    for line, row in zip(lines, ledger_rows(), strict=True):
        assert line.select_one("td.ledger-verdict").get_text(strip=True) == row["verdict"]
        target, anchor = resolve(page, line.select_one("a")["href"])
        assert target == HTML / row["page"], row["id"]
        assert anchor.removeprefix("equation-") == row["figure"], row["id"]
    assert parse(page).find("a", href="ledger.csv")


def test_every_public_name_is_documented() -> None:
    page = parse(HTML / "book" / "api.html")
    names = [name for name in mg.__all__ if callable(getattr(mg, name))] + ["caption_information"]
    assert [name for name in names if not page.find(id=f"modality_gap.{name}")] == []


def test_the_whole_book_is_one_pdf_that_every_page_links() -> None:
    browser_path()
    pdf = HTML / book_pdf.NAME
    for page in toc_pages():
        links = [link["href"] for link in parse(page).select("a[href$='.pdf']")]
        assert pdf in [resolve(page, link)[0] for link in links], page.name
    assert parse(HTML / "book" / "intro.html").select_one(f"article a[href$='{pdf.name}']")
    with Pdf.open(pdf) as book, book.open_outline() as outline:
        titles = [item.title for item in outline.root]
        for page in toc_pages():
            assert parse(page).select_one("article h1").get_text().removesuffix("#") in titles
        assert len(book.pages) > 100
    assert pdf.stat().st_size < 15 * MEGABYTE


MEGABYTE = 1e6


def test_a_chapter_weighs_less_than_1_5_megabytes() -> None:
    """Its page and its pictures, light and dark; scripts, styles and fonts serve all pages."""
    for page in toc_pages():
        sources = {image["src"] for image in parse(page).select("img[src]")}
        files = {
            resolve(page, source)[0] for source in sources if not source.startswith("data:")
        } - {None}
        weight = page.stat().st_size + sum(file.stat().st_size for file in files)
        assert weight < 1.5 * MEGABYTE, f"{page.name}: {weight / MEGABYTE:.2f} MB"


# In the browser

ROOT_ELEMENT = "document.documentElement"


PHONE = {"width": 390, "height": 844}
# The theme does so some time after the window was made narrow.
REACHED = """[...document.querySelectorAll("pre")].every(
  element => element.scrollWidth <= element.clientWidth || element.tabIndex == 0)"""
ON_A_PHONE = ["book/intro.html", "book/api.html", "notebooks/06_moving_the_gap.html"]


@dataclass(frozen=True)
class Visit:
    """What was seen of a page that was opened once."""

    complaints: list[str]
    too_wide: list[str]  # the colour schemes in which it is wider than a phone
    faults: list[str]  # what axe-core calls serious


@pytest.fixture(scope="module")
def visits(browser: Browser) -> dict[str, Visit]:
    """Every page, opened once: as narrow as a phone, light and dark, then wide."""
    seen: dict[str, Visit] = {}
    kinds: set[str] = set()
    for file in all_pages():
        name = file.relative_to(HTML).as_posix()
        page, complaints = open_page(browser, HTML.as_uri(), name)
        page.set_viewport_size(PHONE)
        too_wide, faults = [], []
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            # After two frames the page is drawn anew.
            page.evaluate("new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))")
            assert page.evaluate(f"{ROOT_ELEMENT}.dataset.theme") == scheme
            if page.evaluate(f"{ROOT_ELEMENT}.scrollWidth > {ROOT_ELEMENT}.clientWidth"):
                too_wide.append(scheme)
        drop_formulas(page)
        if name in ON_A_PHONE:
            page.wait_for_function(REACHED)
            faults += rule_faults(page)
        page.set_viewport_size({"width": 1280, "height": 900})
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            page.evaluate("new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))")
            page.evaluate("document.getAnimations().forEach(each => each.finish())")
            faults += contrast_faults(page, kinds)
        faults += rule_faults(page)
        page.close()
        seen[name] = Visit(complaints, too_wide, faults)
    return seen


def test_no_page_asks_for_anything_that_the_site_does_not_hold(visits: dict[str, Visit]) -> None:
    assert {name: visit.complaints for name, visit in visits.items() if visit.complaints} == {}


def test_no_page_is_wider_than_a_phone(visits: dict[str, Visit]) -> None:
    names = [page.relative_to(HTML).as_posix() for page in toc_pages()]
    assert {name: visits[name].too_wide for name in names if visits[name].too_wide} == {}


def test_axe_finds_no_serious_fault_on_any_page(visits: dict[str, Visit]) -> None:
    assert {name: visit.faults for name, visit in visits.items() if visit.faults} == {}


def test_a_search_finds_pages_without_a_complaint(browser: Browser, address: str) -> None:
    page, complaints = open_page(browser, address, "search.html?q=temperature")
    page.get_by_text("Search finished").wait_for()
    assert page.locator("#search-results li a[href*='07_temperature.html']").count() > 0
    assert complaints == []
    page.close()


def test_formulas_are_set(browser: Browser, address: str) -> None:
    page, _ = open_page(browser, address, "notebooks/01_alignment_uniformity.html")
    page.wait_for_selector("mjx-container")
    loaded = "[...document.fonts].filter(f => f.status == 'loaded' && /MJX/.test(f.family))"
    assert page.evaluate(f"document.fonts.ready.then(() => {loaded}.length)") > 0
    assert page.locator(".math:not(:has(mjx-container))").count() == 0
    page.close()


def test_the_interactive_figure_runs_on_the_page(browser: Browser, address: str) -> None:
    page, complaints = open_page(browser, address, "notebooks/06_moving_the_gap.html")
    slider = page.get_by_role("slider").first
    before = slider.input_value()
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert slider.input_value() != before
    assert complaints == []
    page.close()


def test_a_figure_opens_at_full_size(browser: Browser, address: str) -> None:
    page, complaints = open_page(browser, address, "notebooks/04_cone_effect.html")
    page.set_viewport_size(PHONE)
    image = page.locator("#fig-cone-bias .figure-pair img.only-light")
    dialog = page.locator("dialog.figure-dialog")
    narrow = image.bounding_box()["width"]
    image.click()
    assert dialog.locator("img:visible").bounding_box()["width"] > 1.5 * narrow
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    page.get_by_role("button", name="Full size, Figure 4.4").press("Enter")
    assert dialog.locator("img:visible").count() == 1
    dialog.get_by_role("button", name="Close").press("Enter")
    assert not dialog.is_visible()
    assert complaints == []
    page.close()
