"""How sure a number is: bootstrap over pairs, an image with all its captions at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

DRAWS = 1000
COVERED = 0.95
AT_ONCE = 50  # draws whose weights are held


@dataclass
class Sampled:
    """What every draw is made of: a sample of images with their captions, and of each row numbers
    whose mean is a measure.

    Attributes:
        x, y: unit rows, shapes (N, D) and (M, D), float64.
        owner: of each caption the row of its image, (M,).
        by_image, by_caption: by the name of a measure, a number for each row, (N,) or (M,).
        dimensions: by the name of a share of the gap, the dimensions that have it.
        ranges: by the name of a quantile of the pairs' cosines, which one it is.

    What is left without an interval: of wrong pairs' quantiles, of hubs, of the classifier and of
    the resting temperature. An image that is drawn twice would stand in the lists, on both sides
    of the classifier's folds and among the negatives of the loss as its own double, and make hubs,
    accuracy and temperature others than those of as many different pairs.
    """

    x: Tensor
    y: Tensor
    owner: Tensor
    by_image: dict[str, Tensor]
    by_caption: dict[str, Tensor]
    dimensions: dict[str, Tensor]
    ranges: dict[str, float] = field(default_factory=dict)


def draws(sample: Sampled, seed: int, count: int = DRAWS) -> dict[str, Tensor]:
    """Every measure in `count` draws of as many images as there are, with replacement.

    An image that is drawn twice makes no pair with itself: means over pairs i != j stay means over
    different embeddings, which they would not in a table whose rows are repeated.

    Returns:
        By name, shape (count,).
    """
    from tqdm import tqdm

    rng = np.random.default_rng(seed)
    n = len(sample.x)
    found: dict[str, list[Tensor]] = {}
    starts = range(0, count, AT_ONCE)
    for start in tqdm(starts, "Intervals", unit=f" of {AT_ONCE} draws", delay=3, leave=False):
        drawn = rng.multinomial(n, np.full(n, 1 / n), min(AT_ONCE, count - start))
        for name, values in _weighted(sample, torch.from_numpy(drawn).double()).items():
            found.setdefault(name, []).append(values)
    return {name: torch.cat(parts) for name, parts in found.items()}


def interval(
    value: float, of_sample: float, drawn: Tensor, shrink: float, low: float, high: float
) -> tuple[float, float]:
    """The basic bootstrap's interval for COVERED of all samples.

    A draw differs from the sample as the sample from what it was drawn of, in spread and in bias;
    so the quantiles of the difference are taken off, the upper for the lower end.

    Args:
        value: of all pairs.
        of_sample: of the sample that is drawn from.
        drawn: of the draws.
        shrink: how much less the value of all pairs spreads than that of the sample.
        low, high: between which the measure lies.
    """
    tails = torch.tensor([(1 + COVERED) / 2, (1 - COVERED) / 2], dtype=torch.float64)
    first, last = (value - shrink * (torch.quantile(drawn, tails) - of_sample)).tolist()
    return min(max(first, low), high), min(max(last, low), high)


def middle(drawn: Tensor) -> tuple[float, float]:
    """Between which COVERED of the draws lie: the interval of a quantile, as of order statistics.

    A quantile moves in steps and by more on the side of the tail, where the basic bootstrap would
    take off the wrong ends: of 200 pairs it covered 82 %, this 91 to 94 %.
    """
    tails = torch.tensor([(1 - COVERED) / 2, (1 + COVERED) / 2], dtype=torch.float64)
    low, high = torch.quantile(drawn, tails).tolist()
    return low, high


def _weighted(sample: Sampled, weights: Tensor) -> dict[str, Tensor]:
    """The measures for weights of the images, shape (B, N)."""
    x, y, owner = sample.x, sample.y, sample.owner
    of_captions = weights[:, owner]
    n, m = weights.sum(dim=1), of_captions.sum(dim=1)
    total_x, total_y = weights @ x, of_captions @ y
    own = (x[owner] * y).sum(dim=1)
    distance = torch.linalg.vector_norm(x[owner] - y, dim=1)
    paired = of_captions @ own / m

    def within(total: Tensor, each: Tensor, rows: Tensor, count: Tensor) -> Tensor:
        same = each.square()
        squares = same @ rows.square().sum(dim=1)
        return (total.square().sum(dim=1) - squares) / (count**2 - same.sum(dim=1))

    cosine_x = within(total_x, weights, x, n)
    cosine_y = within(total_y, of_captions, y, m)
    # An image and a caption of it, drawn w times, are w * w pairs that are not wrong ones.
    right = of_captions.square()
    wrong = ((total_x * total_y).sum(dim=1) - right @ own) / (n * m - right.sum(dim=1))
    between, inside = (1 - paired) / 2, (1 - (cosine_x + cosine_y) / 2) / 2
    gap = total_x / n[:, None] - total_y / m[:, None]
    found = {
        "l2m": torch.linalg.vector_norm(gap, dim=1),
        "l2i": of_captions @ distance / m,
        "rmg": between / (between + inside),
        "paired_cosine": paired,
        "mismatched_cosine": wrong,
        "lead": paired - wrong,
        "cosine_image": cosine_x,
        "cosine_text": cosine_y,
        "alignment": of_captions @ distance.square() / m,
    }
    for name, places in sample.dimensions.items():
        found[name] = gap[:, places].square().sum(dim=1) / gap.square().sum(dim=1)
    if sample.ranges:
        ascending, order = own.sort()
        reached = of_captions[:, order].cumsum(dim=1) / m[:, None]
        for name, share in sample.ranges.items():
            place = (reached < share - 1e-12).sum(dim=1).clamp(max=len(own) - 1)
            found[name] = ascending[place]
    for parts, each, count in (
        (sample.by_image, weights, n),
        (sample.by_caption, of_captions, m),
    ):
        found |= {name: each @ values.double() / count for name, values in parts.items()}
    return found
