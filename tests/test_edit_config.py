"""A chapter that an author opens and saves unchanged is the same file, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from edit_config import layout

ROOT = Path(__file__).parents[1]
PAGES = [
    path
    for folder in ("notebooks", "book")
    for path in sorted((ROOT / folder).glob("*.md"))
    if "format_name: myst" in path.read_text("utf-8")
]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_save_changes_nothing(path: Path) -> None:
    how = f".venv/bin/python book/_ext/edit_config.py {path.relative_to(ROOT)}"
    assert layout(path) == path.read_text("utf-8"), f"bring it into the layout: {how}"


def test_a_save_keeps_what_was_edited(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGES[0].read_text("utf-8").replace("# ", "# Newly, ", 1), "utf-8")
    assert layout(page) == page.read_text("utf-8")
