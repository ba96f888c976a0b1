import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import modality_gap as mg
from helpers import SEEDS, rotation, unit_rows
from modality_gap import gap

SIZES = {"l2m": mg.l2m, "l2i": mg.l2i, "rmg": mg.rmg}


def pairs(seed: int = 0, n: int = 20, d: int = 6) -> tuple[Tensor, Tensor]:
    """Noisy pairs with a gap along the first axis."""
    x, noise = unit_rows(n, d, seed), unit_rows(n, d, seed + 1)
    offset = torch.eye(d, dtype=torch.float64)[0]
    return mg.normalize(x + offset), mg.normalize(x + 0.3 * noise - offset)


def plain_rmg(x: Tensor, y: Tensor) -> float:
    def distance(a: Tensor, b: Tensor) -> Tensor:
        return (1 - a @ b.T) / 2

    def within(a: Tensor) -> Tensor:
        return distance(a, a)[~torch.eye(len(a), dtype=torch.bool)].mean()

    between = distance(x, y).diagonal().mean()
    return (between / (between + (within(x) + within(y)) / 2)).item()


@given(SEEDS)
def test_sizes_agree_with_the_plain_formulas(seed: int) -> None:
    x, y = pairs(seed)
    delta = x.mean(0) - y.mean(0)
    torch.testing.assert_close(mg.gap_vector(x, y), delta, atol=1e-12, rtol=0)
    assert mg.l2m(x, y).item() == pytest.approx(delta.norm().item(), abs=1e-12)
    assert mg.l2i(x, y).item() == pytest.approx((x - y).norm(dim=1).mean().item(), abs=1e-12)
    assert mg.rmg(x, y).item() == pytest.approx(plain_rmg(x, y), abs=1e-10)
    torch.testing.assert_close(mg.gap_share(x, y), delta**2 / (delta @ delta), atol=1e-12, rtol=0)


@given(SEEDS)
def test_sizes_do_not_change_under_rotation_permutation_or_swap(seed: int) -> None:
    x, y = pairs(seed)
    turn = rotation(6, seed)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    for name, size in SIZES.items():
        for a, b in [(x @ turn, y @ turn), (x[order], y[order]), (y, x)]:
            assert size(a, b).item() == pytest.approx(size(x, y).item(), abs=1e-10), name
    assert mg.l2m(x, y) <= mg.l2i(x, y)
    assert 0 <= mg.rmg(x, y) <= 1


def test_closed_forms_at_the_two_ends() -> None:
    x = unit_rows(10, 4)
    for size in SIZES.values():
        assert size(x, x).item() == pytest.approx(0, abs=1e-12)
    north = torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64).repeat(5, 1)
    assert mg.rmg(north, -north).item() == pytest.approx(1, abs=1e-12)
    assert mg.l2m(north, -north).item() == pytest.approx(2, abs=1e-12)
    assert mg.l2i(north, -north).item() == pytest.approx(2, abs=1e-12)
    torch.testing.assert_close(mg.gap_share(north, -north), north.new_tensor([0, 0, 1]))


def test_orthogonal_cross_modal_pairs_have_rmg_one_half() -> None:
    x = torch.eye(6, dtype=torch.float64)
    assert mg.rmg(x, x.roll(1, 0)).item() == pytest.approx(0.5, abs=1e-12)


def test_sizes_across_block_borders() -> None:
    x, y = pairs(n=2500, d=3)
    assert mg.rmg(x, y).item() == pytest.approx(plain_rmg(x, y), abs=1e-10)
    assert mg.l2i(x, y).item() == pytest.approx((x - y).norm(dim=1).mean().item(), abs=1e-12)


def test_float32_keeps_its_type_and_stays_near_float64() -> None:
    x, y = pairs()
    for size in SIZES.values():
        single = size(x.float(), y.float())
        assert single.dtype == torch.float32
        assert single.item() == pytest.approx(size(x, y).item(), abs=1e-6)


def test_separability_of_parted_and_of_mixed_modalities() -> None:
    x, y = pairs(n=200)
    assert mg.modality_separability(x, y) == 1
    mixed = mg.modality_separability(unit_rows(500, 4, 1), unit_rows(500, 4, 2))
    assert mixed == pytest.approx(0.5, abs=0.08)
    assert mixed == mg.modality_separability(unit_rows(500, 4, 1), unit_rows(500, 4, 2))


@pytest.mark.parametrize("similarities", [1, 50, 2**22])
@pytest.mark.parametrize("k", [1, 3, 20])
def test_recall_agrees_with_sorting(
    k: int, similarities: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gap, "SIMILARITIES", similarities)
    x, y = unit_rows(20, 3), mg.normalize(unit_rows(20, 3) + 0.5 * unit_rows(20, 3, seed=1))
    similarity, partner = x @ y.T, torch.arange(20)[:, None]
    expected = tuple(
        (s.argsort(dim=1, descending=True)[:, :k] == partner).any(1).double().mean().item()
        for s in (similarity, similarity.T)
    )
    assert mg.recall_at_k(x, y, k) == pytest.approx(expected, abs=1e-12)


def test_recall_of_identical_orthogonal_and_collapsed_embeddings() -> None:
    x = torch.eye(8, dtype=torch.float64)
    assert mg.recall_at_k(x, x) == (1, 1)
    assert mg.recall_at_k(x, x.roll(1, 0)) == (0, 0)
    # All similarities are equal: a random order finds the partner among k of 8.
    assert mg.recall_at_k(x[:1].repeat(8, 1), x[:1].repeat(8, 1), k=3) == (3 / 8, 3 / 8)


def test_shift_meets_in_the_middle_and_follows_the_formula() -> None:
    x, y = pairs()
    delta = mg.gap_vector(x, y)
    torch.testing.assert_close(mg.shift(x, y, 0.0), (x, y), atol=1e-12, rtol=0)
    for alpha in (-0.4, 0.3, 0.5):
        moved = mg.shift(x, y, alpha)
        torch.testing.assert_close(moved[0], mg.normalize(x - alpha * delta), atol=1e-12, rtol=0)
        torch.testing.assert_close(moved[1], mg.normalize(y + alpha * delta), atol=1e-12, rtol=0)
    assert mg.l2m(*mg.shift(x, y, 0.5)) < mg.l2m(*mg.shift(x, y, 0.3)) < mg.l2m(x, y)
    assert mg.l2m(*mg.shift(x, y, -0.4)) > mg.l2m(x, y)


def test_landscape_of_one_batch_is_the_loss_of_the_shifted_pairs() -> None:
    x, y = pairs()
    table = mg.loss_landscape(x, y, [0, 0.3, 1.0], [0.01, 1])
    assert list(table.columns) == [
        "alpha",
        "temperature",
        "distance",
        "loss",
        "numerator",
        "denominator",
    ]
    assert len(table) == 6
    for row in table.itertuples():
        moved = mg.shift(x, y, row.alpha)
        assert row.loss == pytest.approx(mg.info_nce(*moved, row.temperature).item(), abs=1e-10)
        terms = [term.item() for term in mg.info_nce_terms(*moved, row.temperature)]
        assert [row.numerator, row.denominator] == pytest.approx(terms, abs=1e-10)
        sign = 1 if row.alpha < 0.5 else -1
        assert row.distance == pytest.approx(sign * mg.l2m(*moved).item(), abs=1e-10)


def test_landscape_in_batches_leaves_the_remainder_out() -> None:
    x, y = pairs(n=20)
    row = mg.loss_landscape(x, y, [0.2], [0.1], batch_size=8).iloc[0]
    moved_x, moved_y = mg.shift(x, y, 0.2)
    halves = [
        mg.info_nce(moved_x[part], moved_y[part], 0.1).item()
        for part in (slice(0, 8), slice(8, 16))
    ]
    assert row.loss == pytest.approx(sum(halves) / 2, abs=1e-10)
    # The gap is that of all rows, in the batch or not.
    assert row.distance == pytest.approx(mg.l2m(moved_x, moved_y).item(), abs=1e-10)


def test_the_minimum_is_refined_below_the_grid() -> None:
    x, y = pairs()
    grid = np.linspace(-0.5, 1, 7)
    minima = mg.loss_minimum(x, y, [0.05, 1], 10, grid)
    fine = mg.loss_landscape(x, y, np.linspace(-0.5, 1, 1501), [0.05, 1], 10)
    for row in minima.itertuples():
        other = fine[fine.temperature == row.temperature]
        assert row.loss <= other.loss.min() + 1e-12
        assert row.alpha == pytest.approx(other.alpha[other.loss.idxmin()], abs=1e-3)
        here = mg.loss_landscape(x, y, [row.alpha], [row.temperature], 10).iloc[0]
        assert row.distance == here.distance


def test_the_loss_without_a_mismatch_is_smallest_where_pairs_meet() -> None:
    """Orthogonal pairs, each split by the same offset: closing the gap is best at every tau."""
    base = torch.eye(9, dtype=torch.float64)
    x, y = mg.normalize(base[:8] + 0.7 * base[8]), mg.normalize(base[:8] - 0.7 * base[8])
    minima = mg.loss_minimum(x, y, [0.05, 1])
    assert minima.alpha.to_list() == pytest.approx([0.5, 0.5], abs=1e-4)
    assert minima.distance.to_list() == pytest.approx([0, 0], abs=1e-3)


@given(SEEDS, st.floats(-0.4, 0.4))
def test_swapping_the_modalities_leaves_the_landscape_alone(seed: int, alpha: float) -> None:
    x, y = pairs(seed)
    here = mg.loss_landscape(x, y, [alpha], [0.1]).iloc[0]
    swapped = mg.loss_landscape(y, x, [alpha], [0.1]).iloc[0]
    assert here.loss == pytest.approx(swapped.loss, abs=1e-10)
    assert here.distance == pytest.approx(swapped.distance, abs=1e-10)


def test_bad_arguments() -> None:
    x, y = pairs()
    cases = [
        (lambda: mg.l2m(x, y[:3]), "y: expected the shape of x"),
        (lambda: mg.rmg(x, 2 * y), "y: row 0 has length 2"),
        (lambda: mg.rmg(x[:1].repeat(4, 1), x[:1].repeat(4, 1)), "x, y: all rows coincide"),
        (lambda: mg.gap_share(x, x), "x, y: the means coincide"),
        (lambda: mg.modality_separability(x, y, folds=21), "folds: .*from 2 to N = 20, got 21"),
        (lambda: mg.modality_separability(x, y, folds=1), "folds: .*got 1"),
        (lambda: mg.recall_at_k(x, y, 21), "k: .*from 1 to N = 20, got 21"),
        (lambda: mg.recall_at_k(x, y, 0), "k: .*got 0"),
        (lambda: mg.shift(x, y, math.nan), "alpha: expected a finite number"),
        (lambda: mg.loss_landscape(x, y, [0], [0]), "temperatures: .*above 0"),
        (lambda: mg.loss_landscape(x, y, [0], [1], batch_size=21), "batch_size: .*got 21"),
        (lambda: mg.loss_landscape(x, y, [0], [1], batch_size=1), "batch_size: .*got 1"),
        (lambda: mg.loss_minimum(x, y, [1], alphas=[0, 0]), "alphas: expected at least two"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
