"""What embeddings keep of the factors behind an image: object bias."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .checks import check_unit
from .sums import ClassSquares

Labels: TypeAlias = Tensor | NDArray[Any]


def similarity_difference(x: Tensor, labels: Labels) -> Tensor:
    """How much closer embeddings are that share a label.

    Mean cosine over all pairs i != j of equal labels, minus that over all pairs of different
    labels. With the sum s_c of the rows of class c, the pairs within it have the summed cosine
    ||s_c||^2 - n_c, so no pair is ever formed: O(N D).

    Args:
        x: unit rows, shape (N, D).
        labels: integers, a tensor or an array of shape (N,), with at least two classes and one
            class of two rows.

    Returns:
        Scalar in [-2, 2]. Differentiable in x.

    Raises:
        ValueError: a row is not of unit length, the labels are no integers or not as many as rows,
            or there is no pair of equal or no pair of different labels.

    Source: Schrodi et al. (2025), the parts of MOAD.

    >>> x = torch.eye(3)[[0, 0, 1, 1]]
    >>> mg.similarity_difference(x, torch.tensor([0, 0, 1, 1]))
    tensor(1.)
    """
    check_unit(x, "x")
    found = _labels(labels, x, "labels")
    _check_labels(found, x.shape[:1], "labels")
    return _differences(x, {"labels": found})[0].to(x.dtype)


def moad(x: Tensor, object_labels: Labels, attribute_labels: Labels) -> Tensor:
    """Modality object attribute difference: how much more embeddings say of object than attributes.

    `similarity_difference` of the object, minus its mean over the attributes. 0: no bias;
    positive: a bias towards the object.

    Args:
        x: unit rows of one modality, shape (N, D).
        object_labels: integers, shape (N,).
        attribute_labels: integers, shape (N, A), a column for each attribute.

    Returns:
        Scalar. Differentiable in x.

    Raises:
        ValueError: as `similarity_difference`, or attribute_labels is not of shape (N, A), A >= 1.

    Source: Schrodi et al. (2025), MOAD. All pairs i != j count.

    >>> x = torch.eye(3)[[0, 0, 1, 1]]
    >>> mg.moad(x, torch.tensor([0, 0, 1, 1]), torch.tensor([[0], [1], [0], [1]]))
    tensor(1.5000)
    """
    check_unit(x, "x")
    objects = _labels(object_labels, x, "object_labels")
    attributes = _labels(attribute_labels, x, "attribute_labels")
    _check_labels(objects, x.shape[:1], "object_labels")
    if attributes.ndim != 2:
        raise ValueError("attribute_labels: expected a torch.Tensor of shape (N, A)")
    count = max(1, attributes.shape[1])
    _check_labels(attributes, (len(x), count), "attribute_labels")
    found = _differences(
        x,
        {"object_labels": objects}
        | {f"attribute_labels, column {i}": part for i, part in enumerate(attributes.T)},
    )
    return (found[0] - found[1:].mean()).to(x.dtype)


def _differences(x: Tensor, labels: dict[str, Tensor]) -> Tensor:
    """`similarity_difference` for each set of labels, by its name; in float64."""
    every = torch.zeros_like(next(iter(labels.values())))  # all rows are of one class
    places, same_pairs = [every], []
    for name, own in labels.items():
        place, counts = own.unique(return_inverse=True, return_counts=True)[1:]
        same_pairs.append((counts * (counts - 1)).sum())
        if not 0 < same_pairs[-1] < len(x) * (len(x) - 1):
            raise ValueError(f"{name}: expected at least two classes, and two rows in one of them")
        places.append(place)
    squares, total, *within = ClassSquares.apply(x, torch.stack(places).long())
    pairs, own = torch.stack(same_pairs), torch.stack(within)
    return (own - squares) / pairs - (total - own) / (len(x) * (len(x) - 1) - pairs)


def _labels(labels: Labels, x: Tensor, name: str) -> Tensor:
    """Labels as a tensor; data sets give arrays."""
    if isinstance(labels, np.ndarray) and labels.dtype.kind in "iu":
        return torch.from_numpy(labels.astype(np.int64)).to(x.device)
    if not isinstance(labels, Tensor):
        raise ValueError(
            f"{name}: expected a torch.Tensor or an array of integers, got "
            f"{type(labels).__name__}; torch.as_tensor makes one"
        )
    return labels


def _check_labels(labels: Tensor, shape: tuple[int, ...], name: str) -> None:
    if labels.is_floating_point() or labels.is_complex():
        raise ValueError(f"{name}: expected integers, got {labels.dtype}")
    if labels.shape != shape:
        raise ValueError(f"{name}: expected shape {tuple(shape)}, got {tuple(labels.shape)}")
