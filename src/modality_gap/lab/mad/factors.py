"""The six factors of MAD, their values, and the word for each value."""

from __future__ import annotations

from itertools import accumulate

import torch
from torch import Tensor

FACTORS: dict[str, tuple[str, ...]] = {
    "digit": tuple("0123456789"),
    "thickness": ("medium", "thick", "thin"),
    "swelling": ("no swelling", "swelling"),
    "fracture": ("no fracture", "fracture"),
    "size": ("large", "small"),
    "colour": ("grey", "red", "green", "blue", "cyan", "magenta", "yellow"),
}
ATTRIBUTES: tuple[str, ...] = tuple(name for name in FACTORS if name != "digit")
WORDS: tuple[str, ...] = tuple(word for words in FACTORS.values() for word in words)

SIZES = torch.tensor([len(words) for words in FACTORS.values()])
FIRST_WORDS = torch.tensor([0, *accumulate(SIZES.tolist())][:-1])  # id of each factor's value 0


def check_factors(factors: Tensor) -> None:
    """Raise ValueError unless factors is (n, 6), integer, each value one that its factor has."""
    if factors.dim() != 2 or factors.shape[1] != len(FACTORS):
        raise ValueError(f"factors: expected shape (n, {len(FACTORS)}), got {tuple(factors.shape)}")
    if factors.is_floating_point() or factors.is_complex() or factors.dtype == torch.bool:
        raise ValueError(f"factors: expected integers, got {factors.dtype}")
    wrong = ((factors < 0) | (factors >= SIZES)).nonzero()
    if len(wrong):
        row, column = wrong[0].tolist()
        name = list(FACTORS)[column]
        raise ValueError(
            f"factors: row {row} has {name} {factors[row, column].item()}; "
            f"expected 0 to {len(FACTORS[name]) - 1}"
        )
