"""The modality gap: its vector, its sizes, what it does to retrieval and to the loss."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .checks import check_pairs, check_positive, enumerate_blocks
from .contrastive import info_nce, info_nce_terms
from .sphere import mean_cosine_unchecked, normalize, paired_cosine_unchecked, row_sums

if TYPE_CHECKING:
    import pandas as pd

# Largest number of similarities held at once in retrieval: 16 MiB in float32.
SIMILARITIES = 2**22
# Shifts among which the smallest loss is sought, before it is refined.
GRID = tuple(np.linspace(-0.5, 1, 76))


def gap_vector(x: Tensor, y: Tensor) -> Tensor:
    """Difference of the two means, Delta = mean(x) - mean(y).

    Args:
        x, y: unit rows, shape (N, D), N >= 2.

    Returns:
        Shape (D,), of length at most 2. Not normalised.

    Raises:
        ValueError: shapes differ, fewer than two rows, or a row is not of unit length.

    Source: Liang et al. (2022), section 4.1.
    """
    check_pairs(x, y)
    return _gap(x, y).to(x.dtype)


def l2m(x: Tensor, y: Tensor) -> Tensor:
    """Distance between the means, ||mean(x) - mean(y)||.

    Args:
        x, y: unit rows, shape (N, D), N >= 2.

    Returns:
        Scalar in [0, 2].

    Raises:
        ValueError: shapes differ, fewer than two rows, or a row is not of unit length.

    Source: Liang et al. (2022), section 4.1; named L2M by Schrodi et al. (2025).
    """
    check_pairs(x, y)
    return torch.linalg.vector_norm(_gap(x, y)).to(x.dtype)


def l2i(x: Tensor, y: Tensor) -> Tensor:
    """Mean distance of the pairs, mean_i ||x_i - y_i||.

    Args:
        x, y: unit rows, shape (N, D), N >= 2; row i of x is paired with row i of y.

    Returns:
        Scalar in [0, 2], never below l2m(x, y).

    Raises:
        ValueError: shapes differ, fewer than two rows, or a row is not of unit length.

    Source: Schrodi et al. (2025).
    """
    check_pairs(x, y)
    total = x.new_zeros((), dtype=torch.float64)
    for start, rows in enumerate_blocks(x):
        difference = rows.double() - y[start : start + len(rows)].double()
        total = total + torch.linalg.vector_norm(difference, dim=1).sum()
    return (total / len(x)).to(x.dtype)


def rmg(x: Tensor, y: Tensor) -> Tensor:
    """Relative modality gap of paired embeddings.

    Mean distance of the pairs over that distance plus the mean distance within each modality,
    with d(a, b) = (1 - cos(a, b)) / 2, diagonals excluded. 0: pairs coincide; 1: each modality
    has collapsed.

    Args:
        x, y: unit rows, shape (N, D), N >= 2; row i of x is paired with row i of y.

    Returns:
        Scalar in [0, 1].

    Raises:
        ValueError: shapes differ, fewer than two rows, a row is not of unit length, or all rows of
            both modalities are one point, where the ratio is 0 / 0.

    Source: Schrodi et al. (2025), relative modality gap.
    """
    check_pairs(x, y)
    between = (1 - paired_cosine_unchecked(x, y)) / 2
    within = (1 - mean_cosine_unchecked(x)) / 4 + (1 - mean_cosine_unchecked(y)) / 4
    if between + within <= torch.finfo(x.dtype).eps:
        raise ValueError("x, y: all rows coincide; expected at least two different embeddings")
    # Rounding alone can leave the interval, by about 1e-7 in float32.
    return (between / (between + within)).clamp(0, 1).to(x.dtype)


def gap_share(x: Tensor, y: Tensor) -> Tensor:
    """Share of each dimension in the squared length of the gap vector.

    Args:
        x, y: unit rows, shape (N, D), N >= 2.

    Returns:
        Shape (D,), not negative, summing to 1.

    Raises:
        ValueError: shapes differ, fewer than two rows, a row is not of unit length, or the means
            coincide, so that there is nothing to share.

    Source: Schrodi et al. (2025), few dimensions carry the gap.
    """
    check_pairs(x, y)
    squares = _gap(x, y) ** 2
    if squares.sum() == 0:
        raise ValueError("x, y: the means coincide; expected a gap vector that is not zero")
    return (squares / squares.sum()).to(x.dtype)


def modality_separability(x: Tensor, y: Tensor, folds: int = 5, seed: int = 0) -> float:
    """Cross-validated accuracy of a logistic regression that tells x from y.

    Args:
        x, y: unit rows, shape (N, D), N >= 2.
        folds: number of folds, between 2 and N.
        seed: order in which the rows are dealt to the folds.

    Returns:
        Accuracy on held-out rows: 1 when a hyperplane parts the modalities, about 0.5 when they
        mix.

    Raises:
        ValueError: shapes differ, fewer than two rows, a row is not of unit length, or folds is
            out of range.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    check_pairs(x, y)
    if not 2 <= folds <= len(x):
        raise ValueError(f"folds: expected a whole number from 2 to N = {len(x)}, got {folds}")
    rows = torch.cat([x, y]).detach().cpu().numpy()
    labels = np.repeat([0, 1], len(x))
    splits = StratifiedKFold(folds, shuffle=True, random_state=seed)
    model = LogisticRegression(C=100, max_iter=1000)
    return float(cross_val_score(model, rows, labels, cv=splits).mean())


def recall_at_k(x: Tensor, y: Tensor, k: int = 1) -> tuple[float, float]:
    """Share of rows whose partner is among the k most similar rows of the other modality.

    Ties count by their chance under a random order, so collapsed embeddings score k / N.
    The similarities are made in blocks of rows.

    Args:
        x, y: unit rows, shape (N, D), N >= 2; row i of x is paired with row i of y.
        k: between 1 and N.

    Returns:
        (image to text, text to image), each in [0, 1].

    Raises:
        ValueError: shapes differ, fewer than two rows, a row is not of unit length, or k is out of
            range.
    """
    check_pairs(x, y)
    if not 1 <= k <= len(x):
        raise ValueError(f"k: expected a whole number from 1 to N = {len(x)}, got {k}")
    with torch.no_grad():
        return _recall(x, y, k), _recall(y, x, k)


def shift(x: Tensor, y: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Move both modalities along the raw gap: Norm(x - alpha Delta), Norm(y + alpha Delta).

    alpha = 0 changes nothing, alpha = 0.5 brings the two means together before the rows are
    normalised again, a negative alpha widens the gap. Liang et al.'s code moves each side by half
    of delta along the unit gap, so that delta = 2 alpha ||Delta||.

    Args:
        x, y: unit rows, shape (N, D), N >= 2.
        alpha: how far to move, in units of the gap.

    Returns:
        The moved pair, unit rows, each of shape (N, D).

    Raises:
        ValueError: shapes differ, fewer than two rows, a row is not of unit length, alpha is not
            finite, or a moved row is zero.

    Source: Liang et al. (2022), section 4.2.
    """
    if not math.isfinite(alpha):
        raise ValueError(f"alpha: expected a finite number, got {alpha}")
    delta = gap_vector(x, y)
    return normalize(x - alpha * delta), normalize(y + alpha * delta)


def loss_landscape(
    x: Tensor,
    y: Tensor,
    alphas: Iterable[float],
    temperatures: Iterable[float],
    batch_size: int | None = None,
) -> pd.DataFrame:
    """InfoNCE along the shift of both modalities, for several temperatures.

    Args:
        x, y: unit rows, shape (N, D), N >= 2; row i of x is paired with row i of y.
        alphas: shifts, see `shift`. The direction of the gap is that of the unmoved embeddings.
        temperatures: each > 0.
        batch_size: None takes all rows as one batch. A number from 2 to N takes the mean over
            consecutive whole batches and leaves a remainder out.

    Returns:
        A row per alpha and temperature: alpha, temperature, distance (between the means of all
        moved rows, negative once they have passed each other along the gap), loss (symmetric),
        numerator and denominator (image to text).

    Raises:
        ValueError: shapes differ, fewer than two rows, a row is not of unit length, a temperature
            is not above 0, or batch_size is out of range.

    Source: Liang et al. (2022), Fig. 3b-d.
    """
    import pandas as pd

    delta = gap_vector(x, y)
    size = len(x) if batch_size is None else batch_size
    if not 2 <= size <= len(x):
        raise ValueError(f"batch_size: expected None or 2 to N = {len(x)}, got {batch_size}")
    temperatures = list(temperatures)
    for temperature in temperatures:
        check_positive(temperature, "temperatures")
    batches = [slice(start, start + size) for start in range(0, len(x) - size + 1, size)]
    records = []
    for alpha in alphas:
        moved_x, moved_y = shift(x, y, alpha)
        moved_gap = gap_vector(moved_x, moved_y)
        distance = torch.linalg.vector_norm(moved_gap) * torch.sign(moved_gap @ delta)
        for temperature in temperatures:
            losses = [
                (
                    info_nce(moved_x[batch], moved_y[batch], temperature),
                    *info_nce_terms(moved_x[batch], moved_y[batch], temperature),
                )
                for batch in batches
            ]
            loss, numerator, denominator = np.mean(
                [[float(value) for value in row] for row in losses], axis=0
            )
            records.append(
                {
                    "alpha": float(alpha),
                    "temperature": float(temperature),
                    "distance": float(distance),
                    "loss": loss,
                    "numerator": numerator,
                    "denominator": denominator,
                }
            )
    return pd.DataFrame(records)


def loss_minimum(
    x: Tensor,
    y: Tensor,
    temperatures: Iterable[float],
    batch_size: int | None = None,
    alphas: Iterable[float] = GRID,
) -> pd.DataFrame:
    """Where along the shift InfoNCE is smallest: the best point of a grid, then refined.

    Args:
        x, y: unit rows, shape (N, D), N >= 2; row i of x is paired with row i of y.
        temperatures: each > 0.
        batch_size: as in `loss_landscape`.
        alphas: the grid, at least two; the minimum is sought between its ends.

    Returns:
        A row per temperature, with the columns of `loss_landscape`. alpha is exact to about 1e-6.

    Raises:
        ValueError: as `loss_landscape`, or fewer than two alphas.
    """
    import pandas as pd
    from scipy.optimize import minimize_scalar

    grid = np.unique(np.fromiter(alphas, float))
    if len(grid) < 2:
        raise ValueError(f"alphas: expected at least two different values, got {len(grid)}")
    temperatures = list(temperatures)
    landscape = loss_landscape(x, y, grid, temperatures, batch_size)
    rows = []
    for temperature in temperatures:
        losses = landscape.loss[landscape.temperature == temperature].to_numpy()
        best = int(losses.argmin())
        found = minimize_scalar(
            lambda alpha, tau: loss_landscape(x, y, [alpha], [tau], batch_size).loss[0],
            bounds=(grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]),
            args=(temperature,),
            method="bounded",
            options={"xatol": 1e-7},
        )
        rows.append(loss_landscape(x, y, [found.x], [temperature], batch_size))
    return pd.concat(rows, ignore_index=True)


def _gap(x: Tensor, y: Tensor) -> Tensor:
    return (row_sums(x)[0] - row_sums(y)[0]) / len(x)


def _recall(x: Tensor, y: Tensor, k: int) -> float:
    found = 0.0
    for start, rows in enumerate_blocks(x, max(1, SIMILARITIES // len(x))):
        # 1 where another row is more similar than the partner, 0 for a tie, -1 where it is less.
        similarity = rows @ y.T
        order = similarity.sub_(similarity.diagonal(start)[:, None].clone()).sign_()
        balance, decided = order.sum(dim=1), order.abs_().sum(dim=1)
        greater, equal = (decided + balance) / 2, len(x) - decided
        found += float(((k - greater) / equal).clamp(0, 1).double().sum())
    return found / len(x)
