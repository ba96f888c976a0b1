import itertools

import pytest
import torch
from hypothesis import given
from torch import Tensor

import modality_gap as mg
from helpers import SEEDS, rotation, unit_rows
from modality_gap.information import moad, similarity_difference


def plain_difference(x: Tensor, labels: Tensor) -> Tensor:
    """Every pair, one matrix."""
    cosine, same = x @ x.T, labels[:, None] == labels[None, :]
    others = ~torch.eye(len(x), dtype=torch.bool)
    return cosine[same & others].mean() - cosine[~same].mean()


def factorial(*sizes: int) -> Tensor:
    """Every combination of factor values once, shape (N, factors)."""
    return torch.tensor(list(itertools.product(*(range(size) for size in sizes))))


@given(seed=SEEDS)
def test_difference_is_the_plain_one(seed: int) -> None:
    x = unit_rows(40, 5, seed)
    labels = torch.randint(0, 4, (40,), generator=torch.Generator().manual_seed(seed))
    expected = plain_difference(x, labels)
    torch.testing.assert_close(similarity_difference(x, labels), expected, rtol=0, atol=1e-12)


@given(seed=SEEDS)
def test_moad_ignores_rotation_order_and_names(seed: int) -> None:
    x, labels = unit_rows(60, 6, seed), factorial(5, 2, 3, 2)
    expected = moad(x, labels[:, 0], labels[:, 1:])
    order = torch.randperm(60, generator=torch.Generator().manual_seed(seed))
    for value in (
        moad(x @ rotation(6, seed), labels[:, 0], labels[:, 1:]),
        moad(x[order], labels[order, 0], labels[order, 1:]),
        moad(x, 7 - 3 * labels[:, 0], labels[:, 1:] + 10),
    ):
        torch.testing.assert_close(value, expected, rtol=0, atol=1e-12)


def test_embeddings_of_the_object_alone() -> None:
    """One-hot objects: 1 for the object; for an attribute, what the excluded diagonal leaves.

    With 4 objects and 2 x 2 attributes, of the 16 x 7 pairs of equal attribute 16 share the
    object, of the 16 x 8 pairs of different attribute 32 do: 1/7 - 1/4 each.
    """
    labels = factorial(4, 2, 2)
    x = torch.nn.functional.one_hot(labels[:, 0], 4).double()
    assert moad(x, labels[:, 0], labels[:, 1:]) == pytest.approx(1 - (1 / 7 - 1 / 4))
    assert moad(x, labels[:, 1], labels[:, [0]]) == pytest.approx(1 / 7 - 1 / 4 - 1)


def test_no_bias_where_all_factors_weigh_the_same() -> None:
    labels = factorial(3, 3, 3)
    parts = [torch.nn.functional.one_hot(column, 3).double() for column in labels.T]
    assert moad(mg.normalize(torch.cat(parts, dim=1)), labels[:, 0], labels[:, 1:]) == (
        pytest.approx(0, abs=1e-12)
    )


@pytest.mark.parametrize("labels", [torch.zeros(8), torch.arange(8), torch.zeros(7)])
def test_labels_that_compare_nothing(labels: Tensor) -> None:
    with pytest.raises(ValueError, match="labels"):
        similarity_difference(unit_rows(8, 3), labels)


def test_attributes_need_columns() -> None:
    with pytest.raises(ValueError, match="attribute_labels"):
        moad(unit_rows(8, 3), torch.arange(8) % 2, torch.arange(8) % 2)
