"""Lists of images and texts, ranked by every method and ranking: the judges and the runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ..closing import (
    Centring,
    Method,
    Nothing,
    OneSidedTranslation,
    Pair,
    Rotation,
    Standardisation,
    Translation,
    Whitening,
)
from ..gap import l2m
from ..lab.mad import load_mad
from ..lab.measures import draw_test_pairs
from ..lab.mini_clip import rebuild
from ..lab.training import Config, train
from ..ranking import Cosines, InvertedSoftmax, PseudoPositives, Ranking, ZPerKind, ZPerQuery
from ..tasks import cross_modal_neighbours, hubness, mixed_map, mixed_recall, one_kind_recall
from .closing_runs import EARLY_STEP, embed_pairs

# What is done to embeddings, then to their cosines.
RIVALS: dict[str, tuple[Method, Ranking]] = {
    "nothing": (Nothing(), Cosines()),
    "centring": (Centring(), Cosines()),
    "standardisation": (Standardisation(), Cosines()),
    "whitening": (Whitening(), Cosines()),
    "rotation": (Rotation(), Cosines()),
    "translation": (Translation(), Cosines()),
    "images moved, for texts": (OneSidedTranslation("text"), Cosines()),
    "texts moved, for images": (OneSidedTranslation("image"), Cosines()),
    "z per kind": (Nothing(), ZPerKind()),
    "z per query": (Nothing(), ZPerQuery()),
    "pseudo-positives": (Nothing(), PseudoPositives()),
    "inverted softmax, 20": (Nothing(), InvertedSoftmax(20)),
    "inverted softmax, 100": (Nothing(), InvertedSoftmax(100)),
    "centring, z per kind": (Centring(), ZPerKind()),
}
PAIRS = (20, 50, 100, 200)  # of a fit


def judge(
    x: Tensor, y: Tensor, fit: Pair, labels: Tensor | None = None, pairs: Sequence[int] = PAIRS
) -> list[dict[str, float | str]]:
    """A row for each rival and number of fit pairs.

    Args:
        x, y: unit rows, shape (N, D); row i of x is paired with row i of y. None of them is in
            `fit`: all queries and all candidates are new.
        fit: pairs, of which the first are taken.
        labels: of the pairs, shape (N,): after the largest fit `mixed_map` is judged, too.
        pairs: how many of the fit.
    """
    rows: list[dict[str, float | str]] = []
    for count in pairs:
        few = fit[0][:count], fit[1][:count]
        for name, (method, ranking) in RIVALS.items():
            a, b = method.fit(*few).transform(x, y)
            ranking.fit(*method.transform(*few))
            one, mixed, hubs = (
                judged(a, b, ranking) for judged in (one_kind_recall, mixed_recall, hubness)
            )
            row: dict[str, float | str] = {
                "ranking": name,
                "pairs": count,
                "l2m": float(l2m(a, b)),
                "recall_1_image_to_text": one[0],
                "recall_1_text_to_image": one[1],
                "mixed_recall_image": mixed[0],
                "mixed_recall_text": mixed[1],
                "cross_modal_neighbours": cross_modal_neighbours(a, b, ranking),
                "hubness_text": hubs[0],
                "hubness_image": hubs[1],
            }
            if labels is not None and count == max(pairs):
                row["mixed_map"] = mixed_map(a, b, labels, ranking)
            rows.append(row)
    return rows


def run(config: Config, stop: int | None = None) -> list[dict[str, float | str]]:
    """Train, then judge lists of the test pairs by every rival, fitted on training pairs.

    Args:
        config: of the run.
        stop: judge only what is trained up to this step.

    Returns:
        A row for each judged step, rival and number of fit pairs; early on of most pairs alone.
    """
    data, rows = load_mad(), []
    form = (config.k, config.named, config.drawn_from)
    train_pairs, test_pairs = (draw_test_pairs(data, name, *form) for name in ("train", "test"))
    for step in sorted({min(EARLY_STEP, config.steps), config.steps}):
        if stop is None or step <= stop:
            result = train(config, data=data, progress=False, stop=step)
            model = rebuild(config, result.weights)
            fit, (x, y) = embed_pairs(model, train_pairs), embed_pairs(model, test_pairs)
            pairs = PAIRS if step == config.steps else PAIRS[-1:]
            judged = judge(x, y, fit, test_pairs.factors[:, 0], pairs)
            rows += [{"step": step, **row} for row in judged]
    return rows


def judge_splits(x: Tensor, y: Tensor, splits: int = 5) -> list[dict[str, float | str]]:
    """`judge` on random splits: half of the pairs are judged, up to 200 others fitted on."""
    rows = []
    for number in range(splits):
        order = np.random.default_rng(number).permutation(len(x))
        judged, fit = order[: len(x) // 2], order[len(x) // 2 :]
        rows += [{"split": number, **row} for row in judge(x[judged], y[judged], (x[fit], y[fit]))]
    return rows
