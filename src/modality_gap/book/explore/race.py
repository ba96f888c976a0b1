"""A race of temperatures: free points that go downhill on the contrastive loss, from one start."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from .. import plots
from . import still
from .draws import normals
from .host import PageWidget, read

PAIRS, RATE, STEPS = 24, 0.02, 1500
RUNS = 4
START = (0.02, 0.05, 0.2, 1.0)
LINES = tuple(plots.PALETTE[i] for i in (3, 2, 4, 5))
VALUES = ("temperatures", "seed", "step", "clock")
CLOCKS = ("τ · gradient", "gradient")


@dataclass(frozen=True, eq=False)
class Run:
    """One temperature's way, at every step from 0 to 1500.

    Attributes:
        x, y: the points, shape (1501, 24, 3).
        l2m, loss: of each step, shape (1501,).
    """

    x: Tensor
    y: Tensor
    l2m: Tensor
    loss: Tensor


class Race(PageWidget):
    """The figure. The reader and Python change the same values, and the results follow.

    Attributes:
        temperatures: of the four runs, each from 0.01 to 1.
        seed: of the start that they share, 0 or above.
        step: at which time the points are shown, 0 to 1500.
        clock: "τ · gradient", time is the steps of every run; or "gradient", it is the steps of
            the coldest, and a run at temperature t makes fewer, in proportion to 1 / t.
        l2m, loss: of the four runs at that time. Read only.
    """

    _esm = "".join(map(read, ("kit.js", "draws.js", "race.js")))
    _css = read("kit.css") + read("race.css")

    temperatures = traitlets.List(traitlets.Float(), list(START)).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    step = traitlets.Int(STEPS // 2).tag(sync=True)
    clock = traitlets.Unicode(CLOCKS[0]).tag(sync=True)

    l2m = traitlets.List(traitlets.Float(), read_only=True)
    loss = traitlets.List(traitlets.Float(), read_only=True)

    def __init__(self, **values: Any) -> None:  # noqa: ANN401
        """Use `race`."""
        super().__init__(**values)
        self._measure(None)

    def runs(self) -> list[Run]:
        """The four runs, whole."""
        return [flow(self.seed, temperature) for temperature in self.temperatures]

    def steps(self, time: int) -> list[int]:
        """Which step each run has reached at a time of the clock."""
        if self.clock == CLOCKS[0]:
            return [time] * RUNS
        coldest = min(self.temperatures)
        return [math.floor(time * coldest / own + 0.5) for own in self.temperatures]

    def still(self) -> tuple[bytes, str]:
        """The present state as a PNG file, and in words."""
        ends = "; ".join(
            f"at temperature {temperature:g} L2M is {gap:.2f} and the loss {loss:.2f}"
            for temperature, gap, loss in zip(self.temperatures, self.l2m, self.loss, strict=True)
        )
        return still.png(self._draw), (
            f"Four globes with {PAIRS} pairs of points each, and two plots of L2M and of the loss "
            f"over the time {STEPS}; the points follow {self.clock}. At time {self.step}: {ends}."
        )

    @traitlets.validate("temperatures")
    def _check_temperatures(self, proposal: Any) -> list[float]:  # noqa: ANN401
        if len(proposal.value) != RUNS or not all(0.01 <= t <= 1 for t in proposal.value):
            raise ValueError(
                f"temperatures: expected {RUNS} numbers from 0.01 to 1, got {proposal.value}"
            )
        return proposal.value

    @traitlets.validate("seed")
    def _check_seed(self, proposal: Any) -> int:  # noqa: ANN401
        if proposal.value < 0:
            raise ValueError(f"seed: expected 0 or above, got {proposal.value}")
        return proposal.value

    @traitlets.validate("step")
    def _check_step(self, proposal: Any) -> int:  # noqa: ANN401
        if not 0 <= proposal.value <= STEPS:
            raise ValueError(f"step: expected 0 to {STEPS}, got {proposal.value}")
        return proposal.value

    @traitlets.validate("clock")
    def _check_clock(self, proposal: Any) -> str:  # noqa: ANN401
        if proposal.value not in CLOCKS:
            raise ValueError(f"clock: expected {' or '.join(CLOCKS)}, got {proposal.value!r}")
        return proposal.value

    @traitlets.observe(*VALUES)
    def _measure(self, _: object) -> None:
        reached = list(zip(self.runs(), self.steps(self.step), strict=True))
        self.set_trait("l2m", [float(run.l2m[at]) for run, at in reached])
        self.set_trait("loss", [float(run.loss[at]) for run, at in reached])

    def _draw(self, figure: Figure) -> None:
        (above,), (below,) = figure.subfigures(2, 1, squeeze=False, height_ratios=(2, 3))
        runs = self.runs()
        for axis, run, temperature, at in zip(
            above.subplots(1, RUNS), runs, self.temperatures, self.steps(self.step), strict=True
        ):
            x, y = (rows[at] * torch.tensor([-1.0, 1.0, 1.0]) for rows in (run.x, run.y))
            axis.plot(*torch.stack([x, y])[..., :2].permute(2, 0, 1), color=plots.FAINT, lw=0.7)
            axis.scatter(*x.T[:2], s=8, c=plots.IMAGE, marker=plots.IMAGE_MARKER)
            axis.scatter(*y.T[:2], s=8, c=plots.TEXT, marker=plots.TEXT_MARKER)
            axis.set(title=f"τ = {temperature:g}", xlim=(-1.05, 1.05), ylim=(-1.05, 1.05))
            axis.set_aspect("equal")
            axis.axis("off")
        times = range(0, STEPS + 1, 10)
        steps = torch.tensor([self.steps(time) for time in times]).T
        for axis, name in zip(below.subplots(1, 2), ("l2m", "loss"), strict=True):
            for run, own, color, at in zip(runs, self.temperatures, LINES, steps, strict=True):
                axis.plot(times, getattr(run, name)[at], color=color, label=f"τ = {own:g}")
            axis.axvline(self.step, color=plots.INK, linewidth=1, linestyle="--")
            axis.set(xlabel=f"time ({self.clock})")
            if name == "loss":
                axis.set(yscale="log", ylim=(0.3, 12), title="Loss")
            else:
                axis.set(ylim=(0, 2), title="L2M")
                axis.legend(frameon=False)


@cache
def flow(seed: int, temperature: float) -> Run:
    """Pairs on the sphere from the start of a seed, downhill on n L, L the symmetric loss.

    A step moves every point by 0.02 tau times the gradient along the sphere, and back onto it.
    """
    draw = normals(seed)
    numbers = torch.tensor(list(itertools.islice(draw, 6 * PAIRS)), dtype=torch.float64)
    side = torch.tensor([1.0, -1.0])[:, None, None] * torch.tensor([1.0, 0.0, 0.0])
    x, y = (F.normalize(rows) for rows in 0.5 * numbers.view(2, PAIRS, 3) + side)
    kept: list[tuple[Tensor, ...]] = []
    for _ in range(STEPS + 1):
        scores = x @ y.T / temperature
        rows, columns = scores.log_softmax(dim=1), scores.log_softmax(dim=0)
        loss = -(rows + columns).diagonal().mean() / 2
        kept.append((x, y, (x.mean(dim=0) - y.mean(dim=0)).norm(), loss))
        pulls = (rows.exp() + columns.exp()) / 2 - torch.eye(PAIRS)
        x, y = _along(x, pulls @ y), _along(y, pulls.T @ x)
    return Run(*map(torch.stack, zip(*kept, strict=True)))


def _along(rows: Tensor, gradient: Tensor) -> Tensor:
    across = gradient - (gradient * rows).sum(dim=1, keepdim=True) * rows
    return F.normalize(rows - RATE * across)


def race(**values: Any) -> Race:  # noqa: ANN401
    """An interactive figure: free points at four temperatures, and what becomes of their gap.

    Twenty-four pairs begin as two clouds at opposite poles of a sphere and follow the gradient of
    the symmetric contrastive loss, with no encoder between; the figure shows them, their L2M and
    their loss along the way. It works in JupyterLab and, without a kernel, on a page of the book.

    Args:
        values: where to begin: temperatures, seed, step, clock, see `Race`.

    Returns:
        The widget. Its values can be read, set and observed.

    Raises:
        ValueError: a value that is out of range or not one of those above.

    Source: the free points of Shi et al. (2023); the flow is that of gradient descent.
    """
    if unknown := [name for name in values if name not in VALUES]:
        raise ValueError(f"{unknown[0]}: no such value; there are {', '.join(VALUES)}")
    return Race(**values)
