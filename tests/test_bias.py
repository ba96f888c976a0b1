import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from torch import Tensor

import modality_gap as mg
from helpers import SEEDS, rotation, unit_rows
from modality_gap.bias import moad, similarity_difference
from modality_gap.lab import mad
from modality_gap.lab.mad.information import caption_information


def plain_difference(x: Tensor, labels: Tensor) -> Tensor:
    """Every pair, one matrix."""
    cosine, same = x @ x.T, labels[:, None] == labels[None, :]
    others = ~torch.eye(len(x), dtype=torch.bool)
    return cosine[same & others].mean() - cosine[~same].mean()


def plain_moad(x: Tensor, labels: Tensor) -> Tensor:
    """Of the first column against the mean of the others."""
    differences = torch.stack([plain_difference(x, column) for column in labels.T])
    return differences[0] - differences[1:].mean()


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


def one_hot(column: Tensor) -> Tensor:
    return torch.nn.functional.one_hot(column).double()


@pytest.mark.parametrize(("m", "v", "attributes"), [(4, 2, 2), (10, 3, 1), (3, 4, 3)])
def test_embeddings_of_the_object_alone(m: int, v: int, attributes: int) -> None:
    """One-hot objects: 1 for the object; for an attribute, what the excluded diagonal leaves.

    In a full design of N rows an image has N/v - 1 others of its attribute value, N/(m v) - 1 of
    them of its object, and among those of another value one in m is.
    """
    labels = factorial(m, *[v] * attributes)
    x, n = one_hot(labels[:, 0]), len(labels)
    left_over = (n / (m * v) - 1) / (n / v - 1) - 1 / m
    assert moad(x, labels[:, 0], labels[:, 1:]) == pytest.approx(1 - left_over, abs=1e-12)


@pytest.mark.parametrize("attributes", [1, 2, 4])
def test_embeddings_of_one_attribute_alone(attributes: int) -> None:
    """1 for that attribute, about 0 for object and others: their mean is about 1 / A.

    With five objects and binary attributes: one object, N/5 rows in all, of which every second
    row shares the attribute; the row itself does, and is left out.
    """
    labels = factorial(5, *[2] * attributes)
    n = len(labels)
    x = one_hot(labels[:, 1])
    of_object = (n / 10 - 1) / (n / 5 - 1) - 1 / 2
    of_others = (n / 4 - 1) / (n / 2 - 1) - 1 / 2
    expected = of_object - (1 + (attributes - 1) * of_others) / attributes
    assert moad(x, labels[:, 0], labels[:, 1:]) == pytest.approx(expected, abs=1e-12)


def test_no_bias_where_all_factors_weigh_the_same() -> None:
    labels = factorial(3, 3, 3)
    x = mg.normalize(torch.cat([one_hot(column) for column in labels.T], dim=1))
    assert moad(x, labels[:, 0], labels[:, 1:]) == pytest.approx(0, abs=1e-12)


def test_no_bias_where_nothing_is_embedded() -> None:
    labels = factorial(4, 3, 2)
    x = torch.ones(len(labels), 1, dtype=torch.float64)
    assert moad(x, labels[:, 0], labels[:, 1:]) == pytest.approx(0, abs=1e-12)


@given(seed=SEEDS)
def test_a_factors_difference_is_its_weight(seed: int) -> None:
    """The cosine is a weighted count of shared factors, which are independent of each other.

    Pairs that share factor f or not have `rest` in common from the other factors, so f's
    difference is its weight w. That is with the diagonal; it holds n of a class's n^2 cosines.
    """
    weights = torch.rand(3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    weights = weights / weights.sum()
    sizes = (5, 4, 3)
    labels = factorial(*sizes).repeat(3, 1)
    parts = [w.sqrt() * one_hot(column) for w, column in zip(weights, labels.T, strict=True)]
    x = torch.cat(parts, dim=1)
    expected = []
    for place, size in enumerate(sizes):
        n = len(labels) / size
        rest = sum(float(weights[g]) / sizes[g] for g in range(3) if g != place)
        expected.append((n * (float(weights[place]) + rest) - 1) / (n - 1) - rest)
        value = float(similarity_difference(x, labels[:, place]))
        assert value == pytest.approx(expected[-1], abs=1e-12)
    bias = float(moad(x, labels[:, 0], labels[:, 1:]))
    assert bias == pytest.approx(expected[0] - (expected[1] + expected[2]) / 2, abs=1e-12)


@given(seed=SEEDS)
def test_moad_is_the_plain_one(seed: int) -> None:
    """Rows of unequal classes, nearly all alike: nothing may cancel."""
    generator = torch.Generator().manual_seed(seed)
    x = mg.normalize(unit_rows(200, 8, seed) + 30 * torch.eye(8, dtype=torch.float64)[0])
    labels = torch.randint(0, 12, (200, 4), generator=generator) // torch.tensor([1, 2, 5, 11])
    labels[:2] = torch.tensor([[0] * 4, [1] * 4])  # at least two classes, however small
    value = moad(x, labels[:, 0], labels[:, 1:])
    torch.testing.assert_close(value, plain_moad(x, labels), rtol=0, atol=1e-10)


def test_single_precision_is_rounded_once() -> None:
    """A cloud so narrow that sums in float32 would not see the difference."""
    labels = factorial(10, 7, 3).repeat(5, 1)
    x = mg.normalize(100 * torch.eye(64)[0] + unit_rows(len(labels), 64, dtype=torch.float32))
    value = moad(x, labels[:, 0], labels[:, 1:])
    exact = plain_moad(x.double(), labels)
    assert value.dtype == torch.float32
    assert abs(exact) < 1e-6
    assert float(value) == pytest.approx(float(exact), rel=1e-4)


def test_moad_is_differentiable() -> None:
    labels = factorial(3, 2, 2)
    x = unit_rows(len(labels), 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: moad(mg.normalize(z), labels[:, 0], labels[:, 1:]), x)


@pytest.mark.parametrize(
    "labels",
    [
        torch.zeros(8, dtype=torch.int64),
        torch.arange(8),
        torch.arange(7) % 2,
        torch.arange(8.0) % 2,
        (torch.arange(8) % 2)[:, None],
        [0, 1] * 4,
    ],
)
def test_labels_that_compare_nothing(labels: Tensor) -> None:
    with pytest.raises(ValueError, match="labels: expected"):
        similarity_difference(unit_rows(8, 3), labels)
    with pytest.raises(ValueError, match="object_labels: expected"):
        moad(unit_rows(8, 3), labels, torch.arange(8)[:, None] % 2)


@pytest.mark.parametrize(
    "labels",
    [torch.arange(8) % 2, torch.zeros(8, 0, dtype=torch.int64), torch.zeros(7, 1).long(), None],
)
def test_attributes_need_columns(labels: Tensor) -> None:
    with pytest.raises(ValueError, match="attribute_labels: expected"):
        moad(unit_rows(8, 3), torch.arange(8) % 2, labels)


def test_the_message_names_the_attribute() -> None:
    labels = torch.stack([torch.arange(8) % 2, torch.zeros(8, dtype=torch.int64)], dim=1)
    with pytest.raises(ValueError, match="attribute_labels, column 1"):
        moad(unit_rows(8, 3), torch.arange(8) % 2, labels)


def test_rows_have_length_one() -> None:
    with pytest.raises(ValueError, match="x: row 0"):
        moad(2 * unit_rows(8, 3), torch.arange(8) % 2, torch.arange(8)[:, None] % 4)


# What captions say of an image.


@pytest.mark.parametrize(
    ("k", "shared", "unsaid"),
    [
        (0, 3.3219, 7.3923),
        (1, 4.8004, 5.9139),
        (2, 6.2789, 4.4354),
        (3, 7.7573, 2.9569),
        (4, 9.2358, 1.4785),
        (5, 10.7142, 0.0),
    ],
)
def test_information_in_closed_form(k: int, shared: float, unsaid: float) -> None:
    assert caption_information(k) == pytest.approx((shared, unsaid), abs=1e-4)
    assert sum(caption_information(k)) == pytest.approx(math.log2(10 * 3 * 2 * 2 * 2 * 7))


@pytest.mark.parametrize("k", range(6))
def test_information_by_counting_every_image_and_caption(k: int) -> None:
    """All images and all choices are equally likely: the joint distribution is a plain count."""
    values = [range(len(words)) for words in mad.FACTORS.values()]
    joint = [
        (image, frozenset([(0, image[0]), *((place, image[place]) for place in named)]))
        for image in itertools.product(*values)
        for named in itertools.combinations(range(1, 6), k)
    ]
    images, captions = (entropy_of([row[side] for row in joint]) for side in (0, 1))
    both = entropy_of(joint)
    expected = images + captions - both, both - captions
    assert caption_information(k) == pytest.approx(expected, abs=1e-9)


def entropy_of(outcomes: list[Any]) -> float:
    """Bits of the distribution that a list of equally likely outcomes is."""
    shares = [count / len(outcomes) for count in Counter(outcomes).values()]
    return -sum(share * math.log2(share) for share in shares)


@pytest.mark.parametrize("k", [-1, 6, 2.5])
def test_information_of_captions_that_cannot_be(k: int) -> None:
    with pytest.raises(ValueError, match="k: expected 0 to 5"):
        caption_information(k)


def test_labels_may_be_arrays_as_data_sets_give_them() -> None:
    x = unit_rows(6, 3)
    labels, attributes = np.array([0, 0, 1, 1, 2, 2], np.uint8), np.array([[0], [1]] * 3)
    expected = mg.moad(x, torch.from_numpy(labels).long(), torch.from_numpy(attributes))
    assert mg.moad(x, labels, attributes).equal(expected)
    with pytest.raises(ValueError, match=r"labels: expected a torch\.Tensor or an array .* list"):
        mg.similarity_difference(x, labels.tolist())
