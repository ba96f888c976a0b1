"""What every metric asks of its input, and the blocks of rows in which it is read."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

# A row counts as unit if its length is within this distance of one: wide enough for float32
# rounding at any dimension, narrow enough to notice an embedding that was never normalised.
UNIT_TOLERANCE = 1e-4
# Rows that a pass over the rows converts to float64 at once.
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


def check_unit(x: Tensor, name: str) -> None:
    """Raise ValueError unless `x` is (N, D), N >= 2, of unit rows; name the first bad row."""
    check_matrix(x, name)
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


def check_positive(value: float | Tensor, name: str) -> None:
    """Raise ValueError unless `value` is one finite number above zero."""
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise ValueError(f"{name}: expected one number, got shape {tuple(value.shape)}")
        value = value.item()
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name}: expected a finite number above 0, got {value}")


def enumerate_blocks(x: Tensor, size: int = ROWS) -> Iterator[tuple[int, Tensor]]:
    """Yield (index of the first row, block of at most `size` rows)."""
    for start in range(0, len(x), size):
        yield start, x[start : start + size]


def complaint(row: Tensor, length: float) -> str:
    """What is wrong with a row of that length."""
    if row.isnan().any():
        return "holds a NaN"
    if row.isinf().any():
        return "holds an infinite value"
    if not row.any():
        return "is zero"
    return f"has length {length:.6g}"
