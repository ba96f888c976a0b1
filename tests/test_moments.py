"""One pass over shards: what it adds up to, wherever it runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import modality_gap as mg
from helpers import SEEDS, unit_rows
from modality_gap import moments
from modality_gap.cli.measure import spread_by
from modality_gap.door import Held, Rows
from modality_gap.moments import Moments, sum_pairs, sum_up


def rows(values: torch.Tensor, name: str = "x") -> Rows:
    return Rows([Held(values, name)], name)


@given(SEEDS, st.integers(1, 59))
def test_parts_add_up_to_the_whole(seed: int, cut: int) -> None:
    x, y = unit_rows(60, 5, seed), unit_rows(60, 5, seed + 1)
    whole = sum_up(rows(x), rows(y)).sizes()
    parts = [sum_pairs(rows(x), rows(y), part) for part in (range(cut), range(cut, 60))]
    assert (parts[0] + parts[1]).sizes() == pytest.approx(whole, abs=1e-12)
    assert (parts[1] + parts[0] + Moments.zero(5)).sizes() == pytest.approx(whole, abs=1e-12)
    assert whole["l2m"] == pytest.approx(mg.l2m(x, y).item(), abs=1e-12)
    assert whole["l2i"] == pytest.approx(mg.l2i(x, y).item(), abs=1e-12)
    assert whole["rmg"] == pytest.approx(mg.rmg(x, y).item(), abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_what_is_stored_in_fewer_bits_is_summed_in_float64(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "WORK", 7 * 16)
    x, y = (unit_rows(300, 16, seed).to(dtype) for seed in (1, 2))
    a, b = x.double().numpy(), y.double().numpy()
    found = sum_up(rows(x), rows(y)).sizes()
    assert found["l2m"] == pytest.approx(np.linalg.norm(a.mean(0) - b.mean(0)), abs=1e-12)
    assert found["l2i"] == pytest.approx(np.linalg.norm(a - b, axis=1).mean(), abs=1e-12)
    assert found["paired_cosine"] == pytest.approx((a * b).sum(1).mean(), abs=1e-12)
    within = (a @ a.T)[~np.eye(300, dtype=bool)].mean()
    assert found["cosine_image"] == pytest.approx(within, abs=1e-12)


def test_distances_of_pairs_that_nearly_coincide_are_not_rounding() -> None:
    x = unit_rows(50, 64)
    y = mg.normalize(x + 1e-9 * unit_rows(50, 64, 1))
    expected = (x - y).norm(dim=1).mean().item()
    assert sum_up(rows(x), rows(y)).sizes()["l2i"] == pytest.approx(expected, rel=1e-9)
    assert sum_up(rows(x), rows(x)).sizes()["l2i"] == 0


def test_copies_are_told_from_neighbours() -> None:
    x = unit_rows(1000, 3, dtype=torch.float32)
    assert len(moments.fingerprints(rows(x)).unique()) == len(x.unique(dim=0))
    x[500:] = x[:500]
    x[0] = torch.tensor([1.0, 0.0, 0.0])
    x[500] = torch.tensor([1.0, -0.0, 0.0])
    assert len(moments.fingerprints(rows(x)).unique()) == 500


def test_a_sample_is_of_different_rows_and_the_same_for_one_seed() -> None:
    for count, size in ((10, 3), (10, 9), (10**9, 50), (5, 5), (5, 8)):
        chosen = moments.sampled(count, size, 3)
        assert len(chosen.unique()) == min(count, size)
        assert chosen.equal(moments.sampled(count, size, 3))
        assert chosen.min() >= 0
        assert chosen.max() < count


# --- on a cluster ---------------------------------------------------------------------------------


@pytest.fixture
def cluster() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as made,
        distributed.Client(made) as client,
    ):
        yield client


def test_two_workers_give_the_same_even_if_one_is_killed(
    cluster: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "PIECE", 40)
    x, y = unit_rows(400, 6, 1), unit_rows(400, 6, 2)
    for side, values in (("img_emb", x), ("text_emb", y)):
        (tmp_path / side).mkdir()
        for number, part in enumerate(values.split(150)):
            np.save(tmp_path / side / f"{side}_{number}.npy", part)
    pairs = mg.open_pairs(tmp_path)
    expected = mg.measure(x, y).values
    owner = torch.randint(400, (1000,), generator=torch.Generator().manual_seed(0))
    owner[:400] = torch.arange(400)
    captions = y[owner]

    def killing(function: Any, parts: Any) -> Any:  # noqa: ANN401
        """As `spread_by`, but that a worker dies with its work."""
        futures = cluster.map(function, parts, pure=False, retries=3)
        os.kill(next(iter(cluster.run(os.getpid).values())), signal.SIGKILL)
        return list(cluster.gather(futures))

    for spread in (spread_by(cluster), killing):
        found = mg.measure(pairs, spread=spread).values
        assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)
    here = sum_up(pairs.images, rows(captions), owner).sizes()
    assert here["l2i"] == pytest.approx((x[owner] - captions).norm(dim=1).mean().item(), abs=1e-12)
    there = sum_up(pairs.images, rows(captions), owner, spread_by(cluster)).sizes()
    assert there == pytest.approx(here, abs=1e-12)
