"""What one pass over the rows tells: sums that add up over blocks, shards and processes."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Self, TypeAlias

import numpy as np
import torch
from torch import Tensor

from .door import Array, Rows, row_dots

PIECE = 2**16  # pairs that a thread, or a worker elsewhere, takes at once
NEAR = 1e-6  # squared distances below it are made from the difference

Spread: TypeAlias = Callable[[Callable[[range], "Moments"], Sequence[range]], Iterable["Moments"]]


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

    def add_images(self, x: Array, squares: Array) -> None:
        """Add a block of images, shape (n, D), whose squared lengths are known."""
        self.images += len(x)
        self.total_x += np.ones(len(x)) @ x
        self.squares_x += float(squares.sum())

    def add_captions(self, y: Array, squares: Array, partners: Array, theirs: Array) -> None:
        """Add a block of captions with the image of each, both of shape (m, D)."""
        self.captions += len(y)
        self.total_y += np.ones(len(y)) @ y
        self.squares_y += float(squares.sum())
        own = row_dots(partners, y)
        self.own += float(own.sum())
        apart = squares + theirs - 2 * own
        if apart.min() < NEAR:  # where the difference of large numbers would be rounding
            near = apart < NEAR
            apart[near] = np.square(partners[near] - y[near]).sum(axis=1)
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
        spread: maps a function over parts of the pairs, elsewhere; None: in as many threads as
            there are cores.
    """
    if owner is not None:
        return _sum_owned(images, captions, owner)
    parts = [
        range(start, min(start + PIECE, len(images))) for start in range(0, len(images), PIECE)
    ]
    function = functools.partial(sum_pairs, images, captions)
    found = list((spread or _threads)(function, parts))
    return sum(found[1:], found[0])  # in one order, whoever was ready first


def _threads(function: Callable[[range], Moments], parts: Sequence[range]) -> list[Moments]:
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    with ThreadPoolExecutor(min(len(parts), cores)) as pool:
        return list(pool.map(function, parts))


def sum_pairs(images: Rows, captions: Rows, part: range) -> Moments:
    """The moments of some pairs."""
    total = Moments.zero(images.shape[1])
    blocks = zip(images.arrays(part), captions.arrays(part), strict=True)
    for (x, squares_x), (y, squares_y) in blocks:
        total.add_images(x, squares_x)
        total.add_captions(y, squares_y, x, squares_x)
    return total


def _sum_owned(images: Rows, captions: Rows, owner: Tensor) -> Moments:
    total = Moments.zero(images.shape[1])
    for start, stop in images.blocks():
        total.add_images(*images.read_array(start, stop))
    for start, stop in captions.blocks():
        partners = images.take(owner[start:stop]).numpy()
        y, squares = captions.read_array(start, stop)
        total.add_captions(y, squares, partners, row_dots(partners, partners))
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
