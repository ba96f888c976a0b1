"""The table of claims: how it is read, and that no band is widened in silence."""

from __future__ import annotations

import dataclasses
import re
from itertools import permutations
from math import inf
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import spearmanr

from modality_gap.book.claims import (
    CLAIMS,
    DIGESTS,
    DIRECTIONS,
    FILE,
    KINDS,
    NUMBERS,
    OWN,
    PAPERS,
    SOURCES,
    Claim,
    digest,
    digests,
    load,
    rank_level,
)

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
    band_from: the paper
    numbers:
      fx-gap: {quantity: "a gap, say", figure: fig-gap}
      fx-rank: {quantity: a rank, figure: fig-gap, stated: [0.82, 1], band: [-.inf, 1.0e-6],
        each: true, over: runs, direction: below 0, direction_quantity: another}
      fx-quoted: {quantity: a number, band: null, band_from: "", chapter: 05_random_initialisation}
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
    assert tables == list(KINDS), "book/ledger.md needs a {ledger-table} for each class"


def test_claims_are_complete() -> None:
    for claim in CLAIMS:
        assert re.fullmatch(r"[a-z0-9_]+(-[a-z0-9_]+)+", claim.id)
        texts = (claim.where, claim.quantity, claim.claim.endswith((".", ")")))
        assert all(texts), claim.id
        assert re.match("(fig|eq)-|$", claim.figure), claim.id
        if claim.direction and not claim.direction_quantity:
            # Two conditions on one number: the band is narrower.
            low, high = claim.direction
            assert low <= claim.band[0] <= claim.band[1] <= high, claim.id


def test_a_row_that_was_picked_stands_beside_the_one_that_it_was_picked_from() -> None:
    """Of k = 1 to 5, or 0 to 4, beside k = 0 to 5."""
    wide = {(claim.where, claim.claim) for claim in CLAIMS if "k = 0 to 5" in claim.quantity}
    picked = [claim for claim in CLAIMS if claim.chosen_after]
    assert picked
    for claim in picked:
        assert (claim.where, claim.claim) in wide, claim.id
        assert claim.band_from == "us, after the first result", claim.id


# Classes


def test_the_class_follows_from_what_the_paper_prints() -> None:
    for claim in CLAIMS:
        assert (claim.kind == NUMBERS) == isinstance(claim.stated, tuple), claim.id
    example = next(claim for claim in CLAIMS if claim.kind == DIRECTIONS and not claim.quoted)
    kinds = {
        stated: dataclasses.replace(example, stated=stated).kind for stated in [*SOURCES, (0.5,)]
    }
    assert kinds == {
        "in words": DIRECTIONS,
        "in a picture": DIRECTIONS,
        "closed form": OWN,
        "theorem": OWN,
        "our reference": OWN,
        "setting": OWN,
        (0.5,): NUMBERS,
    }


@pytest.mark.parametrize(
    ("id", "change", "message"),
    [
        (
            "te-fig6",
            {"stated": "above 0"},
            "stated: expected printed numbers or in words, in a pic",
        ),
        ("te-fig6", {"stated": ()}, "stated: without a number it is one of in words"),
        ("te-fig6", {"band_from": ""}, "band_from: a band comes from the paper, a closed form"),
        ("te-fig6", {"band_from": "us"}, "band_from: a band comes from the paper, a closed form"),
        ("mg-table2", {"band_from": "the paper"}, "band_from: a band comes from"),
        ("te-fig6", {"direction": (0, 1)}, "direction: stands beside the band of a printed number"),
        ("mg-table2", {"direction": (0, 1)}, "direction: stands beside the band of a printed"),
        (
            "te-moad",
            {"band": None, "band_from": ""},
            "band is missing; what is our own is measured",
        ),
        ("mg-start-opens", {"direction": None}, "direction is missing; direction_quantity names"),
    ],
)
def test_fields_that_contradict_each_other(
    id: str, change: dict[str, object], message: str
) -> None:
    claim = next(claim for claim in CLAIMS if claim.id == id)
    with pytest.raises(ValueError, match=f"^{message}"):
        dataclasses.replace(claim, **change)


# The level of rank correlations


@pytest.mark.parametrize("count", range(4, 9))
def test_rank_level_is_the_one_sided_five_percent_level(count: int) -> None:
    """Counted over all orders by SciPy's own correlation."""
    straight, orders = np.arange(count), np.array(list(permutations(range(count))))
    found = 1 - cdist([straight], orders, "sqeuclidean")[0] / (2 * count * straight.var())
    assert found[7] == pytest.approx(spearmanr(straight, orders[7]).statistic)
    level = rank_level(count)
    assert (found >= level).mean() <= 0.05
    next_lower = found[found < level].max()
    assert (found >= next_lower - 1e-9).mean() > 0.05
    assert level == pytest.approx(found[found >= level].min(), abs=1e-3)


def test_rank_level_of_too_few_or_too_many() -> None:
    for count in (3, 9):
        with pytest.raises(ValueError, match=f"count: expected 4 to 8 values, got {count}"):
            rank_level(count)


# The reader


def test_a_paper_of_ones_own(small: Path) -> None:
    shared = {
        "item": "FX Fig. 1",
        "paper": "fox2020gaps",
        "where": "Fig. 1",
        "claim": "Gaps grow.",
        "stated": "in words",
        "chapter": "04_cone_effect",
        "band_from": "the paper",
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
        **shared | {"stated": (0.82, 1.0)},
    )
    elsewhere = shared | {"chapter": "05_random_initialisation", "band_from": ""}
    quoted = Claim(id="fx-quoted", quantity="a number", **elsewhere)
    assert load(small) == ({"fox2020gaps": "Fox (2020)"}, (gap, rank, quoted))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("figure: fig-gap}", "figur: fig-gap}", "small.yaml: fx-gap: no field 'figur'; rename"),
        ("where: Fig. 1", "were: Fig. 1", "small.yaml: fx-gap: no field 'were'; rename"),
        ("  - item: FX Fig. 1\n    w", "  - w", "small.yaml: fx-gap: item is missing; add"),
        ("quantity: a rank, ", "", "small.yaml: fx-rank: quantity is missing; add"),
        ("[0.82, 1]", '["0.82"]', "small.yaml: fx-rank: stated: expected numbers without quotes"),
        ("[0.82, 1]", "0.82", "small.yaml: fx-rank: stated: expected printed numbers or in words"),
        ("[0.82, 1]", "[]", "small.yaml: fx-rank: stated: without a number it is one of in words"),
        ("the paper", "nobody", "small.yaml: fx-gap: band_from: a band comes from the paper, a"),
        ("below 0", "falls over 9", "small.yaml: fx-rank: direction: expected [low, high]"),
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
            '{quantity: a number, band: null, band_from: "", chapter: 05_random_initialisation}',
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


@pytest.mark.parametrize(
    ("said", "ends"),
    [("falls over 6", (-1, -0.828)), ("rises over 5", (0.9, 1)), ("above 0", (5e-324, inf))],
)
def test_bands_in_words(small: Path, said: str, ends: tuple[float, float]) -> None:
    small.write_text(SMALL.replace("band: above 0", f"band: {said}"), "utf-8")
    assert load(small)[1][0].band == ends


def test_an_id_belongs_to_one_number_of_the_whole_table(small: Path) -> None:
    small.write_text(SMALL + SMALL.replace("fox", "hare"), "utf-8")
    with pytest.raises(ValueError, match=r"small\.yaml: fx-gap: is there twice; give each"):
        load(small)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "mg-other"},
        {"quantity": "another"},
        {"stated": (1.1,)},
        {"band_from": "the paper"},
        {"band": (0, 0.26)},
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
