"""Runs in processes and on a cluster, and what ends them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

import fake_runs
import light_tasks
from fake_runs import LARGE, names, noted, quick, table
from modality_gap.experiments import sweeps
from modality_gap.experiments.executors import in_processes
from modality_gap.lab.training import Config

SOON = 300  # seconds; only what hangs takes longer


def run_script(path: Path, *arguments: object) -> tuple[int, str]:
    """Exit status and errors, when the last process that it started has ended."""
    process = subprocess.Popen(
        [sys.executable, path, *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    # Workers have its standard error, too: it ends with the last of them.
    errors = process.communicate(timeout=SOON)[1]
    return process.returncode, errors


@pytest.mark.parametrize(
    ("end", "status", "last"),
    [
        ("worker killed", 1, "A process died: it was killed, or there was not enough memory"),
        ("parent killed", -9, ""),
        ("Ctrl-C", 130, "Stopped"),
    ],
)
def test_what_ends_the_processes_keeps_what_was_done(
    end: str, status: int, last: str, tmp_path: Path
) -> None:
    found, errors = run_script(Path(light_tasks.__file__), end, tmp_path)
    assert found == status
    assert "Traceback" not in errors
    assert last in errors
    # The fourth of six ends all, when the first three are done; those beside it may be done, too.
    assert {"0", "1", "2"} <= names(tmp_path)
    assert "3" not in names(tmp_path)


def test_killed_and_called_again_equals_uninterrupted(
    call: Callable[..., int], tmp_path: Path
) -> None:
    """What was stored stays, and is not executed again."""
    notes, out, other = (tmp_path / name for name in ("notes", "out", "other"))
    assert run_script(Path(fake_runs.__file__), notes, LARGE[4].key, out)[0] == -9
    assert list(table(out)["run"][::2]) == [config.key for config in LARGE[:4]]
    again = tmp_path / "again"
    assert call("--only", "large", function=partial(noted, again), out=out) == 0
    assert names(again) == {config.key for config in LARGE[4:]}
    assert call("--only", "large", out=other) == 0
    pd.testing.assert_frame_equal(table(out), table(other))


def test_ctrl_c_says_that_the_same_command_goes_on(
    call: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(config: Config) -> list[dict[str, float]]:
        if config == LARGE[2]:
            raise KeyboardInterrupt
        return quick(config)

    assert call("--only", "large", function=interrupted) == 130
    assert capsys.readouterr().err.endswith(
        f"Stopped. Finished runs are stored in {tmp_path}; the same command goes on.\n"
    )
    assert list(table(tmp_path)["run"][::2]) == [config.key for config in LARGE[:2]]


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
