"""Files that are whole or not there: written in one piece, and checked when they are read."""

from __future__ import annotations

import errno
import hashlib
import importlib.metadata
import json
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor


class DamagedFileError(ValueError):
    """A stored file is not what was written."""


def write(path: Path, payload: bytes) -> None:
    """Write a file in one piece: readers see the old content or the new, also after a kill.

    Raises:
        OSError: the folder cannot be written or the disk is full; the old file is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def check_writable(path: Path) -> None:
    """Raise OSError unless a file can be written there, before its content is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    tempfile.TemporaryFile(dir=path.parent).close()


def save(path: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Store tensors as safetensors, with a description and a checksum of both.

    Args:
        path: of the file; its folder is made if need be.
        tensors: by name; any shapes.
        about: whatever JSON holds; stored in the file's metadata.
    """
    # Cloned, because safetensors refuses tensors that share their memory.
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    described = {**about, "sha256": _checksum(tensors, about)}
    write(path, safetensors.torch.save(tensors, {"about": json.dumps(described)}))


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the description that `save` stored.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedFileError: the file is cut short, altered, or was not written by `save`.
    """
    payload = path.read_bytes()
    try:
        tensors = safetensors.torch.load(payload)
        with safe_open(path, framework="pt") as file:
            about = json.loads(file.metadata()["about"])
        checksum = about.pop("sha256")
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DamagedFileError(f"{path} is damaged: {error}") from error
    if checksum != _checksum(tensors, about):
        raise DamagedFileError(f"{path} is damaged: its checksum does not fit its content")
    return tensors, about


def _checksum(tensors: dict[str, Tensor], about: dict[str, Any]) -> str:
    payload = safetensors.torch.save(tensors, {"about": json.dumps(about)})
    return hashlib.sha256(payload).hexdigest()


def cache_folder() -> Path:
    """Where data are kept: MODALITY_GAP_CACHE, or the user's cache folder."""
    import pooch  # takes a quarter of a second

    return Path(os.environ.get("MODALITY_GAP_CACHE") or pooch.os_cache("modality-gap")).expanduser()


def versions() -> dict[str, str]:
    """Of Python and of the packages that decide a number, by name; "none" for what is missing."""
    try:
        open_clip = importlib.metadata.version("open_clip_torch")
    except importlib.metadata.PackageNotFoundError:
        open_clip = "none"
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "open_clip": open_clip,
        "modality_gap": importlib.metadata.version("modality-gap"),
    }
