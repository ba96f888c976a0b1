"""Tasks for worker processes that import little."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from pathlib import Path

from modality_gap.experiments.executors import StoppedError, in_processes


def task(end: str, folder: Path, number: int) -> int:
    """The fourth ends its process, or the one that started it, or all of them."""
    if number == 3:
        while not all((folder / str(done)).exists() for done in range(3)):
            os.sched_yield()
        if end == "worker killed":
            os.kill(os.getpid(), signal.SIGKILL)
        elif end == "parent killed":
            os.kill(os.getppid(), signal.SIGKILL)
        else:  # as a terminal does it
            os.killpg(os.getpgid(0), signal.SIGINT)
        signal.pause()  # until it is ended, too
    return number


def main(end: str, folder: Path) -> int:
    """Leave a file for each task that is done."""
    # A process started in the background of a script ignores Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        for number, _ in in_processes(partial(task, end, folder), range(6), workers=2):
            (folder / str(number)).touch()
    except StoppedError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    # Under its own name, so that the worker processes find what they are to run.
    import light_tasks

    sys.exit(light_tasks.main(sys.argv[1], Path(sys.argv[2])))
