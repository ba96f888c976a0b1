"""Formats that hold embeddings, each opened without running what may lie in it."""

from __future__ import annotations

import json
import mmap
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..door import FLOATS, Held, Part, as_tensor

ENDINGS = (".safetensors", ".npy", ".npz", ".pt", ".pth", ".parquet")
OWNERS = ("owner", "owners", "image_index")  # names of whose caption is whose
SIDES = ("images", "texts")
SAFE = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}
# What reading a damaged file of torch.save may raise.
NO_TENSORS = (AttributeError, EOFError, ImportError, LookupError, RuntimeError, ValueError)
LFS = b"version https://git-lfs"


class RawPart:
    """Rows that lie one after the other in a file, from an offset on."""

    def __init__(
        self, path: Path, name: str, offset: int, shape: tuple[int, int], dtype: torch.dtype
    ) -> None:
        self.path, self.name, self.offset, self.shape, self.dtype = path, name, offset, shape, dtype

    def read(self, start: int, stop: int) -> Tensor:
        """As in `door.Part`: the rows are mapped, and let go with the tensor, so that memory stays
        that of a block.
        """
        width = self.shape[1] * self.dtype.itemsize
        first = self.offset + start * width
        before = first % mmap.ALLOCATIONGRANULARITY
        with self.path.open("rb") as file:
            try:
                mapped = mmap.mmap(
                    file.fileno(),
                    before + (stop - start) * width,
                    access=mmap.ACCESS_COPY,  # torch warns of what cannot be changed
                    offset=first - before,
                )
            except ValueError:
                raise ValueError(
                    f"{self.path}: it ends before its last row; copy it again"
                ) from None
        return torch.frombuffer(mapped, dtype=self.dtype, offset=before).view(-1, self.shape[1])


def read_arrays(path: Path) -> dict[str, Part]:
    """The floating arrays of shape (N, D) in a file by name; of a stack "images" and "texts".

    Raises:
        ValueError: the file is not what its name says, or not safe to open.
        FileNotFoundError: there is no such file.
    """
    check_file(path)
    reader = {
        ".safetensors": _safetensors,
        ".npy": _npy,
        ".npz": _npz,
        ".pt": _torch,
        ".pth": _torch,
        ".parquet": _parquet,
    }.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path}: expected a file that ends in {', '.join(ENDINGS)}")
    try:
        return reader(path)
    except (EOFError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path}: it is cut short or no {path.suffix} file ({error}); copy it again"
        ) from error


def numbers(path: Path) -> dict[str, Any]:
    """The whole numbers of a file with named arrays: whose caption is whose."""
    if path.suffix.lower() == ".safetensors":
        from safetensors import safe_open

        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys() if name in OWNERS}  # noqa: SIM118
    if path.suffix.lower() == ".npz":
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files if name in OWNERS}
    return {}


def check_file(path: Path) -> None:
    """Raise unless there is a file, and not a Git LFS pointer in its place."""
    if not path.is_file():
        if path.is_dir():
            raise ValueError(f"{path}: expected a file, it is a folder")
        raise FileNotFoundError(f"{path}: there is no such file")
    with path.open("rb") as file:
        start = file.read(len(LFS))
    if start == LFS:
        raise ValueError(
            f"{path}: it is a Git LFS pointer, not the file itself; git lfs pull fetches that"
        )
    if not start:
        raise ValueError(f"{path}: it is empty; copy it again")


def _matrix(path: Path, name: str, offset: int, shape: Sequence[int], dtype: torch.dtype) -> Part:
    if path.stat().st_size < offset + int(np.prod(shape)) * dtype.itemsize:
        raise ValueError(f"{path}: it is cut short; copy it again")
    return RawPart(path, name, offset, (shape[0], shape[1]), dtype)


def _stacked(path: Path, shape: Sequence[int], offset: int, dtype: torch.dtype) -> dict[str, Part]:
    """An array of one side, or a stack of both."""
    if len(shape) == 3 and shape[0] == 2:
        size = shape[1] * shape[2] * dtype.itemsize
        return {
            side: _matrix(path, f"{side} of {path.name}", offset + place * size, shape[1:], dtype)
            for place, side in enumerate(SIDES)
        }
    if len(shape) != 2:
        raise ValueError(
            f"{path}: expected shape (N, D), or (2, N, D) of images and captions, got "
            f"{tuple(shape)}"
        )
    return {path.stem: _matrix(path, path.name, offset, shape, dtype)}


def _npy(path: Path) -> dict[str, Part]:
    with path.open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
                version, np.lib.format.read_array_header_2_0
            )
            shape, fortran, dtype = read(file)
        except ValueError as error:
            raise ValueError(f"{path}: it is no .npy file: {error}") from None
        offset = file.tell()
    if dtype.hasobject:
        raise ValueError(
            f"{path}: it holds pickled objects, which are code and are not run; where you trust "
            "it, np.save(path, np.stack(list(np.load(path, allow_pickle=True)))) stores numbers"
        )
    known = {"<f8": torch.float64, "<f4": torch.float32, "<f2": torch.float16}
    if dtype.str in known and not fortran:
        return _stacked(path, shape, offset, known[dtype.str])
    return _held(path, np.load(path, allow_pickle=False))


def _held(path: Path, array: Any, name: str | None = None) -> dict[str, Part]:  # noqa: ANN401
    rows = as_tensor(array, str(path))
    if rows.ndim == 3 and len(rows) == 2:
        return {side: Held(rows[i], f"{side} of {path.name}") for i, side in enumerate(SIDES)}
    if rows.ndim != 2:
        raise ValueError(
            f"{path}: expected shape (N, D), or (2, N, D) of images and captions, got "
            f"{tuple(rows.shape)}"
        )
    return {name or path.stem: Held(rows, f"{name} of {path.name}" if name else path.name)}


def _npz(path: Path) -> dict[str, Part]:
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: it is cut short or no .npz file; copy it again")
    found: dict[str, Part] = {}
    with np.load(path, allow_pickle=False) as file:
        for name in file.files:
            try:
                array = file[name]
            except ValueError:
                raise ValueError(
                    f"{path}: {name} holds pickled objects, which are code and are not run; store "
                    "plain numbers by np.savez(path, images=x, texts=y)"
                ) from None
            if array.dtype.kind == "f" and array.ndim == 2:
                found |= _held(path, array, name)
    return found


def _torch(path: Path) -> dict[str, Part]:
    import pickle

    try:
        value = torch.load(path, map_location="cpu", weights_only=True)
    except (*NO_TENSORS, pickle.UnpicklingError) as error:
        raise ValueError(
            f"{path}: it holds more than tensors, or is no file of torch.save; nothing of it is "
            "run; where you trust it, store its tensors by "
            "safetensors.torch.save_file(dict(x=x, y=y), path)"
        ) from error
    if isinstance(value, Tensor):
        return _held(path, value)
    if isinstance(value, list | tuple) and len(value) == 2:
        value = dict(zip(SIDES, value, strict=True))
    items = value.items() if isinstance(value, dict) else ()
    tensors = {str(name): rows.detach() for name, rows in items if isinstance(rows, Tensor)}
    if len(tensors) > 4 and all(rows.ndim == 1 for rows in tensors.values()):
        return _held(path, torch.stack(list(tensors.values())))  # a key for each row
    return {
        name: Held(rows, f"{name} of {path.name}")
        for name, rows in tensors.items()
        if rows.ndim == 2 and rows.dtype in FLOATS
    }


def metadata(path: Path) -> dict[str, str]:
    """What a .safetensors file says beside its tensors."""
    return {**_header(path)[0].get("__metadata__", {})}


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """The header of a .safetensors file, and where its tensors begin."""
    check_file(path)
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        content = file.read(length) if length < path.stat().st_size else b""
    try:
        return dict(json.loads(content)), 8 + length
    except (UnicodeDecodeError, ValueError):
        raise ValueError(
            f"{path} is damaged: it is cut short or no .safetensors file; copy it again"
        ) from None


def _safetensors(path: Path) -> dict[str, Part]:
    header, begin = _header(path)
    return {
        name: _matrix(
            path,
            f"{name} of {path.name}",
            begin + about["data_offsets"][0],
            about["shape"],
            SAFE[about["dtype"]],
        )
        for name, about in header.items()
        if name != "__metadata__" and about["dtype"] in SAFE and len(about["shape"]) == 2
    }


class ParquetPart:
    """A column of lists of numbers; a group of rows is in memory at a time."""

    def __init__(self, path: Path, column: str, shape: tuple[int, int], dtype: torch.dtype) -> None:
        self.path, self.column, self.shape, self.dtype = path, column, shape, dtype
        self.name = f"{column} of {path.name}"
        self.kept: tuple[int, Tensor] | None = None

    def read(self, start: int, stop: int) -> Tensor:
        """As in `door.Part`."""
        import pyarrow.parquet

        file, found, first = pyarrow.parquet.ParquetFile(self.path), [], 0
        for group in range(file.num_row_groups):
            last = first + file.metadata.row_group(group).num_rows
            if start < last and stop > first:
                kept = self.kept  # threads share it: whole or not at all
                if kept is None or kept[0] != group:
                    table = file.read_row_group(group, columns=[self.column])
                    kept = self.kept = group, self._rows(table.column(0).combine_chunks())
                found.append(kept[1][max(start - first, 0) : stop - first])
            first = last
        return torch.cat(found)

    def _rows(self, column: Any) -> Tensor:  # noqa: ANN401
        values = np.asarray(column.flatten())
        if len(values) != len(column) * self.shape[1] or column.null_count:
            raise ValueError(f"{self.name}: expected {self.shape[1]} numbers in every row")
        return as_tensor(values.reshape(len(column), self.shape[1]), self.name)


def _parquet(path: Path) -> dict[str, Part]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise ValueError(
            f"{path}: parquet needs pyarrow: pip install 'modality-gap[files]'"
        ) from None
    try:
        file = pyarrow.parquet.ParquetFile(path)
    except pyarrow.ArrowInvalid as error:
        raise ValueError(f"{path}: it is no parquet file: {error}") from None
    found: dict[str, Part] = {}
    for field in file.schema_arrow:
        kind = field.type
        lists = pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind)
        lists = lists or pyarrow.types.is_fixed_size_list(kind)
        if lists and pyarrow.types.is_floating(kind.value_type):
            first = next(file.iter_batches(1, columns=[field.name])).column(0)
            width = len(first[0].as_py() or ())
            dtype = {16: torch.float16, 32: torch.float32}.get(kind.value_type.bit_width)
            shape = (file.metadata.num_rows, width)
            found[field.name] = ParquetPart(path, field.name, shape, dtype or torch.float64)
    return found
