"""The table of the literature: a row for each work with a claim, and where it is discussed."""

from __future__ import annotations

import re
from pathlib import Path

from bs4 import BeautifulSoup
from pybtex.database import parse_file

from modality_gap.book.claims import PAPERS
from small_book import ROOT, build, make

CHAPTER = "# A cone\n\nAs {cite:t}`liang2022mind,yi2025decipher` say.\n"
PAGE = """\
# Literature

```{literature}
```

```{bibliography}
:all:
```
"""
LEDGER = "# Ledger\n\nNothing.\n"
WORKS = parse_file(ROOT / "book" / "references.bib", "bibtex").entries


def test_a_row_says_what_is_claimed_and_what_became_of_it(tmp_path: Path) -> None:
    make(tmp_path, {"04_cone": CHAPTER}, {"references": PAGE, "ledger": LEDGER})
    status, printed = build(tmp_path)
    assert status == 0, printed
    text = (tmp_path / "_build" / "html" / "book" / "references.html").read_text()
    table = BeautifulSoup(text, "html.parser").select_one("article table")
    rows = [row.find_all("td") for row in table.select("tbody tr")]
    told = [work for work in WORKS.values() if "claim" in work.fields]
    assert len(rows) == len(told) >= 35
    years = [re.search(r"\d{4}", row[0].get_text())[0] for row in rows]
    assert years == sorted(years)

    (gap,) = (row for row in rows if "Liang et al. [2022]" in row[0].get_text())
    assert f'id="{gap[0].find("a")["href"].removeprefix("#")}"' in text  # the entry below
    assert gap[1].get_text() == WORKS["liang2022mind"].fields["claim"]
    assert [cell.get_text() for cell in gap[2:]] == ["yes", "ledger", "4"]
    assert gap[4].find("a")["href"] == "../notebooks/04_cone.html"
    claim = WORKS["yi2025decipher"].fields["claim"]
    (theory,) = (row for row in rows if row[1].get_text() == claim)
    assert [cell.get_text() for cell in theory[2:]] == ["not checked", "not run", "4"]
    assert {row[4].get_text() for row in rows} == {"4", "this page"}


def test_what_is_in_the_ledger_has_a_claim() -> None:
    assert all("claim" in WORKS[key].fields for key in PAPERS)


def test_every_work_is_told_of_or_cited() -> None:
    pages = [*(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").glob("*.md")]
    cited = "\n".join(page.read_text("utf-8") for page in pages)
    for key, work in WORKS.items():
        assert "claim" in work.fields or key in cited, key
        assert work.fields["claim"].endswith(".") if "claim" in work.fields else True, key
