"""The first steps of a run of each sweep, executed again and compared with what is stored."""

from __future__ import annotations

import math
from collections import Counter
from functools import cache, partial

import pandas as pd
import pytest

from modality_gap import results
from modality_gap.experiments.engine import Row, record
from modality_gap.experiments.reopening import LEG, Reopening
from modality_gap.experiments.sweeps import SWEEPS
from modality_gap.lab.training import Config

# Measured after 0, 10, 25 and 50 steps, or judged after 50. Rounding that differs grows from step
# to step.
LAST_STEP = 50
# How far a measure, known by the beginning of its name, may lie from the stored one. Between two
# threads and one, and between the instruction sets SSE, AVX2 and AVX-512, measures differed by at
# most a third of these up to this step; the rest is room for other hardware. Accuracies are of
# 1,000 pairs, so 0.03 is 30 pairs.
TOLERANCES = {
    "step": 0.0,
    "measured_temperature": 1e-5,
    "train_loss": 0.02,
    "test_loss": 0.02,
    "entropy": 0.02,
    "uniformity": 0.02,
    "l2m": 0.012,
    "l2i": 0.012,
    "rmg": 0.012,
    "alignment": 0.012,
    "paired_cosine": 0.012,
    "cosine": 0.012,
    "difference": 0.005,
    "moad": 0.005,
    "accuracy": 0.03,
    "attribute_accuracy": 0.03,
    "recall": 0.03,
    # Of the sweep "closing".
    "mixed": 0.03,
    "cross_modal_neighbours": 0.03,
    "image_map": 0.02,
    "separability": 0.03,
    "hubness": 0.3,
    "noise_stability": 0.05,
    "retrieval_error": 0.03,
    "digit_error": 0.07,
    "retrieval_temperature": 0.003,
    "digit_temperature": 0.003,
    # A cluster may fall apart another way.
    "pairs_together": 0.15,
    "pairs": 0.0,  # of a fit
    "cluster_information": 0.3,
}


def choose(name: str) -> Config:
    """The first run of a sweep that no other sweep of its function has."""
    own = SWEEPS[name]
    alike = [sweep for sweep in SWEEPS.values() if sweep.function is own.function]
    counts = Counter(config.key for sweep in alike for config in sweep.runs(1))
    return next(config for config in own.runs(1) if counts[config.key] == 1)


@cache
def execute_again(name: str, config: Config) -> list[Row]:
    return record(partial(SWEEPS[name].function, stop=LAST_STEP), config)


def stored_rows(table: pd.DataFrame, config: Config) -> pd.DataFrame:
    return table[(table["run"] == config.key) & (table["step"] <= LAST_STEP)]


def deviations(stored: pd.DataFrame, again: list[Row]) -> list[str]:
    """Where a stored number is not what the run gives again."""
    found = []
    for (_, old), new in zip(stored.iterrows(), again, strict=True):
        measures = list(new)[list(new).index("seconds") + 1 :]
        for name in measures:
            if name in ("after", "ranking", "leg"):  # what the row is about
                assert new[name] == old[name]
                continue
            value, allowed = float(new[name]), tolerance(name)
            both_empty = math.isnan(value) and math.isnan(old[name])
            if not (both_empty or abs(value - old[name]) <= allowed):
                found.append(f"step {old['step']}: {name}: {old[name]} stored, {value} now")
    return found


def tolerance(name: str) -> float:
    return next(value for start, value in TOLERANCES.items() if name.startswith(start))


@pytest.mark.parametrize("name", SWEEPS)
def test_stored_rows_are_what_the_run_gives_again(name: str) -> None:
    table, config = results.read(name)[0], choose(name)
    assert deviations(stored_rows(table, config), execute_again(name, config)) == []


@pytest.mark.parametrize("name", SWEEPS)
def test_every_run_of_the_sweep_is_stored(name: str) -> None:
    table = results.read(name)[0]
    assert list(table.groupby("run", sort=False)["step"].max()) == [
        config.steps + (2 * LEG if isinstance(config, Reopening) else 0)
        for config in SWEEPS[name].runs()
    ]
    assert list(table["run"].unique()) == [config.key for config in SWEEPS[name].runs()]


@pytest.mark.parametrize("column", ["rmg", "test_loss", "accuracy_digit"])
def test_a_number_changed_beyond_its_tolerance_is_noticed(column: str) -> None:
    table, config = results.read("imbalance")[0], choose("imbalance")
    changed = stored_rows(table, config).copy()
    changed.iloc[-1, changed.columns.get_loc(column)] += 2.5 * tolerance(column)
    found = deviations(changed, execute_again("imbalance", config))
    assert len(found) == 1
    assert found[0].startswith(f"step {LAST_STEP}: {column}: ")
