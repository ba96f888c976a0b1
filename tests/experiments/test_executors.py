"""Runs in processes and on a cluster, and what ends them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

import fake_runs
from fake_runs import LARGE, names, noted, quick, table
from modality_gap.experiments import sweeps
from modality_gap.experiments.executors import in_processes
from modality_gap.lab.training import Config

SOON = 120  # seconds; only what hangs takes longer


@pytest.mark.parametrize(
    ("end", "status", "said"),
    [
        ("worker killed", 1, "A process died: .* Finished runs are stored in "),
        ("command killed", -9, ""),
        ("Ctrl-C", 130, "Stopped. Finished runs are stored in "),
    ],
)
def test_stopped_in_the_middle_and_called_again_equals_uninterrupted(
    end: str, status: int, said: str, call: Callable[..., int], tmp_path: Path
) -> None:
    """What was stored stays and is not executed again, and no worker outlives the command."""
    notes, out, other = (tmp_path / name for name in ("notes", "out", "other"))
    script, arguments = Path(fake_runs.__file__), ["--only", "large", "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, script, end, notes, LARGE[4].key, *arguments, "--workers", "2"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    # The workers have its standard error, too: that ends when the last of them has ended.
    errors = process.communicate(timeout=SOON)[1]
    assert process.returncode == status
    assert [line for line in errors.splitlines() if re.match(said, line)] or not said
    assert "Traceback" not in errors
    stored = set(table(out)["run"])
    assert {config.key for config in LARGE[:3]} <= stored
    assert LARGE[4].key not in stored
    again = tmp_path / "again"
    assert call(*arguments, function=partial(noted, again), out=out) == 0
    assert names(again) == {config.key for config in LARGE} - stored
    assert call("--only", "large", out=other) == 0
    pd.testing.assert_frame_equal(table(out), table(other))


def fails_at_1(number: int) -> int:
    if number == 1:
        raise FloatingPointError("the loss is no number")
    return number**2


@pytest.mark.parametrize("workers", [1, 2])
def test_who_fails_stops_nobody_else(workers: int) -> None:
    outcomes = dict(in_processes(fails_at_1, range(4), workers))
    assert isinstance(outcomes.pop(1), FloatingPointError)
    assert outcomes == {0: 0, 2: 4, 3: 9}


def test_a_cluster_gives_what_processes_give(call: Callable[..., int], tmp_path: Path) -> None:
    from distributed import LocalCluster

    out, other = tmp_path / "out", tmp_path / "other"
    with LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster:
        address = cluster.scheduler.address
        command = ["--only", "large", "--out", str(out), "--scheduler", address]
        assert sweeps.main(command, function=fails_at_k_2, prepare=lambda: None) == 1
        assert set(table(out)["k"]) == {0, 1, 3}
        assert sweeps.main(command, function=quick, prepare=lambda: None) == 0
    assert call("--only", "large", out=other) == 0
    pd.testing.assert_frame_equal(table(out), table(other))


def fails_at_k_2(config: Config) -> list[dict[str, float]]:
    if config.k == 2:
        raise FloatingPointError("the loss is no number")
    return quick(config)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "ftp://nowhere"])
def test_a_scheduler_that_cannot_be_reached_is_one_sentence(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sweeps.main(["--scheduler", address, "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"The scheduler '{address}' cannot be reached: ")
    assert len(said.splitlines()) == 1
    assert names(tmp_path) == set()
