"""One look for every figure: colours, type, and how they change on a dark page."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from cycler import cycler

# Okabe & Ito's palette: told apart with any colour vision, legible on white and on near-black.
IMAGE = "#0072B2"
TEXT = "#D55E00"
PALETTE = [IMAGE, TEXT, "#009E73", "#CC79A7", "#A6761D", "#56B4E9", "#7F7F7F"]
IMAGE_MARKER = "o"
TEXT_MARKER = "^"

INK = "#24292f"
FAINT = "#d0d7de"
PAPER = "#ffffff"
# What the book's build replaces in a figure for the dark page. Data colours stay.
DARK = {INK: "#ced6dd", FAINT: "#3d444d", PAPER: "#14181e"}


def use_style() -> None:
    """Set matplotlib's defaults to the book's, and figures in notebooks to SVG."""
    mpl.rcParams.update(
        {
            "axes.axisbelow": True,
            "axes.edgecolor": INK,
            "axes.grid": True,
            "axes.labelcolor": INK,
            "axes.labelsize": 10,
            "axes.prop_cycle": cycler(color=PALETTE),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlecolor": INK,
            "axes.titlesize": 11,
            "figure.constrained_layout.use": True,
            "figure.facecolor": PAPER,
            "axes.facecolor": PAPER,
            "figure.figsize": (7.2, 3.6),
            "font.family": "DejaVu Sans",
            "font.size": 10,
            "grid.color": FAINT,
            "grid.linewidth": 0.6,
            "image.cmap": "gray",
            "legend.frameon": False,
            "legend.fontsize": 9,
            "lines.linewidth": 1.8,
            "savefig.dpi": 150,
            "svg.fonttype": "path",
            "svg.hashsalt": "modality-gap",
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
        }
    )
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:  # plain Python, no notebook
        return
    # No date in the file, so that the same figure is the same file.
    set_matplotlib_formats("svg", metadata={"Date": None})


def ordered(count: int) -> list[tuple[float, float, float, float]]:
    """Colours for `count` values that have an order, such as depth or width, dark to light."""
    return [tuple(color) for color in mpl.colormaps["viridis"](np.linspace(0.28, 0.82, count))]
