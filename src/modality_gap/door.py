"""What comes in: rows from wherever they lie, in any floating type, read a block at a time."""

from __future__ import annotations

import bisect
import itertools
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .checks import (
    HALVES,
    UNIT_TOLERANCE,
    check_shape,
    columns_are_unit,
    complaint,
    remedy,
)
from .sums import UnitRows

# Numbers of a block that is worked on at once: half a MiB of float64, which a cache holds.
BLOCK = 2**16
PIECES = 16  # blocks that are read from a file at once
PLAIN = (torch.float32, torch.float64)
FLOATS = (torch.float64, torch.float32, *HALVES)


Array: TypeAlias = NDArray[np.float64]


class Part(Protocol):
    """A piece of (N, D) rows: an array in memory, or a file."""

    name: str
    shape: tuple[int, int]
    dtype: torch.dtype

    def read(self, start: int, stop: int) -> Tensor:
        """The rows from `start` to before `stop`, on the CPU."""
        ...


class Held:
    """Rows that are in memory already."""

    def __init__(self, rows: Tensor, name: str) -> None:
        self.rows, self.name, self.dtype = rows, name, rows.dtype
        self.shape = (rows.shape[0], rows.shape[1])

    def read(self, start: int, stop: int) -> Tensor:
        """As in `Part`."""
        return self.rows[start:stop].cpu()


class Raw(NamedTuple):
    """Rows of one part in float32 or float64, not checked yet, and where they begin in it; without
    a part they are checked.
    """

    rows: NDArray[Any]
    part: Part | None
    start: int


class Rows:
    """(N, D) rows in one piece or several, checked as they are read.

    Args:
        parts: one after the other, all of one width.
        name: of the whole, in messages.
        normalize: whether rows are made unit; else they have to be.
        trusted: whether they have been checked.
        min_rows: fewer are an error.

    Raises:
        ValueError: parts differ in width, or there are too few rows.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        name: str,
        normalize: bool = False,
        trusted: bool = False,
        min_rows: int = 2,
    ) -> None:
        self.parts, self.name = list(parts), name
        self.normalize, self.trusted = normalize, trusted
        widths = [part.shape[1] for part in parts]
        for part in parts:
            if part.shape[1] != widths[0]:
                raise ValueError(
                    f"{name}: {part.name} has {part.shape[1]} columns and {parts[0].name} "
                    f"{widths[0]}; all shards have to come from one model"
                )
        self.ends = list(itertools.accumulate(part.shape[0] for part in parts))
        self.shape = (self.ends[-1], widths[0])
        check_shape(self.shape, name, min_rows)

    def __len__(self) -> int:
        return self.shape[0]

    def blocks(
        self, start: int = 0, stop: int | None = None, several: int = 1
    ) -> Iterator[tuple[int, int]]:
        """Where blocks of at most BLOCK numbers, or of several times as many, begin and end."""
        stop = len(self) if stop is None else stop
        size = several * max(1, BLOCK // self.shape[1])
        for first in range(start, stop, size):
            yield first, min(first + size, stop)

    def read(self, start: int, stop: int) -> Tensor:
        """`read_array` as a tensor, without the lengths."""
        return torch.from_numpy(self.read_array(start, stop)[0])

    def read_array(self, start: int, stop: int) -> tuple[Array, Array]:
        """Unit rows in float64, shape (stop - start, D), and their squared lengths.

        Raises:
            ValueError: a row is not finite, is zero, or, unless it is normalised, not unit to the
                precision in which it came.
        """
        found = []
        for number, part in enumerate(self.parts):
            before = self.ends[number] - part.shape[0]
            low, high = max(start, before), min(stop, self.ends[number])
            if low < high:
                found.append(self._checked(part, low - before, high - before))
        if len(found) == 1:
            return found[0]
        rows, squares = zip(*found, strict=True)
        return np.concatenate(rows), np.concatenate(squares)

    def raw(self, start: int, stop: int) -> Raw:
        """Rows as they lie, to be checked by `check` when their lengths are known."""
        place = bisect.bisect_right(self.ends, start)
        if stop > self.ends[place] or self.normalize:
            return Raw(self.read_array(start, stop)[0], None, 0)
        part, before = self.parts[place], self.ends[place] - self.parts[place].shape[0]
        rows = part.read(start - before, stop - before)
        return Raw((rows if rows.dtype in PLAIN else rows.float()).numpy(), part, start - before)

    def check(self, raw: Raw, squares: Array) -> None:
        """Raise ValueError as `read_array` does.

        Args:
            raw: rows, shape (n, D).
            squares: their squared lengths, (n,).
        """
        if raw.part is None or self.trusted:
            return
        tolerance = HALVES.get(raw.part.dtype, UNIT_TOLERANCE)
        good = ((1 - tolerance) ** 2 <= squares) & (squares <= (1 + tolerance) ** 2)
        if not good.all():
            bad = int(np.flatnonzero(~good)[0])
            row, length = torch.from_numpy(raw.rows[bad]), float(np.sqrt(squares[bad]))
            raise ValueError(self._complain(raw.part, raw.start + bad, row, length))

    def take(self, places: Tensor) -> Tensor:
        """Unit rows in float64 by their places, in any order."""
        found = torch.empty(len(places), self.shape[1], dtype=torch.float64)
        order = places.argsort()
        ranked = places[order]
        # Neighbours are read together, and what lies between them is skipped.
        runs = torch.cat([torch.tensor([0]), 1 + (ranked.diff() > 1).nonzero()[:, 0]]).tolist()
        for first, last in itertools.pairwise([*runs, len(ranked)]):
            low, high = int(ranked[first]), int(ranked[last - 1]) + 1
            for start, stop in self.blocks(low, high):
                here = slice(
                    int(torch.searchsorted(ranked, start)), int(torch.searchsorted(ranked, stop))
                )
                found[order[here]] = self.read(start, stop)[ranked[here] - start]
        return found

    def _checked(self, part: Part, start: int, stop: int) -> tuple[Array, Array]:
        return self._check_rows(part.read(start, stop).double().numpy(), part, start)

    def _check_rows(self, rows: Array, part: Part, start: int) -> tuple[Array, Array]:
        with np.errstate(over="ignore", invalid="ignore"):  # what is wrong is told below
            squares = row_dots(rows, rows)
        if not self.normalize:
            self.check(Raw(rows, part, start), squares)
            return rows, squares
        largest = np.abs(rows).max(axis=1)  # whose square may not be finite
        good = np.isfinite(largest) & (largest > 0)
        if not good.all():
            bad = int(np.flatnonzero(~good)[0])
            row, length = torch.from_numpy(rows[bad]), float(np.sqrt(squares[bad]))
            raise ValueError(self._complain(part, start + bad, row, length))
        rows = UnitRows.apply(torch.from_numpy(rows)).numpy()
        return rows, row_dots(rows, rows)

    def check_upright(self) -> None:
        """Raise ValueError if the rows are to be made unit and all columns are so already."""
        part = self.parts[0]
        small = len(self.parts) == 1 and part.shape[0] * part.shape[1] <= 256 * BLOCK
        if self.normalize and small and min(self.shape) > 1:
            rows = part.read(0, len(self)).float()
            if columns_are_unit(rows) and not columns_are_unit(rows.T):
                raise ValueError(
                    f"{self.name}: all columns are unit, and the rows are not: is this (D, N)? "
                    f"Then {self.name}.T, which needs no normalising"
                )

    def _complain(self, part: Part, place: int, row: Tensor, length: float) -> str:
        several = len(self.parts) > 1
        where = f"{part.name}: row {place}" if several else f"{self.name}: row {place}"
        if not several and part.name != self.name:
            where = f"{self.name}: row {place} of {part.name}"
        wrong = complaint(row, length)
        if self.normalize or not wrong.startswith("has"):
            return f"{where} {wrong}; leave out this row and its partner"
        small = not several and part.shape[0] * part.shape[1] <= 256 * BLOCK
        if small and columns_are_unit(part.read(0, part.shape[0])):
            return f"{where} {wrong}; expected a unit row{remedy(wrong, self.name, True)}"
        return f"{where} {wrong}; expected a unit row; normalize=True makes all rows unit"


def row_dots(x: Array, y: Array, out: Array | None = None) -> Array:
    """The inner products x_i . y_i, shape (n,)."""
    if hasattr(np, "vecdot"):  # NumPy 2: a BLAS call for each row
        return np.asarray(np.vecdot(x, y, out=out))
    return np.asarray(np.einsum("ij,ij->i", x, y, out=out))


def as_tensor(value: Any, name: str) -> Tensor:  # noqa: ANN401
    """A floating tensor of whatever holds numbers, without a copy where that is possible.

    Args:
        value: a tensor, an array, a data frame, anything with DLPack, or nested lists.
        name: of the argument, in messages.

    Raises:
        ValueError: it holds no floating numbers.
    """
    if isinstance(value, Tensor):
        found = value.detach()
    elif isinstance(value, np.ndarray) or not hasattr(value, "__dlpack__"):
        found = _from_array(value, name)
    else:
        try:
            found = torch.utils.dlpack.from_dlpack(value)
        except (BufferError, RuntimeError, TypeError):  # a device or a lock that torch lacks
            found = _from_array(value, name)
    if found.layout != torch.strided:
        raise ValueError(f"{name}: expected a dense tensor, got a sparse one; .to_dense() makes it")
    if found.is_meta:
        raise ValueError(f"{name}: the tensor is on the meta device and holds no numbers")
    if found.dtype not in FLOATS:
        if found.is_floating_point():
            return found.float()  # eight bits and less
        if found.is_complex():
            raise ValueError(
                f"{name}: expected real numbers, got {found.dtype}; what a cosine of complex rows "
                "is, is yours to say"
            )
        raise ValueError(
            f"{name}: expected floating numbers, got {found.dtype}; if these are embeddings, undo "
            "the scale and offset of a quantisation, if any, and convert them: .astype(float) of "
            "an array, .double() of a tensor"
        )
    return found


def as_rows(value: Any, name: str, normalize: bool = False) -> Rows:  # noqa: ANN401
    """Rows of an array, see `as_tensor`; `Rows` stay what they are, but for `normalize`."""
    if isinstance(value, Rows):
        return Rows(value.parts, value.name, normalize or value.normalize)
    found = as_tensor(value, name)
    check_shape(found.shape, name)
    return Rows([Held(found, name)], name, normalize)


def _from_array(value: Any, name: str) -> Tensor:  # noqa: ANN401
    if isinstance(value, str | os.PathLike):
        raise ValueError(
            f"{name}: expected numbers, got a name; mg.open_pairs opens files, mg.load_embeddings "
            "named embeddings, and mg.measure takes what they give"
        )
    if np.ma.is_masked(value):
        raise ValueError(f"{name}: some entries are masked; leave out their rows and partners")
    if hasattr(value, "toarray"):
        raise ValueError(f"{name}: expected a dense array, got a sparse one; .toarray() makes it")
    if hasattr(value, "to_numpy"):
        _check_columns(value, name)
        value = value.to_numpy()  # a data frame
    try:
        if isinstance(value, list | tuple) and value and isinstance(value[0], Tensor):
            return torch.stack([as_tensor(row, name) for row in value])
        array = np.asarray(value)
    except (RuntimeError, TypeError, ValueError):
        array = np.empty(0, object)
    if array.dtype.name == "bfloat16":  # of ml_dtypes, which torch does not read
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    if array.dtype.kind not in "fiubc":
        raise ValueError(
            f"{name}: expected numbers of shape (N, D), got {type(value).__name__} of "
            f"{array.dtype}{_to_numbers(array)}"
        )
    if array.dtype == np.longdouble:
        array = array.astype(np.float64)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if any(stride < 0 for stride in array.strides):
        array = array.copy()
    with warnings.catch_warnings():
        # What is read only stays so: nothing here writes on it.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)


def _to_numbers(array: NDArray[Any]) -> str:
    """What may make numbers of an array of something else."""
    if array.dtype != object or not array.size:
        return ""
    first = array.flat[0]
    if array.ndim == 1 and hasattr(first, "__len__") and not isinstance(first, str | dict):
        return "; np.stack(list(...)) of it makes an array of rows that are arrays"
    return "; .astype(float) makes numbers of objects that are numbers" if array.ndim == 2 else ""


def _check_columns(frame: Any, name: str) -> None:  # noqa: ANN401
    """Raise ValueError where a data frame has columns that can be no dimension beside others."""
    columns = getattr(frame, "columns", [])  # a series has none
    kinds = [getattr(kind, "kind", "") for kind in frame.dtypes] if len(columns) else []
    other = [str(c) for c, kind in zip(columns, kinds, strict=True) if kind != "f"]
    if "f" in kinds and other:
        raise ValueError(
            f"{name}: expected columns of floating numbers alone; leave out {', '.join(other[:5])}"
            f": {name}.drop(columns={other[:5]})"
        )
