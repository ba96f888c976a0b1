"""The temperature at which the loss would leave the gap where it is."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

COLDEST, WARMEST = 0.001, 10.0
GRID = 60


def resting_temperature(x: Tensor, y: Tensor) -> float:
    """The temperature at which InfoNCE is smallest, along the shift of both clouds, at no shift.

    The slope of the loss in alpha at alpha = 0, see `shift`, is positive where the loss asks for a
    wider gap and negative where it asks for a narrower one. At a small temperature it is the
    former, if anywhere. Among temperatures from 0.001 to 10 the place where it turns is found; if
    there are several, the coldest.

    Args:
        x, y: unit rows, shape (N, D), float64; row i of x is paired with row i of y. The loss has
            all N as one batch, and with more negatives the temperature is another.

    Returns:
        The temperature; NaN if the slope turns nowhere.
    """
    from scipy.optimize import brentq

    gap = x.mean(dim=0) - y.mean(dim=0)
    cosine = x @ y.T
    # How the cosines change: the moved rows are normalised again.
    slope = (x @ gap)[:, None] - y @ gap
    slope.mul_(cosine + 1)
    own = slope.diagonal().mean()

    def of_loss(log_temperature: float) -> float:
        logits = cosine / np.exp(log_temperature)
        pushed = [(logits.softmax(dim) * slope).sum() / len(x) for dim in (0, 1)]
        return float((pushed[0] + pushed[1]) / 2 - own)

    grid = np.linspace(np.log(COLDEST), np.log(WARMEST), GRID)
    found = [of_loss(point) for point in grid]
    for low, high, before, after in zip(grid, grid[1:], found, found[1:], strict=False):
        if before > 0 >= after:
            return float(np.exp(brentq(of_loss, low, high, xtol=1e-10)))
    return float("nan")


def first_captions(y: Tensor, owner: Tensor, images: int) -> Tensor:
    """The first caption of each image, shape (N, D)."""
    first = torch.full((images,), len(owner)).scatter_reduce(
        0, owner, torch.arange(len(owner)), "amin"
    )
    return y[first]
