"""The cone, drawn again: a network of width two whose weights are drawn again and again."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from ...sphere import mean_cosine, normalize
from .. import plots
from . import still
from .draws import normals
from .host import PageWidget, read
from .moving_gap import as_base64

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "LeakyReLU": F.leaky_relu,
    "linear": lambda z: z,
}
DEPTH, POINTS, LAST = 4, 300, 1999
VALUES = ("activation", "bias", "skip", "seed")


class Cone(PageWidget):
    """The figure. The reader and Python change the same values, and the results follow.

    Attributes:
        activation: "sigmoid", "tanh", "LeakyReLU" or "linear".
        bias: whether each layer adds a random vector.
        skip: whether each layer's output is added to its input.
        seed: of the weights that are shown, 0 to 1999; the histograms are over seeds 0 to it.
        cosines: mean cosine of the points and of their images after layers 1 to 4. Read only.
    """

    _esm = "".join(map(read, ("kit.js", "draws.js", "cone.js")))
    _css = read("kit.css") + read("cone.css")

    points = traitlets.Unicode().tag(sync=True)
    activation = traitlets.Unicode("sigmoid").tag(sync=True)
    bias = traitlets.Bool(True).tag(sync=True)
    skip = traitlets.Bool(False).tag(sync=True)
    seed = traitlets.Int(99).tag(sync=True)

    cosines = traitlets.List(traitlets.Float(), read_only=True)

    def __init__(self, **values: Any) -> None:  # noqa: ANN401
        """Use `cone`."""
        generator = torch.Generator().manual_seed(0)
        self.inputs = torch.randn(POINTS, 2, generator=generator).double()
        super().__init__(points=as_base64(self.inputs), **values)
        self._measure(None)

    def layers(self, seed: int | None = None) -> list[Tensor]:
        """The points and their images after each layer, shape (300, 2), for the seed or another."""
        draw, h = normals(self.seed if seed is None else seed), self.inputs
        layers = [h]
        for _ in range(DEPTH):
            weight, bias = (
                torch.tensor(list(itertools.islice(draw, count)), dtype=torch.float64)
                for count in (4, 2)
            )
            moved = ACTIVATIONS[self.activation](h @ weight.view(2, 2).T + self.bias * bias)
            h = moved + h if self.skip else moved
            layers.append(h)
        return layers

    def draws(self) -> Tensor:
        """The mean cosines of all draws up to the present one, shape (seed + 1, 5)."""
        return torch.stack([_cosines(self.layers(seed)) for seed in range(self.seed + 1)])

    def still(self) -> tuple[bytes, str]:
        """The present state as a PNG file, and in words."""
        return still.png(self._draw, (7.2, 3.2)), (
            f"Five pairs of plots: {POINTS} points and their images after the layers 1 to 4 of a "
            f"random {self.activation} network of width two, with the wedge that holds them, and "
            f"below each layer a histogram of one minus the mean cosine over {self.seed + 1} draws "
            f"of the weights. In this draw it is "
            f"{', '.join(f'{1 - c:.2g}' for c in self.cosines[1:])}."
        )

    @traitlets.validate("activation")
    def _check_activation(self, proposal: Any) -> str:  # noqa: ANN401
        if proposal.value not in ACTIVATIONS:
            names = ", ".join(ACTIVATIONS)
            raise ValueError(f"activation: expected one of {names}; got {proposal.value!r}")
        return proposal.value

    @traitlets.validate("seed")
    def _check_seed(self, proposal: Any) -> int:  # noqa: ANN401
        if not 0 <= proposal.value <= LAST:
            raise ValueError(f"seed: expected 0 to {LAST}, got {proposal.value}")
        return proposal.value

    @traitlets.observe(*VALUES)
    def _measure(self, _: object) -> None:
        self.set_trait("cosines", _cosines(self.layers()).tolist())

    def _draw(self, figure: Figure) -> None:
        panels = figure.subplots(2, DEPTH + 1, height_ratios=(3, 2))
        draws = self.draws()
        for depth, h in enumerate(self.layers()):
            above, below = panels[:, depth]
            above.plot(*h.T, ".", color=plots.PALETTE[2], markersize=3, zorder=2)
            above.set(xticks=[], yticks=[], title=f"$h^{{({depth})}}$")
            if depth and self.activation == "sigmoid" and not self.skip:
                above.set(xlim=(0, 1), ylim=(0, 1))
            angles = torch.atan2(h[:, 1], h[:, 0])
            ends = angles.min(), angles.max()
            if depth and ends[1] - ends[0] < torch.pi:
                corners = [(0, 0), *((2 * end.cos(), 2 * end.sin()) for end in ends)]
                above.fill(*zip(*corners, strict=True), color=plots.PALETTE[2], alpha=0.25)
            if not depth:
                below.axis("off")
                continue
            far = (1 - draws[:, depth]).clamp(1e-12).log10()
            below.hist(far, bins=25, range=(-12, 0.5), color=plots.INK, alpha=0.5)
            below.set(yticks=[], xticks=(-12, 0), xlabel="1 − c")
            below.set_xticklabels(["$10^{-12}$", "1"])


def _cosines(layers: list[Tensor]) -> Tensor:
    return torch.stack([mean_cosine(normalize(h)) for h in layers])


def cone(**values: Any) -> Cone:  # noqa: ANN401
    """An interactive figure: draw the weights of a small network again, and watch the cone.

    It shows 300 Gaussian points in the plane, where four layers of width two with weights and
    biases from N(0, 1) send them, and how their mean cosine is spread over the draws. It works in
    JupyterLab and, without a kernel, on a page of the book.

    Args:
        values: where to begin: activation, bias, skip, seed, see `Cone`.

    Returns:
        The widget. Its values can be read, set and observed.

    Raises:
        ValueError: a value that is out of range or not one of those above.

    Source: Liang et al. (2022), Fig. 2.
    """
    if unknown := [name for name in values if name not in VALUES]:
        raise ValueError(f"{unknown[0]}: no such value; there are {', '.join(VALUES)}")
    return Cone(**values)
