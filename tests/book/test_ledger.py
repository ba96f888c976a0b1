"""The ledger: how verdicts follow from numbers, and that the chapters record every claim."""

from __future__ import annotations

import ast
import dataclasses
import math
import re
from pathlib import Path

import jupytext
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modality_gap.book import ledger, numbers
from modality_gap.book.claims import (
    CLAIMS,
    DIRECTIONS,
    NEGATIVE,
    NUMBERS,
    OWN,
    POSITIVE,
    SOURCES,
    Claim,
    Interval,
)
from modality_gap.book.ledger import (
    DIRECTION,
    FAILED,
    FAILS,
    HOLDS,
    QUOTED,
    REPRODUCED,
    VERDICTS,
    verdict,
)

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "notebooks").glob("*.md"))


# The chapters


def recorded(chapter: Path) -> list[str]:
    """What a chapter records: ids, as regular expressions where a part is filled in by a loop."""
    patterns = []
    for cell in jupytext.read(chapter).cells:
        if cell.cell_type != "code" or "ledger.record" not in cell.source:
            continue
        assert "remove-cell" in cell.metadata.get("tags", []), (
            f"{chapter.name} shows a cell that records; begin the cell with :tags: [remove-cell]"
        )
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "ledger.record":
                patterns.append(as_pattern(node.args[0]))
    return patterns


def as_pattern(argument: ast.expr) -> str:
    """The ids that a literal or a formatted string can stand for."""
    if isinstance(argument, ast.Constant):
        return re.escape(argument.value)
    assert isinstance(argument, ast.JoinedStr), "an id should be readable in the source"
    return "".join(
        re.escape(part.value) if isinstance(part, ast.Constant) else r"\w+"
        for part in argument.values
    )


def test_every_claim_is_recorded_in_its_chapter_and_nowhere_else() -> None:
    sources = {chapter.stem: recorded(chapter) for chapter in CHAPTERS}
    for claim in CLAIMS:
        found = [
            name
            for name, patterns in sources.items()
            if any(re.fullmatch(pattern, claim.id) for pattern in patterns)
        ]
        assert found == ([] if claim.quoted else [claim.chapter]), claim.id
    for name, patterns in sources.items():
        for pattern in patterns:
            assert any(re.fullmatch(pattern, claim.id) for claim in CLAIMS), (name, pattern)


def test_a_record_that_is_shown_is_refused(tmp_path: Path) -> None:
    cell = "```{code-cell} ipython3\nledger.record('wi-theorem-1', -1)\n```\n"
    (tmp_path / "11_new.md").write_text(CHAPTERS[0].read_text("utf-8").split("# ")[0] + cell)
    with pytest.raises(AssertionError, match=r"11_new\.md shows .* :tags: \[remove-cell\]"):
        recorded(tmp_path / "11_new.md")


# The verdict

finite = st.floats(-1e6, 1e6)
several = st.lists(finite, min_size=1, max_size=6)
intervals = st.tuples(finite, finite).map(lambda ends: (min(ends), max(ends)))
maybe = st.none() | intervals
unprinted = st.sampled_from(list(SOURCES))
WORSE = [REPRODUCED, DIRECTION, FAILED]


def make(**fields: object) -> Claim:
    """A claim of a printed number, unless the fields say otherwise."""
    plain = {"stated": (0.5,), "band": (0, 1), "band_from": "the paper", "each": False}
    return dataclasses.replace(CLAIMS[0], **(plain | fields))


def contains(interval: Interval, values: list[float]) -> bool:
    return all(interval[0] <= value <= interval[1] for value in values)


@given(several, intervals, st.booleans())
def test_a_band_alone(values: list[float], band: Interval, each: bool) -> None:
    judged = values if each else [numbers.mean(values)]
    expected = REPRODUCED if contains(band, judged) else FAILED
    assert verdict(values, make(band=band, each=each)) == expected


@given(several, intervals, st.booleans(), unprinted)
def test_nothing_is_reproduced_that_no_paper_prints(
    values: list[float], band: Interval, each: bool, stated: str
) -> None:
    claim = make(band=band, each=each, stated=stated)
    found = verdict(values, claim)
    best, worst = (HOLDS, FAILS) if claim.kind == OWN else (DIRECTION, FAILED)
    assert found == (best if contains(band, values if each else [numbers.mean(values)]) else worst)


@given(st.data(), st.sampled_from([c for c in CLAIMS if c.kind != NUMBERS and not c.quoted]))
def test_nor_in_the_table(data: st.DataObject, claim: Claim) -> None:
    assert REPRODUCED not in VERDICTS[DIRECTIONS] + VERDICTS[OWN]
    low, high = (max(min(end, 1e6), -1e6) for end in claim.band)
    assert verdict([data.draw(st.floats(low, high))], claim) == VERDICTS[claim.kind][0]
    assert verdict([data.draw(finite)], claim) in VERDICTS[claim.kind]


@given(several, intervals, intervals, st.booleans())
def test_a_direction_must_hold_for_every_value(
    values: list[float], band: Interval, direction: Interval, each: bool
) -> None:
    found = verdict(values, make(band=band, direction=direction, each=each))
    assert (found != FAILED) == contains(direction, values)


@given(several, several, intervals, intervals)
def test_a_direction_may_be_asked_of_another_number(
    values: list[float], signs: list[float], band: Interval, direction: Interval
) -> None:
    claim = make(band=band, direction=direction, direction_quantity="another number")
    inside = contains(band, [numbers.mean(values)])
    best = REPRODUCED if inside else DIRECTION
    assert verdict(values, claim, signs) == (best if contains(direction, signs) else FAILED)


@given(several, intervals, maybe, st.booleans(), st.floats(0, 10), st.floats(0, 10))
def test_a_wider_band_never_makes_it_worse(
    values: list[float],
    band: Interval,
    direction: Interval | None,
    each: bool,
    below: float,
    above: float,
) -> None:
    narrow = make(band=band, direction=direction, each=each)
    wide = dataclasses.replace(narrow, band=(band[0] - below, band[1] + above))
    assert WORSE.index(verdict(values, wide)) <= WORSE.index(verdict(values, narrow))


@given(several, intervals, maybe)
def test_asking_each_value_is_never_more_lenient_than_asking_the_mean(
    values: list[float], band: Interval, direction: Interval | None
) -> None:
    mean, each = (
        verdict(values, make(band=band, direction=direction, each=each)) for each in (False, True)
    )
    assert WORSE.index(mean) <= WORSE.index(each)


@given(several, intervals, maybe, st.booleans(), st.randoms())
def test_the_order_of_seeds_does_not_matter(
    values: list[float], band: Interval, direction: Interval | None, each: bool, random: object
) -> None:
    claim = make(band=band, direction=direction, each=each)
    before = verdict(values, claim)
    random.shuffle(values)
    assert verdict(values, claim) == before


def test_the_ends_belong_to_a_band() -> None:
    assert verdict([1.0], make(band=(1, 2))) == verdict([2.0], make(band=(1, 2))) == REPRODUCED
    assert verdict([math.nextafter(2, 3)], make(band=(1, 2))) == FAILED


def test_zero_is_neither_positive_nor_negative() -> None:
    for side, value in ((POSITIVE, 1e-9), (NEGATIVE, -1e-9)):
        assert verdict([value], make(band=side)) == REPRODUCED
        assert verdict([0.0], make(band=side)) == verdict([-value], make(band=side)) == FAILED


def test_a_claim_without_a_band_is_quoted() -> None:
    assert verdict([], make(band=None, band_from="")) == QUOTED


# Recording


@pytest.fixture
def glued(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What would be attached to the cell."""
    entries: dict[str, str] = {}
    monkeypatch.setattr(ledger, "glue", entries.update)
    return entries


@pytest.mark.parametrize(
    "values",
    [
        0.5,
        [0.5],
        np.float32(0.5),
        np.array(0.5),
        np.array([0.5]),
        torch.tensor(0.5),
        torch.tensor([0.5]),
        (value for value in [0.5]),
    ],
)
def test_numbers_of_any_kind_become_plain_floats(glued: dict[str, str], values: object) -> None:
    ledger.record("wi-theorem-1", values)
    assert glued == {"ledger:wi-theorem-1": '{"values": [0.5]}'}


def test_both_numbers_are_recorded(glued: dict[str, str]) -> None:
    assert ledger.record("mg-supplement8-l2m-3", 0.9, [-1, -0.9]) == ledger.DIRECTION
    expected = '{"values": [0.9], "direction_values": [-1.0, -0.9]}'
    assert glued == {"ledger:mg-supplement8-l2m-3": expected}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("wi-theorem-2", 1), "'wi-theorem-2' is no claim"),
        (("mg-table2", 1), "'mg-table2' is only quoted"),
        (("wi-theorem-1", []), "at least one value"),
        (("wi-theorem-1", math.nan), "all finite"),
        (("wi-theorem-1", [1, math.inf]), "all finite"),
        (("wi-theorem-1", 1, [1]), "direction_values: expected none"),
        (("mg-supplement8-l2m-3", 1), "direction_values: expected rank correlation"),
        (("mg-supplement8-l2m-3", 1, [math.nan]), "direction_values: expected at least one"),
    ],
)
def test_what_cannot_be_recorded(
    glued: dict[str, str], arguments: tuple[object, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        ledger.record(*arguments)
    assert not glued


def test_a_verdict_needs_its_numbers() -> None:
    claim = ledger.BY_ID["mg-supplement8-l2m-3"]
    with pytest.raises(ValueError, match="direction_values"):
        verdict([0.1], claim)
    with pytest.raises(ValueError, match="values: expected at least one"):
        verdict([], claim, [-1.0])


def test_outside_of_a_notebook_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    ledger.record("wi-theorem-1", -1)
    assert capsys.readouterr() == ("", "")
