"""Still pictures, for paper and for browsers that run no scripts: how, and that of `MovingGap`."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Protocol

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image
from torch import Tensor

from .. import plots

NUMERATOR, DENOMINATOR = plots.PALETTE[2], plots.PALETTE[3]
DPI = 180
SYMBOLS = {"alpha": "α", "theta": "θ"}
MOVED = {"alpha": 0.5, "theta": 45.0}  # to where the terms are drawn if nothing is moved


class Shown(Protocol):
    """What is drawn: the values of `MovingGap`."""

    data: str
    temperature: float
    image: int
    loss: float

    @property
    def move(self) -> str: ...  # noqa: D102

    @property
    def range(self) -> tuple[float, float]: ...  # noqa: D102

    @property
    def stored(self) -> object | None: ...  # noqa: D102

    def moved(self, by: float | None = None) -> tuple[Tensor, Tensor]: ...  # noqa: D102

    def terms(self, by: float | None = None) -> dict[str, float]: ...  # noqa: D102

    def plane(self) -> Tensor: ...  # noqa: D102


def png(
    draw: Callable[[Figure], None], size: tuple[float, float] = (7.2, 5), colors: int = 64
) -> bytes:
    """A figure of a size in inches as a PNG file of so many colours; `draw` fills it."""
    with mpl.rc_context(
        {
            "font.size": 9,
            "axes.grid": False,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 9,
            "axes.titleweight": "bold",
        }
    ):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        file = io.BytesIO()
        figure.savefig(file, dpi=DPI)
    # A palette of few colours makes the file three times as small.
    small = io.BytesIO()
    Image.open(file).convert("RGB").quantize(colors).save(small, "PNG", optimize=True)
    return small.getvalue()


def as_png(shown: Shown) -> bytes:
    """The four panels as a PNG file; the two of the loss where no pairs are at hand."""

    def draw(figure: Figure) -> None:
        if shown.stored:
            left, right = figure.subplots(1, 2)
            draw_loss(left, shown)
            draw_terms(right, shown)
            return
        panels = figure.subplots(2, 2, height_ratios=(3, 2))
        draw_clouds(panels[0, 0], shown)
        draw_loss(panels[0, 1], shown)
        draw_terms(panels[1, 0], shown)
        draw_row(panels[1, 1], shown)

    return png(draw, (7.2, 2.8) if shown.stored else (7.2, 5))


def describe(shown: Shown) -> str:
    """The picture in words."""
    position = getattr(shown, shown.move)
    if shown.stored:
        return (
            f"Two panels for {shown.data} at {SYMBOLS[shown.move]} = {position:.2f} and "
            f"temperature {shown.temperature:.3g}: the stored loss along {SYMBOLS[shown.move]}, "
            f"here {shown.loss:.3f}, and the change of its numerator and denominator."
        )
    return (
        f"Four panels for {shown.data} at {SYMBOLS[shown.move]} = {position:.2f} and temperature "
        f"{shown.temperature:.3g}: the images and their texts as two clouds with the pairs "
        f"joined; the loss along {SYMBOLS[shown.move]}, here {shown.loss:.3f}; the change of the "
        f"loss's numerator and denominator; the softmax of image {shown.image} over the texts."
    )


def draw_clouds(axis: Axes, shown: Shown) -> None:
    """The moved pairs in their plane."""
    x, y = (side @ shown.plane() for side in shown.moved())
    axis.plot(*torch.stack([x, y]).permute(2, 0, 1), color=plots.FAINT, linewidth=0.7, zorder=1)
    for points, color, marker, name in (
        (x, plots.IMAGE, plots.IMAGE_MARKER, "image"),
        (y, plots.TEXT, plots.TEXT_MARKER, "its text"),
    ):
        axis.scatter(points[:, 0], points[:, 1], s=9, c=color, marker=marker, label=name)
    axis.set(title="The two clouds", xticks=[], yticks=[], aspect="equal")
    axis.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, -0.16), ncols=2)
    axis.axis("off")


def draw_loss(axis: Axes, shown: Shown) -> None:
    """The loss along the whole range, and where it stands."""
    low, high = shown.range
    moves = np.linspace(low, high, 71)
    losses = [shown.terms(float(move))["loss"] for move in moves]
    axis.plot(moves, losses, color=plots.INK)
    axis.plot(getattr(shown, shown.move), shown.loss, "o", color=plots.INK, markersize=7)
    axis.grid(color=plots.FAINT, linewidth=0.6)
    axis.xaxis.set_major_locator(MaxNLocator(4))
    label = f"{SYMBOLS[shown.move]} (τ = {shown.temperature:.3g})"
    axis.set(title=f"InfoNCE: {shown.loss:.3f}", xlabel=label)


def draw_terms(axis: Axes, shown: Shown) -> None:
    """The change of the two terms, end to end, as two bars; to `MOVED` if nothing is moved."""
    move = getattr(shown, shown.move) or MOVED[shown.move]
    start, now = shown.terms(0.0), shown.terms(move)
    fall, rise = (now[name] - start[name] for name in ("numerator", "denominator"))
    axis.barh([1, 0], [fall, rise], left=[0, fall], color=[NUMERATOR, DENOMINATOR], height=0.6)
    axis.axvline(0, color=plots.INK, linewidth=1)
    axis.use_sticky_edges = False
    axis.margins(x=0.06)
    axis.set_yticks([1, 0], [f"numerator\n{signed(fall)}", f"denominator\n{signed(rise)}"])
    symbol = SYMBOLS[shown.move]
    axis.set(title=f"Its two terms, from {symbol} = 0 to {move:g}", xlabel="change (nats)")


def signed(value: float) -> str:
    """With its sign, a minus as wide as a plus."""
    return f"{value:+.3f}".replace("-", "−")


def draw_row(axis: Axes, shown: Shown) -> None:
    """The softmax of one image over all texts."""
    x, y = shown.moved()
    p = torch.softmax(x[shown.image] @ y.T / shown.temperature, dim=0).numpy()
    bars = axis.bar(range(len(p)), p, color=plots.TEXT, alpha=0.5)
    bars[shown.image].set_alpha(1)
    axis.axhline(1 / len(p), color=plots.INK, linewidth=1, linestyle="--")
    own = f"{p[shown.image]:.0%}".replace("%", " %")
    axis.set(title=f"Softmax of image {shown.image}: its own text {own}", xlabel="text")
