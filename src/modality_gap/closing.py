"""Ways to close the gap of trained embeddings: each changes the two clouds, none trains anything.

Every function takes images x and texts y, learns what it needs from pairs `fit`, and gives both
changed, rows normalised again. With `fit`, x and y need not be pairs: prompts are texts, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from .checks import check_pairs, check_unit
from .gap import gap_share, gap_vector
from .sphere import normalize

Pair: TypeAlias = tuple[Tensor, Tensor]
Method: TypeAlias = Callable[[Tensor, Tensor, Pair | None], Pair]


def keep(x: Tensor, y: Tensor, fit: Pair | None = None) -> Pair:
    """Do nothing: what every other method is compared with.

    Args, returns and raises as in `centre`.
    """
    _fit(x, y, fit)
    return x, y


def centre(x: Tensor, y: Tensor, fit: Pair | None = None) -> Pair:
    """Take off each modality's mean: Norm(x - mean_x), Norm(y - mean_y).

    Args:
        x: unit rows of images, shape (N, D), N >= 2.
        y: unit rows of texts, shape (M, D), M >= 2; M = N without `fit`.
        fit: pairs (images, texts), unit rows of one shape (P, D), that the means are taken of; x
            and y themselves if None.

    Returns:
        Changed images and texts, unit rows, shapes as they were.

    Raises:
        ValueError: a row is not of unit length, shapes do not fit, or a changed row is zero.

    Source: Zhang et al. (2024); Li et al. (2025, GR-CLIP).
    """
    a, b = _fit(x, y, fit)
    return normalize(x - a.mean(dim=0)), normalize(y - b.mean(dim=0))


def standardise(x: Tensor, y: Tensor, fit: Pair | None = None) -> Pair:
    """Standardise each modality by column: Norm((x - mean_x) / sd_x), the same for y.

    Args, returns and raises as in `centre`; and ValueError where a column of `fit` is constant.

    Source: An et al. (2025, I0T).
    """
    a, b = _fit(x, y, fit)
    return _standardise(x, a, "x"), _standardise(y, b, "y")


def rotate(x: Tensor, y: Tensor, fit: Pair | None = None) -> Pair:
    """Rotate the images onto the texts: x W with W = U V^T, from X^T Y = U S V^T of the fit.

    W is the orthogonal matrix with the least sum of squares ||X W - Y||^2 (orthogonal Procrustes);
    it may include a reflection. With fewer pairs than dimensions many W are equally good, and the
    one nearest to the identity is taken. The texts stay.

    Args, returns and raises as in `centre`.

    Source: Schoenemann (1966); as a start of training, Liang et al. (2022), section 4.4.
    """
    a, b = _fit(x, y, fit)
    products = a.T @ b
    u, _, vt = torch.linalg.svd(products)
    fitted = int(torch.linalg.matrix_rank(products))
    open_x, open_y = u[:, fitted:], vt[fitted:]  # what the pairs say nothing about
    p, _, q = torch.linalg.svd(open_x.T @ open_y.T)
    turn = u[:, :fitted] @ vt[:fitted] + open_x @ p @ q @ open_y
    return normalize(x @ turn), y


def drop_dimensions(x: Tensor, y: Tensor, fit: Pair | None = None, count: int = 3) -> Pair:
    """Set the dimensions with the largest share of the gap to zero in both modalities.

    Args:
        x, y, fit: as in `centre`.
        count: how many, 0 to D - 1.

    Returns:
        Changed images and texts, unit rows, shapes as they were.

    Raises:
        ValueError: as `centre`; count out of range; or the means of the fit coincide.

    Source: Schrodi et al. (2025).
    """
    a, b = _fit(x, y, fit)
    if not 0 <= count < x.shape[1]:
        raise ValueError(f"count: expected 0 to D - 1 = {x.shape[1] - 1}, got {count}")
    kept = torch.ones_like(x[0])
    kept[gap_share(a, b).argsort(descending=True)[:count]] = 0
    return normalize(x * kept), normalize(y * kept)


def translate(x: Tensor, y: Tensor, fit: Pair | None = None, alpha: float = 0.5) -> Pair:
    """Move both along the gap of the fit: Norm(x - alpha Delta), Norm(y + alpha Delta).

    Without `fit` this is `shift`.

    Args:
        x, y, fit: as in `centre`.
        alpha: how far, in units of the gap; at 1/2 the means meet before rows are normalised.

    Returns:
        Changed images and texts, unit rows, shapes as they were.

    Raises:
        ValueError: as `centre`, or alpha is not finite.

    Source: Liang et al. (2022), section 4.2; Chowers et al. (2026).
    """
    a, b = _fit(x, y, fit)
    if not math.isfinite(alpha):
        raise ValueError(f"alpha: expected a finite number, got {alpha}")
    delta = gap_vector(a, b)
    return normalize(x - alpha * delta), normalize(y + alpha * delta)


METHODS: dict[str, Method] = {
    "nothing": keep,
    "centring": centre,
    "standardisation": standardise,
    "rotation": rotate,
    "fewer dimensions": drop_dimensions,
    "translation": translate,
}


def _fit(x: Tensor, y: Tensor, fit: Pair | None) -> Pair:
    """The pairs to learn from, after all checks."""
    if fit is None:
        check_pairs(x, y)
        return x, y
    try:
        check_pairs(*fit)
    except ValueError as error:
        raise ValueError(f"fit: {error}") from error
    for rows, name in ((x, "x"), (y, "y")):
        check_unit(rows, name)
        if (rows.shape[1], rows.dtype) != (fit[0].shape[1], fit[0].dtype):
            raise ValueError(
                f"{name}: expected {fit[0].shape[1]} columns of {fit[0].dtype} like fit, "
                f"got {rows.shape[1]} of {rows.dtype}"
            )
    return fit


def _standardise(rows: Tensor, fit: Tensor, name: str) -> Tensor:
    deviation = fit.std(dim=0)
    constant = deviation <= torch.finfo(fit.dtype).eps
    if constant.any():
        raise ValueError(
            f"{name}: column {int(constant.nonzero()[0])} is the same in every row of the fit; "
            "expected columns that vary"
        )
    return normalize((rows - fit.mean(dim=0)) / deviation)
