"""The Sphinx extension that fills the ledger's page: a small book with claims of its own."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

import ledger_page
from modality_gap.book import claims, ledger
from modality_gap.book.claims import Claim
from small_book import FIGURE, build, edit, make

SAID = {
    "item": "Fox",
    "paper": "fox",
    "where": "Fig. 1",
    "claim": "Gaps grow.",
    "quantity": "a gap",
    "stated": (1.0, 2.5),
    "chapter": "04_cone",
}
WHEN = "us, after the first result"
CLAIMS = (
    Claim(
        id="fox-own",
        band=(0, 1),
        band_from="a closed form",
        **SAID | {"stated": "closed form"},
    ),
    Claim(
        id="fox-gap", band=(0.9, 1.1), band_from=WHEN, direction=(0, 2), figure="fig-square", **SAID
    ),
    Claim(
        id="fox-words",
        band=(0, 0),
        band_from=WHEN,
        each=True,
        figure="eq-equal",
        chosen_after=True,
        **SAID | {"stated": "in words"},
    ),
    Claim(
        id="fox-rank",
        band=(0, 0),
        band_from="the paper",
        each=True,
        figure="eq-equal",
        direction=(-1, 1),
        direction_quantity="rank",
        **SAID,
    ),
    Claim(id="fox-quoted", second_hand=True, **SAID),
)
CHAPTER = (
    "# A cone\n\n"
    + FIGURE
    + """
```{code-cell} ipython3
:tags: [remove-cell]
from myst_nb import glue

gap = '{"values": [0.95, 1.03]}'
rank = '{"values": [0], "direction_values": [0.5, 0.75]}'
glue("ledger:fox-gap", gap, display=False)
glue("ledger:fox-rank", rank, display=False)
glue("ledger:fox-words", '{"values": [0]}', display=False)
glue("ledger:fox-own", '{"values": [2]}', display=False)
```
"""
)
PAGE = """\
# The ledger

```{ledger-summary}
```

```{ledger-table} numbers of the papers
```

```{ledger-table} directions of the papers
```

```{ledger-table} our own references and identities
```
"""


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(ledger, "CLAIMS", CLAIMS)
    monkeypatch.setattr(ledger, "BY_ID", {claim.id: claim for claim in CLAIMS})
    monkeypatch.setattr(claims, "PAPERS", {"fox": "Fox (2020)"})
    return make(tmp_path, {"04_cone": CHAPTER}, {"ledger": PAGE})


def page_of(book: Path) -> BeautifulSoup:
    text = (book / "_build" / "html" / "book" / "ledger.html").read_text()
    return BeautifulSoup(text, "html.parser")


def rows_of(book: Path) -> dict[str, dict[str, str]]:
    with (book / "_build" / "html" / "book" / "ledger.csv").open(encoding="utf-8") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def test_small_ledger(book: Path) -> None:
    status, printed = build(book)
    assert status == 0, printed
    page = page_of(book)
    assert [row.get_text(" ", strip=True) for row in page.select(".ledger-summary li")] == [
        "Numbers of the papers : 3 (reproduced 2, direction only 0, not reproduced 0, "
        "quoted only 1).",
        "Directions of the papers : 1 (direction only 1, not reproduced 0, quoted only 0).",
        "Our own references and identities : 1 (holds 0, fails 1).",
    ]
    table, words, own = page.select("table")
    title, *lines = table.select("tbody tr")
    assert title.get_text(" ", strip=True) == "Fox (2020), Fig. 1. Gaps grow."
    texts = [
        [cell.get_text(" ", strip=True) for cell in line.select("td")]
        for line in [*lines, words.select("tbody tr")[1], own.select("tbody tr")[1]]
    ]
    assert texts == [
        ["a gap", "1, 2.5", "0.99\xa0±\xa00.06, 2 seeds",
         "0.9 to 1.1 direction: 0 to 2, each value",
         "us, after the first result", "reproduced", "Fig. 1.1"],
        ["a gap", "1, 2.5", "0 rank: 0.50 to 0.75, 2 seeds", "0 direction: −1 to 1, each value",
         "the paper", "reproduced", "Eq. (1.1)"],
        ["a gap", "1, 2.5 second-hand", "–", "–", "–", "quoted only", "Ch. 4"],
        ["a gap chosen after the results were seen", "in words", "0", "0",
         "us, after the first result", "direction only", "Eq. (1.1)"],
        ["a gap", "closed form", "2", "0 to 1", "a closed form", "fails", "Ch. 4"],
    ]  # fmt: skip
    links = [link["href"] for link in table.select("a")]
    chapter = "../notebooks/04_cone.html"
    assert links == [f"{chapter}#fig-square", f"{chapter}#equation-eq-equal", chapter]
    rows = rows_of(book)
    assert list(rows) == ["fox-gap", "fox-rank", "fox-quoted", "fox-words", "fox-own"]
    some = ("class", "stated", "band_from", "band_set", "chosen_after", "second_hand")
    assert [rows["fox-words"][name] for name in some] == [
        "directions of the papers", "in words", "us", "after the first result", "True", "False"
    ]  # fmt: skip
    assert [rows["fox-quoted"][name] for name in some] == [
        "numbers of the papers", "1, 2.5", "", "", "False", "True"
    ]  # fmt: skip
    assert rows["fox-gap"]["values"] == "0.95 1.03"
    assert page.find("a", href="ledger.csv")

    written = (book / "_build" / "html" / "book" / "ledger.html").stat().st_mtime_ns
    assert build(book)[0] == 0
    assert (book / "_build" / "html" / "book" / "ledger.html").stat().st_mtime_ns == written

    # The page itself is not read again, but its table follows the chapter.
    edit(book / "notebooks" / "04_cone.md", "[0.95, 1.03]", "[0.5, 0.6]")
    status, printed = build(book)
    assert status == 0, printed
    assert "0 added, 1 changed, 0 removed" in printed
    assert rows_of(book)["fox-gap"]["verdict"] == "direction only"
    assert "direction only" in page_of(book).select("table.ledger tbody tr")[1].get_text()

    edit(book / "notebooks" / "04_cone.md", "fig-square", "fig-circle")
    edit(book / "notebooks" / "04_cone.md", 'glue("ledger:fox-rank", rank, display=False)', "")
    for _ in range(2):  # the second time too, when nothing has changed
        status, printed = build(book)
        assert status == 1
        last = "\n".join(printed.splitlines()[-2:])
        assert "fox-rank is recorded nowhere; it belongs to 04_cone" in last
        assert "fox-gap is shown in fig-square, which does not exist" in last


def test_a_record_in_the_wrong_chapter(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = ("notebooks/02_clip", "wi-theorem-1", {"values": [-1.0]})
    monkeypatch.setattr(ledger_page, "records", lambda env: [entry])
    monkeypatch.setattr(ledger_page, "place", lambda env, chapter, figure: ("page", "here", "Fig."))
    rows, problems = ledger_page.make_rows(None)
    belongs = "which belongs to 01_alignment_uniformity"
    assert f"notebooks/02_clip records wi-theorem-1, {belongs}" in problems
    assert "wi-theorem-1" not in {row.claim.id for row in rows}
