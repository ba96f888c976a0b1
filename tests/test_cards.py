"""Cards beside links: by mouse, by keyboard, and what is left without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Page

from browser import chromium
from small_book import FIGURE, build, make

CHAPTER = f"""# Cones

{FIGURE}

A {{term}}`cone`, by {{cite:t}}`liang2022mind`, with {{eq}}`eq-equal`.
"""
GLOSSARY = """# Glossary

```{glossary}
cone
    A "narrow" region at $\\tau$.
```

```{bibliography}
```
"""


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("book")
    make(folder, {"01_cones": CHAPTER}, {"glossary": GLOSSARY})
    status, printed = build(folder)
    assert status == 0, printed
    return folder / "_build" / "html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


def opened(browser: Browser, book: Path, scripts: bool = True) -> Page:
    page = browser.new_context(java_script_enabled=scripts).new_page()
    page.goto((book / "notebooks" / "01_cones.html").as_uri())
    return page


@pytest.mark.parametrize(
    ("link", "said"),
    [("cone", "A “narrow” region at τ."), ("2022", "Mind the gap"), ("(1.1)", "")],
)
def test_a_card_comes_by_mouse_and_by_keyboard_and_goes_with_escape(
    browser: Browser, book: Path, link: str, said: str
) -> None:
    page = opened(browser, book)
    page.wait_for_selector("mjx-container")
    target = page.locator("article").get_by_role("link", name=link, exact=True)
    card = page.locator("#hover-card")
    assert not card.is_visible()
    target.hover()
    card.wait_for()
    assert said.lower() in card.inner_text().lower()
    assert card.locator("mjx-container").count() == (link == "(1.1)")
    assert target.get_attribute("aria-describedby") == "hover-card"
    page.keyboard.press("Escape")
    assert not card.is_visible()
    page.mouse.move(0, 0)
    page.keyboard.press("Tab")
    for _ in range(100):
        if target.evaluate("link => link === document.activeElement"):
            break
        page.keyboard.press("Tab")
    assert card.is_visible()
    page.keyboard.press("Tab")
    assert target.get_attribute("aria-describedby") is None
    page.close()


def test_without_scripts_the_link_has_a_title(browser: Browser, book: Path) -> None:
    page = opened(browser, book, scripts=False)
    term = page.locator("article").get_by_role("link", name="cone", exact=True)
    assert term.get_attribute("title") == "A “narrow” region at τ."
    page.close()


def test_the_notebook_keeps_terms_apart_from_works(book: Path) -> None:
    notebook = nbformat.read(book / "edition" / "01_cones.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells)
    assert '<abbr title="A “narrow” region at τ.">cone</abbr>' in text
    assert "[2022](https://arxiv.org/abs/2203.02053)" in text
