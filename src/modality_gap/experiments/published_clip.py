"""What chapter 3 asks of the published CLIP: about two dimensions, and about single pairs.

The tables are made and stored by `published`, as "published_NAME".
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor

from ..gap import gap_share, l2m, rmg
from ..sphere import normalize

DRAWS = 100  # pairs of random dimensions
SPLITS = 20
JUDGED, FIT = 200, 100  # pairs of a split; the rest is the bank
ALLOWED = (0.05, 0.001)
TEMPERATURE = 0.01


def two_removed(x: Tensor, y: Tensor) -> pd.DataFrame:
    """What is left, and what is lost, without two dimensions; rows are normalised again.

    A row per choice: the two with most of the gap, the two that vary most within the modalities,
    and 100 random draws of two that are not those of the gap. `to_text` and `to_image` are the
    changes of recall at 1, with the standard errors of these paired differences.
    """
    generator = torch.Generator().manual_seed(0)
    *others, second, first = gap_share(x, y).argsort()
    choices = [("gap", torch.stack([first, second]))]
    choices += [("variance", (x.var(dim=0) + y.var(dim=0)).topk(2).indices)]
    for _ in range(DRAWS):
        drawn = torch.randperm(len(others), generator=generator)[:2]
        choices.append(("random", torch.stack(others)[drawn]))
    before, records = _found(x, y), []
    for choice, dropped in choices:
        kept = torch.ones(x.shape[1], dtype=torch.bool)
        kept[dropped] = False
        a, b = normalize(x[:, kept]), normalize(y[:, kept])
        change = _found(a, b) - before
        errors = change.std(dim=1) / len(x) ** 0.5
        records.append(
            {
                "choice": choice,
                "l2m": float(l2m(a, b)),
                "rmg": float(rmg(a, b)),
                "to_text": float(change[0].mean()),
                "to_text_error": float(errors[0]),
                "to_image": float(change[1].mean()),
                "to_image_error": float(errors[1]),
            }
        )
    return pd.DataFrame(records)


def one_pair(x: Tensor, y: Tensor) -> pd.DataFrame:
    """Does this caption fit this image? Four scores of a single pair, on held-out pairs.

    Each of 20 random splits deals the pairs into 200 that are judged, 100 on which the threshold is
    chosen, and a bank of the rest, against which three of the scores compare: the cosine without
    the terms that belong to one side (the mean cosine of the image with the bank's captions, and
    that of the caption with the bank's images), the cosine in standard deviations of the image's
    cosines with the bank's captions, and the softmax at temperature 0.01 of the caption against
    them. A wrong pair is an image with the caption of another.

    A row per split, score and allowed share of wrong pairs: auc, threshold, and which shares of the
    right and of the wrong pairs the threshold lets through.
    """
    records = []
    for split in range(SPLITS):
        order = np.random.default_rng(split).permutation(len(x))
        judged, fit, bank = np.split(order, [JUDGED, JUDGED + FIT])
        chosen_on = _scores(x[fit], y[fit], x[bank], y[bank])
        for score, table in _scores(x[judged], y[judged], x[bank], y[bank]).items():
            right, wrong = _right_and_wrong(table)
            truth = np.repeat([1, 0], [len(right), len(wrong)])
            auc = float(roc_auc_score(truth, np.concatenate([right, wrong])))
            for allowed in ALLOWED:
                threshold = np.quantile(_right_and_wrong(chosen_on[score])[1], 1 - allowed)
                records.append(
                    {
                        "split": split,
                        "score": score,
                        "auc": auc,
                        "allowed": allowed,
                        "threshold": float(threshold),
                        "right": float((right > threshold).mean()),
                        "wrong": float((wrong > threshold).mean()),
                    }
                )
    return pd.DataFrame(records)


def _found(x: Tensor, y: Tensor) -> Tensor:
    """Whether the nearest is the partner: shape (2, N), of the images and of the texts."""
    cosine, own = x @ y.T, torch.arange(len(x))
    return torch.stack([cosine.argmax(dim=1) == own, cosine.argmax(dim=0) == own]).double()


def _scores(x: Tensor, y: Tensor, bank_x: Tensor, bank_y: Tensor) -> dict[str, Tensor]:
    cosine, captions, images = x @ y.T, x @ bank_y.T, y @ bank_x.T
    of_image = captions.mean(dim=1, keepdim=True)
    crowd = (captions / TEMPERATURE).logsumexp(dim=1, keepdim=True)
    return {
        "cosine": cosine,
        "no one-sided terms": cosine - of_image - images.mean(dim=1),
        "standard deviations": (cosine - of_image) / captions.std(dim=1, keepdim=True),
        "softmax": cosine / TEMPERATURE - crowd,  # its odds' logarithm, of the same order
    }


def _right_and_wrong(table: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    own = torch.eye(len(table), dtype=torch.bool)
    return table[own].numpy(), table[~own].numpy()
