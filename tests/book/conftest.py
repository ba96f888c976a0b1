"""A Chromium for the tests of figures, and a figure on a page of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from browser import chromium
from figure_page import watch, write_page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser, fragment: str, tmp_path: Path) -> Iterator[Page]:
    """The module's figure on a page. The test fails on a request, an error, or a dialogue."""
    tab, complaints = browser.new_page(), []
    watch(tab, complaints)
    tab.goto(write_page(tmp_path, fragment))
    tab.wait_for_selector(".explore-runs")
    yield tab
    assert complaints == []
    tab.close()
