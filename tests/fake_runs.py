"""Runs that train nothing: for worker processes, which import them by name."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from pathlib import Path

import pandas as pd

from modality_gap import results
from modality_gap.experiments import sweeps
from modality_gap.experiments.engine import Sweep
from modality_gap.lab.training import Config

# "large" and "other" share the runs of k = 2.
SMALL_SWEEPS = {
    "large": Sweep("several k", 2, lambda seed: [Config(k=k, seed=seed) for k in range(4)]),
    "other": Sweep(
        "two temperatures",
        1,
        lambda seed: [Config(k=2, temperature=t, seed=seed) for t in (0.5, 0.07)],
    ),
}
LARGE = SMALL_SWEEPS["large"].runs()


def quick(config: Config) -> list[dict[str, float]]:
    """Two measured steps; only the last has the probe."""
    loss = config.temperature / (3 + config.k + config.seed)
    return [{"step": 0, "loss": 1.0}, {"step": 100, "loss": loss, "probe": 0.5}]


def noted(folder: Path, config: Config) -> list[dict[str, float]]:
    """Quick, and leaves a line in a file of the run that says who ran it."""
    folder.mkdir(exist_ok=True)
    with (folder / config.key).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return quick(config)


def dies(folder: Path, key: str, config: Config) -> list[dict[str, float]]:
    """Like `noted`; the run of the key kills its process."""
    if config.key == key:
        os.kill(os.getpid(), signal.SIGKILL)
    return noted(folder, config)


def table(folder: Path, name: str = "large") -> pd.DataFrame:
    """What a table says about the runs, whenever and however fast they were executed."""
    return results.read(name, folder)[0].drop(columns=["date", "seconds"])


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


if __name__ == "__main__":
    sweeps.SWEEPS = SMALL_SWEEPS
    notes, key, out = sys.argv[1:]
    sweeps.main(
        ["--only", "large", "--out", out, "--workers", "1"],
        function=partial(dies, Path(notes), key),
        prepare=lambda: None,
    )
