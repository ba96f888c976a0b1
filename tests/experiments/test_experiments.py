from __future__ import annotations

import errno
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path

import filelock
import pandas as pd
import pytest

import fake_runs
from fake_runs import noted, quick, wait_for
from modality_gap import results, storage
from modality_gap.experiments import sweeps
from modality_gap.experiments.engine import Run, Sweep
from modality_gap.experiments.executors import STRIKES, StoppedError, execute, local_processes
from modality_gap.experiments.sweeps import SWEEPS
from modality_gap.lab.mad import ATTRIBUTES, FACTORS
from modality_gap.lab.training import Config

HERE = Path(__file__).parents[1]

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


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """The command with small sweeps, fake runs and threads instead of processes."""
    monkeypatch.setattr(sweeps, "SWEEPS", dict(SMALL_SWEEPS))
    monkeypatch.setattr(sweeps, "local_processes", ThreadPoolExecutor)

    def call(*arguments: str, function: Run | None = quick, out: Path = tmp_path) -> int:
        command = ["--out", str(out), "--workers", "1", *arguments]
        return sweeps.main(command, function=function, prepare=lambda: None)

    return call


def fails_at_2(config: Config) -> list[dict[str, float]]:
    if config.k == 2:
        raise FloatingPointError("the loss is no number")
    return quick(config)


def table(folder: Path, name: str = "large") -> pd.DataFrame:
    """What a table says about the runs, whenever and however fast they were executed."""
    return results.read(name, folder)[0].drop(columns=["date", "seconds"])


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# The sweeps.


def test_sweeps_are_as_many_runs_as_planned() -> None:
    assert list(SWEEPS) == [
        "imbalance", "unpredictability", "temperature", "initialisation", "object", "duplicates",
        "closing",
    ]  # fmt: skip
    sizes = {name: len({config.key for config in SWEEPS[name].runs()}) for name in SWEEPS}
    assert list(sizes.values()) == [60, 20, 135, 30, 30, 45, 45]
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
    notes.mkdir()
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
    notes.mkdir()
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
    notes.mkdir()
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


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT], ids=["killed", "Ctrl-C"])
def test_stopped_in_the_middle_and_called_again_equals_uninterrupted(
    end: signal.Signals,
    call: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    notes, out, other = (tmp_path / name for name in ("notes", "out", "other"))
    notes.mkdir()
    runs = SWEEPS["unpredictability"].runs(2)
    arguments = ["--only", "unpredictability", "--seeds", "2"]
    process = subprocess.Popen(
        [
            *(sys.executable, HERE / "fake_runs.py", notes, runs[3].key),
            *(*arguments, "--workers", "1", "--out", out),
        ],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(HERE)},
    )
    path = notes / runs[3].key
    wait_for(lambda: path.exists() and path.read_text().endswith("\n"), "the fourth run")
    worker = int(path.read_text())
    wait_for(lambda: (out / "unpredictability.csv").exists(), "the table")
    wait_for(lambda: len(table(out, "unpredictability")) == 6, "three stored runs")
    if end == signal.SIGINT:  # as a terminal does it: to all processes
        os.killpg(process.pid, end)
    else:
        process.send_signal(end)
    said = process.communicate(timeout=fake_runs.DEADLINE)[1]
    wait_for(lambda: not _is_running(worker), "the end of the worker")
    if end == signal.SIGINT:
        assert process.returncode == 130
        assert said.strip() == (
            f"Stopped. Finished runs are stored in {out}; the same command goes on."
        )

    monkeypatch.setattr(sweeps, "SWEEPS", SWEEPS)
    again = tmp_path / "again"
    again.mkdir()
    assert call(*arguments, function=partial(noted, again), out=out) == 0
    assert names(again) == {config.key for config in runs[3:]}
    assert call(*arguments, out=other) == 0
    pd.testing.assert_frame_equal(table(out, "unpredictability"), table(other, "unpredictability"))


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


# Executors.


def test_a_process_that_dies_loses_nothing(
    call: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes, out = tmp_path / "notes", tmp_path / "out"
    notes.mkdir()
    monkeypatch.setattr(sweeps, "local_processes", local_processes)
    function = partial(fake_runs.dies_once, notes, LARGE[1].key)
    assert call("--only", "large", function=function, out=out) == 0
    assert list(table(out)["run"][::2]) == [config.key for config in LARGE]
    counts = {path.name: len(path.read_text().split()) for path in notes.iterdir()}
    assert counts == {config.key: 1 + (config == LARGE[1]) for config in LARGE}


class FragilePool(Executor):
    """Executes at once what it is given, save "slow" beside others; "killer" breaks it."""

    def __init__(self, opened: list[FragilePool]) -> None:
        self.pending: list[Future[str]] = []
        self.alone = bool(opened)
        opened.append(self)

    def submit(self, function: Callable[[str], str], /, task: str) -> Future[str]:  # type: ignore[override]
        future: Future[str] = Future()
        self.pending.append(future)
        if task == "killer":
            for broken in self.pending:
                broken.set_exception(BrokenExecutor())
        elif task != "slow" or self.alone:
            future.set_result(function(task))
            self.pending.remove(future)
        return future


def test_a_task_that_kills_its_process_is_found_out_and_given_up() -> None:
    pools: list[FragilePool] = []
    tasks = ["slow", "killer", "a", "b"]
    outcomes = dict(execute(tasks, lambda: nullcontext(FragilePool(pools)), str.upper, window=2))
    error = outcomes.pop("killer")
    assert isinstance(error, RuntimeError)
    assert str(error) == f"its process died {STRIKES} times"
    assert outcomes == {"slow": "SLOW", "a": "A", "b": "B"}
    assert len(pools) == 1 + STRIKES


def test_nothing_to_do_opens_no_pool() -> None:
    def no_pool() -> AbstractContextManager[Executor]:
        raise AssertionError("opened")

    assert list(execute([], no_pool, str.upper)) == []


def test_a_lost_scheduler_stops_the_experiments() -> None:
    class Lost(Executor):
        def submit(self, *_: object) -> Future[str]:  # type: ignore[override]
            future: Future[str] = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    with pytest.raises(StoppedError, match=r"^The scheduler is lost\.$"):
        list(execute(["a"], Lost, str.upper))


@contextmanager
def dask_cluster(folder: Path) -> Iterator[str]:
    """A scheduler and two workers, each a process; gives the scheduler's address."""
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    file = folder / "scheduler.json"
    module = [sys.executable, "-m"]
    common = ["--scheduler-file", file, "--no-dashboard"]
    worker = ["distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny"]
    commands: list[list[object]] = [
        ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"],
        [*worker, "--local-directory", folder / "1"],
        [*worker, "--local-directory", folder / "2"],
    ]
    with (folder / "log").open("w") as log:
        processes = [
            subprocess.Popen(
                [str(word) for word in [*module, *command, *common]],
                env=environment,
                stdout=log,
                stderr=log,
            )
            for command in commands
        ]
    try:
        from distributed import Client

        wait_for(file.exists, "the scheduler")
        with Client(scheduler_file=str(file), set_as_default=False) as client:
            client.wait_for_workers(2, timeout=fake_runs.DEADLINE)
            address = client.scheduler.address
        yield address
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_dask_cluster_one_worker_killed_nothing_lost_nothing_twice(
    call: Callable[..., int], tmp_path: Path
) -> None:
    notes, out = tmp_path / "notes", tmp_path / "out"
    notes.mkdir()
    victim = notes / LARGE[1].key

    def kill() -> None:
        wait_for(lambda: victim.exists() and victim.read_text().endswith("\n"), "the second run")
        os.kill(int(victim.read_text()), signal.SIGKILL)
        (notes / "go").touch()

    killer = threading.Thread(target=kill)
    with dask_cluster(tmp_path) as address:
        killer.start()
        status = sweeps.main(
            ["--only", "large", "--out", str(out), "--scheduler", address],
            function=partial(fake_runs.blocked, notes, LARGE[1].key),
            prepare=lambda: None,
        )
    killer.join()
    assert status == 0
    first, second = victim.read_text().split()
    assert first != second
    assert list(table(out)["run"]) == [config.key for config in LARGE for _ in range(2)]


def test_unreachable_scheduler_is_answered_within_ten_seconds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin = time.monotonic()
    assert sweeps.main(["--scheduler", "tcp://127.0.0.1:9", "--out", str(tmp_path)]) == 2
    assert time.monotonic() - begin < 10
    said = capsys.readouterr().err
    assert said.startswith("The scheduler 'tcp://127.0.0.1:9' cannot be reached: ")
    assert len(said.splitlines()) == 1
    assert names(tmp_path) == set()


def test_address_that_is_none_is_answered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sweeps.main(["--scheduler", "ftp://nowhere", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("The scheduler 'ftp://nowhere' cannot be reached: ")


# What can go wrong with the files.


@contextmanager
def disk_that_fills_up(monkeypatch: pytest.MonkeyPatch, writes: int) -> Iterator[None]:
    sync, done = os.fsync, []

    def fsync(handle: int) -> None:
        done.append(handle)
        if len(done) > writes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(storage.os, "fsync", fsync)
        yield


@contextmanager
def small_files(size: int) -> Iterator[None]:
    """The system itself refuses larger ones."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("real", [False, True])
def test_full_disk_stops_and_leaves_earlier_results(
    real: bool,
    call: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call("--only", "large", "--seeds", "1") == 0
    path = tmp_path / "large.csv"
    stored = path.read_bytes()
    notes = tmp_path / "notes"
    notes.mkdir()
    function = partial(noted, notes)
    with small_files(len(stored)) if real else disk_that_fills_up(monkeypatch, 0):
        assert call("--only", "large", function=function) == 1
    reason = os.strerror(errno.EFBIG if real else errno.ENOSPC)
    assert capsys.readouterr().err == (
        f"{path} could not be stored: {reason}. "
        f"Finished runs are stored in {tmp_path}; the same command goes on.\n"
    )
    assert path.read_bytes() == stored
    assert names(tmp_path) == {"large.csv", "notes"}
    assert len(names(notes)) < len(LARGE) / 2, "runs were executed that could not be stored"
    assert call("--only", "large") == 0
    assert len(table(tmp_path)) == 2 * len(LARGE)


def test_disk_full_in_the_middle(
    call: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with disk_that_fills_up(monkeypatch, 3):
        assert call("--only", "large") == 1
    assert len(table(tmp_path)) == 2 * 3


def test_folder_that_cannot_be_written(
    call: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    assert call(out=file) == 2
    assert capsys.readouterr().err == f"{file} cannot be written: File exists.\n"


def test_data_set_that_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def prepare() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert sweeps.main(["--out", str(tmp_path)], function=quick, prepare=prepare) == 1
    assert "The data set could not be made: [Errno 28] No space" in capsys.readouterr().err
    assert names(tmp_path) == set()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("# format: 1", "# format: 0", "format version 0; this package reads version 1; to make"),
        ("# format: 1\n", "", "format version unknown; this package"),
        ("0.0233333", "0.0133333", "the rows do not fit their checksum: the file is damaged or a"),
        ("0.0233333", "0.02\0\0", "the rows do not fit their checksum"),
    ],
)
def test_a_table_of_another_version_or_changed_by_hand_is_refused_and_stays(
    old: str,
    new: str,
    said: str,
    call: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call("--only", "large", "--seeds", "1") == 0
    path = tmp_path / "large.csv"
    path.write_text(path.read_text().replace(old, new, 1))
    altered = path.read_bytes()
    command = f"python -m modality_gap.experiments --only large --seeds 1 --out {tmp_path}"
    assert call("--only", "large") == 2
    answer = capsys.readouterr().err
    assert answer.startswith(f"{path}: {said}")
    assert answer.rstrip().endswith(f"move it away and run: {command}")
    with pytest.raises(ValueError, match=said) as raised:
        results.read("large", tmp_path)
    assert str(raised.value) == answer.rstrip()
    assert path.read_bytes() == altered
    assert call("--list") == 0
    assert said in capsys.readouterr().out
    # A sweep that has nothing to do with the file is not held up by it.
    assert call("--only", "other") == 0
    assert path.read_bytes() == altered


def test_a_table_of_runs_with_other_settings_is_refused(
    call: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("--only", "large", "--seeds", "1") == 0
    path = tmp_path / "large.csv"
    rows = [
        {column: value for column, value in row.items() if column != "duplicates"}
        for row in results.read_rows(path)
    ]
    results.write(path, {"command": "as before"}, rows)
    stored = path.read_bytes()
    assert call("--only", "large") == 2
    assert (
        "another version of the package, whose runs have no duplicates" in capsys.readouterr().err
    )
    assert path.read_bytes() == stored


def test_a_second_coordinator_is_refused(
    call: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with filelock.FileLock(tmp_path / ".experiments.lock"):
        assert call() == 2
    assert capsys.readouterr().err.startswith(f"Other experiments store in {tmp_path}")
    assert call("--only", "other") == 0


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
