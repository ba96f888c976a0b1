import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from scipy.linalg import orthogonal_procrustes
from sklearn.preprocessing import StandardScaler
from torch import Tensor

import modality_gap as mg
from helpers import SEEDS, rotation, unit_rows
from modality_gap import closing
from modality_gap.closing import METHODS, Method, Pair

EVERY = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())


def clouds(n: int = 40, d: int = 8, seed: int = 0, gap: float = 1.0) -> Pair:
    """Pairs that have a direction in common, and a gap along the first axis."""
    x, noise = unit_rows(n, d, seed), unit_rows(n, d, seed + 1)
    offset = torch.zeros(d, dtype=torch.float64)
    offset[0] = gap
    return mg.normalize(x + offset), mg.normalize(x + 0.3 * noise - offset)


def pairs_agree(a: Pair, b: Pair, atol: float = 1e-12) -> bool:
    return all(torch.allclose(p, q, rtol=0, atol=atol) for p, q in zip(a, b, strict=True))


# Closed forms.


def test_a_constant_offset_is_what_centring_takes_off() -> None:
    """Liang et al.'s picture: one cloud twice, moved along a direction that it does not use."""
    x = torch.cat([unit_rows(30, 6), torch.zeros(30, 1, dtype=torch.float64)], dim=1)
    x = torch.cat([x, -x])
    up = torch.zeros(7, dtype=torch.float64)
    up[6] = 1
    a, b = (x + up) / math.sqrt(2), (x - up) / math.sqrt(2)
    assert mg.l2m(a, b).item() == pytest.approx(math.sqrt(2))
    for method in (closing.centre, closing.translate):
        left, right = method(a, b)
        assert pairs_agree((left, right), (x, x))
    zeroed = closing.drop_dimensions(a, b, count=1)
    assert pairs_agree(zeroed, (x, x))


def test_centring_is_the_formula() -> None:
    x, y = clouds()
    fit = clouds(25, seed=5)
    left, right = closing.centre(x, y[:10], fit)
    assert torch.allclose(left, mg.normalize(x - fit[0].mean(0)))
    assert torch.allclose(right, mg.normalize(y[:10] - fit[1].mean(0)))


def test_standardisation_is_scikit_learns() -> None:
    x, y = clouds()
    fit = clouds(25, seed=5)
    for made, rows, own in zip(closing.standardise(x, y, fit), (x, y), fit, strict=True):
        # The factor between the two definitions of the deviation goes with the length.
        wanted = StandardScaler().fit(own.numpy()).transform(rows.numpy())
        assert torch.allclose(made, mg.normalize(torch.from_numpy(wanted)))


def test_a_rotated_copy_is_rotated_back() -> None:
    x, turn = unit_rows(40, 8), rotation(8)
    left, right = closing.rotate(x, x @ turn)
    assert pairs_agree((left, right), (x @ turn, x @ turn))
    fresh = unit_rows(15, 8, 9)
    assert torch.allclose(closing.rotate(fresh, fresh, (x, x @ turn))[0], fresh @ turn)


def test_rotation_is_scipys_and_no_other_is_better() -> None:
    x, y = clouds()
    wanted, _ = orthogonal_procrustes(x.numpy(), y.numpy())
    left, right = closing.rotate(x, y)
    assert torch.allclose(left, x @ torch.from_numpy(wanted))
    assert right is y
    best = mg.alignment(left, right)
    assert all(best < mg.alignment(x @ rotation(8, seed), y) for seed in range(20))
    assert mg.mean_cosine(left) == pytest.approx(mg.mean_cosine(x).item())


def test_what_the_fit_leaves_open_is_rotated_least() -> None:
    """Five pairs in twenty dimensions: directions that no row of the fit has stay as they are."""
    a, b = unit_rows(5, 20), unit_rows(5, 20, 1)
    used = torch.linalg.qr(torch.cat([a, b]).T, mode="complete").Q
    untouched = used[:, 10:].T
    assert torch.allclose(closing.rotate(untouched, b, (a, b))[0], untouched, atol=1e-12)
    x, order = unit_rows(9, 20, 2), torch.randperm(5)
    one, other = (closing.rotate(x, x, fit)[0] for fit in ((a, b), (a[order], b[order])))
    assert torch.allclose(one, other, atol=1e-12), "the order of the pairs should not matter"
    assert torch.allclose(one @ one.T, x @ x.T), "a rotation keeps angles"


@pytest.mark.parametrize("count", [0, 1, 3, 7])
def test_as_many_dimensions_are_dropped_as_asked(count: int) -> None:
    x, y = clouds()
    left, right = closing.drop_dimensions(x, y, count=count)
    gone = (left == 0).all(dim=0)
    assert gone.sum() == count
    assert torch.equal(gone, (right == 0).all(dim=0))
    share = mg.gap_share(x, y)
    if count:
        assert share[gone].min() > share[~gone].max()
    assert torch.allclose(left[:, ~gone], mg.normalize(x[:, ~gone]))


@pytest.mark.parametrize("alpha", [-0.5, 0.0, 0.3, 0.5])
def test_translation_without_fit_is_the_shift(alpha: float) -> None:
    x, y = clouds()
    assert pairs_agree(closing.translate(x, y, alpha=alpha), mg.shift(x, y, alpha))


def test_the_translation_is_that_of_the_fit() -> None:
    x, y = clouds()
    fit = clouds(25, seed=5)
    delta = mg.gap_vector(*fit)
    left, right = closing.translate(x, y, fit)
    assert torch.allclose(left, mg.normalize(x - delta / 2))
    assert torch.allclose(right, mg.normalize(y + delta / 2))


def test_nothing_is_nothing() -> None:
    x, y = clouds()
    assert pairs_agree(closing.keep(x, y), (x, y), atol=0)


@pytest.mark.parametrize("name", [name for name in METHODS if name != "nothing"])
def test_the_gap_of_new_pairs_is_smaller(name: str) -> None:
    x, y = clouds(200)
    assert mg.l2m(*METHODS[name](x, y, clouds(300, seed=5))) < 0.25 * mg.l2m(x, y)


# Invariances.


@EVERY
@given(seed=SEEDS)
def test_rows_are_unit_and_each_is_changed_for_itself(method: Method, seed: int) -> None:
    """The order of the rows does not matter, nor what other rows there are."""
    x, y = clouds(seed=seed)
    fit = clouds(25, seed=seed + 2)
    changed = method(x, y, fit)
    for rows in changed:
        assert torch.allclose(rows.norm(dim=1), torch.ones(len(rows), dtype=torch.float64))
    order = torch.randperm(40, generator=torch.Generator().manual_seed(seed))
    of_fit = torch.randperm(25, generator=torch.Generator().manual_seed(seed))
    again = method(x[order][:7], y[order][:30], (fit[0][of_fit], fit[1][of_fit]))
    expected = (changed[0][order][:7], changed[1][order][:30])
    assert pairs_agree(again, expected, atol=1e-9)


@EVERY
def test_the_fit_is_the_pair_itself_where_none_is_given(method: Callable[..., Pair]) -> None:
    x, y = clouds()
    assert pairs_agree(method(x, y), method(x, y, (x, y)), atol=0)


@pytest.mark.parametrize("name", ["nothing", "centring", "rotation", "translation"])
@given(seed=SEEDS)
def test_turned_axes_change_no_cosine(name: str, seed: int) -> None:
    x, y = clouds(seed=seed)
    fit, turn = clouds(25, seed=seed + 2), rotation(8, seed)
    plain = METHODS[name](x, y, fit)
    turned = METHODS[name](x @ turn, y @ turn, (fit[0] @ turn, fit[1] @ turn))
    assert pairs_agree(turned, (plain[0] @ turn, plain[1] @ turn), atol=1e-9)


@pytest.mark.parametrize("name", ["standardisation", "fewer dimensions"])
def test_two_methods_depend_on_the_axes(name: str) -> None:
    x, y = clouds()
    turn = rotation(8)
    plain, turned = METHODS[name](x, y, None), METHODS[name](x @ turn, y @ turn, None)
    assert not torch.allclose(plain[0] @ plain[1].T, turned[0] @ turned[1].T, atol=1e-3)


@EVERY
def test_swapped_modalities_have_the_same_cosines(method: Method) -> None:
    x, y = clouds()
    fit = clouds(25, seed=5)
    (left, right), (b, a) = method(x, y, fit), method(y, x, (fit[1], fit[0]))
    assert torch.allclose(left @ right.T, a @ b.T)


@EVERY
def test_float32_stays_and_gradients_pass(method: Method) -> None:
    x, y = (rows.float() for rows in clouds())
    x.requires_grad_()
    left, right = method(x, y, None)
    assert left.dtype == right.dtype == torch.float32
    exact = method(x.detach().double(), y.double(), None)
    assert pairs_agree((left.double(), right.double()), exact, atol=1e-4)
    (left * right).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


# Bad input.


def changed(rows: Tensor, row: int, value: float) -> Tensor:
    rows = rows.clone()
    rows[row] = value
    return rows


@EVERY
def test_bad_rows_are_named(method: Method) -> None:
    x, y = clouds()
    for arguments, said in [
        ((changed(x, 3, 0), y, None), "^x: row 3 is zero"),
        ((x, changed(y, 4, math.nan), None), "^y: row 4 holds a NaN"),
        ((x, y[:5], None), "^y: expected the shape of x"),
        ((x, y, (x, y[:5])), "^fit: y: expected the shape of x"),
        ((x, y, (changed(x, 2, 1), y)), "^fit: x: row 2 has length"),
        ((x, changed(y, 1, 2), (x, y)), "^y: row 1 has length"),
        ((x, y, (x[:, :7] / x[:, :7].norm(dim=1, keepdim=True),) * 2), "x: expected 7 columns"),
        ((x, y.float(), (x, y)), "^y: expected 8 columns of torch.float64 like fit, got 8 of"),
        ((x[0], y, (x, y)), r"^x: expected shape \(N, D\)"),
    ]:
        with pytest.raises(ValueError, match=said):
            method(*arguments)


def test_a_constant_column_cannot_be_standardised() -> None:
    x, y = clouds()
    flat = torch.cat([y[:, :4] / y[:, :4].norm(dim=1, keepdim=True), torch.zeros(40, 4)], dim=1)
    with pytest.raises(ValueError, match=r"^y: column 4 is the same in every row of the fit"):
        closing.standardise(x, flat)


@pytest.mark.parametrize("count", [-1, 8, 100])
def test_a_count_out_of_range(count: int) -> None:
    with pytest.raises(ValueError, match="count: expected 0 to D - 1 = 7"):
        closing.drop_dimensions(*clouds(), count=count)


def test_no_gap_has_no_dimensions_to_drop() -> None:
    x, _ = clouds()
    with pytest.raises(ValueError, match="the means coincide"):
        closing.drop_dimensions(x, x)


@pytest.mark.parametrize("alpha", [math.nan, math.inf])
def test_a_step_that_is_no_number(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha: expected a finite number"):
        closing.translate(*clouds(), alpha=alpha)


def test_a_row_that_is_the_mean_has_no_direction() -> None:
    a, b = np.eye(3)[:2]
    x = torch.from_numpy(np.stack([a, b, b, a]))
    with pytest.raises(ValueError, match="row 0 is zero"):
        closing.centre(torch.from_numpy(np.stack([a, a])), x[:2], (x[[0, 0]], x[:2]))
