"""What every metric asks of its input, and the blocks of rows in which it is read."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from numbers import Real

import numpy as np
import torch
from torch import Tensor

# A row counts as unit if its length is within this distance of one: wide enough for float32
# rounding at any dimension, narrow enough to notice an embedding that was never normalised.
UNIT_TOLERANCE = 1e-4
# Rows that a pass over the rows converts to float64 at once, fewer where they are very long.
ROWS = 1024


def check_matrix(x: Tensor, name: str, min_rows: int = 2) -> None:
    """Raise ValueError unless `x` is a floating (N, D) tensor with N >= min_rows, D >= 1."""
    if not isinstance(x, Tensor):
        raise ValueError(f"{name}: expected a torch.Tensor of shape (N, D), got {type(x).__name__}")
    if x.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"{name}: expected float32 or float64, got {x.dtype}")
    if x.ndim != 2:
        raise ValueError(f"{name}: expected shape (N, D), got {tuple(x.shape)}")
    if x.shape[0] < min_rows:
        raise ValueError(f"{name}: expected at least {min_rows} row(s), got {x.shape[0]}")
    if x.shape[1] < 1:
        raise ValueError(f"{name}: expected at least one column, got shape {tuple(x.shape)}")


def check_unit(x: Tensor, name: str, min_rows: int = 2) -> None:
    """Raise ValueError unless `x` is (N, D), N >= min_rows, of unit rows; name the first bad."""
    check_matrix(x, name, min_rows)
    with torch.no_grad():
        for start, rows in enumerate_blocks(x):
            lengths = torch.linalg.vector_norm(rows, dim=1)
            # Written so that a NaN length fails the comparison too.
            good = (lengths - 1).abs() <= UNIT_TOLERANCE
            if not good.all():
                bad = int((~good).nonzero()[0])
                raise ValueError(
                    f"{name}: row {start + bad} {complaint(rows[bad], float(lengths[bad]))}; "
                    f"expected a unit row, see modality_gap.normalize"
                )


def check_pairs(x: Tensor, y: Tensor) -> None:
    """Raise ValueError unless `x` and `y` are unit rows of one shape, dtype and device."""
    check_unit(x, "x")
    check_unit(y, "y")
    if x.shape != y.shape:
        raise ValueError(
            f"y: expected the shape of x, {tuple(x.shape)}, because row i of x is paired with "
            f"row i of y; got {tuple(y.shape)}"
        )
    if x.dtype != y.dtype or x.device != y.device:
        raise ValueError(f"y: expected {x.dtype} on {x.device} like x, got {y.dtype} on {y.device}")


def check_owner(owner: object, images: int, captions: int) -> Tensor:
    """Of each caption the row of its image, int64, shape (M,), on the CPU.

    Raises:
        ValueError: not one whole number from 0 to N - 1 for each caption, or an image without any.
    """
    try:
        found = torch.as_tensor(owner).cpu() if isinstance(owner, Tensor) else np.asarray(owner)
        found = torch.as_tensor(found)
    except (TypeError, ValueError):
        found = torch.empty(0)
    if found.is_floating_point() or found.is_complex() or found.dtype == torch.bool:
        raise ValueError(
            "owner: expected a whole number for each caption, the row of its image; numbers that "
            "were read as others are made whole by owner.astype(int)"
        )
    if found.shape != (captions,):
        raise ValueError(
            f"owner: expected one number for each of {captions} captions, got shape "
            f"{tuple(found.shape)}"
        )
    found = found.long()
    wrong = (found < 0) | (found >= images)
    if wrong.any():
        row = int(wrong.nonzero()[0])
        ones = found.min() == 1 and found.max() == images
        hint = "; if yours count from 1, give owner - 1" if ones else ""
        raise ValueError(
            f"owner: row {row} is {int(found[row])}; expected the row of an image, 0 to "
            f"{images - 1}{hint}"
        )
    without = torch.bincount(found, minlength=images) == 0
    if without.any():
        raise ValueError(
            f"owner: image {int(without.nonzero()[0])} has no caption; leave such images out: "
            "rows, owner = np.unique(owner, return_inverse=True); images = images[rows]"
        )
    return found


def check_number(value: float | Tensor, name: str, above: float = -math.inf) -> float:
    """The finite number above `above` that `value`, or its only entry, is; else ValueError."""
    expected = "a finite number" if above == -math.inf else f"a finite number above {above:g}"
    if isinstance(value, Tensor) and value.numel() != 1:
        raise ValueError(f"{name}: expected one number, got shape {tuple(value.shape)}")
    number = value.item() if isinstance(value, Tensor | np.generic) else value
    if isinstance(number, bool) or not isinstance(number, Real):
        raise ValueError(f"{name}: expected {expected}, got {number!r}")
    if not (math.isfinite(number) and number > above):
        raise ValueError(f"{name}: expected {expected}, got {number}")
    return float(number)


def check_positive(value: float | Tensor, name: str) -> float:
    """`check_number` for numbers above zero."""
    return check_number(value, name, above=0)


def check_whole(value: int, name: str, low: int, high: int, meaning: str = "") -> int:
    """Raise ValueError unless `value` is a whole number from `low` to `high`."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        number = low - 1
    if not low <= number <= high:
        raise ValueError(
            f"{name}: expected a whole number from {low} to {meaning}{high}, got {value!r}"
        )
    return number


def enumerate_blocks(x: Tensor, size: int | None = None) -> Iterator[tuple[int, Tensor]]:
    """Yield (index of the first row, block of at most `size` rows; by default of about 8 MiB)."""
    size = size or max(1, min(ROWS, 2**20 // x.shape[1]))
    for number, rows in enumerate(x.split(size)):
        yield number * size, rows


def complaint(row: Tensor, length: float) -> str:
    """What is wrong with a row of that length."""
    if row.isnan().any():
        return "holds a NaN"
    if row.isinf().any():
        return "holds an infinite value"
    if not row.any():
        return "is zero"
    return f"has length {length:.6g}"
