import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from torch import Tensor

import modality_gap as mg
from helpers import SEEDS, rotation, unit_rows
from modality_gap import closing, landscape, sums, tasks

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


def test_rounding_does_not_leave_the_interval_of_rmg() -> None:
    """Each modality one point, in float32: its cosines round to a little more than one."""
    for seed in range(20):
        x = unit_rows(1, 50, seed, dtype=torch.float32).repeat(3, 1)
        assert 0 <= mg.rmg(x, -x) <= 1
        nearly = mg.normalize(x + 1e-3 * unit_rows(3, 50, seed + 100, dtype=torch.float32))
        assert 0 <= mg.rmg(nearly, nearly) <= 1


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


def test_separability_is_never_below_chance() -> None:
    x, y = pairs(n=60, d=30)
    assert mg.modality_separability(x, x) == 0.5
    assert mg.modality_separability(*closing.Centring().fit_transform(x, y)) == 0.5
    # A partner that is nearly a copy, with the other label, misleads nobody.
    assert mg.modality_separability(x, mg.normalize(x + 0.01 * y)) > 0.5


def test_separability_is_that_of_pairs_held_out_together() -> None:
    """C, the folds and their order, written down once more."""
    x, y = unit_rows(150, 20, 1), mg.normalize(unit_rows(150, 20, 2) + 0.1)
    for folds, seed in ((5, 0), (5, 1), (3, 0)):
        order = np.random.RandomState(seed).permutation(150)
        scores = []
        for held in np.array_split(order, folds):
            rest = np.setdiff1d(order, held)
            train, test = (torch.cat([x[part], y[part]]).numpy() for part in (rest, held))
            model = LogisticRegression(C=100, max_iter=1000)
            model.fit(train, np.repeat([0, 1], len(rest)))
            scores.append(model.score(test, np.repeat([0, 1], len(held))))
        assert mg.modality_separability(x, y, folds, seed) == pytest.approx(np.mean(scores))
    assert len({mg.modality_separability(x, y, 5, seed) for seed in range(4)}) > 1
    assert mg.modality_separability(x, y) == mg.modality_separability(x, y, 5, 0)


def test_separability_of_few_pairs_takes_as_many_folds() -> None:
    x, y = pairs(n=200)
    for n in (2, 3, 4):
        assert mg.modality_separability(x[:n], y[:n]) == 1


@pytest.mark.parametrize("side", [1, 7, 2048])
@pytest.mark.parametrize("k", [1, 3, 20])
def test_recall_agrees_with_sorting(k: int, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "SIDE", side)
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


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_copies_that_differ_by_rounding_are_ties(dtype: torch.dtype) -> None:
    """Fifty copies of each of five texts: who finds the right text finds the pair once in fifty."""
    generator = torch.Generator().manual_seed(3)
    texts = mg.normalize(torch.randn(5, 512, generator=generator, dtype=torch.float64))
    place = torch.arange(250) % 5
    noise = torch.randn(250, 512, generator=generator, dtype=torch.float64)
    x = mg.normalize(texts[place] * 0.1 + 0.05 * noise).to(dtype)
    y = texts[place].to(dtype)
    right = ((x @ texts.to(dtype).T).argmax(1) == place).double().mean().item()
    assert mg.recall_at_k(x, y)[0] == pytest.approx(right / 50, abs=1e-12)
    assert mg.recall_at_k(x, y)[0] == pytest.approx(0.01504, abs=1e-12)
    # And where a text competes with the 99 others that say the same.
    assert tasks.mixed_recall(y, y)[0] == pytest.approx(1 / 99, abs=1e-12)


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


@pytest.mark.parametrize("batch_size", [8, 23, None])
def test_landscape_does_not_depend_on_its_blocks(
    batch_size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = pairs(n=47)
    whole = mg.loss_landscape(x, y, [-0.2, 0, 0.3], [0.02, 1], batch_size)
    for name, value in (("SIDE", 5), ("BLOCK", 6 * 5 // 2), ("KEPT", 1)):
        monkeypatch.setattr(landscape, name, value)
    parts = mg.loss_landscape(x, y, [-0.2, 0, 0.3], [0.02, 1], batch_size)
    np.testing.assert_allclose(parts, whole, atol=1e-12)


def test_landscape_of_float32_is_that_of_the_same_numbers_in_float64() -> None:
    x, y = (rows.float() for rows in pairs(n=40))
    single = mg.loss_landscape(x, y, [0.2], [0.01], 10)
    np.testing.assert_allclose(single, mg.loss_landscape(x.double(), y.double(), [0.2], [0.01], 10))


def test_the_minimum_is_exact_and_lies_below_the_grid() -> None:
    x, y = pairs()
    minima = mg.loss_minimum(x, y, [0.05, 1], 10, np.linspace(-0.5, 1, 7))
    fine = mg.loss_landscape(x, y, np.linspace(-0.5, 1, 1501), [0.05, 1], 10)
    for row in minima.itertuples():
        other = fine[fine.temperature == row.temperature]
        assert row.loss <= other.loss.min() + 1e-12
        # Where the slope vanishes, which differences around the place find much more sharply.
        near = row.alpha + 1e-3 * np.array([-1, 0, 1])
        below, here, above = mg.loss_landscape(x, y, near, [row.temperature], 10).loss
        slope, curvature = (above - below) / 2e-3, (above - 2 * here + below) / 1e-6
        assert abs(slope / curvature) < 3e-6
        again = mg.loss_landscape(x, y, [row.alpha], [row.temperature], 10).iloc[0]
        assert row.distance == pytest.approx(again.distance, abs=1e-12)


def test_a_temperature_may_come_twice_and_as_a_tensor() -> None:
    x, y = pairs()
    alone = mg.loss_minimum(x, y, [0.05], 10)
    twice = mg.loss_minimum(x, y, torch.tensor([0.05, 1, 0.05], dtype=torch.float64), 10)
    for place in (0, 2):
        assert twice.iloc[place].to_list() == pytest.approx(alone.iloc[0].to_list(), abs=1e-9)
    tensor = [torch.tensor(0.05, dtype=torch.float64, requires_grad=True)]
    pd.testing.assert_frame_equal(mg.loss_minimum(x, y, tensor, 10), alone)


def test_a_minimum_at_the_end_of_the_grid_is_told() -> None:
    x, y = pairs()
    with pytest.warns(UserWarning, match="at temperature 1 .* at the end of the grid, 0.1;"):
        found = mg.loss_minimum(x, y, [1], None, [-0.2, 0, 0.1])
    assert found.alpha.item() == 0.1


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
        (lambda: mg.rmg(x, y[:3]), "y: expected the shape of x"),
        (
            lambda: mg.l2m(x, unit_rows(9, 3)),
            "y: expected 6 columns like x, got 3; .* of one model",
        ),
        (lambda: mg.rmg(x, y.repeat(3, 1)), r"owner=torch\.arange\(20\)\.repeat_interleave\(3\)"),
        (lambda: mg.rmg(x, 2 * y), "y: row 0 has length 2"),
        (lambda: mg.rmg(x[:1].repeat(4, 1), x[:1].repeat(4, 1)), "x, y: all rows coincide"),
        (lambda: mg.gap_share(x, x), "x, y: the means coincide"),
        (lambda: mg.modality_separability(x, y, folds=21), "folds: .*from 2 to N = 20, got 21"),
        (lambda: mg.modality_separability(x, y, folds=1), "folds: .*got 1"),
        (lambda: mg.recall_at_k(x, y, 21), "k: .*from 1 to N = 20, got 21"),
        (lambda: mg.recall_at_k(x, y, 0), "k: .*got 0"),
        (lambda: mg.modality_separability(x, y, folds=2.0), r"folds: .* got 2\.0"),
        (lambda: mg.modality_separability(x, y, seed="a"), "seed: .* got 'a'"),
        (lambda: mg.recall_at_k(x, y, 1.5), r"k: expected a whole number .* got 1\.5"),
        (lambda: mg.recall_at_k(x, y, True), "k: .*got True"),
        (lambda: mg.recall_at_k(x, y, "5"), "k: .*got '5'"),
        (lambda: mg.recall_at_k(x, y, [1, 21]), "k: .*from 1 to N = 20, got 21"),
        (lambda: mg.recall_at_k(x, y, [1, 1.5]), r"k: .*got 1\.5"),
        (lambda: mg.recall_at_k(x, y[:10], 1), "y: expected the shape of x"),
        (lambda: mg.shift(x, y, "a"), "alpha: expected a finite number, got 'a'"),
        (lambda: mg.shift(x, y, None), "alpha: expected a finite number, got None"),
        (lambda: mg.loss_landscape(x, y, [], [1]), "alphas: expected at least one number"),
        (lambda: mg.loss_landscape(x, y, 0.5, [1]), r"alphas: expected several .* got 0\.5"),
        (lambda: mg.loss_landscape(x, y, [None], [1]), "alphas: .* got None"),
        (lambda: mg.loss_landscape(x, y, [0], "a"), "temperatures: expected several .* 'a'"),
        (lambda: mg.loss_landscape(x, y, [0], [1], 2.5), r"batch_size: .* got 2\.5"),
        (
            lambda: mg.loss_landscape(x[:1].repeat(3, 1), -x[:1].repeat(3, 1), [0.5], [1]),
            "x: row 0 is zero after a shift",
        ),
        (lambda: mg.loss_minimum(x, y, []), "temperatures: expected at least one number"),
        (lambda: mg.loss_minimum(x, y, ["a"]), "temperatures: .*above 0, got 'a'"),
        (lambda: mg.shift(x, y, math.nan), "alpha: expected a finite number"),
        (lambda: mg.loss_landscape(x, y, [0], [0]), "temperatures: .*above 0"),
        (lambda: mg.loss_landscape(x, y, [0], [1], batch_size=21), "batch_size: .*got 21"),
        (lambda: mg.loss_landscape(x, y, [0], [1], batch_size=1), "batch_size: .*got 1"),
        (lambda: mg.loss_minimum(x, y, [1], alphas=[0, 0]), "alphas: expected at least two"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()


def test_recall_in_a_narrow_cone_and_at_many_dimensions() -> None:
    """Cosines that differ by little are no ties, and the partner counts however it is rounded."""
    generator = torch.Generator().manual_seed(0)
    centre = torch.randn(1, 64, generator=generator, dtype=torch.float64)
    rows = mg.normalize(centre + 4e-3 * torch.randn(300, 64, generator=generator).double())
    other = mg.normalize(rows + 4e-4 * torch.randn(300, 64, generator=generator).double())
    exact = mg.recall_at_k(rows, other)
    assert exact[0] > 0.9
    assert mg.recall_at_k(rows.float(), other.float()) == pytest.approx(exact, abs=0.05)
    x = mg.normalize(torch.randn(2, 400_000, generator=generator))
    assert mg.recall_at_k(x, x) == (1, 1)
