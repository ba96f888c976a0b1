"""What the pages show of real CLIP, ConVIRT, VideoCLIP and CLASP.

`python -m modality_gap.book.published FILE` draws the README's picture from the stored table.
"""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ..embeddings import available_embeddings
from ..results import read
from . import plots


def at_hand(name: str) -> bool:
    """Whether the published files that a measurement needs are on this machine."""
    from ..experiments.published import MEASUREMENTS  # takes seconds, and draw does not need it

    here = available_embeddings()
    return all(here[each] for each in MEASUREMENTS[name][1])


def table(name: str) -> pd.DataFrame:
    """A measurement: made now where the published files are at hand, else as stored.

    Args:
        name: one of `experiments.published.MEASUREMENTS`.

    Returns:
        The columns of the function of that name, and `set`: which of the published sets.
    """

    from ..experiments.published import remeasure

    return remeasure(name) if at_hand(name) else read(f"published_{name}")[0]


def origin(*names: str) -> str:
    """One sentence that says where the numbers of these measurements come from."""
    if all(map(at_hand, names)):
        return "The published embeddings were measured anew when this page was built."
    dates = sorted({read(f"published_{name}")[1]["date"] for name in names})
    return (
        "The published embeddings were not at hand when this page was built: what is shown of them "
        f"was measured on {' and '.join(dates)} and is stored with the book."
    )


def plot_clouds(axes: Axes, clip: pd.DataFrame, joined: int = 40) -> None:
    """Both clouds of a `projection`, with the first `joined` pairs connected."""
    x, y = (_cloud(clip, modality) for modality in ("image", "text"))
    for image, text in zip(x[:joined], y[:joined], strict=True):
        axes.plot(*zip(image, text, strict=True), color=plots.PALETTE[-1], linewidth=0.5, alpha=0.6)
    for name, cloud, color, marker in [
        (f"{len(x)} images", x, plots.IMAGE, plots.IMAGE_MARKER),
        (f"their {len(y)} captions", y, plots.TEXT, plots.TEXT_MARKER),
    ]:
        axes.plot(*cloud.T, marker, color=color, markersize=3, alpha=0.7, rasterized=True)
        axes.annotate(name, (cloud[:, 0].mean(), 0.46), color=color, ha="center", fontsize=11)
    axes.set_ylim(-0.42, 0.52)
    axes.set(xlabel="first principal component", ylabel="second principal component")
    axes.set_aspect("equal")


def _cloud(clip: pd.DataFrame, modality: str) -> NDArray[np.float64]:
    return clip[clip.modality == modality].sort_values("pair")[["pc1", "pc2"]].to_numpy()


if __name__ == "__main__":
    plots.use_style()
    figure, axes = plt.subplots(figsize=(6.4, 4.8))
    stored = read("published_projection")[0]
    plot_clouds(axes, stored[stored.set == "clip"])
    figure.savefig(sys.argv[1], metadata={"Date": None})
