"""The ledger: what became of every claim, decided by rule from recorded numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import SupportsFloat

from .claims import CLAIMS, DIRECTIONS, NUMBERS, OWN, PAPERS, Claim, Interval
from .numbers import glue, mean

__all__ = ["BY_ID", "CLAIMS", "PAPERS", "Claim", "record", "verdict"]

REPRODUCED = "reproduced"
DIRECTION = "direction only"
FAILED = "not reproduced"
QUOTED = "quoted only"
HOLDS = "holds"
FAILS = "fails"
VERDICTS = {  # of each class, from best to worst
    NUMBERS: (REPRODUCED, DIRECTION, FAILED, QUOTED),
    DIRECTIONS: (DIRECTION, FAILED, QUOTED),
    OWN: (HOLDS, FAILS),
}

KEY = "ledger:"  # begins the names under which records are glued to a chapter
BY_ID = {claim.id: claim for claim in CLAIMS}


def verdict(
    values: Iterable[float], claim: Claim, direction_values: Iterable[float] | None = None
) -> str:
    """What the numbers say of a claim.

    - Quoted only: the claim has no band.
    - The best that its class can reach (reproduced for a printed number, direction only for words
      and pictures, holds for what is our own): the mean of the values lies in the band (every
      value, if `claim.each`), and every direction value in the direction, if the claim has one.
    - Direction only, too: the claim has a direction, and every direction value lies in it.
    - Not reproduced, or fails for what is our own: anything else.

    Args:
        values: our number, one for each seed.
        claim: with its band and direction.
        direction_values: what the direction is asked of, if not of the values.

    Raises:
        ValueError: no values for a claim that was measured, one that is not finite, or no
            direction values where the claim names them.
    """
    if claim.quoted:
        return QUOTED
    if claim.direction_quantity and direction_values is None:
        raise ValueError(f"direction_values: expected {claim.direction_quantity} for {claim.id!r}")
    found = _floats(values, "values")
    signs = found if direction_values is None else _floats(direction_values, "direction_values")
    best, failed = VERDICTS[claim.kind][0], FAILS if claim.kind == OWN else FAILED
    direction = claim.direction
    if direction and not all(_within(value, direction) for value in signs):
        return failed
    judged = found if claim.each else [mean(found)]
    if claim.band and all(_within(value, claim.band) for value in judged):
        return best
    return DIRECTION if direction else failed


def record(
    id: str,
    values: SupportsFloat | Iterable[SupportsFloat],
    direction_values: Iterable[SupportsFloat] | None = None,
) -> str:
    """Enter what a chapter has measured.

    The build of the book collects the records from the chapters' outputs and makes the ledger's
    page of them.

    Args:
        id: of one of `claims.CLAIMS`.
        values: the number, or one for each seed (arrays and tensors of one dimension will do).
        direction_values: what the claim's direction is asked of, if the claim says that this is
            another number.

    Returns:
        The verdict.

    Raises:
        ValueError: an unknown id, a claim that is only quoted, direction values where the claim
            has none or none where it has some, no values, or one that is not finite.
    """
    if id not in BY_ID:
        raise ValueError(f"id: {id!r} is no claim of the ledger")
    claim = BY_ID[id]
    if claim.quoted:
        raise ValueError(f"id: {id!r} is only quoted, there is nothing to record")
    if (direction_values is not None) != bool(claim.direction_quantity):
        expected = claim.direction_quantity or "none"
        raise ValueError(f"direction_values: expected {expected} for {id!r}")
    entry = {"values": _floats(values, "values")}
    if direction_values is not None:
        entry["direction_values"] = _floats(direction_values, "direction_values")
    glue({KEY + id: json.dumps(entry)})
    return verdict(entry["values"], claim, entry.get("direction_values"))


def _within(value: float, interval: Interval) -> bool:
    return interval[0] <= value <= interval[1]


def _floats(values: SupportsFloat | Iterable[SupportsFloat], name: str) -> list[float]:
    """Plain floats of a number or of several, all finite and at least one."""
    if isinstance(values, Iterable) and getattr(values, "ndim", 1) != 0:
        found = [float(value) for value in values]
    else:
        found = [float(values)]  # type: ignore[arg-type]
    if not found or not all(map(math.isfinite, found)):
        raise ValueError(f"{name}: expected at least one value, all finite, got {found}")
    return found
