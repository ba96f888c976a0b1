"""Guess first: the empty axes before a figure, by mouse, by keyboard, by none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Page

import guesses
import one_document
from browser import chromium
from modality_gap.book import guess
from small_book import FIGURE, ROOT, build, edit, make

VALUES = [1.0, 2.0, 3.0, 4.0]
CHAPTER = f"""# Squares

```{{guess}} fig-square
Before you look: how does $y$ go on?
```

{FIGURE}
```{{code-cell}} ipython3
:tags: [remove-cell]

from modality_gap.book import guess

guess.offer("fig-square", [0, 1, 2, 3], {VALUES}, xlabel="x", ylabel="y", ylim=(0, 5))
```

See {{numref}}`fig-square`.
"""


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("book")
    make(folder, {"01_squares": CHAPTER})
    status, printed = build(folder, PYTHONPATH=str(ROOT / "src"))
    assert status == 0, printed
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


def opened(browser: Browser, book: Path, anchor: str = "", scripts: bool = True) -> Page:
    page = browser.new_context(java_script_enabled=scripts).new_page()
    page.goto((book / "_build/html/notebooks/01_squares.html").as_uri() + anchor)
    return page


def test_the_key_is_the_package_s() -> None:
    assert guesses.KEY == guess.KEY


def test_the_figure_waits_for_a_guess_and_the_distance_is_told(
    browser: Browser, book: Path
) -> None:
    page = opened(browser, book)
    asked, figure = page.locator(".guess"), page.locator("#fig-square")
    assert asked.is_visible()
    assert not figure.is_visible()
    page.get_by_role("button", name="Compare").click()
    assert "no guess yet" in page.get_by_role("status").inner_text()
    assert not figure.is_visible()

    points = page.get_by_role("slider")
    assert [point.get_attribute("aria-label") for point in points.all()] == [
        f"y at x {x}" for x in range(4)
    ]
    assert points.first.get_attribute("aria-valuetext") == "no guess yet"
    points.nth(0).press("Home")
    points.nth(3).press("End")
    points.nth(3).press("ArrowDown")
    assert points.nth(3).get_attribute("aria-valuetext") == "4.90"
    page.get_by_role("button", name="Compare").press("Enter")
    assert figure.is_visible()
    # The two points between lie on a straight line: 0, 4.9/3, 9.8/3, 4.9.
    off = sum(abs(k * 4.9 / 3 - value) for k, value in enumerate(VALUES)) / 4
    said = page.get_by_role("status").inner_text()
    assert f"{off:.2f} off on average" in said
    assert "at x 0: 0.00 guessed, 1.00 measured" in said
    page.close()


def test_a_stroke_sets_every_point_that_it_passes(browser: Browser, book: Path) -> None:
    page = opened(browser, book)
    points = page.get_by_role("slider")
    boxes = [point.bounding_box() for point in points.all()]
    x, y = [box["x"] + box["width"] / 2 for box in boxes], boxes[0]["y"]
    page.mouse.move(x[0], y)
    page.mouse.down()
    for k in range(4):
        page.mouse.move(x[k], y - 10 * k)
    page.mouse.up()
    values = [float(point.get_attribute("aria-valuenow")) for point in points.all()]
    assert values == sorted(set(values)), "the stroke rises"
    page.close()


def test_one_key_skips_and_a_link_into_the_figure_shows_it(browser: Browser, book: Path) -> None:
    page = opened(browser, book)
    page.keyboard.press("Escape")
    assert page.locator("#fig-square").is_visible()
    assert page.locator(".guess-frame").count() == 0
    page.close()
    page = opened(browser, book)
    page.get_by_role("link", name="Figure 1.1").click()
    page.locator(".guess-frame").wait_for(state="detached")
    assert page.locator("#fig-square").is_visible()
    page.close()
    page = opened(browser, book, "#fig-square")
    assert page.locator("#fig-square").is_visible()
    page.close()


def test_paper_and_a_browser_without_scripts_show_the_figure(browser: Browser, book: Path) -> None:
    page = opened(browser, book, scripts=False)
    assert page.locator("#fig-square").is_visible()
    assert page.get_by_text("Before you look").is_visible()
    page.close()
    page = opened(browser, book)
    page.emulate_media(media="print")
    assert page.locator("#fig-square").is_visible()
    assert not page.locator(".guess-frame").is_visible()
    page.close()


def test_notebook_and_pdf_ask_and_show(book: Path) -> None:
    site = book / "_build" / "html"
    notebook = nbformat.read(site / "edition" / "01_squares.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells)
    assert "Before you look: how does $y$ go on?" in text
    assert "guess" not in text
    names = ["notebooks/01_squares"]
    document = one_document.assemble(site, names, book, title="t", author="a", edition="e")
    assert "Before you look" in document


def test_a_figure_that_nobody_offers_is_a_warning(tmp_path: Path) -> None:
    make(tmp_path, {"01_squares": CHAPTER})
    edit(tmp_path / "notebooks" / "01_squares.md", "{guess} fig-square", "{guess} fig-circle")
    status, printed = build(tmp_path, PYTHONPATH=str(ROOT / "src"))
    assert status == 1
    assert re.search(r"01_squares\.md:\d+: WARNING: guess: no cell offers.*fig-circle", printed)
