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


def ends(end: str, folder: Path, key: str, config: Config) -> list[dict[str, float]]:
    """Like `noted`; the run of the key ends, the first time, its process or the command."""
    first = not (folder / config.key).exists()
    rows = noted(folder, config)
    if first and config.key == key:
        if end == "worker killed":
            os.kill(os.getpid(), signal.SIGKILL)
        elif end == "command killed":
            os.kill(os.getppid(), signal.SIGKILL)
        else:  # Ctrl-C, as a terminal does it: to all processes
            os.killpg(os.getpgid(0), signal.SIGINT)
        signal.pause()  # until it is ended, too
    return rows


def table(folder: Path, name: str = "large") -> pd.DataFrame:
    """What a table says about the runs, whenever and however fast they were executed."""
    return results.read(name, folder)[0].drop(columns=["date", "seconds"])


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def main(end: str, folder: Path, key: str, arguments: list[str]) -> int:
    """The command, as a process of its own, with runs that end it."""
    # A process started in the background of a script ignores Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sweeps.SWEEPS = SMALL_SWEEPS
    function = partial(ends, end, folder, key)
    return sweeps.main(arguments, function=function, prepare=lambda: None)


if __name__ == "__main__":
    # Under its own name, so that the worker processes find what they are to run.
    import fake_runs

    sys.exit(fake_runs.main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4:]))
