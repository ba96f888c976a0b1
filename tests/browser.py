"""A Chromium for the tests that need a browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",  # needed where the tests run as root, as in a container
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--force-color-profile=srgb",
)


def browser_path() -> str:
    """The installed Chromium. Without one the test is skipped, or fails if a browser is required.

    MODALITY_GAP_BROWSER is "required" or the path of a browser.
    """
    wanted = os.environ.get("MODALITY_GAP_BROWSER", "")
    names = NAMES if wanted in ("", "required") else (wanted,)
    found = next(filter(None, map(shutil.which, names)), None)
    if found:
        return found
    reason = f"no browser: none of {', '.join(names)} is installed"
    if wanted:
        pytest.fail(f"{reason}, and MODALITY_GAP_BROWSER asks for one")
    pytest.skip(reason)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running Chromium."""
    path = browser_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()
