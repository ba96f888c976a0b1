"""The Sphinx extension that fills the ledger's page: a small book with three claims of its own."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import ledger_page  # noqa: E402
import small_book  # noqa: E402
from small_book import FIGURE, HEADER, edit  # noqa: E402

CLAIMS = """
from dataclasses import dataclass

PAPERS = {"fox": "Fox (2020)"}
Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Claim:
    id: str
    item: str = "Fox"
    paper: str = "fox"
    where: str = "Fig. 1"
    claim: str = "Gaps grow."
    quantity: str = "a gap"
    stated: str = "1.00"
    chapter: str = "04_cone"
    figure: str = ""
    band: Interval | None = None
    direction: Interval | None = None
    direction_quantity: str = ""
    each: bool = False
    over: str = "seeds"

    @property
    def quoted(self):
        return self.band is None and self.direction is None


CLAIMS = (
    Claim(id="fox-gap", band=(0.9, 1.1), direction=(0, 2), figure="fig-square"),
    Claim(id="fox-rank", band=(0, 0), each=True, figure="eq-equal", direction=(-1, 1),
          direction_quantity="rank"),
    Claim(id="fox-quoted"),
)
"""
PLOTS = "DARK = {'#24292f': '#ced6dd'}\n"
CHAPTER = (
    HEADER
    + FIGURE
    + """
```{code-cell} ipython3
:tags: [remove-cell]
from modality_gap import ledger

ledger.record("fox-gap", [0.95, 1.03])
ledger.record("fox-rank", 0, [0.5, 0.75])
```
"""
)
PAGE = """\
# The ledger

```{ledger-summary}
```

```{ledger-table} fox
```
"""


@pytest.fixture
def book(tmp_path: Path) -> Path:
    small_book.make(tmp_path, CHAPTER, {"ledger": PAGE})
    package = tmp_path / "src" / "modality_gap"
    shutil.copy(ROOT / "src" / "modality_gap" / "ledger.py", package)
    for name, text in {"__init__": "", "claims": CLAIMS, "plots": PLOTS}.items():
        (package / f"{name}.py").write_text(text)
    return tmp_path


def build(book: Path) -> subprocess.CompletedProcess[str]:
    return small_book.build(book, PYTHONPATH=str(book / "src"))


def page_of(book: Path) -> BeautifulSoup:
    text = (book / "_build" / "html" / "book" / "ledger.html").read_text()
    return BeautifulSoup(text, "html.parser")


def rows_of(book: Path) -> dict[str, dict[str, str]]:
    with (book / "_build" / "html" / "book" / "ledger.csv").open(encoding="utf-8") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def test_small_ledger(book: Path) -> None:
    built = build(book)
    assert built.returncode == 0, built.stdout[-9000:]
    page = page_of(book)
    summary, table = page.select("table")
    assert [row.get_text(" ", strip=True) for row in summary.select("tbody tr")] == [
        "Fox (2020) 2 0 0 1 3",
        "together 2 0 0 1 3",
    ]
    title, *lines = table.select("tbody tr")
    assert title.get_text(" ", strip=True) == "Fig. 1. Gaps grow."
    assert [[cell.get_text(" ", strip=True) for cell in line.select("td")] for line in lines] == [
        ["a gap", "1.00", "0.99\xa0±\xa00.06, 2 seeds", "0.9 to 1.1 direction: 0 to 2, each value",
         "reproduced", "Fig. 4.1"],
        ["a gap", "1.00", "0 rank: 0.50 to 0.75, 2 seeds", "0 direction: −1 to 1, each value",
         "reproduced", "Eq. (4.1)"],
        ["a gap", "1.00", "–", "–", "quoted only", "Ch. 4"],
    ]  # fmt: skip
    links = [link["href"] for link in table.select("a")]
    chapter = "../notebooks/04_cone.html"
    assert links == [f"{chapter}#fig-square", f"{chapter}#equation-eq-equal", chapter]
    rows = rows_of(book)
    assert list(rows) == ["fox-gap", "fox-rank", "fox-quoted"]
    assert rows["fox-gap"]["values"] == "0.95 1.03"
    assert page.find("a", href="ledger.csv")

    written = (book / "_build" / "html" / "book" / "ledger.html").stat().st_mtime_ns
    assert build(book).returncode == 0
    assert (book / "_build" / "html" / "book" / "ledger.html").stat().st_mtime_ns == written

    # The page itself is not read again, but its table follows the chapter.
    edit(book / "notebooks" / "04_cone.md", "[0.95, 1.03]", "[0.5, 0.6]")
    changed = build(book)
    assert changed.returncode == 0, changed.stdout
    assert "0 added, 1 changed, 0 removed" in changed.stdout
    assert rows_of(book)["fox-gap"]["verdict"] == "direction only"
    assert "direction only" in page_of(book).select("table.ledger tbody tr")[1].get_text()

    edit(book / "notebooks" / "04_cone.md", "fig-square", "fig-circle")
    edit(book / "notebooks" / "04_cone.md", 'ledger.record("fox-rank", 0, [0.5, 0.75])', "")
    for _ in range(2):  # the second time too, when nothing has changed
        wrong = build(book)
        assert wrong.returncode == 1
        assert "fox-rank is recorded nowhere; it belongs to 04_cone" in wrong.stdout
        assert "fox-gap is shown in fig-square, which does not exist" in wrong.stdout


def test_a_record_in_the_wrong_chapter(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = ("notebooks/02_clip", "wi-theorem-1", {"values": [-1.0]})
    monkeypatch.setattr(ledger_page, "records", lambda env: [entry])
    monkeypatch.setattr(ledger_page, "place", lambda env, chapter, figure: ("page", "here", "Fig."))
    rows, problems = ledger_page.make_rows(None)
    belongs = "which belongs to 01_alignment_uniformity"
    assert f"notebooks/02_clip records wi-theorem-1, {belongs}" in problems
    assert "wi-theorem-1" not in {row.claim.id for row in rows}
