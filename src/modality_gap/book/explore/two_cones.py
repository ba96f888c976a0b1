"""Two cones: the clouds of two random networks on a globe, and one turned onto the other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from ...cone import random_mlp
from ...contrastive import info_nce
from ...gap import l2m
from ...sphere import normalize
from .. import plots
from . import still
from .host import PageWidget, read
from .weights import pack

WIDTH, INPUTS, DRAWS = 512, 60, 16
LAYERS = (2, 5, 10)
LAST = 1000  # seed of the last layer's weights, above that of the others
VALUES = ("a", "b", "layers", "turned", "temperature", "longitude", "latitude")
RANGES = {
    "a": (0, DRAWS - 1),
    "b": (0, DRAWS - 1),
    "turned": (0, 1),
    "temperature": (0.01, 1),
    "longitude": (-180, 180),
    "latitude": (-90, 90),
}


@dataclass(frozen=True, eq=False)
class Drawn:
    """All draws of one depth.

    Attributes:
        clouds: unit rows on the globe, shape (16, 60, 3), float64.
        turns: of each pair of draws a < b, in the order (0, 1), (0, 2), (1, 2), ..., the rotation
            that takes b's cloud onto a's as a vector, shape (120, 3).
        gaps: of each such pair the L2M in all 512 dimensions, shape (120,).
    """

    clouds: Tensor
    turns: Tensor
    gaps: Tensor


@cache
def drawn() -> dict[int, Drawn]:
    """The networks of chapter 5 with a linear layer behind them, by the number of ReLU layers."""
    inputs = torch.randn(INPUTS, WIDTH, generator=torch.Generator().manual_seed(0))
    states: dict[int, list[Tensor]] = {layers: [] for layers in LAYERS}
    for seed in range(DRAWS):
        generator = torch.Generator().manual_seed(LAST + seed)
        last, h = torch.randn(WIDTH, WIDTH, generator=generator) / math.sqrt(WIDTH), inputs
        for number, layer in enumerate(random_mlp(WIDTH, max(LAYERS), "relu", seed=seed), 1):
            h = layer(h)
            if number in states:
                states[number].append(h @ last)
    return {layers: _of_depth(torch.stack(outputs)) for layers, outputs in states.items()}


def _of_depth(outputs: Tensor) -> Drawn:
    clouds = [normalize(normalize(rows[:, :3]).double()) for rows in outputs]
    wide = [normalize(rows) for rows in outputs]
    pairs = [(a, b) for b in range(DRAWS) for a in range(b)]
    turns = [Rotation.align_vectors(clouds[a], clouds[b])[0].as_rotvec() for a, b in pairs]
    return Drawn(
        clouds=torch.stack(clouds),
        turns=torch.tensor(np.array(turns)).float().double(),  # as the page holds them
        gaps=torch.stack([l2m(wide[a], wide[b]) for a, b in pairs]),
    )


class TwoCones(PageWidget):
    """The figure. The reader and Python change the same values, and the results follow.

    Attributes:
        a, b: which draw of the weights each tower has, 0 to 15.
        layers: ReLU layers before the last, linear one: 2, 5 or 10.
        turned: how far B's cloud is turned onto A's, from 0 to 1.
        temperature: of the loss, from 0.01 to 1.
        longitude, latitude: of the point that the globe shows in the middle, in degrees.
        l2m, loss: what `modality_gap.l2m` and `modality_gap.info_nce` give for A's cloud and B's,
            turned. Read only.
    """

    _esm = "".join(map(read, ("kit.js", "globe.js", "two_cones.js")))
    _css = read("kit.css") + read("two_cones.css")

    draws = traitlets.Int(DRAWS).tag(sync=True)
    packed = traitlets.Dict().tag(sync=True)
    a = traitlets.Int(0).tag(sync=True)
    b = traitlets.Int(1).tag(sync=True)
    layers = traitlets.Int(5).tag(sync=True)
    turned = traitlets.Float(0.0).tag(sync=True)
    temperature = traitlets.Float(0.07).tag(sync=True)
    longitude = traitlets.Float().tag(sync=True)
    latitude = traitlets.Float().tag(sync=True)

    l2m = traitlets.Float(read_only=True)
    loss = traitlets.Float(read_only=True)

    def __init__(self, **values: Any) -> None:  # noqa: ANN401
        """Use `two_cones`."""
        super().__init__(packed=pack_draws(), **values)
        middle = torch.cat(self.clouds(0)).mean(dim=0).tolist()
        longitude, latitude = (
            math.degrees(math.atan2(up, across))
            for up, across in (
                (middle[1], middle[0]),
                (middle[2], math.hypot(middle[0], middle[1])),
            )
        )
        self.longitude = values.get("longitude", float(round(longitude)))
        self.latitude = values.get("latitude", float(round(latitude)))
        self._measure(None)

    def clouds(self, turned: float | None = None) -> tuple[Tensor, Tensor]:
        """A's cloud and B's, shape (60, 3), B's turned so far, or as far as the figure shows."""
        own = drawn()[self.layers]
        x, y = own.clouds[self.a], own.clouds[self.b]
        part = self.turned if turned is None else turned
        if self.a == self.b:
            return x, y
        return x, torch.from_numpy(Rotation.from_rotvec(part * self._turn()).apply(y.numpy()))

    def _turn(self) -> NDArray[np.float64]:
        low, high = sorted((self.a, self.b))
        vector = drawn()[self.layers].turns[high * (high - 1) // 2 + low].numpy()
        return vector if self.a < self.b else -vector

    def still(self) -> tuple[bytes, str]:
        """The present state as a PNG file, and in words."""
        return still.png(self._draw, (7.2, 3.4), colors=32), (
            f"Left, a globe with two clouds of {INPUTS} points, tower A and tower B, of two draws "
            f"of a random network with {self.layers} layers, B turned onto A by "
            f"{self.turned:.2f} of the way; their gap is {self.l2m:.3f}. Right, two curves over "
            f"the turn: the gap falls, and the contrastive loss at temperature "
            f"{self.temperature:.3g}, here {self.loss:.3f}, beside a dashed line at log "
            f"{INPUTS}, the loss of guessing."
        )

    @traitlets.validate(*RANGES)
    def _check_range(self, proposal: Any) -> float:  # noqa: ANN401
        low, high = RANGES[proposal.trait.name]
        if not low <= proposal.value <= high:
            name = proposal.trait.name
            raise ValueError(f"{name}: expected {low} to {high}, got {proposal.value}")
        return proposal.value

    @traitlets.validate("layers")
    def _check_layers(self, proposal: Any) -> int:  # noqa: ANN401
        if proposal.value not in LAYERS:
            raise ValueError(f"layers: expected 2, 5 or 10, got {proposal.value}")
        return proposal.value

    @traitlets.observe("a", "b", "layers", "turned", "temperature")
    def _measure(self, _: object) -> None:
        x, y = self.clouds()
        self.set_trait("l2m", float(l2m(x, y)))
        self.set_trait("loss", float(info_nce(x, y, self.temperature)))

    def _draw(self, figure: Figure) -> None:
        panels = figure.subplot_mosaic([["globe", "gap"], ["globe", "loss"]], width_ratios=(6, 5))
        globe, clouds = panels["globe"], self.clouds()
        around = np.linspace(0, 2 * np.pi, 181)
        globe.plot(np.cos(around), np.sin(around), color=plots.FAINT)
        eye = Rotation.from_euler("zy", (-self.longitude, self.latitude), degrees=True)
        views = [eye.apply(cloud.numpy()) for cloud in clouds]  # towards the eye, across, up
        globe.plot(*np.stack(views)[:, :, 1:].transpose(2, 0, 1), color=plots.FAINT, linewidth=0.5)
        marks = ((plots.IMAGE, plots.IMAGE_MARKER), (plots.TEXT, plots.TEXT_MARKER))
        for rows, (color, marker), name in zip(views, marks, "AB", strict=True):
            for side, alpha in ((rows[:, 0] < 0, 0.3), (rows[:, 0] >= 0, 1)):
                label = f"tower {name}" if alpha == 1 else None
                across, up = rows[side, 1:].T
                globe.plot(across, up, marker, color=color, alpha=alpha, markersize=3, label=label)
        means = np.stack([rows.mean(axis=0)[1:] for rows in views])
        globe.plot(*means.T, color=plots.INK, linewidth=2.5)
        globe.set(aspect="equal", title=f"The two clouds: gap {self.l2m:.3f}")
        globe.axis("off")
        globe.legend(loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=2, frameon=False)
        parts = np.linspace(0, 1, 31)
        curves = {
            "gap": ([float(l2m(*self.clouds(part))) for part in parts], self.l2m),
            "loss": (
                [float(info_nce(*self.clouds(part), self.temperature)) for part in parts],
                self.loss,
            ),
        }
        for name, (values, now) in curves.items():
            panels[name].plot(parts, values, color=plots.INK)
            panels[name].plot(self.turned, now, "o", color=plots.INK)
            panels[name].set(ylim=(0, None), title="Gap" if name == "gap" else "InfoNCE")
        panels["loss"].axhline(math.log(INPUTS), color=plots.INK, linestyle="--", linewidth=1)
        panels["loss"].set(xlabel="part of the turn; dashed: log 60")


@cache
def pack_draws() -> dict[str, Any]:
    """All draws, as the page reads them."""
    return {
        str(layers): {
            "clouds": pack(own.clouds, "<f4"),
            "turns": pack(own.turns, "<f4"),
            "gaps": pack(own.gaps, "<f4"),
        }
        for layers, own in drawn().items()
    }


def two_cones(**values: Any) -> TwoCones:  # noqa: ANN401
    """An interactive figure: two draws of a random network, and one cloud turned onto the other.

    Both towers see the same 60 inputs. Each is a network of `random_mlp`, 512 wide, and a linear
    layer with weights from N(0, 1/512), all of a draw of its own; the globe shows the first three
    of its outputs, made unit. The turn is the rotation with the least sum of squared distances of
    the pairs. It works in JupyterLab and, without a kernel, on a page of the book.

    Args:
        values: where to begin: a, b, layers, turned, temperature, longitude, latitude, see
            `TwoCones`. The globe faces both clouds if no longitude and latitude are given.

    Returns:
        The widget. Its values can be read, set and observed.

    Raises:
        ValueError: a value that is out of range or not one of those above.

    Source: Liang et al. (2022), section 2.3, random initialisation of two encoders.
    """
    if unknown := [name for name in values if name not in VALUES]:
        raise ValueError(f"{unknown[0]}: no such value; there are {', '.join(VALUES)}")
    return TwoCones(**values)
