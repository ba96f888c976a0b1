import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import hyp0f1
from torch import Tensor

import modality_gap as mg
from helpers import SEEDS, rotation, unit_rows
from modality_gap import checks, sums


def plain_uniformity(x: Tensor, t: float) -> Tensor:
    i, j = torch.triu_indices(len(x), len(x), offset=1)
    return ((x[i] - x[j]).pow(2).sum(dim=1) * -t).exp().mean().log()


def plain_mean_cosine(x: Tensor) -> Tensor:
    gram = x @ x.T
    return (gram.sum() - gram.diagonal().sum()) / (len(x) * (len(x) - 1))


@given(SEEDS, st.floats(1e-30, 1e30))
def test_normalize_gives_unit_rows_at_any_scale(seed: int, scale: float) -> None:
    x = unit_rows(5, 7, seed, dtype=torch.float32)
    torch.testing.assert_close(mg.normalize(x * scale), x, atol=1e-5, rtol=0)


def test_normalize_survives_squares_that_overflow_or_vanish() -> None:
    x = torch.tensor([[3e30, 4e30], [3e-30, 4e-30]])
    torch.testing.assert_close(mg.normalize(x), torch.tensor([[0.6, 0.8], [0.6, 0.8]]))


def test_normalize_takes_a_single_row_and_passes_gradcheck() -> None:
    x = torch.randn(1, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(mg.normalize, x)


@pytest.mark.parametrize("alpha", [0.5, 1, 2, 3])
def test_alignment_closed_form(alpha: float) -> None:
    x = torch.eye(4, dtype=torch.float64)
    assert mg.alignment(x, x.roll(1, 0), alpha).item() == pytest.approx(2 ** (alpha / 2), abs=1e-12)
    assert mg.alignment(x, x, alpha) == 0
    assert mg.alignment(x, -x, alpha).item() == pytest.approx(2**alpha, abs=1e-12)


@given(SEEDS)
def test_alignment_is_twice_one_minus_the_paired_cosine(seed: int) -> None:
    x, y = unit_rows(9, 5, seed), unit_rows(9, 5, seed + 1)
    torch.testing.assert_close(
        mg.alignment(x, y), 2 - 2 * mg.paired_cosine(x, y), atol=1e-12, rtol=0
    )


@pytest.mark.parametrize("t", [0.5, 2, 8])
@pytest.mark.parametrize("rows", [2, 13, 64])
def test_uniformity_in_blocks_is_the_plain_sum(
    t: float, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = unit_rows(40, 6)
    monkeypatch.setattr(sums, "SIDE", rows)
    assert mg.uniformity(x, t).item() == pytest.approx(plain_uniformity(x, t).item(), abs=1e-10)


def test_uniformity_agrees_across_real_block_borders() -> None:
    x = unit_rows(sums.SIDE + 3, 3)
    assert mg.uniformity(x).item() == pytest.approx(plain_uniformity(x, 2).item(), abs=1e-10)


@pytest.mark.parametrize(
    ("dimension", "published"), [(2, -1.575027), (3, -2.079777), (128, -3.937530), (512, -3.984375)]
)
def test_uniformity_of_uniform_rows_is_the_closed_form(dimension: int, published: float) -> None:
    bound = -4 + math.log(hyp0f1(dimension / 2, 4))
    assert bound == pytest.approx(published, abs=1e-6)
    assert mg.uniformity(unit_rows(4000, dimension)).item() == pytest.approx(bound, abs=0.01)


def test_uniformity_of_opposite_points_and_of_a_sharp_potential() -> None:
    x = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    assert mg.uniformity(x).item() == pytest.approx(-8, abs=1e-12)
    # exp(-4000) underflows in float64; the logarithm of the mean must not.
    assert mg.uniformity(x, t=1000).item() == pytest.approx(-4000, abs=1e-9)
    assert mg.uniformity(x[:1].repeat(5, 1)).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("rows", [3, 7, 2048])
def test_losses_pass_gradcheck(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "SIDE", rows)
    x, y = unit_rows(8, 3).requires_grad_(), unit_rows(8, 3, seed=1).requires_grad_()
    for function in (mg.alignment, mg.paired_cosine, mg.l2i, mg.rmg, mg.l2m):
        assert torch.autograd.gradcheck(function, (x, y))
    assert torch.autograd.gradcheck(lambda a: mg.alignment(a, y.detach(), 1.5), (x,))
    assert torch.autograd.gradcheck(mg.mean_cosine, (x,))
    assert torch.autograd.gradcheck(mg.uniformity, (x,))


def test_alignment_has_a_finite_gradient_where_pairs_coincide() -> None:
    x = unit_rows(4, 3).requires_grad_()
    for alpha in (1, 2, 3):
        (gradient,) = torch.autograd.grad(mg.alignment(x, x.detach(), alpha), x)
        assert gradient.isfinite().all()


@given(SEEDS)
def test_cosines_agree_with_the_matrix(seed: int) -> None:
    x, y = unit_rows(31, 8, seed), unit_rows(31, 8, seed + 1)
    assert mg.mean_cosine(x).item() == pytest.approx(plain_mean_cosine(x).item(), abs=1e-12)
    assert mg.paired_cosine(x, y).item() == pytest.approx(
        (x @ y.T).diagonal().mean().item(), abs=1e-12
    )


def test_cosines_agree_with_the_matrix_across_blocks() -> None:
    x, y = unit_rows(2 * checks.ROWS + 5, 3), unit_rows(2 * checks.ROWS + 5, 3, seed=1)
    assert mg.mean_cosine(x).item() == pytest.approx(plain_mean_cosine(x).item(), abs=1e-12)
    assert mg.paired_cosine(x, y).item() == pytest.approx((x * y).sum(1).mean().item(), abs=1e-12)


def test_mean_cosine_closed_forms() -> None:
    x = torch.eye(5, dtype=torch.float64)
    assert mg.mean_cosine(x).item() == pytest.approx(0, abs=1e-15)
    assert mg.mean_cosine(x[:1].repeat(4, 1)).item() == pytest.approx(1, abs=1e-15)
    simplex = mg.normalize(x - 1 / 5)
    assert mg.mean_cosine(simplex).item() == pytest.approx(-1 / 4, abs=1e-12)


@given(SEEDS)
def test_rotation_and_permutation_change_nothing(seed: int) -> None:
    x, y, turn = unit_rows(12, 4, seed), unit_rows(12, 4, seed + 1), rotation(4, seed)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(seed))
    for moved_x, moved_y in [(x @ turn, y @ turn), (x[order], y[order])]:
        for function in (mg.alignment, mg.paired_cosine):
            assert function(moved_x, moved_y).item() == pytest.approx(
                function(x, y).item(), abs=1e-12
            )
        for function in (mg.uniformity, mg.mean_cosine):
            assert function(moved_x).item() == pytest.approx(function(x).item(), abs=1e-12)


def test_float32_in_float32_out() -> None:
    x = unit_rows(6, 3, dtype=torch.float32)
    for value in (mg.alignment(x, x), mg.uniformity(x), mg.mean_cosine(x), mg.normalize(x)):
        assert value.dtype == torch.float32


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0.0, 0.0], "x: row 1 is zero"),
        ([math.nan, 0.0], "x: row 1 holds a NaN"),
        ([math.inf, 0.0], "x: row 1 holds an infinite value"),
    ],
)
def test_bad_rows_are_named(row: list[float], message: str) -> None:
    x = torch.tensor([[1.0, 0.0], row, row])
    for function in (mg.normalize, mg.uniformity, mg.mean_cosine):
        with pytest.raises(ValueError, match=message):
            function(x)


def test_a_row_beyond_the_first_block_is_named_by_its_place() -> None:
    x = unit_rows(checks.ROWS + 10, 3)
    x[checks.ROWS + 4] *= 1.001
    with pytest.raises(ValueError, match=rf"x: row {checks.ROWS + 4} has length 1\.001"):
        mg.mean_cosine(x)


def test_wrong_shapes_types_and_parameters() -> None:
    x = unit_rows(4, 3)
    cases = [
        (lambda: mg.mean_cosine(x[:1]), "x: expected at least 2 row"),
        (lambda: mg.mean_cosine(x[0]), r"x: expected shape \(N, D\)"),
        (lambda: mg.mean_cosine(torch.ones(3, 1, dtype=torch.int64)), "x: .*float.*int64"),
        (lambda: mg.mean_cosine(x.numpy()), r"x: expected a torch\.Tensor"),
        (lambda: mg.normalize(x[:0]), "x: expected at least 1 row"),
        (lambda: mg.alignment(x, x[:3]), r"y: expected the shape of x, \(4, 3\)"),
        (lambda: mg.alignment(x, x.float()), "y: expected torch.float64"),
        (lambda: mg.alignment(x, 2 * x), "y: row 0 has length 2"),
        (lambda: mg.alignment(x, x, 0), "alpha: .*above 0"),
        (lambda: mg.uniformity(x, -1), "t: .*above 0"),
        (lambda: mg.uniformity(x, math.nan), "t: .*above 0"),
        (lambda: mg.uniformity(x, "2"), "t: expected a finite number above 0, got '2'"),
        (lambda: mg.uniformity(x, None), "t: expected a finite number above 0, got None"),
        (lambda: mg.alignment(x, x, True), "alpha: expected a finite number above 0, got True"),
        (lambda: mg.alignment(x, x, torch.ones(2)), r"alpha: expected one number, .*\(2,\)"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
