"""The list of the literature: an entry for each work with a claim, and where it is discussed."""

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


def test_an_entry_says_what_is_claimed_and_what_became_of_it(tmp_path: Path) -> None:
    make(tmp_path, {"04_cone": CHAPTER}, {"references": PAGE, "ledger": LEDGER})
    status, printed = build(tmp_path)
    assert status == 0, printed
    text = (tmp_path / "_build" / "html" / "book" / "references.html").read_text()
    entries = BeautifulSoup(text, "html.parser").select("article li")
    told = [work for work in WORKS.values() if "claim" in work.fields]
    assert len(entries) == len(told) >= 35
    years = [re.search(r"\d{4}", entry.get_text())[0] for entry in entries]
    assert years == sorted(years)

    (gap,) = (entry for entry in entries if "Liang et al. [2022]" in entry.get_text())
    entry, ledger, chapter = (link["href"] for link in gap.find_all("a"))
    assert f'id="{entry.removeprefix("#")}"' in text
    assert (ledger, chapter) == ("ledger.html", "../notebooks/04_cone.html")
    claim = WORKS["liang2022mind"].fields["claim"]
    assert f": {claim} Ledger; code: yes; chapter 4" in gap.get_text()
    claim = WORKS["yi2025decipher"].fields["claim"]
    (theory,) = (entry for entry in entries if claim in entry.get_text())
    assert theory.get_text().strip().endswith("Not run; chapter 4")
    others = [e.get_text().strip() for e in entries if e not in (gap, theory)]
    assert all(other.endswith("no chapter") for other in others)


def test_what_is_in_the_ledger_has_a_claim() -> None:
    assert all("claim" in WORKS[key].fields for key in PAPERS)


def test_every_work_is_told_of_or_cited() -> None:
    pages = [*(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").glob("*.md")]
    cited = "\n".join(page.read_text("utf-8") for page in pages)
    for key, work in WORKS.items():
        assert "claim" in work.fields or key in cited, key
        assert work.fields["claim"].endswith(".") if "claim" in work.fields else True, key
