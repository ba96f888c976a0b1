"""What a cell offers to be guessed."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import pytest

from modality_gap.book import guess


@pytest.fixture
def glued(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    found: dict[str, str] = {}
    monkeypatch.setattr(guess, "glue", found.update)
    return found


LABELS = {"xlabel": "x", "ylabel": "y", "ylim": (0, 2)}


@pytest.mark.parametrize("count", [2, 9, 10, 36])
def test_points_are_spread_over_all_places_and_hold_both_ends(
    glued: dict[str, str], count: int
) -> None:
    x = [k / 10 - 0.5 for k in range(count)]
    guess.offer("fig-a", x, [k / count for k in range(count)], **LABELS)
    entry = json.loads(glued["guess:fig-a"])
    guessed = entry["guessed"]
    assert len(guessed) == min(count, guess.POINTS)
    assert (guessed[0], guessed[-1]) == (0, count - 1)
    steps = {b - a for a, b in itertools.pairwise(guessed)}
    assert max(steps) - min(steps) <= 1
    assert entry["x"][0] == "−0.5"
    assert len(entry["x"]) == len(entry["y"]) == count


def test_places_may_be_words(glued: dict[str, str]) -> None:
    guess.offer("fig-a", ["one", "all"], [1, 2], **LABELS)
    assert json.loads(glued["guess:fig-a"])["x"] == ["one", "all"]


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        ([0, 1], [0], "a value for each of two or more places"),
        ([0], [0], "a value for each of two or more places"),
        ([0, 1], [0, 3], "3 is not in"),
        ([0, 1], [0, math.nan], "nan is not in"),
    ],
)
def test_what_cannot_be_drawn_is_refused(x: list[Any], y: list[float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        guess.offer("fig-a", x, y, **LABELS)
