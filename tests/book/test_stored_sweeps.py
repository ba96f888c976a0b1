"""Stored sweeps as the chapters read them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import modality_gap as mg
from modality_gap import results
from modality_gap.book import sweeps


@pytest.fixture
def table() -> pd.DataFrame:
    """Two values of k, three seeds, out of order; l2m is 10 k + seed."""
    rows = [
        {"run": f"{k}{seed}", "k": k, "seed": seed, "step": step, "steps": 100}
        for seed in (2, 0, 1)
        for k in (5, 3)
        for step in (0, 100)
    ]
    made = pd.DataFrame(rows)
    return made.assign(l2m=10.0 * made.k + made.seed, rmg=-1.0 * made.k)


def test_columns_that_are_added() -> None:
    read = sweeps.read("imbalance")
    stored = results.read("imbalance")[0]
    pd.testing.assert_frame_equal(read[stored.columns], stored)
    row = read.iloc[3]
    assert row.entropy == (row.entropy_image_to_text + row.entropy_text_to_image) / 2
    assert row.underconfidence == row.entropy - row.test_loss
    assert row.share == row.l2m**2 / row.alignment


def test_a_sweep_with_one_entropy(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"entropy": 2.0, "test_loss": 0.5, "l2m": 0.5, "alignment": 0.5}
    monkeypatch.setattr(results, "read", lambda name: (pd.DataFrame([row]), {}))
    read = sweeps.read("pictures").iloc[0]
    assert (read.entropy, read.underconfidence, read.share) == (2.0, 1.5, 0.5)


def test_final_rows(table: pd.DataFrame) -> None:
    last = sweeps.final(table)
    assert set(last.step) == {100}
    assert len(last) == table["run"].nunique()


def test_values_come_in_the_order_of_the_seeds(table: pd.DataFrame) -> None:
    assert sweeps.of_seeds(table, "l2m", k=3, step=0).tolist() == [30, 31, 32]


@pytest.mark.parametrize("settings", [{"k": 3}, {"k": 4, "step": 0}])
def test_not_one_row_for_each_seed(table: pd.DataFrame, settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="one row for each seed"):
        sweeps.of_seeds(table, "l2m", **settings)


def test_every_combination_is_written(table: pd.DataFrame) -> None:
    found = sweeps.mean_sds(sweeps.final(table), "{column}/{k}", ["l2m", "rmg"], k=(3, 5))
    assert list(found) == ["l2m/3", "l2m/5", "rmg/3", "rmg/5"]
    assert found["l2m/5"].replace("\N{NO-BREAK SPACE}", " ") == "51.00 ± 1.00"


def test_ranks_of_each_seed(table: pd.DataFrame) -> None:
    last = sweeps.final(table)
    assert sweeps.ranks(last, "k", "l2m") == pytest.approx([1, 1, 1])
    assert sweeps.ranks(last, "k", "rmg") == pytest.approx([-1, -1, -1])


def test_differences_are_the_largest_up_to_a_step(table: pd.DataFrame) -> None:
    rows = [{"step": 0, "l2m": 30.5, "other": 1}, {"step": 100, "l2m": 0}]
    found = sweeps.differences(table, "30", rows)
    assert found["l2m"] == 0.5
    assert "other" not in found
    assert sweeps.differences(table, "30", rows, until=100)["l2m"] == 30


@pytest.mark.parametrize(
    ("key", "steps"), [("none", [0]), ("none", [100]), ("30", [0, 25]), ("30", [100])]
)
def test_other_runs_or_steps_are_not_compared(
    table: pd.DataFrame, key: str, steps: list[int]
) -> None:
    with pytest.raises(ValueError, match="expected steps"):
        sweeps.differences(table, key, [{"step": step, "l2m": 30.0} for step in steps])


def test_cosine_of_mismatched_pairs() -> None:
    x, y = mg.normalize(torch.randn(2, 40, 5, dtype=torch.float64).flatten(0, 1)).split(40)
    row = pd.DataFrame(
        {
            "cosine_image": [float(mg.mean_cosine(x))],
            "cosine_text": [float(mg.mean_cosine(y))],
            "paired_cosine": [float(mg.paired_cosine(x, y))],
            "l2m": [float(mg.l2m(x, y))],
        }
    )
    plain = (x @ y.T)[~torch.eye(40, dtype=torch.bool)].mean()
    assert np.isclose(sweeps.mismatched_cosine(row, pairs=40).item(), plain, atol=1e-12)
