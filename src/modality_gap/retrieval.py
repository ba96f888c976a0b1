"""Finding one's partner: recall, with one caption an image or several, and hubs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor

from .checks import check_owner, check_pairs, check_sides, check_whole
from .sums import products, row_slices, slices

# Similarities nearer than this are equal in retrieval: products of the same unit rows round
# differently at different places of a matrix. Wider in float32, and a cone as narrow as that of a
# deep random network would be one tie.
TIE = {torch.float32: 2e-7, torch.float64: 1e-13}
NEIGHBOURS = 10  # in whose lists hubs are counted
QUERIES = 500  # that are compared with all candidates at once


@dataclass(frozen=True)
class Places:
    """Where each query finds its partners.

    Attributes:
        before: how many candidates are surely more similar than the most similar partner, (Q,).
        others: how many others are as similar as that one, (Q,).
        own: how many partners are, 1 or more, (Q,).
    """

    before: Tensor
    others: Tensor
    own: Tensor

    def found(self, k: int) -> Tensor:
        """Chance of each query to have a partner among its first k, ties in random order, (Q,)."""
        free = (k - self.before).clamp(min=0)
        missed = torch.ones_like(free)
        # All partners come after the first `free` of the tied ones.
        for turn in range(int(self.own.max())):
            left = self.others + self.own - turn
            factor = ((left - free) / left.clamp(min=1)).clamp(min=0)
            missed *= torch.where(turn < self.own, factor, 1.0)
        return 1 - missed


@overload
def recall_at_k(
    x: Tensor, y: Tensor, k: int = 1, owner: Sequence[int] | Tensor | None = None
) -> tuple[float, float]: ...
@overload
def recall_at_k(
    x: Tensor, y: Tensor, k: Sequence[int], owner: Sequence[int] | Tensor | None = None
) -> list[tuple[float, float]]: ...
def recall_at_k(
    x: Tensor,
    y: Tensor,
    k: int | Sequence[int] = 1,
    owner: Sequence[int] | Tensor | None = None,
) -> tuple[float, float] | list[tuple[float, float]]:
    """Share of rows whose partner is among the k most similar rows of the other modality.

    With several captions an image, an image has found one if any of its captions is among its
    first k, as papers count it, and a caption if its image is. Ties count by their chance under a
    random order, so collapsed embeddings score k / N. Similarities that differ by less than 2e-7 in
    float32, 1e-13 in float64, differ by rounding and are ties, too: where all cosines lie that near
    to each other, give float64. They are made in blocks, so memory does not grow with N^2.

    Args:
        x: unit rows of images, shape (N, D), N >= 2.
        y: unit rows of captions, shape (M, D); row i is paired with row i of x, and M = N, unless
            there is an owner.
        k: from 1 to the smaller of N and M; or several such numbers.
        owner: of each row of y the row of its image in x, shape (M,).

    Returns:
        (image to text, text to image), each in [0, 1]; for several k a list of such pairs.

    Raises:
        ValueError: shapes differ without an owner, fewer than two rows, a row is not of unit
            length, k is out of range, or owner is not a row of x for each row of y.

    >>> x = torch.eye(4)
    >>> mg.recall_at_k(x, x.roll(1, 0), k=[1, 4])
    [(0.0, 0.0), (1.0, 1.0)]
    >>> mg.recall_at_k(x, x.repeat(2, 1), owner=[0, 1, 2, 3, 0, 1, 2, 3])
    (1.0, 1.0)
    """
    if owner is None:
        check_pairs(x, y)
    else:
        check_sides(x, y)
    most, meaning = min(len(x), len(y)), "N = " if len(x) <= len(y) else "M = "
    several = isinstance(k, Sequence | Tensor | np.ndarray) and not isinstance(k, str)
    given: Any = k if several else (k,)
    ks = [check_whole(each, "k", 1, most, meaning) for each in given]
    if owner is None:
        more, equal = _pair_counts(x, y)
        sides = [((n - more) / equal).clamp(0, 1).mean(dim=1).tolist() for n in ks]
    else:
        both = places(x, y, check_owner(owner, len(x), len(y)))
        sides = [[float(side.found(n).mean()) for side in both] for n in ks]
    found = [(forth, back) for forth, back in sides]
    return found if several else found[0]


def places(x: Tensor, y: Tensor, owner: Tensor | None = None) -> tuple[Places, Places]:
    """Where images find captions, and captions images.

    Args:
        x, y, owner: as in `recall_at_k`, checked.
    """
    if owner is None:
        more, equal = _pair_counts(x, y)
        ones = torch.ones_like(more[0])
        images, texts = (Places(a, b - 1, ones) for a, b in zip(more, equal, strict=True))
        return images, texts
    owner = owner.to(x.device)
    margin = TIE[x.dtype]
    with torch.no_grad():
        parts = row_slices(y)
        own = torch.cat([_own(x[owner[part]], y[part]) for part in parts])
        best = x.new_full((len(x),), -torch.inf).scatter_reduce(0, owner, own, "amax")
        counts = [x.new_zeros(2, len(x)), x.new_zeros(2, len(y))]
        for rows, columns, block, spare in products(x, y):
            for limit, step in enumerate((margin, -margin)):
                bounds = best[rows, None] + step
                counts[0][limit, rows] += torch.gt(block, bounds, out=spare).sum(dim=1)
                bounds = own[columns] + step
                counts[1][limit, columns] += torch.gt(block, bounds, out=spare).sum(dim=0)
        tied = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        tied.index_add_(0, owner, (own > best[owner] - margin).double())
    (before, at_least), (before_text, at_least_text) = (each.double() for each in counts)
    ones = torch.ones_like(before_text)
    return (
        Places(before, (at_least - before - tied).clamp(min=0), tied),
        Places(before_text, (at_least_text - before_text - 1).clamp(min=0), ones),
    )


def hub_skewness(queries: Tensor, candidates: Tensor) -> float:
    """Skewness of how often each candidate is among the NEIGHBOURS best of a query.

    Args:
        queries, candidates: unit rows, shapes (Q, D) and (C, D), C > NEIGHBOURS.

    Source: Radovanovic et al. (2010).
    """
    counts = torch.zeros(len(candidates), dtype=torch.float64)
    for part in slices(len(queries), QUERIES):
        best = (queries[part] @ candidates.T).topk(NEIGHBOURS).indices.flatten()
        counts += torch.bincount(best, minlength=len(candidates)).cpu()
    apart = counts - counts.mean()
    spread = apart.square().mean().sqrt().clamp(min=torch.finfo(torch.float64).eps)
    return float((apart**3).mean() / spread**3)


def _pair_counts(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Of each row of x, and of y: how many rows of the other are surely more similar than the
    partner, and how many are as similar, the partner among them; each of shape (2, N).
    """
    with torch.no_grad():
        own = torch.cat([_own(x[part], y[part]) for part in row_slices(x)])
        counts = x.new_zeros(2, 2, len(x))
        for rows, columns, block, spare in products(x, y):
            for limit, margin in enumerate((TIE[x.dtype], -TIE[x.dtype])):
                bounds = own + margin
                counts[0, limit, rows] += torch.gt(block, bounds[rows, None], out=spare).sum(dim=1)
                counts[1, limit, columns] += torch.gt(block, bounds[columns], out=spare).sum(dim=0)
        more, at_least = counts.double().unbind(dim=1)
        # The partner itself counts, however it was rounded.
        return more, (at_least - more).clamp(min=1)


def _own(x: Tensor, y: Tensor) -> Tensor:
    return (x.double() * y.double()).sum(dim=1).to(x.dtype)
