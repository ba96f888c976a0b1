"""Guess first: the values that a reader guesses before a figure shows them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import SupportsFloat

from .numbers import MINUS, glue

KEY = "guess:"  # begins the names under which values are glued to a chapter
POINTS = 9  # that are guessed, at most


def offer(
    figure: str,
    x: Iterable[SupportsFloat | str],
    y: Iterable[SupportsFloat],
    *,
    xlabel: str,
    ylabel: str,
    ylim: tuple[float, float],
) -> None:
    """Let the reader guess a curve of a figure.

    The page's directive `guess` draws the empty axes. Places are drawn at equal distances.

    Args:
        figure: its name, such as "fig-cone-depth".
        x: at least two places, as numbers or as words.
        y: what was measured there.
        xlabel, ylabel: of the axes.
        ylim: ends of the vertical axis, wide enough to give nothing away.

    Raises:
        ValueError: not as many values as places, fewer than two, or a value that is not within
            ylim.
    """
    places = [each if isinstance(each, str) else f"{round(float(each), 6) + 0:g}" for each in x]
    values = [float(each) for each in y]
    low, high = map(float, ylim)
    if len(places) != len(values) or len(values) < 2:
        raise ValueError(
            f"y: expected a value for each of two or more places in x, got {len(values)} "
            f"for {len(places)}"
        )
    for value in values:
        if not (math.isfinite(value) and low <= value <= high):
            raise ValueError(f"ylim: expected to hold all of y, but {value:g} is not in {ylim}")
    count = min(POINTS, len(values))
    entry = {
        "x": [place.replace("-", MINUS) for place in places],
        "y": [float(f"{value:.4g}") for value in values],
        "guessed": [round(k * (len(values) - 1) / (count - 1)) for k in range(count)],
        "xlabel": xlabel,
        "ylabel": ylabel,
        "ylim": [low, high],
    }
    glue({KEY + figure: json.dumps(entry, ensure_ascii=False)})
