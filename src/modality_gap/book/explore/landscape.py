"""The stored loss of the published CLIP along the shift, for the figure that moves the gap."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...results import read

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StoredLandscape:
    """Losses that were measured where the pairs were at hand.

    Attributes:
        alphas: shifts, shape (A,).
        temperatures: shape (T,).
        loss: symmetric, shape (T, A).
        denominator: image to text, shape (T, A).
        pull: the numerator times the temperature, shape (A,).
    """

    alphas: Array
    temperatures: Array
    loss: Array
    denominator: Array
    pull: Array

    def at(self, alpha: float, temperature: float) -> dict[str, float]:
        """Loss and terms at the stored point that is nearest."""
        row = np.abs(np.log(self.temperatures / temperature)).argmin()
        column = np.abs(self.alphas - alpha).argmin()
        return {
            "loss": float(self.loss[row, column]),
            "numerator": float(self.pull[column] / self.temperatures[row]),
            "denominator": float(self.denominator[row, column]),
        }

    def pack(self, n: int) -> dict[str, Any]:
        """What the page needs; n images are as many as other sets have."""
        names = ("alphas", "loss", "denominator", "pull")
        return {
            "kind": "table",
            "n": n,
            "temperatures": self.temperatures.tolist(),
            "arrays": {
                name: base64.b64encode(getattr(self, name).astype("<f4").tobytes()).decode()
                for name in names
            },
        }


def stored_landscape() -> StoredLandscape:
    """That of CLIP ViT-B/16 on 500 pairs of MS-COCO, in batches of 50, whose table is stored."""
    table = read("published_landscape")[0]
    table = table[table.set == "clip"].pivot(index="temperature", columns="alpha")
    temperatures = table.index.to_numpy()
    return StoredLandscape(
        alphas=table.loss.columns.to_numpy(),
        temperatures=temperatures,
        loss=table.loss.to_numpy(),
        denominator=table.denominator.to_numpy(),
        pull=(table.numerator.to_numpy() * temperatures[:, None]).mean(axis=0),
    )
