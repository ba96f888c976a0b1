"""What CONTRIBUTING shows is what the build, the tests and the ledger take."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import jupytext
import pytest
from bs4 import BeautifulSoup

import test_chapters
import test_repository
from modality_gap.book import claims, ledger
from removed import has, taken_away
from small_book import ROOT, build, make

TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
CHAPTER = re.search(r"^````md\n(.*?)^````$", TEXT, re.M | re.S)[1]
CLAIM = re.search(r"^```yaml\n(.*?)^```$", TEXT, re.M | re.S)[1]
LEDGER = "# The ledger\n\n```{ledger-table} directions of the papers\n```\n"


def test_the_sample_chapter_becomes_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "claims.yaml").write_text(CLAIM, "utf-8")
    papers, rows = claims.load(tmp_path / "claims.yaml", {"liang2022mind"}, {"11_sample"})
    monkeypatch.setattr(claims, "PAPERS", papers)
    monkeypatch.setattr(ledger, "CLAIMS", rows)
    monkeypatch.setattr(ledger, "BY_ID", {row.id: row for row in rows})
    header, text = CHAPTER.split("\n---\n\n", 1)
    # The kernel has the package's own claims; give it the sample's.
    text = text.replace("import ledger, numbers\n", KERNEL.format(str(tmp_path / "claims.yaml")), 1)
    book = make(tmp_path / "book", {}, {"ledger": LEDGER})
    (book / "_toc.yml").write_text(TOC, "utf-8")
    (book / "notebooks" / "11_sample.md").write_text(f"{header}\n---\n\n{text}", "utf-8")
    status, printed = build(book, PYTHONPATH=str(ROOT / "src"))
    assert status == 0, printed
    html = (book / "_build" / "html" / "notebooks" / "11_sample.html").read_text("utf-8")
    page = BeautifulSoup(html, "html.parser")
    assert "After one layer it is 0.3" in page.get_text()
    assert page.select_one("figure#fig-sample img[alt^='A curve that rises']")
    assert "ledger.record" not in page.get_text()
    with (book / "_build" / "html" / "book" / "ledger.csv").open(encoding="utf-8") as file:
        assert [row["verdict"] for row in csv.DictReader(file)] == ["direction only"]


KERNEL = """\
import ledger, numbers
from pathlib import Path
from modality_gap.book import claims
ledger.BY_ID = {{row.id: row for row in claims.load(Path({!r}))[1]}}
"""
TOC = """\
format: jb-book
root: book/intro
parts:
- caption: Chapters
  numbered: 2
  chapters: [{file: notebooks/11_sample}]
- caption: End
  chapters: [{file: book/ledger}]
"""


def test_the_sample_chapter_keeps_the_rules_of_a_chapter(tmp_path: Path) -> None:
    path = tmp_path / "11_sample.md"
    path.write_text(CHAPTER, "utf-8")
    test_repository.test_code_that_is_read_fits_the_page(path)
    test_repository.test_figure_cells_carry_caption_name_and_alt_text(path)
    cells = test_chapters.code_cells(path)
    assert taken_away(cells) == []
    hidden = [cell for cell in cells if has(cell, "remove-cell", "remove-input")]
    assert test_chapters.lines(hidden) <= test_chapters.REMOVED_AT_MOST * test_chapters.lines(cells)
    assert jupytext.read(path).metadata["kernelspec"]["name"] == "python3"


def test_every_wing_is_on_the_map() -> None:
    folders = {path.parent.name for path in (ROOT / "src" / "modality_gap").glob("*/__init__.py")}
    house = TEXT.partition("## The house")[2].partition("## ")[0]
    assert folders == set(re.findall(r"^\| `(\w+)/` \|", house, re.M))
