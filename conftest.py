"""Makes tests of the chapters: each code cell of a text notebook is one test."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from unittest import mock

import jupytext
import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import execute_pages  # noqa: E402


class TextNotebook(IPyNbFile):
    """A chapter in Markdown, read by jupytext and run by nbval.

    The build of the book takes the outputs from here, if every cell passed: no chapter runs twice.
    """

    def collect(self) -> Iterable[IPyNbCell]:
        """One test for each code cell."""
        notebook = jupytext.read(self.path)
        with mock.patch("nbval.plugin.nbformat.read", return_value=notebook):
            self.cells = list(super().collect())
        return self.cells

    def setup(self) -> None:
        """Start a kernel like those of the build."""
        name = self.path.relative_to(ROOT).with_suffix("").as_posix()
        self.page = execute_pages.Page.read(ROOT, name, ROOT / "_build")
        self.start = time.monotonic()
        environment = execute_pages.kernel_environment(ROOT / "_build")
        with mock.patch.dict(os.environ, environment):
            super().setup()
        # With its history, by which IPython knows that a cell ends with ";" and shows no value.
        self.kernel.execute_cell_input = partial(self.kernel.kc.execute, stop_on_error=False)

    def teardown(self) -> None:
        """Stop the kernel; keep what the cells have put out."""
        super().teardown()
        if all(getattr(cell, "passed", False) for cell in self.cells):
            self.page.outputs = [cell.test_outputs for cell in self.cells]
            self.page.keep(time.monotonic() - self.start)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> pytest.TestReport:
    """Note on a cell whether it passed."""
    report = yield
    if report.when == "call":
        item.passed = report.passed
    return report


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> TextNotebook | None:
    """Collect the pages of the book that are text notebooks."""
    if file_path.suffix == ".md" and "format_name: myst" in file_path.read_text("utf-8"):
        return TextNotebook.from_parent(parent, path=file_path)
    return None


def pytest_configure(config: pytest.Config) -> None:
    """One thread, so that the workers do not wait for each other; no progress bars."""
    threads = os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("NUMBA_NUM_THREADS", threads)  # or a UMAP fit gives PyTorch all cores
    os.environ["TQDM_DISABLE"] = "1"


# These take longest, so they come first. Those that need the site stand beside those that do not:
# while one worker builds it, the other has something to do. By then the chapters are through, and
# the build finds what they have put out.
SLOW = [
    "test_site",
    "test_course",
    "test_sweeps",
    "test_site_edition",
    "test_published",
    "test_lab",
    "test_site_found",
    "test_clip_by_hand",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The chapters, the slow files, the others: no worker idles in the end."""

    def place(item: pytest.Item) -> int:
        if isinstance(item, IPyNbCell):
            return -1 if item.path.parent.name == "notebooks" else 0
        return SLOW.index(item.path.stem) + 1 if item.path.stem in SLOW else len(SLOW) + 1

    items.sort(key=place)
