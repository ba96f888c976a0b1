"""The table of claims: how it is read, and that no band is widened in silence."""

from __future__ import annotations

import dataclasses
import re
from math import inf
from pathlib import Path

import pytest

from modality_gap.book.claims import CLAIMS, DIGESTS, FILE, PAPERS, Claim, digest, digests, load

ROOT = Path(__file__).parents[2]

SMALL = """\
fox2020gaps:
  name: Fox (2020)
  chapter: 04_cone_effect
  claims:
  - item: FX Fig. 1
    where: Fig. 1
    claim: Gaps grow.
    stated: in words
    band: above 0
    numbers:
      fx-gap: {quantity: "a gap, say", figure: fig-gap}
      fx-rank: {quantity: a rank, figure: fig-gap, stated: "0.82", band: [-.inf, 1.0e-6],
        each: true, over: runs, direction: below 0, direction_quantity: another}
      fx-quoted: {quantity: a number, band: null, chapter: 05_random_initialisation}
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    (tmp_path / "small.yaml").write_text(SMALL, "utf-8")
    return tmp_path / "small.yaml"


# The book's own


def test_what_verdicts_rest_on_is_frozen() -> None:
    stored = DIGESTS.read_text("utf-8").splitlines()
    found = digests(CLAIMS).splitlines()
    moved = sorted({line.split()[-1] for line in set(stored) ^ set(found)})
    assert found == stored, (
        f"{FILE.name} differs from what {DIGESTS.name} has frozen: {', '.join(moved) or 'order'}. "
        "If that is meant, say why in the commit and renew the digests: "
        f"python -m modality_gap.book.claims > {DIGESTS.relative_to(ROOT)}"
    )


def test_papers_and_chapters_of_the_book() -> None:
    papers = re.findall(
        r"^@\w+\{(.+),", (ROOT / "book" / "references.bib").read_text("utf-8"), re.M
    )
    chapters = {path.stem for path in (ROOT / "notebooks").glob("*.md")}
    assert load(FILE, papers, chapters) == (PAPERS, CLAIMS)
    tables = re.findall(
        r"^```\{ledger-table\} (.+)", (ROOT / "book" / "ledger.md").read_text(), re.M
    )
    assert tables == list(PAPERS), "book/ledger.md needs a {ledger-table} for each paper"


def test_claims_are_complete() -> None:
    for claim in CLAIMS:
        assert re.fullmatch(r"[a-z0-9_]+(-[a-z0-9_]+)+", claim.id)
        texts = (claim.where, claim.quantity, claim.stated, claim.claim.endswith((".", ")")))
        assert all(texts), claim.id
        if claim.quoted:
            assert not claim.direction_quantity, claim.id
            continue
        assert re.match("(fig|eq)-", claim.figure), claim.id
        if claim.direction_quantity:
            assert claim.direction, claim.id
        elif claim.band and claim.direction:  # two conditions on one number: the band is narrower
            low, high = claim.direction
            assert low <= claim.band[0] <= claim.band[1] <= high, claim.id


# The reader


def test_a_paper_of_ones_own(small: Path) -> None:
    shared = {
        "item": "FX Fig. 1",
        "paper": "fox2020gaps",
        "where": "Fig. 1",
        "claim": "Gaps grow.",
        "stated": "in words",
        "chapter": "04_cone_effect",
    }
    gap = Claim(id="fx-gap", quantity="a gap, say", figure="fig-gap", band=(5e-324, inf), **shared)
    rank = Claim(
        id="fx-rank",
        quantity="a rank",
        figure="fig-gap",
        band=(-inf, 1e-6),
        each=True,
        over="runs",
        direction=(-inf, -5e-324),
        direction_quantity="another",
        **shared | {"stated": "0.82"},
    )
    elsewhere = shared | {"chapter": "05_random_initialisation"}
    quoted = Claim(id="fx-quoted", quantity="a number", **elsewhere)
    assert load(small) == ({"fox2020gaps": "Fox (2020)"}, (gap, rank, quoted))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("figure: fig-gap}", "figur: fig-gap}", "small.yaml: fx-gap: no field 'figur'; rename"),
        ("where: Fig. 1", "were: Fig. 1", "small.yaml: fx-gap: no field 'were'; rename"),
        ("  - item: FX Fig. 1\n    w", "  - w", "small.yaml: fx-gap: item is missing; add"),
        ("quantity: a rank, ", "", "small.yaml: fx-rank: quantity is missing; add"),
        ('"0.82"', "0.82", "small.yaml: fx-rank: stated: expected str, got 0.82"),
        ("each: true", 'each: "yes"', "small.yaml: fx-rank: each: expected bool"),
        (
            "[-.inf, 1.0e-6]",
            "[1, 0]",
            "small.yaml: fx-rank: band: expected [low, high] with low <=",
        ),
        ("1.0e-6", "1e-6", "small.yaml: fx-rank: band: expected"),
        ("below 0", "under 0", "small.yaml: fx-rank: direction: expected"),
        ("fx-rank:", "fx-gap:", "'fx-gap' is there twice; take one out"),
        ("  name: Fox (2020)", "  name: Fox\n  name: Hare", "'name' is there twice"),
        ("  name: Fox (2020)", "  name: [", "small.yaml"),
        ("numbers:", "number:", "small.yaml: fox2020gaps, claim 1: expected fields, and 'numbers'"),
        ("  name: Fox (2020)\n", "", "small.yaml: fox2020gaps: name is missing; add one"),
        ("fx-gap: {", "- fx-gap: {", "small.yaml"),
        (
            "{quantity: a number, band: null, chapter: 05_random_initialisation}",
            "5",
            "fx-quoted: exp",
        ),
        ("  - item", "    item", "small.yaml: fox2020gaps: claims: expected '- item: …' for each"),
        ("claims:", "claim:", "small.yaml: fox2020gaps: expected fields, and 'claims'"),
        ("fox2020gaps", "hare", "small.yaml: fx-gap: 'hare' is no paper of the list of references"),
        ("04_cone_effect", "04_cone", "small.yaml: fx-gap: no chapter '04_cone'; name one"),
    ],
)
def test_what_is_wrong_is_said(small: Path, old: str, new: str, message: str) -> None:
    assert old in SMALL
    small.write_text(SMALL.replace(old, new, 1), "utf-8")
    with pytest.raises(ValueError, match=re.escape(message)):
        load(small, {"fox2020gaps"}, {"04_cone_effect", "05_random_initialisation"})


def test_an_id_belongs_to_one_number_of_the_whole_table(small: Path) -> None:
    small.write_text(SMALL + SMALL.replace("fox", "hare"), "utf-8")
    with pytest.raises(ValueError, match=r"small\.yaml: fx-gap: is there twice; give each"):
        load(small)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "mg-other"},
        {"quantity": "another"},
        {"stated": "1.1"},
        {"band": (0, 0.26)},
        {"band": None},
        {"each": True},
        {"direction": (0, inf)},
        {"direction_quantity": ""},
    ],
)
def test_digests_see_whatever_decides(change: dict[str, object]) -> None:
    claim = next(claim for claim in CLAIMS if claim.id == "mg-start-opens")
    changed = dataclasses.replace(claim, **change)
    assert changed != claim
    assert digests((changed,)) != digests((claim,))
    assert digest(dataclasses.replace(claim, where="elsewhere", figure="eq-a")) == digest(claim)
