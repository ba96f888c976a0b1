import math

import numpy as np
import pytest
import torch
from hypothesis import given
from scipy import stats
from torch import Tensor

import modality_gap as mg
from helpers import SEEDS, rotation, unit_rows
from modality_gap import ranking
from modality_gap.ranking import (
    Cosines,
    InvertedSoftmax,
    PseudoPositives,
    Ranking,
    Side,
    ZPerKind,
    ZPerQuery,
)

EVERY = pytest.mark.parametrize(
    "kind", [Cosines, ZPerKind, ZPerQuery, PseudoPositives, InvertedSoftmax]
)


def clouds(n: int = 40, seed: int = 0, gap: float = 1.0) -> tuple[Tensor, Tensor]:
    """Pairs with a gap along the first axis, images in the narrower cone."""
    x, noise = unit_rows(n, 8, seed), unit_rows(n, 8, seed + 1)
    offset = torch.zeros(8, dtype=torch.float64)
    offset[0] = gap
    return mg.normalize(x + 1.5 * offset), mg.normalize(x + 0.3 * noise - offset)


def strangers(a: Tensor, b: Tensor) -> np.ndarray:
    return (a @ b.T)[~torch.eye(len(a), dtype=torch.bool)].numpy()


# Closed forms.


def test_z_per_kind_is_the_plain_definition() -> None:
    x, y = clouds()
    made = ZPerKind().fit(x, y)
    for i, a in enumerate((x, y)):
        for j, b in enumerate((x, y)):
            assert made.mean_[i, j].item() == pytest.approx(strangers(a, b).mean())
            assert made.deviation_[i, j].item() == pytest.approx(strangers(a, b).std())
    a, b = clouds(9, seed=5)
    scores = made.scores(a, "image", a, b[:4])
    assert scores.shape == (9, 13)
    within, across = strangers(x, x), strangers(x, y)
    assert torch.allclose(scores[:, :9], (a @ a.T - within.mean()) / within.std())
    assert torch.allclose(scores[:, 9:], (a @ b[:4].T - across.mean()) / across.std())
    assert torch.allclose(made.scores(b, "text", a).T, made.scores(a, "image", texts=b))


def test_on_the_pairs_of_the_fit_strangers_have_mean_0_and_deviation_1() -> None:
    x, y = clouds()
    scores = ZPerKind().fit(x, y).scores(y, "text", x, y).numpy()
    other = ~np.eye(40, dtype=bool)
    for block in (scores[:, :40][other], scores[:, 40:][other]):
        assert (block.mean(), block.std()) == pytest.approx((0, 1))


def test_z_per_query_is_scipys_zscore() -> None:
    x, y = clouds()
    scores = ZPerQuery().scores(y, "text", x, y).numpy()
    assert scores[:, :40] == pytest.approx(stats.zscore((y @ x.T).numpy(), axis=1))
    assert scores[:, 40:] == pytest.approx(stats.zscore((y @ y.T).numpy(), axis=1))
    own = ZPerQuery().scores(y, "text", x, y, torch.arange(40)).numpy()
    assert own[3, 40:43] == pytest.approx(stats.zscore(np.delete((y @ y.T).numpy()[3], 3))[:3]), (
        "oneself is in no statistic"
    )
    one = ZPerQuery().scores(x, "image", texts=y[:1])
    assert (one == 0).all(), "a single candidate stands out from nothing"


def test_pseudo_positives_are_the_best_of_each_kind() -> None:
    x, y = clouds()
    made = PseudoPositives().fit(x, y)
    for i, a in enumerate((x, y)):
        for j, b in enumerate((x, y)):
            cosines = (a @ b.T).numpy().copy()
            if i == j:
                np.fill_diagonal(cosines, -2)
            best = cosines.max(axis=1)
            assert made.mean_[i, j].item() == pytest.approx(best.mean())
            assert made.deviation_[i, j].item() == pytest.approx(best.std(ddof=1))
    a, b = clouds(5, seed=5)
    expected = (b @ a.T - made.mean_[1, 0]) / made.deviation_[1, 0]
    assert torch.allclose(made.scores(b, "text", images=a), expected)


@pytest.mark.parametrize("of", ["image", "text"])
def test_inverted_softmax_is_the_share_of_a_query_among_the_bank(of: Side) -> None:
    x, y = clouds()
    made, (a, b) = InvertedSoftmax(beta=3).fit(x, y), clouds(6, seed=5)
    queries, bank = (a, x) if of == "image" else (b, y)
    rows = torch.cat([a, b])
    expected = (3 * queries @ rows.T).exp() / (3 * bank @ rows.T).exp().sum(0)
    assert torch.allclose(made.scores(queries, of, a, b).exp(), expected)


def test_a_hub_is_ranked_lower() -> None:
    """The mean of all queries is near to each, and nobody's partner."""
    (x, y), (others, _) = clouds(), clouds(seed=9)
    index = torch.cat([others, mg.normalize(x.mean(dim=0)[None])])

    def place(made: Ranking) -> float:
        scores = made.fit(x, y).scores(x, "image", images=index)
        return float((scores > scores[:, -1:]).sum(dim=1).double().mean())

    assert place(Cosines()) + 5 < place(InvertedSoftmax(5))


# Properties.


@given(seed=SEEDS)
def test_a_list_of_one_kind_keeps_its_order_where_scores_are_standardised(seed: int) -> None:
    x, y = clouds(seed=seed)
    fit = clouds(seed=seed + 2)
    plain = (x @ y.T).argsort(dim=1)
    for kind in (ZPerKind, PseudoPositives, ZPerQuery):
        scores = kind().fit(*fit).scores(x, "image", texts=y)
        assert torch.equal(scores.argsort(dim=1), plain)


@EVERY
@given(seed=SEEDS)
def test_turned_axes_and_swapped_modalities_change_no_score(kind: type[Ranking], seed: int) -> None:
    (x, y), (a, b), turn = clouds(seed=seed), clouds(12, seed=seed + 2), rotation(8, seed)
    plain = kind().fit(x, y).scores(a, "image", a, b)
    turned = kind().fit(x @ turn, y @ turn).scores(a @ turn, "image", a @ turn, b @ turn)
    assert torch.allclose(plain, turned, atol=1e-6)
    swapped = kind().fit(y, x).scores(a, "text", b, a)
    assert torch.allclose(plain, torch.cat([swapped[:, 12:], swapped[:, :12]], dim=1), atol=1e-6)


@EVERY
def test_an_index_that_grows_and_queries_one_by_one(kind: type[Ranking]) -> None:
    (x, y), (a, b) = clouds(), clouds(12, seed=5)
    made = kind().fit(x, y)
    whole = made.scores(a, "image", a, b)
    one = made.scores(a[3:4], "image", a, b)
    assert torch.allclose(whole[3:4], one)
    if kind is not ZPerQuery:  # what else is in the index does not matter
        assert torch.allclose(made.scores(a, "image", a[:5], b[:1])[:, [0, 5]], whole[:, [0, 12]])


@EVERY
def test_oneself_is_last_in_the_own_modality_alone(kind: type[Ranking]) -> None:
    x, y = clouds()
    own = torch.tensor([4, 2])
    scores = kind().fit(x, y).scores(y[own], "text", x, y, own)
    assert torch.equal(scores.isinf().nonzero(), torch.tensor([[0, 44], [1, 42]]))
    assert (scores[[0, 1], [44, 42]] < 0).all()


@EVERY
def test_float32_is_scored_after_a_fit_in_float64(kind: type[Ranking]) -> None:
    x, y = clouds()
    made = kind().fit(x, y)
    scores = made.scores(x.float(), "image", x.float(), y.float())
    assert scores.dtype == torch.float32
    assert torch.allclose(scores.double(), made.scores(x, "image", x, y), atol=1e-3)


@pytest.mark.parametrize("both", [True, False])
def test_lists_name_queries_and_partners(both: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "QUERIES", 15)
    x, y = clouds()
    blocks = list(ranking.lists(x, y, both=both))
    rows, partners, scores = (torch.cat(part) for part in zip(*blocks, strict=True))
    assert torch.equal(rows, torch.arange(80))
    pairs = (x * y).sum(1)
    assert torch.allclose(scores[rows, partners], torch.cat([pairs, pairs]))
    assert scores.shape == (80, 80 if both else 40)
    assert torch.equal(scores.isinf().nonzero()[:, 0], rows if both else rows[:0])


# Bad input.


def test_bad_arguments_are_named() -> None:
    x, y = clouds()
    made = ZPerKind().fit(x, y)
    for call, said in [
        (lambda: made.scores(x, "sound", x, y), "^of: expected 'image' or 'text', got 'sound'"),  # type: ignore[arg-type]
        (lambda: made.scores(x, "image"), "^images, texts: expected candidates"),
        (lambda: made.scores(2 * x, "image", x), "^queries: row 0 has length 2"),
        (lambda: made.scores(x, "image", x, 2 * y), "^texts: row 0 has length 2"),
        (lambda: made.scores(unit_rows(3, 5), "image", x), "^queries: expected 8 columns"),
        (lambda: made.fit(x, y[:3]), "^y: expected the shape of x"),
        (lambda: made.fit(x[:1].expand(5, 8), y[:5]), "^x, y: all cosines of one kind are equal"),
        (lambda: InvertedSoftmax(0).fit(x, y), "^beta: expected a finite number above 0"),
        (lambda: InvertedSoftmax(math.nan).fit(x, y), "^beta: expected a finite number above 0"),
    ]:
        with pytest.raises(ValueError, match=said):
            call()
