"""Recall with several captions an image, rectangular inputs, and hubs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import modality_gap as mg
from helpers import SEEDS, unit_rows
from modality_gap import retrieval, sums, tasks


def captioned(n: int, each: int, seed: int, d: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    x = unit_rows(n, d, seed)
    owner = torch.arange(n).repeat_interleave(each)
    owner = owner[torch.randperm(len(owner), generator=torch.Generator().manual_seed(seed))]
    return x, mg.normalize(x[owner] + 0.7 * unit_rows(len(owner), d, seed + 1)), owner


@given(SEEDS, st.integers(1, 4), st.sampled_from([1, 7, 2048]))
def test_any_of_several_captions_counts(seed: int, each: int, side: int) -> None:
    x, y, owner = captioned(9, each, seed)
    cosine = (x @ y.T).numpy()
    by_image, by_text = (-cosine).argsort(1), (-cosine.T).argsort(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sums, "SIDE", side)
        found = mg.recall_at_k(x, y, [1, 3, 9], owner)
    for k, (forth, back) in zip((1, 3, 9), found, strict=True):
        any_of = (owner.numpy()[by_image[:, :k]] == np.arange(9)[:, None]).any(1).mean()
        right = (by_text[:, :k] == owner.numpy()[:, None]).any(1).mean()
        assert (forth, back) == pytest.approx((any_of, right), abs=1e-12)
        assert mg.recall_at_k(x, y, k, owner.tolist()) == (forth, back)


def test_one_caption_an_image_is_the_same_with_an_owner() -> None:
    x, y, _ = captioned(30, 1, 0)
    for rows in ((x, y), (x.float(), y.float()), (x, x), (x[:1].repeat(30, 1), y)):
        for k in (1, 5):
            expected = mg.recall_at_k(*rows, k)
            assert mg.recall_at_k(*rows, k, range(30)) == pytest.approx(expected, abs=1e-12)


def test_the_thread_s_five_captions() -> None:
    """Thirty images with five captions: repeated images found a fifth of what papers count."""
    generator = torch.Generator().manual_seed(3)
    x = mg.normalize(torch.randn(30, 24, generator=generator))
    y = mg.normalize(x.repeat_interleave(5, 0) + 0.12 * torch.randn(150, 24, generator=generator))
    assert mg.recall_at_k(x, y, owner=torch.arange(30).repeat_interleave(5)) == (1, 1)
    assert mg.recall_at_k(x.repeat_interleave(5, 0), y) == pytest.approx((0.2, 0.2), abs=1e-6)


def test_ties_of_several_captions_count_by_their_chance() -> None:
    """Two of five equal captions are the image's own: all orders, counted."""
    x = unit_rows(2, 3)
    y, owner = x[:1].repeat(5, 1), [0, 0, 1, 1, 1]
    orders = list(itertools.permutations(owner))
    for k in (1, 2):
        expected = np.mean([[side in order[:k] for side in (0, 1)] for order in orders])
        assert mg.recall_at_k(x, y, k, owner)[0] == pytest.approx(expected, abs=1e-12)
    assert mg.recall_at_k(x[:1].repeat(2, 1), y, 1, owner)[1] == pytest.approx(0.5)


def test_k_may_be_several_and_an_array() -> None:
    x, y, _ = captioned(20, 1, 4)
    expected = [mg.recall_at_k(x, y, k) for k in (1, 5, 10)]
    for ks in ([1, 5, 10], (1, 5, 10), np.array([1, 5, 10]), torch.tensor([1, 5, 10])):
        assert mg.recall_at_k(x, y, ks) == expected


def test_hubs_of_both_directions_are_the_judge_s() -> None:
    x, y, _ = captioned(60, 1, 5)
    both = retrieval.hub_skewness(x, y), retrieval.hub_skewness(y, x)
    assert both == pytest.approx(tasks.hubness(x, y), abs=1e-12)


def test_sizes_of_clouds_with_different_numbers_of_rows() -> None:
    x, y = unit_rows(30, 5), mg.normalize(unit_rows(70, 5, 1) + 1)
    gap = x.mean(0) - y.mean(0)
    torch.testing.assert_close(mg.gap_vector(x, y), gap, rtol=0, atol=1e-12)
    assert mg.l2m(x, y).item() == pytest.approx(gap.norm().item(), abs=1e-12)
    torch.testing.assert_close(mg.gap_share(x, y), gap**2 / (gap @ gap), rtol=0, atol=1e-12)
    assert 0.7 < mg.modality_separability(x, y) <= 1
    # Who always answers the larger side is right in 9 of 10, and tells nothing.
    same = mg.modality_separability(unit_rows(100, 5, 2), unit_rows(900, 5, 3))
    assert 0.5 <= same < 0.6
