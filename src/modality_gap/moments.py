"""What one pass over the rows tells: sums that add up over blocks, shards and processes."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any, Self, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .door import PIECES, Array, Rows, row_dots

PIECE = 2**16  # pairs that a thread, or a worker elsewhere, takes at once
# Numbers of a side that a thread works on at once. Threads wait for each other between calls:
# smaller blocks, which a cache would hold, mean more calls.
WORK = 2**18
NEAR = 1e-6  # squared distances below it are made from the difference

# A `map`: a function of a part, and the parts.
Spread: TypeAlias = Callable[[Callable[[Any], "Moments"], Sequence[Any]], Iterable["Moments"]]


@dataclass
class Moments:
    """Sums over images, captions and pairs, in float64; `+` joins two parts.

    Attributes:
        images, captions: how many rows, N and M; a caption and its image are a pair.
        total_x, total_y: sums of the rows, (D,).
        squares_x, squares_y: sums of their squared lengths.
        own: sum of the pairs' inner products.
        distance, distance_squared: sums of the pairs' distances, and of their squares.
    """

    images: int
    captions: int
    total_x: Array
    total_y: Array
    squares_x: float
    squares_y: float
    own: float
    distance: float
    distance_squared: float

    @classmethod
    def zero(cls, width: int) -> Self:
        """Of no rows."""
        return cls(0, 0, np.zeros(width), np.zeros(width), 0.0, 0.0, 0.0, 0.0, 0.0)

    def __add__(self, other: Self) -> Self:
        return type(self)(
            *(getattr(self, each.name) + getattr(other, each.name) for each in fields(self))
        )

    def add_distances(
        self, x: NDArray[Any], y: NDArray[Any], squares: Array, products: Array
    ) -> None:
        """Add what a block of pairs tells, of shape (n, D) each.

        Args:
            x, y: the pairs.
            squares, products: of each pair the sum of both squared lengths, and x_i . y_i, (n,).
        """
        apart = squares - 2 * products
        near = apart < NEAR
        if near.any():  # where the difference of large numbers would be rounding
            apart[near] = np.square(np.subtract(x[near], y[near], dtype=np.float64)).sum(axis=1)
        self.own += float(products.sum())
        self.distance += float(np.sqrt(apart).sum())
        self.distance_squared += float(apart.sum())

    def sizes(self) -> dict[str, float]:
        """Sizes of the gap and mean cosines, by the names of `modality_gap.measure`."""
        n, m = self.images, self.captions
        cosine_x, cosine_y = (
            (float(total @ total) - squares) / (count * (count - 1))
            for total, squares, count in (
                (self.total_x, self.squares_x, n),
                (self.total_y, self.squares_y, m),
            )
        )
        own = self.own / m
        # Each caption has N - 1 images that are not its own.
        wrong = (float(self.total_x @ self.total_y) - self.own) / (m * (n - 1))
        between, within = (1 - own) / 2, (1 - (cosine_x + cosine_y) / 2) / 2
        collapsed = between + within <= np.finfo(np.float64).eps
        return {
            "l2m": float(np.linalg.norm(self.gap())),
            "l2i": self.distance / m,
            "rmg": float("nan") if collapsed else min(max(between / (between + within), 0), 1),
            "paired_cosine": own,
            "mismatched_cosine": wrong,
            "lead": own - wrong,
            "cosine_image": cosine_x,
            "cosine_text": cosine_y,
            "alignment": self.distance_squared / m,
        }

    def gap(self) -> Array:
        """Mean of the images less mean of the captions, (D,)."""
        return self.total_x / self.images - self.total_y / self.captions


def sum_up(
    images: Rows, captions: Rows, owner: Tensor | None = None, spread: Spread | None = None
) -> Moments:
    """The moments of all rows, in one pass.

    Args:
        images, captions: shapes (N, D) and (M, D).
        owner: of each caption the row of its image, (M,); None: row i of both is a pair.
        spread: maps a function over parts of the rows, elsewhere; None: in as many threads as
            there are cores.
    """
    spread = spread or _threads
    if owner is None:
        found = spread(functools.partial(sum_pairs, images, captions), _parts(len(images)))
    else:  # each part of the captions takes its own owners along
        owned = [(part, owner[part.start : part.stop]) for part in _parts(len(captions))]
        found = [
            *spread(functools.partial(sum_images, images), _parts(len(images))),
            *spread(functools.partial(sum_captions, images, captions), owned),
        ]
    first, *rest = found
    return sum(rest, first)  # in one order, whoever was ready first


def _parts(count: int) -> list[range]:
    return [range(start, min(start + PIECE, count)) for start in range(0, count, PIECE)]


def _threads(function: Callable[[Any], Moments], parts: Sequence[Any]) -> list[Moments]:
    from tqdm import tqdm

    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    with ThreadPoolExecutor(min(len(parts), cores)) as pool:
        done = pool.map(function, parts)
        return list(tqdm(done, "Rows", len(parts), unit="part", delay=3, leave=False))


def sum_pairs(images: Rows, captions: Rows, part: range) -> Moments:
    """The moments of some pairs.

    A piece is read at once and worked on in blocks of float64, by few calls.
    """
    total = Moments.zero(images.shape[1])
    size = max(1, WORK // images.shape[1])
    memory, ones = np.empty((2, size, images.shape[1])), np.ones(size)
    for start, stop in images.blocks(part.start, part.stop, PIECES):
        x, y = images.raw(start, stop), captions.raw(start, stop)
        squares_x, squares_y, own = dots = np.empty((3, stop - start))
        sums = np.zeros((2, images.shape[1]))
        with np.errstate(over="ignore", invalid="ignore"):  # what is wrong is told below
            for first in range(0, stop - start, size):
                here = slice(first, first + size)
                a, b = block = memory[:, : stop - start - first]
                np.copyto(a, x.rows[here])
                np.copyto(b, y.rows[here])
                for out, (left, right) in zip(dots, ((a, a), (b, b), (a, b)), strict=True):
                    row_dots(left, right, out[here])
                sums += ones[: len(a)] @ block
        images.check(x, squares_x)
        captions.check(y, squares_y)
        total.images += stop - start
        total.captions += stop - start
        total.total_x += sums[0]
        total.total_y += sums[1]
        total.squares_x += float(squares_x.sum())
        total.squares_y += float(squares_y.sum())
        total.add_distances(x.rows, y.rows, squares_x + squares_y, own)
    return total


def sum_images(images: Rows, part: range) -> Moments:
    """The moments of some images, without their captions."""
    total = Moments.zero(images.shape[1])
    for start, stop in images.blocks(part.start, part.stop):
        x, squares = images.read_array(start, stop)
        total.images += len(x)
        total.total_x += np.ones(len(x)) @ x
        total.squares_x += float(squares.sum())
    return total


def sum_captions(images: Rows, captions: Rows, part: tuple[range, Tensor]) -> Moments:
    """The moments of some captions and of their pairs, whose images are counted elsewhere.

    Args:
        images, captions: shapes (N, D) and (M, D).
        part: which captions, and the row of the image of each.
    """
    here, owner = part
    total = Moments.zero(images.shape[1])
    for start, stop in captions.blocks(here.start, here.stop):
        y, squares = captions.read_array(start, stop)
        x = images.take(owner[start - here.start : stop - here.start]).numpy()
        total.captions += len(y)
        total.total_y += np.ones(len(y)) @ y
        total.squares_y += float(squares.sum())
        total.add_distances(x, y, row_dots(x, x) + squares, row_dots(x, y))
    return total


def fingerprints(rows: Rows) -> Tensor:
    """A number of 64 bits for each row, equal for equal rows, shape (N,)."""
    generator = torch.Generator().manual_seed(0)
    factors = torch.randint(-(2**62), 2**62, (rows.shape[1],), generator=generator) * 2 + 1
    found = []
    for start, stop in rows.blocks():
        bits = (rows.read(start, stop) + 0.0).view(torch.int64)  # -0.0 becomes 0.0
        bits ^= bits >> 29  # the low bits of what was float32 are zero
        found.append((bits * factors).sum(dim=1))
    return torch.cat(found)


def sampled(count: int, size: int, seed: int) -> Tensor:
    """`size` different numbers below `count` in ascending order; all of them if there are fewer."""
    if size >= count:
        return torch.arange(count)
    generator = torch.Generator().manual_seed(seed)
    chosen: set[int] = set()
    while len(chosen) < size:  # without a permutation of a billion rows
        chosen.update(torch.randint(count, (size - len(chosen),), generator=generator).tolist())
    return torch.tensor(sorted(chosen))
