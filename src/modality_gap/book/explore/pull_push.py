"""Pull and push by hand: pairs of points on a circle, and the two forces of the first chapter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from ...sphere import alignment, uniformity
from .. import plots
from . import still
from .host import PageWidget, read

# Five images in one half of the circle, so that both forces have something to do. Degrees.
START = {"x": [10.0, 50.0, 95.0, 135.0, 200.0], "y": [42.0, 80.0, 118.0, 172.0, 158.0]}
RATE = 0.1  # of a step of the flow
STRONGEST = 2.0
IMAGES = range(2, 13)
VALUES = ("x", "y", "pull", "push")


class PullPush(PageWidget):
    """The figure. The reader and Python change the same values, and the results follow.

    Attributes:
        x, y: angles in degrees of the two views, 2 to 12 each; x[i] and y[i] are a pair.
        pull: weight of the alignment, 0 to 2.
        push: weight of the uniformity, the mean of both views', 0 to 2.
        alignment, uniformity: what `modality_gap.alignment` and `modality_gap.uniformity` give;
            the second is the mean of both views'. Read only, as the next.
        loss: their weighted sum.
    """

    _esm = read("kit.js") + read("pull_push.js")
    _css = read("kit.css") + read("pull_push.css")

    x = traitlets.List(traitlets.Float(), START["x"]).tag(sync=True)
    y = traitlets.List(traitlets.Float(), START["y"]).tag(sync=True)
    pull = traitlets.Float(1.0).tag(sync=True)
    push = traitlets.Float(1.0).tag(sync=True)

    alignment = traitlets.Float(read_only=True)
    uniformity = traitlets.Float(read_only=True)
    loss = traitlets.Float(read_only=True)

    def __init__(self, **values: Any) -> None:  # noqa: ANN401
        """Use `pull_push`."""
        super().__init__(**values)
        self._measure(None)

    def flow(self, steps: int = 1) -> None:
        """Follow the flow for so many steps, as the button does."""
        x, y = np.deg2rad(self.x), np.deg2rad(self.y)
        for _ in range(steps):
            meet = -2 * np.sin(x - y) / len(x)
            part = [_apart(side) for side in (x, y)]
            x = x + RATE * (self.pull * meet + self.push * part[0])
            y = y + RATE * (-self.pull * meet + self.push * part[1])
        with self.hold_trait_notifications():
            self.x, self.y = np.rad2deg(x).tolist(), np.rad2deg(y).tolist()

    def _terms(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a, b = (torch.stack([side.cos(), side.sin()], dim=1) for side in (x, y))
        align, uniform = alignment(a, b), (uniformity(a) + uniformity(b)) / 2
        return align, uniform, self.pull * align + self.push * uniform

    def still(self) -> tuple[bytes, str]:
        """The present state as a PNG file, and in words."""
        return still.png(self._draw, (7.2, 3.4)), (
            f"Left, a circle with {len(self.x)} pairs of points, joined by lines. Right, two bars: "
            f"the alignment is {self.alignment:.3f}, of which 0 is the best, and the uniformity "
            f"{self.uniformity:.3f}; the weights of pull and push are {self.pull:g} and "
            f"{self.push:g}."
        )

    @traitlets.validate("x", "y")
    def _check_angles(self, proposal: Any) -> list[float]:  # noqa: ANN401
        name, angles = proposal.trait.name, proposal.value
        if len(angles) not in IMAGES or not torch.tensor(angles).isfinite().all():
            raise ValueError(f"{name}: expected 2 to 12 finite angles in degrees, got {angles}")
        return angles

    @traitlets.validate("pull", "push")
    def _check_weight(self, proposal: Any) -> float:  # noqa: ANN401
        if not 0 <= proposal.value <= STRONGEST:
            raise ValueError(f"{proposal.trait.name}: expected 0 to 2, got {proposal.value}")
        return proposal.value

    @traitlets.observe(*VALUES)
    def _measure(self, _: object) -> None:
        if len(self.x) != len(self.y):  # between the two of a change
            return
        angles = torch.tensor([self.x, self.y], dtype=torch.float64).deg2rad()
        for name, value in zip(
            ("alignment", "uniformity", "loss"), self._terms(*angles), strict=True
        ):
            self.set_trait(name, float(value))

    def _draw(self, figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        angles = torch.tensor([self.x, self.y], dtype=torch.float64).deg2rad()
        around = torch.linspace(0, 2 * torch.pi, 181)
        left.plot(around.cos(), around.sin(), color=plots.FAINT)
        left.plot(angles.cos(), angles.sin(), color=plots.INK, linewidth=0.8)
        for side, marker, name in zip(angles, "o^", ("view x", "view y"), strict=True):
            left.plot(side.cos(), side.sin(), marker, color=plots.INK, label=name)
        left.set(aspect="equal", title="The points")
        left.axis("off")
        left.legend(frameon=False, loc="center")
        bars = right.barh([1, 0], [self.alignment, self.uniformity], height=0.5)
        bars[0].set_color(plots.PALETTE[2])
        bars[1].set_color(plots.PALETTE[3])
        right.set_yticks([1, 0], ["alignment", "uniformity"])
        right.axvline(0, color=plots.INK, linewidth=1)
        right.set(xlim=(-4, 4), title=f"The two terms, weights {self.pull:g} and {self.push:g}")


def _apart(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Downhill on half the uniformity of one view, in radians."""
    turns = angles[:, None] - angles
    bumps = np.exp(-4 + 4 * np.cos(turns)) * ~np.eye(len(angles), dtype=bool)
    return (4 * bumps * np.sin(turns)).sum(axis=1) / bumps.sum()


def pull_push(
    x: Sequence[float] | None = None,
    y: Sequence[float] | None = None,
    **weights: float,
) -> PullPush:
    """An interactive figure: pairs of points on a circle that can be dragged and let go.

    It shows both forces on every point, alignment and uniformity, and where the flow downhill on
    their weighted sum takes the points. It works in JupyterLab and, without a kernel, on a page of
    the book.

    Args:
        x, y: angles of the two views in degrees, 2 to 12 each; row i of both is a pair.
        weights: pull and push, 0 to 2; both are 1 if not given.

    Returns:
        The widget. Its values can be read, set and observed, see `PullPush`.

    Raises:
        ValueError: views of different lengths, or a value out of range or not one of those above.

    Source: Wang & Isola (2020), alignment and uniformity.
    """
    if unknown := [name for name in weights if name not in VALUES]:
        raise ValueError(f"{unknown[0]}: no such value; there are {', '.join(VALUES)}")
    angles = {"x": START["x"] if x is None else x, "y": START["y"] if y is None else y}
    if len(angles["x"]) != len(angles["y"]):
        lengths = " and ".join(str(len(side)) for side in angles.values())
        raise ValueError(f"x, y: expected as many angles in both, got {lengths}")
    return PullPush(**{name: [float(a) for a in side] for name, side in angles.items()}, **weights)
