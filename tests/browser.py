"""A Chromium for the tests that need a browser."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser

sys.path.insert(0, str(Path(__file__).parents[1] / "book" / "_ext"))

import book_pdf


def browser_path() -> str:
    """The installed Chromium. Without one the test is skipped, or fails if a browser is required.

    MODALITY_GAP_BROWSER is "required" or the path of a browser.
    """
    if found := book_pdf.find_browser():
        return found
    reason = f"no browser: none of {', '.join(book_pdf.BROWSERS)} is installed"
    if os.environ.get("MODALITY_GAP_BROWSER", "none") != "none":
        pytest.fail(f"{reason}, and MODALITY_GAP_BROWSER asks for one")
    pytest.skip(reason)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running Chromium."""
    with book_pdf.chromium(browser_path()) as browser:
        yield browser
