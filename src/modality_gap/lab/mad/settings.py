"""What a MAD data set is made from: everything that its pixels and splits depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

SOURCES = ("digits", "mnist")
MAKING = 2  # raise when the same settings come to mean other pixels

_RANGES: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("digits", lambda value: value is None or value >= 200, "at least 200, or None for all"),
    ("seed cuts blur", lambda value: value >= 0, "0 or more"),
    ("margin", lambda value: 0 <= value < 14, "0 or more and less than 14"),
    ("medium thick thin cut_width surroundings", lambda value: value > 0, "a number above 0"),
    ("swelling_radius swelling_power", lambda value: value > 0, "a number above 0"),
    ("shrink grey", lambda value: 0 < value <= 1, "a number above 0 and at most 1"),
)


@dataclass(frozen=True)
class MadSettings:
    """Settings of `load_mad`. Lengths are in pixels of the finished image, which has 28 x 28.

    Attributes:
        source: "digits", the 1,797 of scikit-learn, or "mnist", the first 10,000 training
            digits of MNIST, which need a network once.
        seed: of the random places of swelling, cuts and small digits, and of the splits.
        digits: take only that many source digits, at least 200, for a quick look; the splits
            shrink in proportion. All if None.
        margin: left free around the 8 x 8 digits; MNIST has its own.
        surroundings: standard deviation of the blur that says how bright the surroundings of a
            point are; ink is brighter.
        medium, thick, thin: half width of the strokes.
        swelling_radius: of the disc that a swelling reaches.
        swelling_power: r -> R (r / R)^(1 / power) is where the swelling moves what was at
            distance r of its centre.
        cuts: how many a fracture has.
        cut_width: of a cut, along the stroke.
        shrink: size of a small digit relative to a large one.
        blur: standard deviation of the last blur.
        grey: brightness of grey; other colours have 1 in their channels.

    Raises:
        ValueError: an unknown source or a number out of range.
    """

    source: str = "digits"
    seed: int = 0
    digits: int | None = None
    margin: float = 1.0
    surroundings: float = 2.0
    medium: float = 1.0
    thick: float = 2.1
    thin: float = 0.45
    swelling_radius: float = 7.5
    swelling_power: float = 3.0
    cuts: int = 3
    cut_width: float = 3.0
    shrink: float = 0.75
    blur: float = 0.4
    grey: float = 0.5

    def __post_init__(self) -> None:
        """Refuse settings that cannot be."""
        if self.source not in SOURCES:
            raise ValueError(f"source: expected one of {list(SOURCES)}, got {self.source!r}")
        for names, possible, expected in _RANGES:
            for name in names.split():
                if not possible(getattr(self, name)):
                    raise ValueError(f"{name}: expected {expected}, got {getattr(self, name)}")

    @property
    def key(self) -> str:
        """16 hexadecimal digits that differ wherever a setting differs."""
        described = json.dumps({"making": MAKING, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(described.encode()).hexdigest()[:16]
