"""What embeddings keep of the factors behind an image: object bias."""

from __future__ import annotations

import torch
from torch import Tensor

from .sphere import check_unit


def similarity_difference(x: Tensor, labels: Tensor) -> Tensor:
    """How much closer embeddings are that share a label.

    Mean cosine over all pairs i != j of equal labels, minus that over all pairs of different
    labels. With the sum s_c of the rows of class c, the pairs within it have the summed cosine
    ||s_c||^2 - n_c, so no pair is ever formed: O(N D).

    Args:
        x: unit rows, shape (N, D).
        labels: integers, shape (N,), with at least two classes and one class of two rows.

    Returns:
        Scalar in [-2, 2].

    Raises:
        ValueError: a row is not of unit length, the lengths differ, or there is no pair of equal
            or no pair of different labels.

    Source: Schrodi et al. (2025), the parts of MOAD.
    """
    check_unit(x, "x")
    if labels.shape != x.shape[:1]:
        raise ValueError(f"labels: expected shape ({len(x)},), got {tuple(labels.shape)}")
    classes, place, counts = labels.unique(return_inverse=True, return_counts=True)
    sums = x.new_zeros(len(classes), x.shape[1], dtype=torch.float64)
    sums.index_add_(0, place, x.double())
    rows = x.double().square().sum()
    same_pairs = (counts * (counts - 1)).sum()
    different_pairs = len(x) * (len(x) - 1) - same_pairs
    if same_pairs == 0 or different_pairs == 0:
        raise ValueError("labels: expected at least two classes, and two rows in one of them")
    same = sums.square().sum() - rows
    different = sums.sum(dim=0).square().sum() - rows - same
    return (same / same_pairs - different / different_pairs).to(x.dtype)


def moad(x: Tensor, object_labels: Tensor, attribute_labels: Tensor) -> Tensor:
    """Modality object attribute difference: how much more embeddings say of object than attributes.

    `similarity_difference` of the object, minus its mean over the attributes. 0: no bias;
    positive: a bias towards the object.

    Args:
        x: unit rows of one modality, shape (N, D).
        object_labels: integers, shape (N,).
        attribute_labels: integers, shape (N, A), a column for each attribute.

    Returns:
        Scalar.

    Raises:
        ValueError: as `similarity_difference`, or attribute_labels is not of shape (N, A), A >= 1.

    Source: Schrodi et al. (2025), MOAD. All pairs i != j count.
    """
    if attribute_labels.ndim != 2 or attribute_labels.shape[1] == 0:
        raise ValueError(
            f"attribute_labels: expected shape (N, A), got {tuple(attribute_labels.shape)}"
        )
    attributes = [similarity_difference(x, labels) for labels in attribute_labels.T]
    return similarity_difference(x, object_labels) - torch.stack(attributes).mean()
