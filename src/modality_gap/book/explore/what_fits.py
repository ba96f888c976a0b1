"""What a caption leaves open: the pictures of MAD that it fits, and the bits it says."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from torch import Tensor

from ...lab.mad import FACTORS, WORDS, caption_information, load_mad
from ...lab.mad.dataset import CHANNELS
from .. import plots
from . import still
from .host import PageWidget, read
from .sheet import as_png
from .weights import KS, words_of

CELL = 14  # pixels of a picture's side in the grid
PICTURES = math.prod(map(len, FACTORS.values()))
# The grid's order: a row is a digit with swelling and fracture, a column the rest.
ROWS, COLUMNS = ("digit", "swelling", "fracture"), ("thickness", "size", "colour")


class WhatFits(PageWidget):
    """The figure. The reader and Python change the same caption, and the results follow.

    Attributes:
        caption: words of MAD joined by hyphens, such as "7-red"; "" says nothing.
        fitting: how many of the 1,680 pictures it fits. Read only, as the next two.
        said: bits that it says of a picture.
        left_open: bits that it leaves open.
    """

    _esm = "".join(map(read, ("kit.js", "words.js", "sheet.js", "what_fits.js")))
    _css = read("kit.css") + read("what_fits.css")

    factors = traitlets.Dict({name: list(words) for name, words in FACTORS.items()}).tag(sync=True)
    sheet = traitlets.Unicode().tag(sync=True)
    caption = traitlets.Unicode("7-red").tag(sync=True)

    fitting = traitlets.Int(read_only=True)
    said = traitlets.Float(read_only=True)
    left_open = traitlets.Float(read_only=True)

    def __init__(self, **values: Any) -> None:  # noqa: ANN401
        """Use `what_fits`."""
        self.pixels = shapes()
        super().__init__(sheet=as_png(self.pixels, 16), **values)
        self._measure(None)

    def fits(self) -> Tensor:
        """Which pictures the caption fits, in the order of the grid, shape (40, 42)."""
        words = {WORDS[word] for word in words_of(self.caption)} if self.caption else set()
        values = itertools.product(*(FACTORS[name] for name in (*ROWS, *COLUMNS)))
        rows = math.prod(len(FACTORS[name]) for name in ROWS)
        return torch.tensor([words <= set(picture) for picture in values]).view(rows, -1)

    def still(self) -> tuple[bytes, str]:
        """The present state as a PNG file, and in words."""
        return still.png(self._draw, (7.2, 3.6), colors=32), (
            f"A grid of all {PICTURES:,} pictures, of which the caption {self.caption!r} fits "
            f"{self.fitting}; the others are blank. Beside it bars: the caption says "
            f"{self.said:.2f} bits and leaves {self.left_open:.2f} open; and the means of captions "
            f"that name the digit and k attributes, for k from 0 to {KS[-1]}."
        )

    @traitlets.validate("caption")
    def _check_caption(self, proposal: Any) -> str:  # noqa: ANN401
        if proposal.value:
            words_of(proposal.value)
        return proposal.value

    @traitlets.observe("caption")
    def _measure(self, _: object) -> None:
        self.set_trait("fitting", int(self.fits().sum()))
        self.set_trait("said", math.log2(PICTURES / self.fitting))
        self.set_trait("left_open", math.log2(self.fitting))

    def _draw(self, figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        grid = self.fits()
        pictures = np.full((*grid.shape, CELL, CELL, 3), 0.88)  # pale where it does not fit
        places = itertools.product(*(range(len(FACTORS[name])) for name in (*ROWS, *COLUMNS)))
        for place, (digit, swelling, fracture, thickness, size, colour) in enumerate(places):
            row, column = divmod(place, grid.shape[1])
            if grid[row, column]:
                shape = ((thickness * 2 + swelling) * 2 + fracture) * 2 + size
                channels = np.array(CHANNELS[FACTORS["colour"][colour]])
                pictures[row, column] = (
                    self.pixels[digit, shape, :, :, None].numpy() / 255 * channels
                )
        pictures[:, :, -1], pictures[:, :, :, -1] = 1, 1
        height, width = grid.shape
        left.imshow(pictures.transpose(0, 2, 1, 3, 4).reshape(height * CELL, width * CELL, 3))
        left.set(title=f"Fit {self.caption}: {self.fitting} of {PICTURES:,}")
        left.axis("off")
        said = [self.said, *(caption_information(k)[0] for k in KS)]
        names = ["this caption", *(f"mean, k = {k}" for k in KS)]
        right.barh(names, math.log2(PICTURES), color=plots.FAINT, height=0.6)
        right.barh(names, said, color=[plots.TEXT, *[plots.INK] * len(KS)], height=0.6)
        right.invert_yaxis()
        right.set(title="Bits said, of all that there are", xlabel="bits")


def what_fits(caption: str = "7-red") -> WhatFits:
    """An interactive figure: press words, and see which pictures the caption still fits.

    It shows one picture of MAD for every combination of the six factors, those that the caption
    fits, and in exact bits what the caption says and leaves open, beside the means of
    `caption_information`. It works in JupyterLab and, without a kernel, on a page of the book.

    Args:
        caption: words of MAD joined by hyphens; "" says nothing.

    Returns:
        The widget. Its values can be read, set and observed, see `WhatFits`.

    Raises:
        ValueError: a word that MAD lacks, or two of one factor.
    """
    return WhatFits(caption=caption)


def shapes() -> Tensor:
    """The 24 shapes of the first test digit of each kind, in grey, shape (10, 24, 14, 14)."""
    data = load_mad()
    members = data.splits["test"]
    sources = [int(members[data.labels[members] == digit][0]) for digit in range(10)]
    whole = data.shapes[sources].view(10, 24, CELL, 2, CELL, 2).float()
    return whole.mean(dim=(3, 5)).round().to(torch.uint8)
