"""Unit vectors: alignment, uniformity and mean cosine."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from .checks import (
    check_matrix,
    check_pairs,
    check_positive,
    check_unit,
    complaint,
    enumerate_blocks,
)

# Rows per block of pairs. A pass over the pairs holds a few square blocks, of 36 MiB or more:
# smaller ones would come from the heap, which the results kept between them would leave full of
# holes.
PAIR_ROWS = 3072


def normalize(x: Tensor) -> Tensor:
    """Scale every row to unit length.

    Args:
        x: shape (N, D), float32 or float64, N >= 1.

    Returns:
        Shape (N, D), rows of length one in the same direction.

    Raises:
        ValueError: a row is zero or not finite, or `x` is not a floating matrix.
    """
    check_matrix(x, "x", min_rows=1)
    # Dividing by the largest entry first keeps the squares from overflowing or vanishing.
    largest = x.detach().abs().amax(dim=1, keepdim=True)
    good = torch.isfinite(largest) & (largest > 0)
    if not good.all():
        bad = int((~good).nonzero()[0, 0])
        raise ValueError(
            f"x: row {bad} {complaint(x[bad], 0.0)}; expected a finite row that is not zero"
        )
    scaled = x / largest
    return scaled / torch.linalg.vector_norm(scaled, dim=1, keepdim=True)


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
    """
    check_pairs(x, y)
    check_positive(alpha, "alpha")
    return torch.linalg.vector_norm(x - y, dim=1).pow(alpha).mean()


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
    """
    check_unit(x, "x")
    check_positive(t, "t")
    n, blocks, parts = len(x), x.split(PAIR_ROWS), []
    recompute = torch.is_grad_enabled() and x.requires_grad and len(blocks) > 1
    for i, rows in enumerate(blocks):
        for columns in blocks[i:]:
            diagonal = columns is rows
            if diagonal and len(rows) == 1:
                continue  # a last block of one row has no pair of its own
            if recompute:  # in the backward pass, instead of keeping the block
                part = checkpoint(_log_potential, rows, columns, t, diagonal, use_reentrant=False)
            else:
                part = _log_potential(rows, columns, t, diagonal)
            parts.append(part)
    total = torch.logsumexp(torch.stack(parts).double(), dim=0)
    return (total - math.log(n * (n - 1) / 2)).to(x.dtype)


def _log_potential(rows: Tensor, columns: Tensor, t: float, diagonal: bool) -> Tensor:
    """log sum exp(-t ||a - b||^2) over a block; on a diagonal block over its pairs i < j."""
    # -t ||a - b||^2 = (2 t a, -t ||a||^2, 1) . (b, 1, -t ||b||^2): one product and nothing else.
    left = [2 * t * rows, -t * (rows * rows).sum(dim=1, keepdim=True), rows.new_ones(len(rows), 1)]
    right = [columns, columns.new_ones(len(columns), 1), -t * (columns * columns).sum(1, True)]
    exponents = torch.cat(left, dim=1) @ torch.cat(right, dim=1).T
    if diagonal:
        exponents.fill_diagonal_(-torch.inf)
    largest = exponents.detach().max()
    # In place: a block as large as this costs more to allocate than to fill.
    total = exponents.sub_(largest).exp_().sum().log() + largest
    return total - math.log(2) if diagonal else total


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
    """
    check_unit(x, "x")
    return mean_cosine_unchecked(x).to(x.dtype)


def paired_cosine(x: Tensor, y: Tensor) -> Tensor:
    """Mean cosine similarity of the pairs (x_i, y_i).

    Args:
        x, y: unit rows, shape (N, D), N >= 2.

    Returns:
        Scalar in [-1, 1].

    Raises:
        ValueError: shapes differ, fewer than two rows, or a row is not of unit length.
    """
    check_pairs(x, y)
    return paired_cosine_unchecked(x, y).to(x.dtype)


def row_sums(x: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of the rows, shape (D,), and sum of their squared lengths, in float64 and one pass."""
    total = x.new_zeros(x.shape[1], dtype=torch.float64)
    squares = x.new_zeros((), dtype=torch.float64)
    for _, rows in enumerate_blocks(x):
        rows = rows.double()
        total = total + rows.sum(dim=0)
        squares = squares + rows.flatten() @ rows.flatten()
    return total, squares


def mean_cosine_unchecked(x: Tensor) -> Tensor:
    """`mean_cosine` in float64, for rows already known to be of unit length."""
    total, squares = row_sums(x)
    return (total @ total - squares) / (len(x) * (len(x) - 1))


def paired_cosine_unchecked(x: Tensor, y: Tensor) -> Tensor:
    """`paired_cosine` in float64, for rows already known to be of unit length."""
    total = x.new_zeros((), dtype=torch.float64)
    for start, rows in enumerate_blocks(x):
        partners = y[start : start + len(rows)]
        total = total + rows.double().flatten() @ partners.double().flatten()
    return total / len(x)
