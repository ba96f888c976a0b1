"""The command: what it executes, what it stores, what it goes on with."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from fake_runs import LARGE, SMALL_SWEEPS, names, noted, quick, table
from modality_gap import results
from modality_gap.experiments import sweeps
from modality_gap.experiments.engine import Sweep, record
from modality_gap.experiments.sweeps import SWEEPS
from modality_gap.lab.mad import ATTRIBUTES, FACTORS
from modality_gap.lab.training import Config


def fails_at_2(config: Config) -> list[dict[str, float]]:
    if config.k == 2:
        raise FloatingPointError("the loss is no number")
    return quick(config)


def test_sweeps_are_as_many_runs_as_planned() -> None:
    sizes = {name: len({config.key for config in SWEEPS[name].runs()}) for name in SWEEPS}
    assert sizes == {
        "imbalance": 60, "unpredictability": 20, "temperature": 135, "initialisation": 30,
        "object": 30, "duplicates": 50, "longer": 5, "reopening": 60, "pictures": 30,
        "closing": 45, "lists": 10,
    }  # fmt: skip
    assert all(len(sweep.runs()) == sizes[name] for name, sweep in SWEEPS.items())
    assert all(sweep.seeds == 5 for sweep in SWEEPS.values())


def test_unpredictability_names_every_attribute_equally_often() -> None:
    runs = SWEEPS["unpredictability"].runs()
    for k in range(1, 5):
        named = Counter(
            word for config in runs if config.k == k for word in config.drawn_from or ()
        )
        assert named == dict.fromkeys(ATTRIBUTES, k)


def test_object_names_every_factor() -> None:
    assert [config.named for config in SWEEPS["object"].runs(1)] == list(FACTORS)


# What is stored.


def test_a_row_per_run_and_step_with_config_versions_and_measures(
    call: Callable[..., int], tmp_path: Path
) -> None:
    assert call("--only", "large") == 0
    read, provenance = results.read("large", tmp_path)
    assert provenance["sweep"] == "large"
    assert provenance["command"] == "python -m modality_gap.experiments --only large"
    assert list(read["run"]) == [config.key for config in LARGE for _ in range(2)]
    assert list(read["step"]) == [0, 100] * len(LARGE)
    first = read.iloc[0]
    assert (first["k"], first["named"], first["drawn_from"]) == (0, "digit", "")
    assert read["learn_temperature"].dtype == bool
    assert {"torch", "open_clip", "modality_gap", "python", "date", "seconds"} <= set(read)
    assert read["loss"][1] == pytest.approx(0.07 / 3, rel=1e-5)
    assert list(read["probe"].isna()) == [True, False] * len(LARGE)
    assert names(tmp_path) == {"large.csv"}


def test_shared_runs_are_executed_once_and_stored_in_both_tables(
    call: Callable[..., int], tmp_path: Path
) -> None:
    notes, out = tmp_path / "notes", tmp_path / "out"
    assert call(function=partial(noted, notes), out=out) == 0
    assert len(names(notes)) == len(LARGE) + 1
    assert all(len(path.read_text().split()) == 1 for path in notes.iterdir())
    large, other = (
        [row for row in results.read_rows(out / f"{name}.csv") if row["run"] == Config(k=2).key]
        for name in SMALL_SWEEPS
    )
    assert len(large) == 2
    assert large == other


def test_a_run_that_another_table_holds_is_copied(call: Callable[..., int], tmp_path: Path) -> None:
    assert call("--only", "large") == 0
    notes = tmp_path / "notes"
    assert call("--only", "other", function=partial(noted, notes)) == 0
    assert names(notes) == {Config(k=2, temperature=0.5).key}
    assert len(table(tmp_path, "other")) == 4


def judged(config: Config) -> list[dict[str, float]]:
    return [{"step": 400, "judged": 1.0 + config.k}]


def test_sweeps_of_another_function_share_no_runs(
    call: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Equal configs, in the same folder: each sweep has what its own function gives."""
    sweep = Sweep("judged", 2, SMALL_SWEEPS["large"].configs, function=judged)
    monkeypatch.setitem(sweeps.SWEEPS, "judged", sweep)
    assert call("--only", "large", "--seeds", "1") == 0
    assert call("--only", "judged", function=None) == 0
    read = table(tmp_path, "judged")
    assert list(read["run"]) == [config.key for config in LARGE]
    assert list(read["judged"]) == [1.0 + config.k for config in LARGE]
    assert "judged" not in table(tmp_path)
    assert call() == 0  # all of them: what is stored stays, and what is missing is not copied
    assert list(table(tmp_path)["step"]) == [0, 100] * len(LARGE)
    pd.testing.assert_frame_equal(table(tmp_path, "judged"), read)
    capsys.readouterr()
    assert call("--list") == 0
    assert capsys.readouterr().out.endswith("17 runs in all; what two sweeps share is run once\n")


# Going on.


def test_a_second_call_does_only_what_is_missing(call: Callable[..., int], tmp_path: Path) -> None:
    notes, out = tmp_path / "notes", tmp_path / "out"
    function = partial(noted, notes)
    assert call("--only", "large", "--seeds", "1", function=function, out=out) == 0
    assert call("--only", "large", "--seeds", "3", function=function, out=out) == 0
    assert all(len(path.read_text().split()) == 1 for path in notes.iterdir())
    assert results.read("large", out)[1]["command"].endswith("--only large --seeds 3")
    stored = (out / "large.csv").read_bytes()
    # Fewer seeds than stored: the rest stays.
    assert call("--only", "large", "--seeds", "1", function=function, out=out) == 0
    assert (out / "large.csv").read_bytes() == stored
    assert len(table(out)) == 2 * 3 * 4


def test_a_failed_run_is_reported_and_the_others_are_stored(
    call: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(function=fails_at_2) == 1
    said = capsys.readouterr().err
    assert "failed: large, other: Config(k=2, seed=0): FloatingPointError: the loss is no" in said
    assert "3 of the runs failed:" in said
    assert set(table(tmp_path)["k"]) == {0, 1, 3}
    assert call() == 0
    assert list(table(tmp_path)["run"][::2]) == [config.key for config in LARGE]


def test_a_run_has_the_threads_of_its_config() -> None:
    def count(_: Config) -> list[dict[str, float]]:
        return [{"most": max(library["num_threads"] for library in threadpool_info())}]

    with threadpool_limits(2):
        assert count(Config())[0]["most"] == 2
        assert record(count, Config(threads=1))[0]["most"] == "1"


# The command line.


def test_list_says_what_is_stored(
    call: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_run(_: Config) -> Iterable[dict[str, float]]:
        raise AssertionError("executed")

    assert call("--only", "large", "--seeds", "3") == 0
    assert call("--list", function=no_run) == 0
    assert capsys.readouterr().out.splitlines() == [
        "large: several k",
        "    8 runs, seeds 0 to 1; 8 stored, and 4 others",
        "other: two temperatures",
        "    2 runs, seeds 0 to 0; 0 stored",
        "9 runs in all; what two sweeps share is run once",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "balance"], "invalid choice: 'balance' \\(choose from '?imbalance"),
        (["--seeds", "0"], "--seeds: expected a whole number of at least 1, got '0'"),
        (["--seeds", "1.5"], "--seeds: expected a whole number of at least 1, got '1.5'"),
        (["--workers", "-1"], "--workers: expected a whole number of at least 1, got '-1'"),
        (["--workers", "1", "--scheduler", "tcp://a:1"], "--scheduler: not allowed with .*workers"),
    ],
)
def test_arguments_that_cannot_be(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        sweeps.main(arguments)
    assert raised.value.code == 2
    assert re.search(said, capsys.readouterr().err)
