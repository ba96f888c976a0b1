"""The modality gap: its vector, its sizes, what it does to retrieval and to the loss."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .checks import check_number, check_pairs, check_positive, check_sides, check_whole
from .landscape import Landscape
from .sphere import cosine_of_sums, normalize, row_sums
from .sums import Distances, PairSums

if TYPE_CHECKING:
    import pandas as pd

# Shifts among which the smallest loss is sought, before it is refined.
GRID = tuple(np.linspace(-0.5, 1, 76))


def gap_vector(x: Tensor, y: Tensor) -> Tensor:
    """Difference of the two means, Delta = mean(x) - mean(y).

    Args:
        x, y: unit rows, shapes (N, D) and (M, D), N, M >= 2; they need not be pairs.

    Returns:
        Shape (D,), of length at most 2. Not normalised.

    Raises:
        ValueError: widths differ, fewer than two rows, or a row is not of unit length.

    Source: Liang et al. (2022), section 4.1.

    >>> x, y = torch.eye(3), torch.eye(3).roll(1, 0)[:2]
    >>> mg.gap_vector(x, y)
    tensor([-0.1667,  0.3333, -0.1667])
    """
    check_sides(x, y)
    return _gap(x, y).to(x.dtype)


def l2m(x: Tensor, y: Tensor) -> Tensor:
    """Distance between the means, ||mean(x) - mean(y)||.

    Args:
        x, y: unit rows, shapes (N, D) and (M, D), N, M >= 2; they need not be pairs.

    Returns:
        Scalar in [0, 2].

    Raises:
        ValueError: widths differ, fewer than two rows, or a row is not of unit length.

    Source: Liang et al. (2022), section 4.1; named L2M by Schrodi et al. (2025).

    >>> x = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    >>> mg.l2m(x, -x)
    tensor(2.)
    """
    check_sides(x, y)
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

    >>> x = torch.eye(2)
    >>> mg.l2i(x, -x)
    tensor(2.)
    """
    check_pairs(x, y)
    total: Tensor = Distances.apply(x, y, 1.0)
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

    >>> x = torch.eye(4)
    >>> mg.rmg(x, x.roll(1, 0))  # pairs as far apart as strangers
    tensor(0.5000)
    """
    check_pairs(x, y)
    n = len(x)
    total_x, squares_x, total_y, squares_y, own = PairSums.apply(x, y)
    between = (1 - own / n) / 2
    cosines = cosine_of_sums(total_x, squares_x, n) + cosine_of_sums(total_y, squares_y, n)
    within = (1 - cosines / 2) / 2
    if between + within <= torch.finfo(x.dtype).eps:
        raise ValueError("x, y: all rows coincide; expected at least two different embeddings")
    # Rounding alone can leave the interval, by about 1e-7 in float32.
    return (between / (between + within)).clamp(0, 1).to(x.dtype)


def gap_share(x: Tensor, y: Tensor) -> Tensor:
    """Share of each dimension in the squared length of the gap vector.

    Args:
        x, y: unit rows, shapes (N, D) and (M, D), N, M >= 2; they need not be pairs.

    Returns:
        Shape (D,), not negative, summing to 1.

    Raises:
        ValueError: widths differ, fewer than two rows, a row is not of unit length, or the means
            coincide, so that there is nothing to share.

    Source: Schrodi et al. (2025), few dimensions carry the gap.

    >>> x = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    >>> mg.gap_share(x, x.roll(1, 1))
    tensor([0.5000, 0.5000, 0.0000])
    """
    check_sides(x, y)
    squares = _gap(x, y) ** 2
    if squares.sum() == 0:
        raise ValueError("x, y: the means coincide; expected a gap vector that is not zero")
    return (squares / squares.sum()).to(x.dtype)


def modality_separability(x: Tensor, y: Tensor, folds: int | None = None, seed: int = 0) -> float:
    """Cross-validated accuracy of a logistic regression that tells x from y.

    A pair is held out together, because who has seen an image with its label is misled about a
    caption like it; where x and y have different numbers of rows, there are no pairs to keep. An
    accuracy below one half says nothing of how much the modalities mix, and
    counts as one half. It is what means give that agree on the very rows they were taken of: the
    more of x lies on one side of the held-out rows, the more of it lies on the other side of the
    rest. After `closing` the number means something on other pairs than those of `fit` alone.

    Args:
        x, y: unit rows, shapes (N, D) and (M, D), N, M >= 2; if M = N, row i of x is paired with
            row i of y.
        folds: number of folds, from 2 to the smaller of N and M; None: 5, or that if it is less.
        seed: order in which the pairs are dealt to the folds.

    Returns:
        Accuracy on held-out rows, in [0.5, 1]: 1 when a hyperplane parts the modalities, 0.5 when
        they mix. Where N and M differ, the mean of the accuracies on both sides.

    Raises:
        ValueError: widths differ, fewer than two rows, a row is not of unit length, or folds or
            seed is out of range.

    >>> x, y = mg.load_embeddings("mini-clip-k3")
    >>> mg.modality_separability(x[:50], y[:50])
    0.82
    """
    check_sides(x, y)
    n = min(len(x), len(y))
    folds = min(5, n) if folds is None else check_whole(folds, "folds", 2, n, "N = ")
    return held_out_accuracy(x, y, folds, check_whole(seed, "seed", 0, 2**32 - 1))


def held_out_accuracy(x: Tensor, y: Tensor, folds: int, seed: int) -> float:
    """`modality_separability` of rows that are checked."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import KFold, cross_val_score

    rows = torch.cat([x, y]).detach().cpu().numpy()
    labels = np.repeat([0, 1], [len(x), len(y)])
    # Of equal numbers both deals are the same, so that a pair stays together.
    deals = [
        KFold(folds, shuffle=True, random_state=seed).split(np.arange(len(side))) for side in (x, y)
    ]
    splits = [
        [np.concatenate([a, b + len(x)]) for a, b in zip(of_x, of_y, strict=True)]
        for of_x, of_y in zip(*deals, strict=True)
    ]
    # Of unequal numbers both sides weigh as much, so that chance is one half.
    weight, scoring = (None, None) if len(x) == len(y) else ("balanced", "balanced_accuracy")
    model = LogisticRegression(C=100, max_iter=1000, class_weight=weight)
    scores = cross_val_score(model, rows, labels, cv=splits, scoring=scoring)
    return max(0.5, float(scores.mean()))


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

    >>> x = torch.tensor([[0.6, 0.8], [1.0, 0.0]])
    >>> a, b = mg.shift(x, x.flip(1), 0.5)  # halfway for both
    >>> mg.l2m(a, b) < mg.l2m(x, x.flip(1))
    tensor(True)
    """
    alpha = check_number(alpha, "alpha")
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
        ValueError: shapes differ, fewer than two rows, a row is not of unit length, a moved row is
            zero, a temperature is not above 0, nothing is given, or batch_size is out of range.

    Source: Liang et al. (2022), Fig. 3b-d.

    >>> x = mg.normalize(torch.tensor([[1.0, 2.0], [3.0, 4.0], [0.0, 1.0]]))
    >>> y = mg.normalize(torch.tensor([[2.0, 1.0], [1.0, 1.0], [-1.0, 1.0]]))
    >>> table = mg.loss_landscape(x, y, alphas=[0, 0.5], temperatures=[0.1])
    >>> table.loss.round(3).to_list()
    [0.766, 0.684]
    """
    shifts, taus = _grid(x, y, alphas, temperatures)
    landscape = Landscape(x, y, _batch(x, batch_size))
    points = list(itertools.product(shifts, taus))
    distances = landscape.distances(shifts).repeat(len(taus))
    return _table(points, distances, landscape.terms(points, progress=True))


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
        A row per temperature, with the columns of `loss_landscape`. alpha is exact to about 1e-6,
        unless it is an end of the grid, which a warning tells: the minimum may lie beyond.

    Raises:
        ValueError: as `loss_landscape`, or fewer than two alphas.

    >>> x, y = mg.load_embeddings("mini-clip-k3")
    >>> mg.loss_minimum(x[:100], y[:100], [0.05]).alpha.round(3).to_list()
    [0.119]
    """
    from scipy.optimize import minimize_scalar

    shifts, taus = _grid(x, y, alphas, temperatures)
    grid = sorted(set(shifts))
    if len(grid) < 2:
        raise ValueError(f"alphas: expected at least two different values, got {len(grid)}")
    landscape = Landscape(x, y, _batch(x, batch_size))
    points = list(itertools.product(grid, taus))
    losses = landscape.terms(points, progress=True)[:, 0].reshape(len(grid), len(taus))
    found = []
    for tau, curve in zip(taus, losses.T, strict=True):
        best = int(curve.argmin())
        refined = minimize_scalar(
            lambda alpha, tau: landscape.terms([(alpha, tau)])[0, 0],
            bounds=(grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]),
            args=(tau,),
            method="bounded",
            options={"xatol": 1e-7},
        )
        alpha = float(refined.x)
        if best in (0, len(grid) - 1) and curve[best] <= landscape.terms([(alpha, tau)])[0, 0]:
            alpha = grid[best]
            warnings.warn(
                f"alphas: at temperature {tau:g} the loss is smallest at the end of the grid, "
                f"{alpha:g}; the minimum may lie beyond it",
                stacklevel=2,
            )
        found.append((alpha, tau))
    distances = landscape.distances([alpha for alpha, _ in found])
    return _table(found, distances, landscape.terms(found))


def _grid(
    x: Tensor, y: Tensor, alphas: Iterable[float], temperatures: Iterable[float]
) -> tuple[list[float], list[float]]:
    """The checked numbers of a landscape, once x and y are checked."""
    check_pairs(x, y)
    lists = []
    for values, name, check in (
        (alphas, "alphas", check_number),
        (temperatures, "temperatures", check_positive),
    ):
        single = isinstance(values, str) or getattr(values, "ndim", 1) == 0
        if single or not isinstance(values, Iterable):
            raise ValueError(f"{name}: expected several numbers, got {values!r}")
        lists.append([check(value, name) for value in values])
        if not lists[-1]:
            raise ValueError(f"{name}: expected at least one number, got none")
    return lists[0], lists[1]


def _batch(x: Tensor, batch_size: int | None) -> int:
    if batch_size is None:
        return len(x)
    return check_whole(batch_size, "batch_size", 2, len(x), "N = ")


def _table(
    points: Sequence[tuple[float, float]],
    distances: NDArray[np.float64],
    terms: NDArray[np.float64],
) -> pd.DataFrame:
    import pandas as pd

    columns = (*zip(*points, strict=True), distances, *terms.T)
    names = ("alpha", "temperature", "distance", "loss", "numerator", "denominator")
    return pd.DataFrame(dict(zip(names, columns, strict=True)))


def _gap(x: Tensor, y: Tensor) -> Tensor:
    if len(x) == len(y):
        return (row_sums(x)[0] - row_sums(y)[0]) / len(x)
    return row_sums(x)[0] / len(x) - row_sums(y)[0] / len(y)
