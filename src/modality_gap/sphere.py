"""Unit vectors: alignment, uniformity and mean cosine."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from torch import Tensor

from .checks import (
    HALVES,
    UNIT_TOLERANCE,
    check_matrix,
    check_pairs,
    check_positive,
    check_unit,
    columns_are_unit,
    complaint,
    enumerate_blocks,
)
from .door import as_tensor
from .sums import Distances, LogPotential, PairSums, RowSums, UnitRows


def normalize(x: Any) -> Tensor:  # noqa: ANN401
    """Scale every row to unit length.

    Args:
        x: shape (N, D), N >= 1, floating: a tensor, an array, a data frame, or anything else that
            holds numbers. A warning tells if it seems to be (D, N).

    Returns:
        A tensor of shape (N, D), rows of length one in the same direction; in the type of x, but
        float32 of half precision. Differentiable.

    Raises:
        ValueError: a row is zero or not finite, or `x` is not a floating matrix.

    >>> mg.normalize(np.array([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]], dtype=torch.float64)
    """
    if not isinstance(x, Tensor):
        x = as_tensor(x, "x")
    if x.dtype in HALVES:
        x = x.float()
    check_matrix(x, "x", min_rows=1)
    for start, rows in enumerate_blocks(x.detach()):
        largest = torch.maximum(rows.amax(dim=1), -rows.amin(dim=1))
        good = torch.isfinite(largest) & (largest > 0)
        if not good.all():
            bad = int((~good).nonzero()[0])
            raise ValueError(
                f"x: row {start + bad} {complaint(rows[bad], 0.0)}; expected a finite row that "
                "is not zero; leave out this row and its partner"
            )
    if columns_are_unit(x.detach()) and not _rows_are_unit(x.detach()):
        warnings.warn(
            "x: all columns are of length one, and the rows are not: is this (D, N)? Then "
            "mg.normalize(x.T)",
            stacklevel=2,
        )
    unit: Tensor = UnitRows.apply(x)
    return unit


def alignment(x: Tensor, y: Tensor, alpha: float = 2) -> Tensor:
    """Mean distance of positive pairs, raised to a power: E ||x_i - y_i||^alpha.

    Args:
        x, y: unit rows, shape (N, D), N >= 2; row i of x is paired with row i of y.
        alpha: exponent, above 0.

    Returns:
        Scalar in [0, 2^alpha]; 0 when all pairs coincide. Differentiable.

    Raises:
        ValueError: shapes differ, fewer than two rows, a row is not of unit length, alpha <= 0.

    Source: Wang & Isola (2020), section 4.1.

    >>> x = torch.eye(3)
    >>> mg.alignment(x, x.roll(1, 0))  # orthogonal pairs
    tensor(2.)
    """
    check_pairs(x, y)
    total: Tensor = Distances.apply(x, y, check_positive(alpha, "alpha"))
    return (total / len(x)).to(x.dtype)


def uniformity(x: Tensor, t: float = 2) -> Tensor:
    """Logarithm of the mean Gaussian potential of all pairs i < j: log E exp(-t ||x_i - x_j||^2).

    Exact at any N: the pairs are visited in blocks, so memory does not grow with N^2, forward or
    backward.

    Args:
        x: unit rows, shape (N, D), N >= 2.
        t: sharpness of the potential, above 0.

    Returns:
        Scalar <= 0; 0 when all rows coincide, more negative when they spread. Differentiable.

    Raises:
        ValueError: fewer than two rows, a row is not of unit length, t <= 0.

    Source: Wang & Isola (2020), section 4.1.

    >>> mg.uniformity(torch.eye(3))  # all squared distances are 2
    tensor(-4.)
    """
    check_unit(x, "x")
    total: Tensor = LogPotential.apply(x, check_positive(t, "t"))
    return (total - math.log(len(x) * (len(x) - 1) / 2)).to(x.dtype)


def mean_cosine(x: Tensor) -> Tensor:
    """Mean cosine similarity over all pairs i != j, the diagonal excluded.

    One pass: the sum over all pairs is ||sum_i x_i||^2, from which the diagonal is subtracted.

    Args:
        x: unit rows, shape (N, D), N >= 2.

    Returns:
        Scalar in [-1/(N-1), 1].

    Raises:
        ValueError: fewer than two rows, or a row is not of unit length.

    Source: Liang et al. (2022), section 2 (cone effect, Fig. 2a).

    >>> mg.mean_cosine(torch.eye(3))
    tensor(0.)
    """
    check_unit(x, "x")
    return cosine_of_sums(*row_sums(x), len(x)).to(x.dtype)


def paired_cosine(x: Tensor, y: Tensor) -> Tensor:
    """Mean cosine similarity of the pairs (x_i, y_i).

    Args:
        x, y: unit rows, shape (N, D), N >= 2.

    Returns:
        Scalar in [-1, 1].

    Raises:
        ValueError: shapes differ, fewer than two rows, or a row is not of unit length.

    >>> x = mg.normalize(torch.tensor([[1.0, 2.0], [3.0, 4.0], [0.0, 1.0]]))
    >>> y = mg.normalize(torch.tensor([[2.0, 1.0], [1.0, 1.0], [-1.0, 1.0]]))
    >>> mg.paired_cosine(x, y)
    tensor(0.8324)
    """
    check_pairs(x, y)
    own: Tensor = PairSums.apply(x, y)[-1]
    return (own / len(x)).to(x.dtype)


def _rows_are_unit(x: Tensor) -> bool:
    return bool(((torch.linalg.vector_norm(x, dim=1) - 1).abs() <= UNIT_TOLERANCE).all())


def row_sums(x: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of the rows, shape (D,), and sum of their squared lengths, in float64 and one pass."""
    total, squares = RowSums.apply(x)
    return total, squares


def cosine_of_sums(total: Tensor, squares: Tensor, n: int) -> Tensor:
    """Mean cosine of all pairs i != j, from the `row_sums` of n unit rows."""
    return (total @ total - squares) / (n * (n - 1))
