"""Which words reach the picture: one factor of a picture is changed, and its embedding moves."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from ...lab.clip import embed_images
from ...lab.mad import FACTORS, load_mad
from ...lab.mad.dataset import CHANNELS
from ...lab.mad.factors import FIRST_WORDS
from .. import plots
from . import still
from .host import PageWidget, read
from .sheet import as_png
from .weights import KS, STEP, pack, stored

# What can be changed: the six factors, and who wrote the digit, which no caption names.
CHANGES = {
    **{name: list(words) for name, words in FACTORS.items()},
    "hand": ["second hand", "third hand"],
}
# The shapes of a digit of one thickness: (swelling, fracture, size, hand). The first is that of the
# pictures that are changed.
SHAPES = ((0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (0, 0, 0, 2))
DIGITS, THICKNESSES, COLOURS = (len(FACTORS[name]) for name in ("digit", "thickness", "colour"))
COLORS = [plots.INK, *plots.PALETTE[2:], plots.INK]


class WhatMoves(PageWidget):
    """The figure. The reader and Python change the same values, and the results follow.

    A move is 1 minus the cosine of the picture's embedding before and after the change.

    Attributes:
        digit: 0 to 9, of the picture. It is large, neither swollen nor broken.
        thickness, colour: words of MAD, of the picture.
        changed: the factor that is changed, one of MAD's six, or "hand": the same digit by another.
        k: which model: attributes in the captions it was trained on, 0 to 5.
        moves: word to move, for every other word of the factor. Read only, as the next.
        mean: of these.
    """

    _esm = "".join(map(read, ("kit.js", "sheet.js", "what_moves.js")))
    _css = read("kit.css") + read("what_moves.css")

    changes = traitlets.Dict(CHANGES).tag(sync=True)
    sheet = traitlets.Unicode().tag(sync=True)
    table = traitlets.Unicode().tag(sync=True)
    step = traitlets.Float(STEP).tag(sync=True)

    digit = traitlets.Int(7).tag(sync=True)
    thickness = traitlets.Unicode("thick").tag(sync=True)
    colour = traitlets.Unicode("red").tag(sync=True)
    changed = traitlets.Unicode("digit").tag(sync=True)
    k = traitlets.Int(3).tag(sync=True)

    moves = traitlets.Dict(read_only=True)
    mean = traitlets.Float(read_only=True)

    def __init__(self, **values: Any) -> None:  # noqa: ANN401
        """Use `what_moves`."""
        super().__init__(**values)
        self.sheet = as_png(shapes().flatten(1, 2), 8)
        self.table = pack(torch.round(moves()[:, others()] / STEP), "<u2")
        self._measure(None)

    def moves_of(self, factor: str, k: int) -> dict[str, float]:
        """Word to move of the present picture, for every other word of a factor."""
        every, other = moves()[k, *self._picture()], others()[*self._picture()]
        words = zip(CHANGES[factor], every[of(factor)], other[of(factor)], strict=True)
        return {word: float(move) for word, move, is_other in words if is_other}

    def everywhere(self, factor: str, k: int) -> float:
        """Mean move over all 210 pictures and the other words of a factor."""
        return float(moves()[k][..., of(factor)][others()[..., of(factor)]].mean())

    def still(self) -> tuple[bytes, str]:
        """The present state as a PNG file, and in words."""
        ends = ", ".join(
            f"{factor} {self._mean(factor, KS[0]):.2f} and {self._mean(factor, KS[-1]):.2f}"
            for factor in CHANGES
        )
        return still.png(self._draw, (7.2, 3.6), colors=32), (
            f"Curves over k: how far the embedding of a {self.thickness} {self.colour} "
            f"{self.digit} moves if one factor is changed; at k = 0 and at k = 5: {ends}. Beside "
            f"them the pictures with another {self.changed}, and how far each moves at "
            f"k = {self.k}: {', '.join(f'{word} {move:.2f}' for word, move in self.moves.items())}."
        )

    def _picture(self) -> tuple[int, int, int]:
        return (
            self.digit,
            FACTORS["thickness"].index(self.thickness),
            FACTORS["colour"].index(self.colour),
        )

    def _mean(self, factor: str, k: int) -> float:
        return float(np.mean(list(self.moves_of(factor, k).values())))

    @traitlets.validate("digit", "k")
    def _check_number(self, proposal: Any) -> int:  # noqa: ANN401
        name, value = proposal.trait.name, proposal.value
        last = DIGITS - 1 if name == "digit" else KS[-1]
        if not 0 <= value <= last:
            raise ValueError(f"{name}: expected 0 to {last}, got {value}")
        return value

    @traitlets.validate("thickness", "colour", "changed")
    def _check_word(self, proposal: Any) -> str:  # noqa: ANN401
        name, value = proposal.trait.name, proposal.value
        words = list(CHANGES) if name == "changed" else CHANGES[name]
        if value not in words:
            raise ValueError(f"{name}: expected one of {', '.join(words)}; got {value!r}")
        return value

    @traitlets.observe("digit", "thickness", "colour", "changed", "k")
    def _measure(self, _: object) -> None:
        self.set_trait("moves", self.moves_of(self.changed, self.k))
        self.set_trait("mean", self._mean(self.changed, self.k))

    def _draw(self, figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for factor, color in zip(CHANGES, COLORS, strict=True):
            chosen = factor == self.changed
            curve = [self._mean(factor, k) for k in KS]
            style = "--" if factor == "hand" else "-"
            left.plot(KS, curve, style, color=color, linewidth=2.5 if chosen else 1.2, label=factor)
            left.plot(self.k, curve[self.k], "o", color=color, markersize=6 if chosen else 3)
            if chosen:
                everywhere = [self.everywhere(factor, k) for k in KS]
                left.plot(KS, everywhere, ":", color=plots.INK, linewidth=1, label="all pictures")
        left.legend(frameon=False, fontsize=8, ncols=2)
        left.set(title="Mean move, 1 − cosine", xlabel="attributes named, k", ylim=(0, None))
        self._draw_pictures(right)

    def _draw_pictures(self, axis: Axes) -> None:
        """The picture and, three in a row, those with another word."""
        shown = [(f"{self.digit}", self._look()), *((f"{word}\n{move:.2f}", self._look(word))
                 for word, move in self.moves.items())]  # fmt: skip
        for place, (words, picture) in enumerate(shown):
            across, down = place % 4, place // 4
            extent = (across, across + 0.7, down + 0.7, down)
            axis.imshow(picture, extent=extent)
            axis.text(across + 0.35, down + 0.73, words, ha="center", va="top", fontsize=7)
        axis.set(xlim=(0, 4), ylim=(3.1, 0), title=f"With another {self.changed}, k = {self.k}")
        axis.axis("off")

    def _look(self, word: str | None = None) -> NDArray[np.float32]:
        """The picture, or that with another word of the changed factor, shape (28, 28, 3)."""
        place = dict(zip(("digit", "thickness", "colour"), self._picture(), strict=True))
        shape = 0
        if word and self.changed in place:
            place[self.changed] = CHANGES[self.changed].index(word)
        elif word == "swelling" or word == "fracture" or word == "small":
            shape = 1 + ("swelling", "fracture", "small").index(word)
        elif word:
            shape = 4 + CHANGES["hand"].index(word)
        grey = shapes()[place["digit"], place["thickness"], shape] / 255
        colour = FACTORS["colour"][place["colour"]]
        return (grey[..., None] * torch.tensor(CHANNELS[colour])).numpy()


def what_moves(
    digit: int = 7,
    thickness: str = "thick",
    colour: str = "red",
    changed: str = "digit",
    k: int = 3,
) -> WhatMoves:
    """An interactive figure: change one factor of a picture, and see how far its embedding moves.

    It shows the move for the digit and each attribute, and for the same digit in another hand, in
    the book's six models, whose captions named k = 0 to 5 attributes. It works in JupyterLab and,
    without a kernel, on a page of the book.

    Args:
        digit: 0 to 9, of the picture.
        thickness, colour: words of MAD, of the picture.
        changed: the factor that is changed, or "hand".
        k: which model.

    Returns:
        The widget. Its values can be read, set and observed, see `WhatMoves`.

    Raises:
        ValueError: a value that MAD lacks, or no such model.
    """
    return WhatMoves(digit=digit, thickness=thickness, colour=colour, changed=changed, k=k)


def of(factor: str) -> slice:
    """Where the words of a factor stand among all of `CHANGES`."""
    first = sum(map(len, list(CHANGES.values())[: list(CHANGES).index(factor)]))
    return slice(first, first + len(CHANGES[factor]))


@cache
def shapes() -> Tensor:
    """Test digits in grey: digits, thicknesses, `SHAPES`; uint8, shape (10, 3, 6, 28, 28).

    A digit's hands are the first three test digits of its kind.
    """
    data = load_mad()
    members = data.splits["test"]
    sources = torch.stack([members[data.labels[members] == digit][:3] for digit in range(DIGITS)])
    every = data.shapes[sources].unflatten(2, (THICKNESSES, 2, 2, 2))
    return torch.stack([every[:, hand, :, s, f, z] for s, f, z, hand in SHAPES], dim=2)


@cache
def moves() -> Tensor:
    """1 - cosine for every model, picture, and word of `CHANGES`, shape (6, 10, 3, 7, 28).

    A picture is a digit with a thickness and a colour. Its own words have 0.
    """
    channels = torch.tensor([CHANNELS[colour] for colour in FACTORS["colour"]])
    pictures = (shapes() / 255)[:, :, :, None, None] * channels[:, :, None, None]
    found = []
    for k in KS:
        x = embed_images(stored(k).model, pictures.flatten(0, 3)).double()
        x = x.unflatten(0, pictures.shape[:4])  # digits, thicknesses, shapes, colours, D
        own = x[:, :, 0]
        by_shape = torch.einsum("atcd,atscd->atcs", own, x)
        cosines = [
            torch.einsum("atcd,btcd->atcb", own, own),
            torch.einsum("atcd,aucd->atcu", own, own),
            by_shape[..., [0, 1, 0, 2, 0, 3]],
            torch.einsum("atcd,ated->atce", own, own),
            by_shape[..., 4:],
        ]
        found.append((1 - torch.cat(cosines, dim=-1)).clamp(min=0))
    return torch.stack(found)


@cache
def others() -> Tensor:
    """Which words of `CHANGES` are not the picture's own, shape (10, 3, 7, 28)."""
    digit, thickness, colour = torch.meshgrid(
        *(torch.arange(count) for count in (DIGITS, THICKNESSES, COLOURS)), indexing="ij"
    )
    none = torch.zeros_like(digit)
    own = FIRST_WORDS + torch.stack([digit, thickness, none, none, none, colour], dim=-1)
    words = sum(map(len, CHANGES.values()))
    return torch.ones(*digit.shape, words, dtype=torch.bool).scatter(-1, own, value=False)
