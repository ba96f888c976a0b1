"""Sweeps of training runs: each run is stored when it is finished, and a second call goes on.

The tables are the only state. A run is known by the key of its config; equal configs in two sweeps
of one function are one run, executed once and stored in both tables.
"""

from __future__ import annotations

import dataclasses
import datetime
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import filelock
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from .. import results, storage
from ..lab.training import Config, train
from .executors import Outcomes, RefusedError, StoppedError

Row = dict[str, str]
Run = Callable[..., Iterable[Mapping[str, Any]]]  # of a Config or of a kind of it
# Executes a function of configs somewhere.
Execute = Callable[[Callable[[Config], list[Row]], list[Config]], Outcomes[Config, list[Row]]]

# A cluster's worker may have several threads, but PyTorch's settings belong to the process.
ONE_AT_A_TIME = threading.Lock()


def run(config: Config, stop: int | None = None) -> list[dict[str, Any]]:
    """Train, at most up to the step `stop`; return a row of measures per measured step."""
    return train(config, progress=False, stop=stop).rows


@dataclass(frozen=True)
class Sweep:
    """A named set of runs."""

    description: str
    seeds: int  # how many, unless the caller says otherwise
    configs: Callable[[int], Sequence[Config]]  # those of one seed
    function: Run = run  # executes a run; sweeps share runs only where they share it

    def runs(self, seeds: int | None = None) -> list[Config]:
        """Every config of the first `seeds` seeds, in the order of the table."""
        count = self.seeds if seeds is None else seeds
        return [config for seed in range(count) for config in self.configs(seed)]


def record(function: Run, config: Config) -> list[Row]:
    """Execute one run in this process.

    Returns:
        The rows of its table: key, config, versions, date, seconds and measures, as text.
    """
    with ONE_AT_A_TIME, threadpool_limits(config.threads):
        begin = time.perf_counter()
        measured = list(function(config))
        seconds = time.perf_counter() - begin
    about = {
        "run": config.key,
        **_settings(config),
        **storage.versions(),
        "date": datetime.date.today().isoformat(),
        "seconds": seconds,
    }
    rows = []
    for measures in measured:
        rows.append({key: results.as_text(value) for key, value in {**about, **measures}.items()})
    return rows


def _settings(config: Config) -> dict[str, Any]:
    return {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}


def describe(config: Config) -> str:
    """The settings that are not the default ones, and the seed."""
    default = _settings(type(config)())
    changed = {
        name: value
        for name, value in _settings(config).items()
        if value != default[name] or name == "seed"
    }
    settings = ", ".join(f"{name}={value!r}" for name, value in changed.items())
    return f"{type(config).__name__}({settings})"


class Tables:
    """The stored runs of sweeps of one function in a folder, one file each."""

    def __init__(self, folder: Path, sweeps: Mapping[str, Sweep], seeds: int | None = None) -> None:
        """Read what is stored.

        Raises:
            ValueError: a file is of another version, or damaged.
        """
        self.folder = folder
        self.runs = {
            name: {config.key: config for config in sweep.runs(seeds)}
            for name, sweep in sweeps.items()
        }
        self.commands = {
            name: f"python -m modality_gap.experiments --only {name}"
            + (f" --seeds {seeds}" if seeds not in (None, sweep.seeds) else "")
            for name, sweep in sweeps.items()
        }
        self.stored = {name: read_runs(folder, name) for name in sweeps}

    def adopt(self, others: Iterable[str]) -> None:
        """Copy the runs that stand in another table, also of the sweeps `others`, where readable.

        Raises:
            StoppedError: see `add`.
        """
        known: dict[str, list[Row]] = {}
        for name in others:
            try:
                known |= read_runs(self.folder, name)
            except ValueError:
                continue  # no matter: what it holds is executed again
        for stored in self.stored.values():
            known |= stored
        for name, runs in self.runs.items():
            new = (runs.keys() & known.keys()) - self.stored[name].keys()
            if new:
                self.stored[name] |= {key: known[key] for key in new}
                self._write(name)

    def every(self) -> dict[str, Config]:
        """All runs by key, in order."""
        return {key: config for runs in self.runs.values() for key, config in runs.items()}

    def missing(self) -> list[Config]:
        """The runs that are not stored yet, each once."""
        stored = {key for runs in self.stored.values() for key in runs}
        return [config for key, config in self.every().items() if key not in stored]

    def sweeps(self, config: Config) -> list[str]:
        """The names of the sweeps that a run belongs to."""
        return [name for name, runs in self.runs.items() if config.key in runs]

    def add(self, config: Config, rows: list[Row]) -> None:
        """Store a finished run in every table that it belongs to.

        Raises:
            StoppedError: it cannot be stored; the tables are as they were.
        """
        for name in self.sweeps(config):
            self.stored[name][config.key] = rows
            self._write(name)

    def _write(self, name: str) -> None:
        """Write a table: the sweep's runs in its own order, then those of other seeds."""
        stored = self.stored[name]
        order = dict.fromkeys([key for key in self.runs[name] if key in stored] + list(stored))
        rows = [row for key in order for row in stored[key]]
        path = self.folder / f"{name}.csv"
        try:
            results.write(path, {"sweep": name, "command": self.commands[name]}, rows)
        except OSError as error:
            raise StoppedError(f"{path} could not be stored: {error.strerror or error}.") from error


def read_runs(folder: Path, sweep: str) -> dict[str, list[Row]]:
    """The rows of each stored run of a sweep, by its key.

    Raises:
        ValueError: the file is of another version, of configs with other settings, or damaged.
    """
    path = folder / f"{sweep}.csv"
    if not path.exists():
        return {}
    runs: dict[str, list[Row]] = {}
    for row in results.read_rows(path):
        runs.setdefault(row.get("run", ""), []).append(row)
    unknown = _settings(Config()).keys() - next(iter(runs.values()), [{}])[0].keys()
    if unknown:
        raise ValueError(
            f"{path}: stored by another version of the package, whose runs have no "
            f"{', '.join(sorted(unknown))}; to make it anew, move it away and call again"
        )
    return runs


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other calls from storing in the same folder.

    Raises:
        RefusedError: another one does, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / ".experiments.lock", timeout=0)
        lock.acquire()
    except filelock.Timeout as error:
        raise RefusedError(f"Other experiments store in {folder}: wait or stop them.") from error
    except OSError as error:
        raise RefusedError(f"{folder} cannot be written: {error.strerror or error}.") from error
    try:
        yield
    finally:
        with suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()


def conduct(tables: Tables, execute: Execute, function: Run) -> list[str]:
    """Execute what is missing; store each run when it is finished.

    Args:
        tables: of the sweeps.
        execute: runs a function of configs in processes or on a cluster.
        function: executes a run; importable by their workers.

    Returns:
        What failed: sweeps, config and exception.

    Raises:
        StoppedError: a table cannot be stored, a process died, or the scheduler is lost.
    """
    missing, failed = tables.missing(), []
    total = len(tables.every())
    with (
        tqdm(total=total, initial=total - len(missing), unit="run", smoothing=0) as bar,
        closing(execute(partial(record, function), missing)) as outcomes,
    ):
        for config, outcome in outcomes:
            if isinstance(outcome, Exception):
                sweeps = ", ".join(tables.sweeps(config))
                failed.append(f"{sweeps}: {describe(config)}: {type(outcome).__name__}: {outcome}")
                tqdm.write(f"failed: {failed[-1]}", file=sys.stderr)
            else:
                tables.add(config, outcome)
                bar.set_postfix_str(describe(config), refresh=False)
            bar.update()
    return failed
