"""One list of images and texts: scores that make cosines of different kinds comparable.

Cosines come in kinds: of image and image, text and text, image and text. Where there is a gap,
each kind has a mean and a spread of its own, and in a list of both kinds the nearer kind comes
first. A ranking is fitted on pairs and scores any queries against any index; no embedding moves.

    ranking = ZPerKind().fit(x, y)
    ranking.scores(queries, "image", images, texts)  # the larger, the earlier in the list
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from .checks import check_pairs, check_positive
from .fitted import Fitted, like, varies

Side: TypeAlias = Literal["image", "text"]
SIDES: tuple[Side, Side] = ("image", "text")
QUERIES = 500  # that are compared with all candidates at once


class Ranking(Fitted):
    """What all rankings have in common; `Ranking.load` reads a stored one of any kind."""

    def scores(
        self,
        queries: Tensor,
        of: Side,
        images: Tensor | None = None,
        texts: Tensor | None = None,
        own: Tensor | None = None,
    ) -> Tensor:
        """How well each candidate fits each query, on one scale for images and texts.

        Args:
            queries: unit rows, shape (Q, D), Q >= 1.
            of: what the queries are, "image" or "text".
            images, texts: the candidates, unit rows, shape (N, D) and (M, D); None if there are
                none.
            own: where queries are candidates themselves: of each query its row among those of its
                own modality, shape (Q,). It is left out of all statistics.

        Returns:
            Shape (Q, N + M), images first; -inf for `own`.

        Raises:
            NotFittedError: `fit` was not called.
            ValueError: a row is not of unit length or not as wide as those of the fit, `of` is
                something else, or there are no candidates.
        """
        if of not in SIDES:
            raise ValueError(f"of: expected 'image' or 'text', got {of!r}")
        self._check_rows(queries, "queries")
        blocks = []
        for among, rows in zip(SIDES, (images, texts), strict=True):
            if rows is None:
                continue
            self._check_rows(rows, f"{among}s")
            cosines = queries @ rows.T
            if own is not None and among == of:
                cosines[torch.arange(len(queries)), own] = torch.nan
            blocks.append(self._calibrate(cosines, of, among, rows))
        if not blocks:
            raise ValueError("images, texts: expected candidates, got none")
        scores = torch.cat(blocks, dim=1)
        return scores.masked_fill(scores.isnan(), -torch.inf)

    def _calibrate(self, cosines: Tensor, of: Side, among: Side, rows: Tensor) -> Tensor:
        """Scores of candidates of one kind from their cosines (Q, N); NaN stays NaN."""
        raise NotImplementedError


class Cosines(Ranking):
    """The plain cosines: what every other ranking is compared with. Needs no fit."""

    needs_fit = False

    def _calibrate(self, cosines: Tensor, of: Side, among: Side, rows: Tensor) -> Tensor:
        return cosines


class _Standardised(Ranking):
    """Scores (cosine - mean) / deviation by kind; [0, 1] of both is of image queries and texts."""

    mean_: Tensor
    deviation_: Tensor

    def _calibrate(self, cosines: Tensor, of: Side, among: Side, rows: Tensor) -> Tensor:
        kind = SIDES.index(of), SIDES.index(among)
        mean, deviation = (like(value, cosines)[kind] for value in (self.mean_, self.deviation_))
        return (cosines - mean) / deviation

    def _learn(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        sides = (x.double(), y.double())
        found = torch.stack([self._statistics(a, b, a is b) for a in sides for b in sides])
        mean, deviation = found.T.reshape(2, 2, 2)
        if not varies(deviation, x.dtype).all():
            raise ValueError("x, y: all cosines of one kind are equal; expected some that differ")
        return {"mean_": mean, "deviation_": deviation}

    def _statistics(self, queries: Tensor, candidates: Tensor, same: bool) -> Tensor:
        """Mean and standard deviation of one kind."""
        raise NotImplementedError


class ZPerKind(_Standardised):
    """How many standard deviations a cosine lies above the mean of its kind.

    Mean and deviation of a kind are those of all its cosines between rows of different pairs of
    the fit: a score says how far a candidate stands out from strangers. Memory does not grow with
    the square of the number of pairs.

    Source: standardised scores are old in the fusion of lists; Yamashita et al. (2025) standardise
    for both kinds of candidates, by other statistics: `PseudoPositives`.
    """

    def _statistics(self, queries: Tensor, candidates: Tensor, same: bool) -> Tensor:
        own = (queries * candidates).sum(dim=1)
        count = len(own) * (len(own) - 1)
        mean = (queries.sum(dim=0) @ candidates.sum(dim=0) - own.sum()) / count
        squares = ((queries.T @ queries) * (candidates.T @ candidates)).sum() - own.square().sum()
        return torch.stack([mean, (squares / count - mean**2).clamp(min=0).sqrt()])


class PseudoPositives(_Standardised):
    """Standardised by the best candidate of each kind that each query of the fit finds.

    Of every image and text of the fit, the highest cosine with another image, and with a text, is
    taken for that of a pair; their mean and deviation over the queries are those of the kind.

    Source: Yamashita, Shirafuji & Saito (2025).
    """

    def _statistics(self, queries: Tensor, candidates: Tensor, same: bool) -> Tensor:
        cosines = queries @ candidates.T
        if same:
            cosines.fill_diagonal_(-torch.inf)
        best = cosines.max(dim=1).values
        return torch.stack([best.mean(), best.std()])


class ZPerQuery(Ranking):
    """Standardised within each query and kind, over the candidates. Needs no fit.

    A score depends on what else is in the index.
    """

    needs_fit = False

    def _calibrate(self, cosines: Tensor, of: Side, among: Side, rows: Tensor) -> Tensor:
        mean = cosines.nanmean(dim=1, keepdim=True)
        variance = (cosines - mean).square().nanmean(dim=1, keepdim=True)
        smallest = torch.finfo(cosines.dtype).eps
        return (cosines - mean) / variance.sqrt().clamp(min=smallest)


class InvertedSoftmax(Ranking):
    """A candidate's cosine, less what it has in common with a bank of queries.

    The logarithm of exp(beta s(q, c)) / sum_b exp(beta s(b, c)), b the rows of the fit that are of
    the query's modality: a candidate that is near to all queries, a hub, is ranked lower.

    Args:
        beta: above 0; 20 in the code of QB-Norm, whose bank this is.

    Source: Bogolin et al. (2022), QB-Norm.
    """

    bank_x_: Tensor
    bank_y_: Tensor

    def __init__(self, beta: float = 20.0) -> None:
        self.beta = beta

    def _learn(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        check_positive(self.beta, "beta")
        return {"bank_x_": x, "bank_y_": y}

    def _calibrate(self, cosines: Tensor, of: Side, among: Side, rows: Tensor) -> Tensor:
        bank = like(self.bank_x_ if of == "image" else self.bank_y_, rows)
        return self.beta * cosines - (self.beta * bank @ rows.T).logsumexp(dim=0)


def lists(
    x: Tensor, y: Tensor, ranking: Ranking | None = None, both: bool = True
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """The lists that every image and every text finds, in blocks of queries.

    Args:
        x, y: unit rows, shape (N, D), N >= 2; row i of x is paired with row i of y.
        ranking: that scores the candidates, fitted; the cosines if None.
        both: whether all images and texts are candidates, in that order, or those of the other
            modality alone.

    Yields:
        Numbers of the queries, 0 to N - 1 for images and N to 2 N - 1 for texts; columns of their
        partners; scores, -inf for the query itself.
    """
    check_pairs(x, y)
    ranking = ranking or Cosines()
    sides: tuple[tuple[Side, Tensor, int], ...] = (("image", x, 0), ("text", y, len(x)))
    for of, queries, shift in sides:
        for start in range(0, len(x), QUERIES):
            part = queries[start : start + QUERIES]
            own = torch.arange(start, start + len(part))
            if both:
                scores = ranking.scores(part, of, x, y, own)
            elif of == "image":
                scores = ranking.scores(part, of, texts=y)
            else:
                scores = ranking.scores(part, of, images=x)
            yield own + shift, own + (len(x) - shift if both else 0), scores
