"""Ways to close the gap of trained embeddings: each changes the two clouds, none trains anything.

A method is fitted on pairs and applied to other rows, which need not be pairs: a query, an index of
any size, prompts.

    method = Centring().fit(x, y)
    queries, index = method.transform(x=images), method.transform(y=texts)
"""

from __future__ import annotations

from typing import Literal, TypeAlias, overload

import torch
from torch import Tensor

from .checks import check_number, check_whole
from .fitted import Fitted, like, varies
from .gap import gap_share, gap_vector
from .sphere import normalize

Pair: TypeAlias = tuple[Tensor, Tensor]


class Method(Fitted):
    """What all methods have in common; `Method.load` reads a stored one of any kind."""

    @overload
    def transform(self, x: Tensor, y: Tensor) -> Pair: ...
    @overload
    def transform(self, x: Tensor) -> Tensor: ...
    @overload
    def transform(self, *, y: Tensor) -> Tensor: ...
    def transform(self, x: Tensor | None = None, y: Tensor | None = None) -> Tensor | Pair:
        """Change images, texts, or both; no row depends on the others.

        Args:
            x: unit rows of images, shape (N, D), N >= 1, or None.
            y: unit rows of texts, shape (M, D), M >= 1, or None.

        Returns:
            The changed images or texts, or a pair of both: unit rows, shapes as they were.

        Raises:
            NotFittedError: `fit` was not called.
            ValueError: nothing is given, a row is not of unit length or not as wide as those of
                the fit, or a changed row is zero.
        """
        changed = []
        for rows, name, change in ((x, "x", self._images), (y, "y", self._texts)):
            if rows is not None:
                self._check_rows(rows, name)
                changed.append(change(rows))
        if not changed:
            raise ValueError("x, y: expected images, texts or both, got neither")
        return changed[0] if len(changed) == 1 else (changed[0], changed[1])

    def fit_transform(self, x: Tensor, y: Tensor) -> Pair:
        """`fit`, then `transform` the same pairs."""
        return self.fit(x, y).transform(x, y)

    def _images(self, x: Tensor) -> Tensor:
        return x

    def _texts(self, y: Tensor) -> Tensor:
        return y


class Nothing(Method):
    """Do nothing: what every other method is compared with. Needs no fit."""

    needs_fit = False


class Centring(Method):
    """Take off each modality's mean: Norm(x - mean_x), Norm(y - mean_y).

    Source: Zhang et al. (2024); Li et al. (2025, GR-CLIP).
    """

    mean_x_: Tensor
    mean_y_: Tensor

    def _learn(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        return {"mean_x_": x.mean(dim=0), "mean_y_": y.mean(dim=0)}

    def _images(self, x: Tensor) -> Tensor:
        return normalize(x - like(self.mean_x_, x))

    def _texts(self, y: Tensor) -> Tensor:
        return normalize(y - like(self.mean_y_, y))


class Standardisation(Centring):
    """Standardise each modality by column: Norm((x - mean_x) / deviation_x), the same for y.

    `fit` raises ValueError where a column is constant.

    Source: An et al. (2025, I0T).
    """

    deviation_x_: Tensor
    deviation_y_: Tensor

    def _learn(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        deviations = {"deviation_x_": _deviation(x, "x"), "deviation_y_": _deviation(y, "y")}
        return super()._learn(x, y) | deviations

    def _images(self, x: Tensor) -> Tensor:
        return normalize((x - like(self.mean_x_, x)) / like(self.deviation_x_, x))

    def _texts(self, y: Tensor) -> Tensor:
        return normalize((y - like(self.mean_y_, y)) / like(self.deviation_y_, y))


class Whitening(Centring):
    """Whiten each modality: Norm((x - mean_x) S_x^(-1/2)), the same for y.

    S is the shrunk covariance of Ledoit and Wolf, which can be inverted with fewer pairs than
    dimensions, and the square root is the symmetric one, which turns rows least.

    Source: Ledoit & Wolf (2004) for the covariance.
    """

    factor_x_: Tensor
    factor_y_: Tensor

    def _learn(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        return super()._learn(x, y) | {"factor_x_": _whitener(x), "factor_y_": _whitener(y)}

    def _images(self, x: Tensor) -> Tensor:
        return normalize((x - like(self.mean_x_, x)) @ like(self.factor_x_, x))

    def _texts(self, y: Tensor) -> Tensor:
        return normalize((y - like(self.mean_y_, y)) @ like(self.factor_y_, y))


class Rotation(Method):
    """Rotate the images onto the texts: x W with W = U V^T, from X^T Y = U S V^T of the fit.

    W is the orthogonal matrix with the least sum of squares ||X W - Y||^2 (orthogonal Procrustes);
    it may include a reflection. With fewer pairs than dimensions many W are equally good, and the
    one nearest to the identity is taken. The texts stay.

    Source: Schoenemann (1966); as a start of training, Liang et al. (2022), section 4.4.
    """

    turn_: Tensor

    def _learn(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        products = x.T @ y
        u, _, vt = torch.linalg.svd(products)
        fitted = int(torch.linalg.matrix_rank(products))
        open_x, open_y = u[:, fitted:], vt[fitted:]  # what the pairs say nothing about
        p, _, q = torch.linalg.svd(open_x.T @ open_y.T)
        return {"turn_": u[:, :fitted] @ vt[:fitted] + open_x @ p @ q @ open_y}

    def _images(self, x: Tensor) -> Tensor:
        return normalize(x @ like(self.turn_, x))


class FewerDimensions(Method):
    """Set the dimensions with the largest share of the gap to zero in both modalities.

    Args:
        count: how many, 0 to D - 1.

    `fit` raises ValueError where count is out of range or the means coincide.

    Source: Schrodi et al. (2025).
    """

    kept_: Tensor

    def __init__(self, count: int = 3) -> None:
        self.count = count

    def _learn(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        count = check_whole(self.count, "count", 0, x.shape[1] - 1, "D - 1 = ")
        kept = torch.ones_like(x[0])
        kept[gap_share(x, y).argsort(descending=True)[:count]] = 0
        return {"kept_": kept}

    def _images(self, x: Tensor) -> Tensor:
        return normalize(x * like(self.kept_, x))

    def _texts(self, y: Tensor) -> Tensor:
        return normalize(y * like(self.kept_, y))


class Translation(Method):
    """Move both along the gap of the fit: Norm(x - alpha Delta), Norm(y + alpha Delta).

    On the pairs of the fit this is `shift`.

    Args:
        alpha: how far, in units of the gap; at 1/2 the means meet before rows are normalised.

    Source: Liang et al. (2022), section 4.2.
    """

    gap_: Tensor

    def __init__(self, alpha: float = 0.5) -> None:
        self.alpha = alpha

    def _learn(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        check_number(self.alpha, "alpha")
        return {"gap_": gap_vector(x, y)}

    def _images(self, x: Tensor) -> Tensor:
        return normalize(x - self.alpha * like(self.gap_, x))

    def _texts(self, y: Tensor) -> Tensor:
        return normalize(y + self.alpha * like(self.gap_, y))


class OneSidedTranslation(Method):
    """Move the queries along that part of the gap that the retrieved side does not use.

    Norm(x - D) for images that look for texts, where D is the gap less its projection on the first
    directions of the texts of the fit; texts stay. The other way round where images are retrieved.
    Cosines with retrieved rows that lie in these directions change by one factor for a query, so
    that the order of its list stays.

    Args:
        retrieved: "text" or "image".
        directions: how many of the retrieved side, by singular values, its mean included; all that
            the fit has if these are fewer.

    Source: Chowers et al. (2026).
    """

    step_: Tensor

    def __init__(self, retrieved: Literal["image", "text"] = "text", directions: int = 50) -> None:
        self.retrieved = retrieved
        self.directions = directions

    def _learn(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        if self.retrieved not in ("image", "text"):
            raise ValueError(f"retrieved: expected 'image' or 'text', got {self.retrieved!r}")
        count = check_whole(self.directions, "directions", 0, x.shape[1], "D = ")
        queries, index = (x, y) if self.retrieved == "text" else (y, x)
        used = torch.linalg.svd(index, full_matrices=False).Vh[:count]
        gap = gap_vector(queries, index)
        return {"step_": gap - used.T @ (used @ gap)}

    def _images(self, x: Tensor) -> Tensor:
        return normalize(x - like(self.step_, x)) if self.retrieved == "text" else x

    def _texts(self, y: Tensor) -> Tensor:
        return normalize(y - like(self.step_, y)) if self.retrieved == "image" else y


METHODS: dict[str, type[Method]] = {
    "nothing": Nothing,
    "centring": Centring,
    "standardisation": Standardisation,
    "rotation": Rotation,
    "fewer dimensions": FewerDimensions,
    "translation": Translation,
}


def _deviation(rows: Tensor, name: str) -> Tensor:
    deviation = rows.std(dim=0)
    constant = ~varies(deviation, rows.dtype)
    if constant.any():
        raise ValueError(
            f"{name}: column {int(constant.nonzero()[0])} is the same in every row of the fit; "
            "expected columns that vary"
        )
    return deviation


def _whitener(rows: Tensor) -> Tensor:
    from sklearn.covariance import ledoit_wolf

    covariance = torch.from_numpy(ledoit_wolf(rows.double().cpu().numpy())[0])
    values, vectors = torch.linalg.eigh(covariance)
    return (vectors / values.sqrt() @ vectors.T).to(rows)
