"""Captions: the word of one factor that is always named and of k others, in random order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .factors import FACTORS, FIRST_WORDS, WORDS, check_factors


def draw_captions(
    factors: Tensor,
    k: int,
    rng: np.random.Generator,
    named: str = "digit",
    drawn_from: Sequence[str] | None = None,
) -> Tensor:
    """Draw a caption for each image: which factors it names, and in which order.

    Args:
        factors: values of the six factors, integers of shape (n, 6), columns as in `FACTORS`.
        k: how many factors are named beside `named`, from 0 to len(drawn_from); drawn uniformly
            without replacement.
        rng: where the draws come from.
        named: the factor that every caption names.
        drawn_from: the factors that k are drawn from; all but `named` if None.

    Returns:
        Shape (n, k + 1), int64: word ids, positions in `WORDS`, in random order.

    Raises:
        ValueError: an unknown, repeated or doubly used factor name, k out of range, or factors
            that `check_factors` refuses.

    Source: Schrodi et al. (2025), the MAD data set.
    """
    check_factors(factors)
    others = check_choice(k, named, drawn_from)
    names = list(FACTORS)
    columns = np.array([names.index(name) for name in others], dtype=np.int64)
    drawn = rng.random((len(factors), len(others))).argsort(axis=1)[:, :k]
    fixed = np.full((len(factors), 1), names.index(named))
    chosen = torch.from_numpy(rng.permuted(np.hstack([fixed, columns[drawn]]), axis=1))
    return FIRST_WORDS[chosen] + factors.long().gather(1, chosen)


def check_choice(k: int, named: str, drawn_from: Sequence[str] | None) -> tuple[str, ...]:
    """The factors that k are drawn from; ValueError where `draw_captions` has one."""
    if named not in FACTORS:
        raise ValueError(f"named: expected one of {list(FACTORS)}, got {named!r}")
    if isinstance(drawn_from, str):
        raise ValueError(f"drawn_from: expected a sequence of names, got {drawn_from!r}")
    rest = (name for name in FACTORS if name != named)
    others = tuple(rest if drawn_from is None else drawn_from)
    for name in others:
        if name not in FACTORS:
            raise ValueError(f"drawn_from: expected names out of {list(FACTORS)}, got {name!r}")
        if name == named:
            raise ValueError(f"drawn_from: {name!r} is named always; expected other factors only")
    if len(set(others)) < len(others):
        raise ValueError(f"drawn_from: expected each name once, got {list(others)}")
    if k not in range(len(others) + 1):
        raise ValueError(
            f"k: expected 0 to {len(others)}, the number of factors drawn from; got {k}"
        )
    return others


def caption_strings(word_ids: Tensor) -> list[str]:
    """Captions as text, such as "red-7-no swelling", from word ids of shape (n, words)."""
    return ["-".join(WORDS[word] for word in row) for row in word_ids.tolist()]
