"""The notebooks in JupyterLab, as `make lab` opens them: read, run, moved, checked."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Page

from browser import chromium
from small_book import ROOT, build, make
from workbook import hand_out

CHAPTER = """\
# A gap to move

At $\\\\tau = 1$ it closes.

```{code-cell} ipython3
from modality_gap.book import explore

figure = explore.moving_gap(temperature=0.01)
figure
```

```{exercise} One
:label: ex-one

Write `one()`, which returns 1.
```

```{solution-start} ex-one
:class: dropdown
```

```{code-cell} ipython3
:tags: [solution]

def one() -> int:
    return 1
```

```{code-cell} ipython3
:tags: [test]

assert one() == 1, "one is 1"
```

```{solution-end}
```
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """JupyterLab on a workbook with one notebook."""
    book, workbook = tmp_path_factory.mktemp("book"), tmp_path_factory.mktemp("workbook")
    make(book, {"01_gap": CHAPTER})
    status, printed = build(book, PYTHONPATH=str(ROOT / "src"))
    assert status == 0, printed
    hand_out(book / "_build" / "html" / "edition", workbook)
    options = ["--no-browser", "--port=0", "--allow-root", "--ServerApp.root_dir=" + str(workbook)]
    settings = f"--LabApp.app_settings_dir={ROOT / 'book' / 'lab' / 'readers'}"
    command = [Path(sys.executable).with_name("jupyter"), "lab", *options, settings]
    # Into a file: a pipe stays open for as long as a kernel lives that the server has started.
    said = workbook / "server.log"
    with said.open("w") as log, subprocess.Popen(command, stderr=log) as server:
        try:
            yield waited_for(said, server).replace("/lab?", "/lab/tree/01_gap.ipynb?")
        finally:
            server.terminate()  # which ends its kernels, too
            try:
                server.wait(timeout=30)
            except subprocess.TimeoutExpired:
                server.kill()


def waited_for(said: Path, server: subprocess.Popen[bytes]) -> str:
    """The address with its token, which the server prints once it listens."""
    pattern = r"http://(?:localhost|127\.0\.0\.1):\d+/lab\?token=\w+"
    for _ in range(600):
        if found := re.search(pattern, said.read_text()):
            return found[0]
        with suppress(subprocess.TimeoutExpired):
            server.wait(timeout=0.2)
            break
    pytest.fail(f"JupyterLab did not start:\n{said.read_text()}")


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[Page]:
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1200, "height": 1600})
        page.goto(address)
        page.get_by_role("menuitem", name="Run", exact=True).wait_for(timeout=60_000)
        page.locator(".jp-Notebook h1").wait_for(timeout=60_000)
        yield page


def test_it_reads_like_the_page(page: Page) -> None:
    # Cells are rendered one after the other.
    notebook = page.locator(".jp-Notebook")
    notebook.locator("h1").filter(has_text="1. A gap to move").wait_for()
    notebook.locator("mjx-container").first.wait_for()
    notebook.locator("h3").filter(has_text="Exercise 1.1. One").wait_for()
    solution = notebook.locator("details").filter(has_text="Solution")
    solution.wait_for()
    assert solution.get_attribute("open") is None


def test_it_runs_and_the_figure_lives(page: Page) -> None:
    # Before its kernel is there, JupyterLab runs nothing and says nothing.
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    slider = page.locator(".jp-OutputArea input[type=range]").first
    slider.wait_for(timeout=120_000)
    before = page.locator(".jp-OutputArea-output").first.inner_text()
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "before => document.querySelector('.jp-OutputArea-output').innerText !== before",
        arg=before,
    )
    error = page.locator(".jp-OutputArea").filter(has_text="NotImplementedError")
    error.first.wait_for(timeout=60_000)
