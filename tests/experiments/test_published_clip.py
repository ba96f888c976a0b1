import numpy as np
import pytest
import torch
from torch import Tensor

import modality_gap as mg
from helpers import unit_rows
from modality_gap.experiments import published_clip


def pairs_with_two_loud_dimensions(n: int = 60, d: int = 12) -> tuple[Tensor, Tensor]:
    """Images loud in dimension 3, texts in 7; the content is in the others."""
    content = unit_rows(n, d)
    content[:, [3, 7]] = 0
    x, y = content.clone(), content + 0.1 * unit_rows(n, d, 1)
    x[:, 3] = 2 + 0.5 * unit_rows(n, 1, 2)[:, 0]
    y[:, 7] = -3 + 0.5 * unit_rows(n, 1, 3)[:, 0]
    return mg.normalize(x), mg.normalize(y)


def test_without_the_two_of_the_gap_it_is_gone_and_random_others_change_little() -> None:
    x, y = pairs_with_two_loud_dimensions()
    table = published_clip.two_removed(x, y)
    assert table.choice.to_list() == ["gap", "variance"] + ["random"] * published_clip.DRAWS
    rows = table.set_index("choice")
    kept = [i for i in range(12) if i not in (3, 7)]
    a, b = mg.normalize(x[:, kept]), mg.normalize(y[:, kept])
    assert rows.l2m["gap"] == pytest.approx(mg.l2m(a, b).item())
    assert rows.rmg["gap"] == pytest.approx(mg.rmg(a, b).item())
    kept = (x.var(dim=0) + y.var(dim=0)).argsort()[:-2]
    a, b = mg.normalize(x[:, kept]), mg.normalize(y[:, kept])
    assert rows.l2m["variance"] == pytest.approx(mg.l2m(a, b).item())
    assert (rows.l2m["random"] > 3 * rows.l2m["gap"]).all(), "none of them may be of the gap"
    assert rows.l2m["random"].nunique() > 10


def test_the_change_of_recall_is_that_of_the_package_and_its_error_is_paired() -> None:
    x, y = pairs_with_two_loud_dimensions()
    y = mg.normalize(y + 0.6 * unit_rows(len(y), 12, 5))  # so that not every pair is found
    table = published_clip.two_removed(x, y).set_index("choice").loc["gap"]
    kept = mg.gap_share(x, y).argsort()[:-2]
    a, b = mg.normalize(x[:, kept]), mg.normalize(y[:, kept])
    before, after = mg.recall_at_k(x, y), mg.recall_at_k(a, b)
    assert table.to_text == pytest.approx(after[0] - before[0])
    assert table.to_image == pytest.approx(after[1] - before[1])
    assert table.to_text != table.to_image
    found = [(s @ t.T).argmax(1).numpy() == np.arange(len(x)) for s, t in ((x, y), (a, b))]
    change = found[1].astype(float) - found[0].astype(float)
    assert change.any()
    assert table.to_text_error == pytest.approx(change.std(ddof=1) / len(x) ** 0.5)


@pytest.fixture
def few_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published_clip, "SPLITS", 5)


def noisy_pairs() -> tuple[Tensor, Tensor]:
    x = unit_rows(500, 16)
    return x, mg.normalize(x + 1.5 * unit_rows(500, 16, 1))


def test_the_threshold_of_one_pair_lets_through_what_it_was_allowed(few_splits: None) -> None:
    table = published_clip.one_pair(*noisy_pairs())
    assert len(table) == 5 * 4 * len(published_clip.ALLOWED)
    means = table.groupby(["score", "allowed"])[["wrong", "right"]].mean()
    for (_, allowed), (wrong, right) in zip(means.index, means.to_numpy(), strict=True):
        assert wrong == pytest.approx(allowed, rel=0.5)
        assert right > 3 * wrong
    assert table.groupby(["score", "allowed"]).threshold.nunique().min() == 5


def test_the_score_of_one_pair_is_judged_on_pairs_of_its_own(few_splits: None) -> None:
    x, y = noisy_pairs()
    row = published_clip.one_pair(x, y).query("split == 3 and score == 'cosine'").iloc[0]
    judged, fit = np.split(np.random.default_rng(3).permutation(500), [200, 300])[:2]
    other = ~np.eye(100, dtype=bool)
    assert row.threshold == np.quantile((x[fit] @ y[fit].T).numpy()[other], 0.95)
    cosine, other = (x[judged] @ y[judged].T).numpy(), ~np.eye(200, dtype=bool)
    assert row.right == (np.diag(cosine) > row.threshold).mean()
    assert row.wrong == (cosine[other] > row.threshold).mean()
    auc = (np.diag(cosine)[:, None] > cosine[other]).mean()
    assert row.auc == pytest.approx(auc)


def test_terms_of_one_side_do_not_touch_the_scores_that_take_them_off() -> None:
    x, y = unit_rows(30, 8), unit_rows(30, 8, 1)
    bank = unit_rows(50, 8, 2), unit_rows(50, 8, 3)
    loud = torch.zeros(30, 1, dtype=torch.float64)
    loud[:10] = 3

    def scores(own: Tensor, ones: Tensor) -> dict[str, Tensor]:
        """One more coordinate, so that images 0 to 9 are nearer to every caption."""
        added = [torch.cat([x, own], 1), torch.cat([y, ones], 1)]
        banks = [torch.cat([side, torch.ones(50, 1)], 1) for side in bank]
        return published_clip._scores(*added, *banks)

    quiet, changed = (scores(own, torch.ones(30, 1)) for own in (0 * loud, loud))
    assert not torch.allclose(quiet.pop("cosine"), changed.pop("cosine"))
    for name, score in quiet.items():
        torch.testing.assert_close(changed[name], score, msg=name)
    by_caption = [scores(0 * loud + 1, ones)["no one-sided terms"] for ones in (loud * 0, loud)]
    torch.testing.assert_close(*by_caption)
