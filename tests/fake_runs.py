"""Runs that train nothing: for worker processes, which import them by name."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tqdm import tqdm

from modality_gap.experiments import sweeps
from modality_gap.lab.training import Config

DEADLINE = 60


def wait_for(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"waited {DEADLINE} s for {what}"
        time.sleep(0.01)


def quick(config: Config) -> list[dict[str, float]]:
    """Two measured steps; only the last has the probe."""
    loss = config.temperature / (3 + config.k + config.seed)
    return [{"step": 0, "loss": 1.0}, {"step": 100, "loss": loss, "probe": 0.5}]


def noted(folder: Path, config: Config) -> list[dict[str, float]]:
    """Quick, and leaves a file that says who ran it."""
    with (folder / config.key).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return quick(config)


def blocked(folder: Path, key: str, config: Config) -> list[dict[str, float]]:
    """Like `noted`; the run of the key goes on when there is a file "go", or not at all."""
    tqdm(disable=True)  # as training has it
    rows = noted(folder, config)
    if config.key == key:
        wait_for((folder / "go").exists, "go")
    return rows


def dies_once(folder: Path, key: str, config: Config) -> list[dict[str, float]]:
    """Like `noted`; the run of the key kills its process when it runs for the first time."""
    first = not (folder / config.key).exists()
    rows = noted(folder, config)
    if first and config.key == key:
        os.kill(os.getpid(), signal.SIGKILL)
    return rows


def main(folder: Path, key: str, arguments: list[str]) -> int:
    """The command, as a process of its own, with runs that are `blocked`."""
    # A process started in the background of a script ignores Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    function = partial(blocked, folder, key)
    return sweeps.main(arguments, function=function, prepare=lambda: None)


if __name__ == "__main__":
    # Under its own name, so that the worker processes find what they are to run.
    import fake_runs

    sys.exit(fake_runs.main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
