"""What can go wrong with the files of the sweeps."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import filelock
import pytest

from fake_runs import LARGE, names, noted, quick, table
from modality_gap import results, storage
from modality_gap.experiments import sweeps


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
        (
            "# format: 2",
            "# format: 1",
            "format version 1; this package reads version 2",
        ),
        ("# format: 2\n", "", "format version unknown; this package"),
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
