"""Makes tests of the chapters: each code cell of a text notebook is one test."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from unittest import mock

import jupytext
import pytest
from nbval.plugin import IPyNbCell, IPyNbFile


class TextNotebook(IPyNbFile):
    """A chapter in Markdown, read by jupytext and run by nbval."""

    def collect(self) -> Iterable[IPyNbCell]:
        """One test for each code cell."""
        notebook = jupytext.read(self.path)
        with mock.patch("nbval.plugin.nbformat.read", return_value=notebook):
            yield from super().collect()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> TextNotebook | None:
    """Collect the pages of the book that are text notebooks."""
    if file_path.suffix == ".md" and "format_name: myst" in file_path.read_text("utf-8"):
        return TextNotebook.from_parent(parent, path=file_path)
    return None


def pytest_configure(config: pytest.Config) -> None:
    """Share the cores between the workers; no progress bars."""
    # With more threads than cores the workers would spend their time waiting for each other.
    workers = config.getoption("numprocesses") or 1  # unset in a worker, which inherits the setting
    threads = max(1, (os.cpu_count() or 1) // workers)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    os.environ["TQDM_DISABLE"] = "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with what takes longest, the build of the site and the chapters: no worker idles."""
    chapters = sorted((Path(__file__).parent / "notebooks").glob("*.md"), reverse=True)
    slow = ["test_site.py", *(path.name for path in chapters)]
    rank = {name: place for place, name in enumerate(slow)}
    items.sort(key=lambda item: rank.get(item.path.name, len(slow)))
