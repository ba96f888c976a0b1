import math

import numpy as np
import pytest
import torch
from hypothesis import given
from scipy.linalg import orthogonal_procrustes
from sklearn.covariance import LedoitWolf
from sklearn.preprocessing import StandardScaler
from torch import Tensor

import modality_gap as mg
from helpers import SEEDS, rotation, unit_rows
from modality_gap.closing import (
    METHODS,
    Centring,
    FewerDimensions,
    Method,
    Nothing,
    OneSidedTranslation,
    Pair,
    Rotation,
    Standardisation,
    Translation,
    Whitening,
)

KINDS = (*METHODS.values(), Whitening, OneSidedTranslation)
EVERY = pytest.mark.parametrize("kind", KINDS)


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
    for method in (Centring(), Translation(), FewerDimensions(count=1)):
        assert pairs_agree(method.fit_transform(a, b), (x, x))


def test_centring_is_the_formula() -> None:
    x, y = clouds()
    a, b = clouds(25, seed=5)
    left, right = Centring().fit(a, b).transform(x, y[:10])
    assert torch.allclose(left, mg.normalize(x - a.mean(0)))
    assert torch.allclose(right, mg.normalize(y[:10] - b.mean(0)))


def test_standardisation_is_scikit_learns() -> None:
    fit = clouds(25, seed=5)
    made = Standardisation().fit(*fit).transform(*clouds())
    for changed, rows, own in zip(made, clouds(), fit, strict=True):
        # The factor between the two definitions of the deviation goes with the length.
        wanted = StandardScaler().fit(own.numpy()).transform(rows.numpy())
        assert torch.allclose(changed, mg.normalize(torch.from_numpy(wanted)))


def test_whitened_rows_have_the_shrunk_covariance_of_the_identity() -> None:
    a, b = clouds(25, seed=5)
    method = Whitening().fit(a, b)
    for rows, factor in ((a, method.factor_x_), (b, method.factor_y_)):
        shrunk = torch.from_numpy(LedoitWolf().fit(rows.numpy()).covariance_)
        assert torch.allclose(factor @ shrunk @ factor, torch.eye(8, dtype=torch.float64))
        assert torch.allclose(factor, factor.T)
    x, _ = clouds()
    assert torch.allclose(method.transform(x), mg.normalize((x - a.mean(0)) @ method.factor_x_))
    assert Whitening().fit(a[:5], b[:5]).factor_x_.isfinite().all(), "fewer pairs than dimensions"


def test_a_rotated_copy_is_rotated_back() -> None:
    x, turn = unit_rows(40, 8), rotation(8)
    method = Rotation().fit(x, x @ turn)
    assert pairs_agree(method.transform(x, x @ turn), (x @ turn, x @ turn))
    fresh = unit_rows(15, 8, 9)
    assert torch.allclose(method.transform(fresh), fresh @ turn)


def test_rotation_is_scipys_and_no_other_is_better() -> None:
    x, y = clouds()
    wanted, _ = orthogonal_procrustes(x.numpy(), y.numpy())
    left, right = Rotation().fit_transform(x, y)
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
    assert torch.allclose(Rotation().fit(a, b).transform(untouched), untouched, atol=1e-12)
    x, order = unit_rows(9, 20, 2), torch.randperm(5)
    one, other = (Rotation().fit(*fit).transform(x) for fit in ((a, b), (a[order], b[order])))
    assert torch.allclose(one, other, atol=1e-12), "the order of the pairs should not matter"
    assert torch.allclose(one @ one.T, x @ x.T), "a rotation keeps angles"


@pytest.mark.parametrize("count", [0, 1, 3, 7])
def test_as_many_dimensions_are_dropped_as_asked(count: int) -> None:
    x, y = clouds()
    left, right = FewerDimensions(count).fit_transform(x, y)
    gone = (left == 0).all(dim=0)
    assert gone.sum() == count
    assert torch.equal(gone, (right == 0).all(dim=0))
    share = mg.gap_share(x, y)
    if count:
        assert share[gone].min() > share[~gone].max()
    assert torch.allclose(left[:, ~gone], mg.normalize(x[:, ~gone]))


@pytest.mark.parametrize("alpha", [-0.5, 0.0, 0.3, 0.5])
def test_translation_of_the_fit_is_the_shift(alpha: float) -> None:
    x, y = clouds()
    assert pairs_agree(Translation(alpha).fit_transform(x, y), mg.shift(x, y, alpha))


def test_the_translation_is_that_of_the_fit() -> None:
    x, y = clouds()
    fit = clouds(25, seed=5)
    delta = mg.gap_vector(*fit)
    left, right = Translation().fit(*fit).transform(x, y)
    assert torch.allclose(left, mg.normalize(x - delta / 2))
    assert torch.allclose(right, mg.normalize(y + delta / 2))


@pytest.mark.parametrize("retrieved", ["text", "image"])
def test_one_sided_translation_keeps_the_order_of_every_list(retrieved: str) -> None:
    """Where the retrieved rows lie in fewer dimensions than are taken off."""
    queries = mg.normalize(unit_rows(40, 8) + torch.tensor([0, 0, 0, 0, 0, 0, 0, 2.0]))
    index = torch.zeros(40, 8, dtype=torch.float64)
    index[:, :5] = unit_rows(40, 5, 1)
    pair = (queries, index) if retrieved == "text" else (index, queries)
    changed = OneSidedTranslation(retrieved, directions=5).fit_transform(*pair)
    moved, kept = changed if retrieved == "text" else changed[::-1]
    assert torch.equal(kept, index)
    ratios = (moved @ kept.T) / (queries @ kept.T)
    assert torch.allclose(ratios, ratios[:, :1].expand_as(ratios))
    assert mg.l2m(moved, kept) < 0.5 * mg.l2m(queries, index)
    whole = OneSidedTranslation(retrieved, directions=0).fit_transform(*pair)
    delta = mg.gap_vector(queries, index)
    assert torch.allclose(whole[retrieved == "image"], mg.normalize(queries - delta))


def test_nothing_is_nothing() -> None:
    x, y = clouds()
    assert pairs_agree(Nothing().transform(x, y), (x, y), atol=0)


@pytest.mark.parametrize("kind", [*list(METHODS.values())[1:], Whitening])
def test_the_gap_of_new_pairs_is_smaller(kind: type[Method]) -> None:
    x, y = clouds(200)
    assert mg.l2m(*kind().fit(*clouds(300, seed=5)).transform(x, y)) < 0.25 * mg.l2m(x, y)


# Invariances.


def made(kind: type[Method]) -> Method:
    return kind(directions=3) if kind is OneSidedTranslation else kind()


@EVERY
@given(seed=SEEDS)
def test_rows_are_unit_and_each_is_changed_for_itself(kind: type[Method], seed: int) -> None:
    """Neither order matters, nor what other rows there are, nor the other side."""
    x, y = clouds(seed=seed)
    fit = clouds(25, seed=seed + 2)
    method = made(kind).fit(*fit)
    changed = method.transform(x, y)
    for rows in changed:
        assert torch.allclose(rows.norm(dim=1), torch.ones(len(rows), dtype=torch.float64))
    of_fit = torch.randperm(25, generator=torch.Generator().manual_seed(seed))
    again = made(kind).fit(fit[0][of_fit], fit[1][of_fit])
    order = torch.randperm(40, generator=torch.Generator().manual_seed(seed))
    left, right = again.transform(x[order][:7]), again.transform(y=y[order][:1])
    assert pairs_agree((left, right), (changed[0][order][:7], changed[1][order][:1]), atol=1e-9)


@pytest.mark.parametrize(
    "kind", [Nothing, Centring, Rotation, Translation, Whitening, OneSidedTranslation]
)
@given(seed=SEEDS)
def test_turned_axes_change_no_cosine(kind: type[Method], seed: int) -> None:
    x, y = clouds(seed=seed)
    (a, b), turn = clouds(25, seed=seed + 2), rotation(8, seed)
    plain = made(kind).fit(a, b).transform(x, y)
    turned = made(kind).fit(a @ turn, b @ turn).transform(x @ turn, y @ turn)
    assert pairs_agree(turned, (plain[0] @ turn, plain[1] @ turn), atol=1e-9)


@pytest.mark.parametrize("kind", [Standardisation, FewerDimensions])
def test_two_methods_depend_on_the_axes(kind: type[Method]) -> None:
    x, y = clouds()
    turn = rotation(8)
    plain, turned = kind().fit_transform(x, y), kind().fit_transform(x @ turn, y @ turn)
    assert not torch.allclose(plain[0] @ plain[1].T, turned[0] @ turned[1].T, atol=1e-3)


@pytest.mark.parametrize("kind", [*METHODS.values(), Whitening])
def test_swapped_modalities_have_the_same_cosines(kind: type[Method]) -> None:
    x, y = clouds()
    fit = clouds(25, seed=5)
    left, right = kind().fit(*fit).transform(x, y)
    b, a = kind().fit(*fit[::-1]).transform(y, x)
    assert torch.allclose(left @ right.T, a @ b.T)


@EVERY
def test_float32_stays_and_gradients_pass(kind: type[Method]) -> None:
    x, y = (rows.float() for rows in clouds())
    method = made(kind).fit(*clouds(25, seed=5))  # in float64
    exact = method.transform(x.double(), y.double())
    x.requires_grad_()
    left, right = method.transform(x, y)
    assert left.dtype == right.dtype == torch.float32
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
def test_bad_rows_are_named(kind: type[Method]) -> None:
    x, y = clouds()
    for arguments, said in [
        ((changed(x, 3, 0), y), "^x: row 3 is zero"),
        ((x, changed(y, 4, math.nan)), "^y: row 4 holds a NaN"),
        ((x, y[:5]), "^y: expected the shape of x"),
    ]:
        with pytest.raises(ValueError, match=said):
            made(kind).fit(*arguments)
    method = made(kind).fit(x, y)
    narrow = x[:, :7] / x[:, :7].norm(dim=1, keepdim=True)
    for arguments, said in [
        ((x, changed(y, 1, 2)), "^y: row 1 has length"),
        ((narrow, y), "^x: expected 8 columns like the fit, got 7"),
        ((x[0], y), r"^x: expected shape \(N, D\)"),
        ((x[:0], y), r"^x: expected at least 1 row"),
        ((), "^x, y: expected images, texts or both"),
    ]:
        with pytest.raises(ValueError, match=said):
            method.transform(*arguments)


def test_a_constant_column_cannot_be_standardised() -> None:
    x, y = clouds()
    flat = torch.cat([y[:, :4] / y[:, :4].norm(dim=1, keepdim=True), torch.zeros(40, 4)], dim=1)
    with pytest.raises(ValueError, match=r"^y: column 4 is the same in every row of the fit"):
        Standardisation().fit(x, flat)


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (FewerDimensions(-1), "count: .* 0 to D - 1 = 7, got -1"),
        (FewerDimensions(8), "count: .* 0 to D - 1 = 7, got 8"),
        (Translation(math.nan), "alpha: expected a finite number"),
        (Translation(math.inf), "alpha: expected a finite number"),
        (OneSidedTranslation(directions=9), "directions: .* 0 to D = 8, got 9"),
        (OneSidedTranslation("sound"), "retrieved: expected 'image' or 'text', got 'sound'"),  # type: ignore[arg-type]
    ],
)
def test_a_parameter_that_does_not_fit(method: Method, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        method.fit(*clouds())


def test_no_gap_has_no_dimensions_to_drop() -> None:
    x, _ = clouds()
    with pytest.raises(ValueError, match="the means coincide"):
        FewerDimensions().fit(x, x)


def test_a_row_that_is_the_mean_has_no_direction() -> None:
    a, b = torch.from_numpy(np.eye(3)[:2])
    method = Centring().fit(torch.stack([a, a]), torch.stack([a, b]))
    with pytest.raises(ValueError, match="row 0 is zero"):
        method.transform(a[None])
