import errno
import importlib.metadata
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modality_gap import storage

TENSORS = {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor([1, 2], dtype=torch.int64)}
ABOUT = {"step": 3, "rows": [{"loss": 0.1}, {"loss": float("nan")}]}


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "x.safetensors"
    storage.save(path, {**TENSORS, "t": TENSORS["a"].T}, ABOUT)
    tensors, about = storage.load(path)
    assert tensors["a"].equal(TENSORS["a"])
    assert tensors["b"].equal(TENSORS["b"])
    assert tensors["t"].equal(TENSORS["a"].T)
    assert str(about) == str(ABOUT)  # nan is not equal to itself


def test_equal_content_gives_equal_files(tmp_path: Path) -> None:
    for name in ("1", "2"):
        storage.save(tmp_path / name, TENSORS, ABOUT)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_short_is_damaged(
    tmp_path_factory: pytest.TempPathFactory, share: float
) -> None:
    path = tmp_path_factory.mktemp("cut") / "x"
    storage.save(path, TENSORS, ABOUT)
    payload = path.read_bytes()
    path.write_bytes(payload[: int(share * len(payload))])
    with pytest.raises(storage.DamagedFileError, match="is damaged"):
        storage.load(path)


@given(place=st.integers(1, 40))
def test_a_changed_byte_is_damage(tmp_path_factory: pytest.TempPathFactory, place: int) -> None:
    """The last 40 bytes are the tensors' own."""
    path = tmp_path_factory.mktemp("flip") / "x"
    storage.save(path, TENSORS, ABOUT)
    payload = bytearray(path.read_bytes())
    payload[-place] ^= 1
    path.write_bytes(payload)
    with pytest.raises(storage.DamagedFileError, match="checksum"):
        storage.load(path)


def test_a_safetensors_file_of_others_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(TENSORS, tmp_path / "x")
    with pytest.raises(storage.DamagedFileError):
        storage.load(tmp_path / "x")


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.write(tmp_path / "x", b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        storage.write(tmp_path / "x", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_bytes() == b"old"


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "x", []
    storage.write(path, b"old")
    for name in ("fsync", "chmod", "replace"):
        step = getattr(os, name)

        def read_first(*arguments: object, step: Callable[..., None] = step) -> None:
            seen.append(path.read_bytes())
            step(*arguments)

        monkeypatch.setattr(os, name, read_first)
    storage.write(path, b"new")
    assert seen == [b"old"] * 3
    assert path.read_bytes() == b"new"


def test_versions_do_without_open_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "open_clip_torch":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert storage.versions()["open_clip"] == "none"
