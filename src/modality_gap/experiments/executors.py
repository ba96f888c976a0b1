"""Runs functions in local processes or on a Dask cluster, and outlives the death of a worker."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator
from concurrent.futures import (
    ALL_COMPLETED,
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from tqdm import tqdm

if TYPE_CHECKING:
    from distributed import Client

Task = TypeVar("Task", bound=Hashable)
Result = TypeVar("Result")
OpenExecutor = Callable[[], AbstractContextManager[Executor]]

# A task that was in flight this often when a pool of processes broke is given up.
STRIKES = 3
# Seconds until a scheduler that does not answer is given up.
SCHEDULER_TIMEOUT = 3


class RefusedError(Exception):
    """The experiments cannot begin; nothing was touched."""


class StoppedError(Exception):
    """The experiments cannot go on; what was stored before stays."""


def execute(
    tasks: Iterable[Task],
    open_executor: OpenExecutor,
    function: Callable[[Task], Result],
    window: int | None = None,
) -> Generator[tuple[Task, Result | Exception], None, None]:
    """Yield each task with its result, or the exception it ended with, as soon as it is finished.

    When a process dies, so does its pool. The tasks that were in flight are then executed in a new
    pool, one at a time until it is known which of them did it.

    Args:
        tasks: all different.
        open_executor: gives an executor, of any kind.
        function: of a task; importable by the executor's workers.
        window: how many tasks to submit at once; all if None. For a pool of processes: as many as
            it has, so that it is known which were in flight when it broke.

    Raises:
        StoppedError: the scheduler is lost.
    """
    waiting, flying = deque(tasks), dict[Future[Result], Task]()
    if not waiting:
        return
    limit = window or len(waiting)
    strikes: Counter[Task] = Counter()  # of the tasks that may have broken a pool
    finished: list[tuple[Task, Result | Exception]] = []
    with ExitStack() as stack:
        executor = stack.enter_context(open_executor())
        while waiting or flying:
            broken = False
            try:
                while waiting and len(flying) < (1 if strikes else limit):
                    future = executor.submit(function, waiting[0])
                    flying[future] = waiting.popleft()
            except BrokenExecutor:
                broken = True
            # Only now that the next ones are under way: no worker idles while the caller stores.
            yield from finished
            finished, suspects = _collect(flying, FIRST_COMPLETED)
            if suspects or broken:
                others, more = _collect(flying, ALL_COMPLETED)
                finished, suspects = finished + others, suspects + more
                stack.close()
                executor = stack.enter_context(open_executor())
            for task, _ in finished:
                del strikes[task]
            for task in suspects:
                strikes[task] += 1
                if strikes[task] < STRIKES:
                    waiting.appendleft(task)
                else:
                    del strikes[task]
                    finished.append((task, RuntimeError(f"its process died {STRIKES} times")))
        yield from finished


def _collect(
    flying: dict[Future[Result], Task], when: str
) -> tuple[list[tuple[Task, Result | Exception]], list[Task]]:
    """Take those that are done out of the tasks in flight: the finished, and the broken off."""
    finished: list[tuple[Task, Result | Exception]] = []
    broken = []
    for future in wait(flying, return_when=when).done:
        task = flying.pop(future)
        try:
            finished.append((task, future.result()))
        except BrokenExecutor:
            broken.append(task)
        except CancelledError as error:
            raise StoppedError("The scheduler is lost.") from error
        except Exception as error:
            finished.append((task, error))
    return finished, broken


@contextmanager
def local_processes(workers: int) -> Iterator[Executor]:
    """A pool of processes that ends with this one, whatever ends it."""
    others = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=_begin_worker
    )
    try:
        yield executor
        executor.shutdown()
    finally:  # also after an error: without waiting for what is in flight
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        executor.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    """Leave Ctrl-C to the parent; end with it, also if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Instead of a semaphore, which a terminated process would leave behind.
    tqdm.set_lock(threading.RLock())
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def connect(address: str) -> Client:
    """A client of a Dask scheduler, such as "tcp://127.0.0.1:8786".

    Raises:
        RefusedError: it cannot be reached.
    """
    try:
        place = urlsplit(address if "://" in address else f"tcp://{address}")
        if place.port:  # a refusal is known at once, where the client would try again and again
            socket.create_connection(
                (place.hostname, place.port), timeout=SCHEDULER_TIMEOUT
            ).close()
        from distributed import Client

        return Client(address, timeout=SCHEDULER_TIMEOUT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise RefusedError(f"The scheduler {address!r} cannot be reached: {error}") from error


@contextmanager
def cluster(client: Client) -> Iterator[Executor]:
    """The workers of a Dask cluster, once; they need whatever the function needs."""
    executor = client.get_executor(pure=False)
    try:
        yield executor
    finally:
        executor.shutdown(wait=False)
    # After an error it is left to the end of the process: to close it now would print tracebacks
    # of attempts to reach a scheduler that is lost.
    client.close()
