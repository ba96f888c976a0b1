"""What every metric asks of its input, and the blocks of rows in which it is read."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Sequence
from numbers import Real

import numpy as np
import torch
from torch import Tensor

# A row counts as unit if its length is within this distance of one: wide enough for float32
# rounding at any dimension, narrow enough to notice an embedding that was never normalised.
UNIT_TOLERANCE = 1e-4
# Rounded to half precision, a row is off by up to half a unit in the last place of its entries.
HALVES = {torch.float16: 2e-3, torch.bfloat16: 1e-2}
# Rows that a pass over the rows converts to float64 at once, fewer where they are very long.
ROWS = 1024


def check_matrix(x: Tensor, name: str, min_rows: int = 2) -> None:
    """Raise ValueError unless `x` is a floating (N, D) tensor with N >= min_rows, D >= 1."""
    if not isinstance(x, Tensor):
        raise ValueError(
            f"{name}: expected a torch.Tensor of shape (N, D), got {type(x).__name__}; "
            f"{name} = mg.normalize({name}) makes one, of unit rows; mg.measure takes any"
        )
    if x.dtype in HALVES:
        raise ValueError(
            f"{name}: expected float32 or float64, got {x.dtype}; {name} = mg.normalize({name}) "
            "makes unit rows in float32"
        )
    if x.dtype not in (torch.float32, torch.float64):
        raise ValueError(
            f"{name}: expected float32 or float64, got {x.dtype}; if these are embeddings, "
            f"{name} = mg.normalize({name}.double()) makes unit rows of them"
        )
    check_shape(x.shape, name, min_rows)


def check_shape(shape: Sequence[int], name: str, min_rows: int = 2) -> None:
    """Raise ValueError unless the shape is (N, D) with N >= min_rows, D >= 1."""
    if len(shape) != 2:
        raise ValueError(f"{name}: expected shape (N, D), got {tuple(shape)}{_flat(shape, name)}")
    if shape[0] < min_rows:
        raise ValueError(
            f"{name}: expected at least {min_rows} row(s), got {shape[0]}"
            + ("; one vector is no cloud: give the embeddings of several" if shape[0] == 1 else "")
        )
    if shape[1] < 1:
        raise ValueError(f"{name}: expected at least one column, got shape {tuple(shape)}")


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
                wrong = complaint(rows[bad], float(lengths[bad]))
                raise ValueError(
                    f"{name}: row {start + bad} {wrong}; expected a unit row"
                    f"{remedy(wrong, name, columns_are_unit(x))}"
                )


def check_pairs(x: Tensor, y: Tensor) -> None:
    """Raise ValueError unless `x` and `y` are unit rows of one shape, dtype and device."""
    check_unit(x, "x")
    check_unit(y, "y")
    if x.shape != y.shape:
        raise ValueError(
            f"y: expected the shape of x, {tuple(x.shape)}, because row i of x is paired with "
            f"row i of y; got {tuple(y.shape)}{unequal(x.shape, y.shape)}"
        )
    _check_kin(x, y)


def check_sides(x: Tensor, y: Tensor) -> None:
    """Raise ValueError unless `x` and `y` are unit rows of one width, dtype and device."""
    check_unit(x, "x")
    check_unit(y, "y")
    if x.shape[1] != y.shape[1]:
        raise ValueError(
            f"y: expected {x.shape[1]} columns like x, got {y.shape[1]}{unequal(x.shape, y.shape)}"
        )
    _check_kin(x, y)


def _check_kin(x: Tensor, y: Tensor) -> None:
    if x.dtype != y.dtype or x.device != y.device:
        raise ValueError(
            f"y: expected {x.dtype} on {x.device} like x, got {y.dtype} on {y.device}; y = y.to(x)"
        )


def unequal(of_x: Sequence[int], of_y: Sequence[int], name: str = "y") -> str:
    """What may repair shapes that differ."""
    if of_x[1] != of_y[1]:
        if tuple(of_x) == tuple(of_y)[::-1]:
            return f"; is {name} (D, N)? Then {name}.T"
        return "; images and captions have to come from the two encoders of one model"
    several, rest = divmod(of_y[0], of_x[0])
    if rest == 0 and several > 1:
        return (
            f"; with {several} captions an image, one after the other, mg.measure and "
            f"mg.recall_at_k take owner=torch.arange({of_x[0]}).repeat_interleave({several})"
        )
    return "; leave out what has no partner, or say by owner= whose caption each row is"


def _flat(shape: Sequence[int], name: str) -> str:
    """What may repair a shape that is no matrix."""
    if len(shape) == 1:
        return "; one vector is no cloud: give the embeddings of several, a row each"
    if len(shape) == 3 and shape[0] == 2:
        return f"; a stack of images and captions is given as *{name}"
    if len(shape) == 3 and shape[1] == 1:
        return f"; {name}[:, 0] drops the axis of length one"
    return ""


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
        whole = found.is_floating_point() and found.numel() and found.equal(found.round())
        raise ValueError(
            "owner: expected a whole number for each caption, the row of its image"
            + ("; .astype(int) makes it of those that were read as others" if whole else "")
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


def columns_are_unit(x: Tensor) -> bool:
    """Whether every column has length one, as in an array that lies on its side."""
    if min(x.shape) < 2:
        return False
    with torch.no_grad():
        if abs(float(torch.linalg.vector_norm(x[:, 0])) - 1) > UNIT_TOLERANCE:
            return False  # which most are, at once
        squares = torch.zeros(x.shape[1], dtype=torch.float64, device=x.device)
        for _, rows in enumerate_blocks(x):
            squares += rows.double().square().sum(dim=0)
        return bool(((squares.sqrt() - 1).abs() <= UNIT_TOLERANCE).all())


def remedy(wrong: str, name: str, transposed: bool) -> str:
    """The line that repairs rows that are not unit, after what is wrong with one of them."""
    if transposed:
        return f"; all columns are unit instead: is this (D, N)? Then {name}.T"
    if wrong.startswith("has"):
        return f"; {name} = mg.normalize({name}) makes all rows unit"
    return "; leave out this row and its partner"


def complaint(row: Tensor, length: float) -> str:
    """What is wrong with a row of that length."""
    if row.isnan().any():
        return "holds a NaN"
    if row.isinf().any():
        return "holds an infinite value"
    if not row.any():
        return "is zero"
    return f"has length {length:.6g}"
