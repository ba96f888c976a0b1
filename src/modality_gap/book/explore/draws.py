"""Random numbers that are the same in a figure's JavaScript: `draws.js`."""

from __future__ import annotations

import math
from collections.abc import Iterator


def normals(seed: int) -> Iterator[float]:
    """Standard normal numbers without an end, from a seed (mulberry32, then Box and Muller)."""
    state, mask = seed & 0xFFFFFFFF, 0xFFFFFFFF

    def uniform() -> float:
        nonlocal state
        state = (state + 0x6D2B79F5) & mask
        z = ((state ^ (state >> 15)) * (state | 1)) & mask
        z ^= (z + (((z ^ (z >> 7)) * (z | 61)) & mask)) & mask
        return (z ^ (z >> 14)) / 2**32

    while True:
        length = math.sqrt(-2 * math.log(1 - uniform()))
        yield length * math.cos(2 * math.pi * uniform())
