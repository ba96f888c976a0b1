"""The built website that tests read: its pages as files, and in a browser with the network off."""

from __future__ import annotations

import functools
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup
from filelock import FileLock
from playwright.sync_api import Browser, Page, Route

from browser import chromium

ROOT = Path(__file__).parents[1]
HTML = ROOT / "_build" / "html"
CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.md"))
NOTEBOOKS = ["book/intro", "book/conclusion", *(f"notebooks/{chapter}" for chapter in CHAPTERS)]


@pytest.fixture(scope="session")
def site() -> None:
    """Build the book as a reader does, once a run: chapters that ran before come from the cache."""
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    HTML.parent.mkdir(exist_ok=True)
    run, built_by = os.environ.get("PYTEST_XDIST_TESTRUNUID"), HTML.parent / ".site.run"
    with FileLock(HTML.parent / ".site.lock"):  # another worker may want it too
        if run and built_by.exists() and built_by.read_text("utf-8") == run:
            return
        built = subprocess.run(
            [jupyter_book, "build", ".", "-W", "-n", "--keep-going"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert built.returncode == 0, built.stdout[-5000:]
        built_by.write_text(run or "", "utf-8")


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


@pytest.fixture(scope="module")
def browser(site: None) -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module", params=["from the file system", "from a server"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the site is, without a slash at the end."""
    if request.param == "from the file system":
        yield HTML.as_uri()
        return

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Handler, directory=str(HTML))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def open_page(browser: Browser, address: str, name: str) -> tuple[Page, list[str]]:
    """A page with the network off, and what the browser complains about, kept up to date."""
    page = browser.new_page(color_scheme="light")
    complaints: list[str] = []

    def refuse(route: Route) -> None:
        complaints.append(f"leaves the site: {route.request.url}")
        route.abort()

    # Data and blob addresses never reach the network, and are not routed.
    page.route(lambda url: not url.startswith(address), refuse)
    page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    page.on(
        "response",
        lambda answer: answer.ok or complaints.append(f"{answer.status}: {answer.url}"),
    )
    page.on("pageerror", lambda error: complaints.append(f"exception: {error}"))
    page.on(
        "console",
        lambda message: message.type in ("error", "warning") and complaints.append(message.text),
    )
    page.goto(f"{address}/{name}")
    page.wait_for_load_state("networkidle")
    return page, complaints
