"""The sweeps of the book, and the command that runs them.

    python -m modality_gap.experiments --help

Every finished run is stored at once; a second call does only what is missing. The tables are read
with `modality_gap.results.read`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from .. import results
from ..lab.mad import ATTRIBUTES, FACTORS, load_mad
from ..lab.training import Config
from . import closing_runs, lists_runs, reopening, same_pictures
from .engine import Execute, Run, Sweep, Tables, conduct, locked, read_runs
from .executors import RefusedError, StoppedError, connect, in_processes, on_cluster


def some_attributes(count: int, seed: int) -> tuple[str, ...]:
    """As many attributes in turn: over five seeds, each is named equally often."""
    return tuple(ATTRIBUTES[(seed + i) % len(ATTRIBUTES)] for i in range(count))


# What is changed in training. The weights of the added terms are a first choice, never tuned.
CLOSING: dict[str, dict[str, Any]] = {
    "nothing": {},
    "fixed tau 0.01": {"temperature": 0.01, "learn_temperature": False},
    "fixed tau 0.2": {"temperature": 0.2, "learn_temperature": False},
    "fixed tau 0.5": {"temperature": 0.5, "learn_temperature": False},
    "tau schedule": {"temperature_end": 0.5, "learn_temperature": False},
    "added terms": {"alignment_weight": 1.0, "uniformity_weight": 1.0},
    "start without a gap": {"init": "procrustes"},
    "nothing, ViT": {"image_encoder": "vit"},
    "shared encoder": {"image_encoder": "vit", "shared": True},
}

SWEEPS = {
    "imbalance": Sweep(
        "how much the captions leave out: k = 0 to 5, temperature learned from 0.07 and from 0.02",
        seeds=5,
        configs=lambda seed: [
            Config(k=k, temperature=temperature, seed=seed)
            for temperature in (0.07, 0.02)
            for k in range(6)
        ],
    ),
    "unpredictability": Sweep(
        "the control: the same k = 1 to 4 attributes in every caption, so that the image "
        "determines it",
        seeds=5,
        configs=lambda seed: [
            Config(k=k, drawn_from=some_attributes(k, seed), seed=seed) for k in range(1, 5)
        ],
    ),
    "temperature": Sweep(
        "temperature fixed at 0.01 to 1, and learned, at k = 0, 3, 5",
        seeds=5,
        configs=lambda seed: [
            Config(k=k, temperature=temperature, learn_temperature=learned, seed=seed)
            for k in (0, 3, 5)
            for temperature, learned in [
                *((fixed, False) for fixed in (0.01, 0.02, 0.05, 0.07, 0.1, 0.2, 0.5, 1.0)),
                (0.07, True),
            ]
        ],
    ),
    "initialisation": Sweep(
        "the random start, and one rotated so that most of its gap is gone, "
        "at fixed temperature 0.01, 0.1 and 1",
        seeds=5,
        configs=lambda seed: [
            Config(init=init, temperature=temperature, learn_temperature=False, seed=seed)
            for init in ("random", "procrustes")
            for temperature in (0.01, 0.1, 1.0)
        ],
    ),
    "object": Sweep(
        "each of the six factors in turn is the one that every caption names, at k = 1",
        seeds=5,
        configs=lambda seed: [Config(k=1, named=factor, seed=seed) for factor in FACTORS],
    ),
    "duplicates": Sweep(
        "a caption repeated within a batch: kept as a negative, masked, or soft-labelled, at "
        "k = 0, 1, 3, and masked where every caption names the same one attribute",
        seeds=5,
        configs=lambda seed: [
            *(
                Config(k=k, duplicates=treatment, seed=seed)
                for k in (0, 1, 3)
                for treatment in ("kept", "masked", "soft")
            ),
            Config(k=1, drawn_from=some_attributes(1, seed), duplicates="masked", seed=seed),
        ],
    ),
    "longer": Sweep(
        "four times as many steps at k = 5 and a fixed temperature of 0.5",
        seeds=5,
        configs=lambda seed: [
            Config(k=5, temperature=0.5, learn_temperature=False, steps=1600, seed=seed)
        ],
    ),
    "reopening": Sweep(
        "trained at k = 5, then for 300 steps at k = 0 to 5, then for 300 at k = 5 again, with the "
        "temperature frozen or learned",
        seeds=5,
        configs=lambda seed: [
            reopening.Reopening(then_k=k, then_frozen=frozen, seed=seed)
            for k in range(6)
            for frozen in (True, False)
        ],
        function=reopening.run,
    ),
    "pictures": Sweep(
        "two image encoders on identical images: temperature fixed and learned, and at 0.01 a "
        "smaller batch and fewer dimensions",
        seeds=5,
        configs=lambda seed: [
            *(
                same_pictures.Pictures(temperature=fixed, learn_temperature=False, seed=seed)
                for fixed in (0.01, 0.1, 1.0)
            ),
            same_pictures.Pictures(seed=seed),
            *(
                same_pictures.Pictures(
                    temperature=0.01,
                    learn_temperature=False,
                    batch_size=batch_size,
                    dimensions=dimensions,
                    seed=seed,
                )
                for batch_size, dimensions in ((64, 64), (256, 16))
            ),
        ],
        function=same_pictures.run,
    ),
    "closing": Sweep(
        "ways to close the gap at k = 3, each judged as it is and after every method that needs "
        "no training",
        seeds=5,
        configs=lambda seed: [Config(**changes, seed=seed) for changes in CLOSING.values()],
        function=closing_runs.run,
    ),
    "lists": Sweep(
        "lists of both kinds at k = 3, temperature learned from 0.07 and fixed at 0.01, by every "
        "method and ranking that needs no training",
        seeds=5,
        configs=lambda seed: [
            Config(seed=seed),
            Config(temperature=0.01, learn_temperature=False, seed=seed),
        ],
        function=lists_runs.run,
    ),
}


def main(
    arguments: Sequence[str] | None = None,
    *,
    function: Run | None = None,
    prepare: Callable[[], object] = load_mad,
) -> int:
    """The command.

    Args:
        arguments: of the command line; those of the process if None.
        function: executes every run; that of its sweep if None.
        prepare: makes the data set, before the first run.

    Returns:
        Exit status: 0 when every run is stored, 1 when one failed or could not be stored, 2 when
        nothing was begun, 130 after Ctrl-C.
    """
    chosen = _parse(arguments)
    sweeps = {name: SWEEPS[name] for name in SWEEPS if not chosen.only or name in chosen.only}
    stored = f"Finished runs are stored in {chosen.out}; the same command goes on."
    try:
        if chosen.list:
            _list(chosen.out, sweeps, chosen.seeds)
            return 0
        with locked(chosen.out):
            return _run(chosen, sweeps, function, prepare)
    except RefusedError as error:
        return _complain(error, 2)
    except StoppedError as error:
        return _complain(f"{error} {stored}", 1)
    except KeyboardInterrupt:
        return _complain(f"Stopped. {stored}", 130)


def _run(
    chosen: argparse.Namespace,
    sweeps: dict[str, Sweep],
    function: Run | None,
    prepare: Callable[[], object],
) -> int:
    try:
        groups = {
            own: Tables(chosen.out, _those_of(own, sweeps), chosen.seeds)
            for own in dict.fromkeys(sweep.function for sweep in sweeps.values())
        }
    except ValueError as error:
        raise RefusedError(error) from error
    client = connect(chosen.scheduler) if chosen.scheduler else None
    execute: Execute = partial(in_processes, workers=chosen.workers)
    if client:
        execute = partial(on_cluster, client=client)
    for own, tables in groups.items():
        tables.adopt(_those_of(own, SWEEPS))
    if any(tables.missing() for tables in groups.values()):
        try:
            prepare()
        except OSError as error:
            raise StoppedError(f"The data set could not be made: {error}.") from error
    failed = []
    for own, tables in groups.items():
        failed += conduct(tables, execute, function or own)
    if client:
        client.close()
    if failed:
        return _complain("\n".join([f"{len(failed)} of the runs failed:", *failed]), 1)
    return 0


def _those_of(function: Run, sweeps: dict[str, Sweep]) -> dict[str, Sweep]:
    return {name: sweep for name, sweep in sweeps.items() if sweep.function is function}


def _complain(message: object, status: int) -> int:
    print(message, file=sys.stderr)
    return status


def _list(folder: Path, sweeps: dict[str, Sweep], seeds: int | None) -> None:
    """Print each sweep, its runs and how many are stored."""
    for name, sweep in sweeps.items():
        keys = {config.key for config in sweep.runs(seeds)}
        print(f"{name}: {sweep.description}")
        try:
            stored = read_runs(folder, name).keys()
        except ValueError as error:
            print(f"    {error}")
            continue
        others = f", and {len(stored - keys)} others" if stored - keys else ""
        count = sweep.seeds if seeds is None else seeds
        print(f"    {len(keys)} runs, seeds 0 to {count - 1}; {len(keys & stored)} stored{others}")
    total = {
        (sweep.function, config.key) for sweep in sweeps.values() for config in sweep.runs(seeds)
    }
    print(f"{len(total)} runs in all; what two sweeps share is run once")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m modality_gap.experiments",
        description="Run the sweeps of the book. Every finished run is stored at once; a second "
        "call does only what is missing.",
        epilog="Exit status: 0 when every run is stored, 1 when one failed or could not be "
        "stored, 2 when nothing was begun, 130 after Ctrl-C.",
    )
    parser.add_argument(
        "--list", action="store_true", help="only list the sweeps and what is stored"
    )
    parser.add_argument(
        "--only", nargs="+", choices=SWEEPS, metavar="NAME", help="these sweeps instead of all"
    )
    parser.add_argument(
        "--seeds", type=_count, metavar="N", help="seeds per sweep; default: the sweep's own number"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers",
        type=_count,
        metavar="N",
        default=max(1, (os.cpu_count() or 1) // Config().threads),
        help="processes on this computer; default: one per core (here %(default)s)",
    )
    where.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="run on a Dask cluster instead, such as tcp://127.0.0.1:8786; this package must be "
        "installed on its workers",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        default=results.FOLDER,
        help="folder of the tables; default: the package's own, %(default)s",
    )
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    """A whole number of at least one."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)
