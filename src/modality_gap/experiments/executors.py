"""Runs a function of many tasks in local processes, by joblib, or on a Dask cluster."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import BrokenExecutor, CancelledError
from contextlib import closing
from typing import TYPE_CHECKING, TypeAlias, TypeVar
from urllib.parse import urlsplit

import joblib

if TYPE_CHECKING:
    from distributed import Client

Task = TypeVar("Task")
Result = TypeVar("Result")
# Each task with its result, or the exception it ended with, as soon as it is finished.
Outcomes: TypeAlias = Generator[tuple[Task, Result | Exception], None, None]

# Seconds until a scheduler that does not answer is given up.
SCHEDULER_TIMEOUT = 3


class RefusedError(Exception):
    """The experiments cannot begin; nothing was touched."""


class StoppedError(Exception):
    """The experiments cannot go on; what was stored before stays."""


def in_processes(
    function: Callable[[Task], Result], tasks: Iterable[Task], workers: int
) -> Outcomes[Task, Result]:
    """Execute tasks in so many processes, or in this one if `workers` is 1.

    The processes end with this one, whatever ends it.

    Raises:
        StoppedError: a process died.
    """
    # No more tasks than processes are under way: who stops loses those alone.
    parallel = joblib.Parallel(
        n_jobs=workers,
        return_as="generator_unordered",
        batch_size=1,
        pre_dispatch="n_jobs",
        initializer=_end_with,
        initargs=(os.getpid(),),
    )
    jobs = (joblib.delayed(_attempt)(function, task) for task in tasks)
    with warnings.catch_warnings(), closing(parallel(jobs)) as outcomes:
        warnings.filterwarnings("ignore", "A generator produced by joblib.Parallel")
        try:
            yield from outcomes
        except BrokenExecutor as error:
            raise StoppedError(
                "A process died: it was killed, or there was not enough memory for so many."
            ) from error


def _attempt(function: Callable[[Task], Result], task: Task) -> tuple[Task, Result | Exception]:
    """The result or the exception: raised, it would end the other tasks as well."""
    try:
        return task, function(task)
    except Exception as error:
        return task, error


def _end_with(parent: int) -> None:
    """From now on; else this process would finish its task for nobody."""
    # Ctrl-C reaches every process of the terminal; this one leaves the answer to its parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def connect(address: str) -> Client:
    """A client of a Dask scheduler, such as "tcp://127.0.0.1:8786".

    Raises:
        RefusedError: it cannot be reached, or Dask is not installed.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise RefusedError('A cluster needs Dask: pip install "modality-gap[cluster]".') from error
    try:
        place = urlsplit(address if "://" in address else f"tcp://{address}")
        if place.port:  # a refusal is known at once, where the client would try again and again
            socket.create_connection(
                (place.hostname, place.port), timeout=SCHEDULER_TIMEOUT
            ).close()
        return Client(address, timeout=SCHEDULER_TIMEOUT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise RefusedError(f"The scheduler {address!r} cannot be reached: {error}") from error


def on_cluster(
    function: Callable[[Task], Result], tasks: Iterable[Task], client: Client
) -> Outcomes[Task, Result]:
    """Execute tasks on the workers of a Dask cluster, which need whatever the function needs.

    Dask executes the tasks of a worker that died on others.

    Raises:
        StoppedError: the scheduler is lost.
    """
    from distributed import as_completed

    futures = {client.submit(function, task, pure=False): task for task in tasks}
    try:
        for future in as_completed(futures, loop=client.loop):
            try:
                yield futures[future], future.result()
            except CancelledError as error:
                raise StoppedError("The scheduler is lost.") from error
            except Exception as error:
                yield futures[future], error
    finally:
        client.cancel(list(futures))
