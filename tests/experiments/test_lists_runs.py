import numpy as np
import pytest
import torch
from torch import Tensor

import modality_gap as mg
from helpers import unit_rows
from modality_gap.experiments.lists_runs import PAIRS, RIVALS, judge, judge_splits, run
from modality_gap.lab.training import Config, train
from modality_gap.ranking import ZPerKind
from modality_gap.tasks import mixed_map, mixed_recall


def clouds(n: int) -> tuple[Tensor, Tensor]:
    x = unit_rows(n, 60)
    up = 2 * torch.eye(60, dtype=torch.float64)[0]
    return mg.normalize(x + up), mg.normalize(x + 0.5 * unit_rows(n, 60, 1) - up)


def test_every_rival_is_fitted_on_the_first_pairs_and_judged_on_others() -> None:
    x, y = clouds(130)
    labels = torch.arange(50) % 3
    rows = judge(x[:50], y[:50], (x[50:], y[50:]), labels, pairs=(20, 80))
    assert [(row["pairs"], row["ranking"]) for row in rows] == [
        (count, name) for count in (20, 80) for name in RIVALS
    ]
    by_name = {(row["ranking"], row["pairs"]): row for row in rows}
    for count in (20, 80):
        made = ZPerKind().fit(x[50 : 50 + count], y[50 : 50 + count])
        found = by_name["z per kind", count]
        assert found["mixed_recall_image"] == mixed_recall(x[:50], y[:50], made)[0]
        assert ("mixed_map" in found) == (count == 80)
    assert found["mixed_map"] == mixed_map(x[:50], y[:50], labels, made)
    untouched = by_name["nothing", 80]
    assert untouched["recall_1_image_to_text"] == found["recall_1_image_to_text"]
    assert untouched["l2m"] == found["l2m"] > by_name["centring", 80]["l2m"]


def test_splits_hold_apart_what_is_fitted_and_what_is_judged() -> None:
    x, y = clouds(500)
    rows = judge_splits(x, y, splits=1)
    assert len(rows) == len(RIVALS) * len(PAIRS)
    order = np.random.default_rng(0).permutation(500)
    fit, judged = order[250:450], order[:250]
    assert rows[-len(RIVALS)]["l2m"] == pytest.approx(mg.l2m(x[judged], y[judged]).item())
    made = ZPerKind().fit(x[fit], y[fit])
    (row,) = (row for row in rows if (row["ranking"], row["pairs"]) == ("z per kind", 200))
    assert row["mixed_recall_text"] == mixed_recall(x[judged], y[judged], made)[1]


def test_a_run_is_trained_and_its_lists_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modality_gap.experiments.lists_runs.PAIRS", (20,))
    rows = run(Config(steps=2))
    assert [row["ranking"] for row in rows] == list(RIVALS)
    assert {row["step"] for row in rows} == {2}
    plain = train(Config(steps=2), progress=False).rows[-1]
    for name in ("l2m", "recall_1_image_to_text", "recall_1_text_to_image"):
        assert rows[0][name] == pytest.approx(plain[name], abs=1e-3), name
    assert run(Config(steps=400), stop=10) == []
