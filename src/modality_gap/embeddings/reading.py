"""Pictures and captions as they are meant: what a model's own preprocessing takes for granted."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from torch import Tensor

if TYPE_CHECKING:
    from PIL import Image

Picture: TypeAlias = "str | Path | Image.Image"
Tokenize: TypeAlias = Callable[..., Tensor]

LONGER = 4  # times the model's context, in which a caption that is cut shows its end


def read_picture(image: Picture, row: int) -> Image.Image:
    """An upright RGB picture of 8 bits.

    The orientation that a camera notes beside its pixels is applied. Pictures of 16 bits keep their
    upper eight, and floating ones are scaled from [0, 1]; Pillow alone would cut both off.
    Transparency is left out as open_clip does, so that hidden colours show.

    Raises:
        ValueError: the picture of this row cannot be read, or nothing says what is white in it.
    """
    from PIL import Image

    try:
        if isinstance(image, Image.Image):
            return _to_rgb(image)
        with Image.open(image) as opened:
            return _to_rgb(opened)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"images: row {row} cannot be read as an image: {error}") from error


def count_cut(tokenize: Tokenize, captions: Sequence[str]) -> int:
    """How many captions are longer than what the model reads of them."""
    length = tokenize(["a"]).shape[1]
    blank = tokenize(["a"], context_length=LONGER * length)[0, -1]
    beyond = tokenize(list(captions), context_length=LONGER * length)[:, length:]
    return int((beyond != blank).any(dim=1).sum())


def _to_rgb(image: Image.Image) -> Image.Image:
    if 0 in image.size:
        raise ValueError("it has no pixels")
    stored = image.format  # which a turned copy forgets
    image = _upright(image)
    if image.mode == "P":
        image = image.convert("RGBA")  # else Pillow warns of palettes with transparency
    elif image.mode.startswith(("I", "F")):
        image = _to_eight_bits(image, stored)
    return image.convert("RGB")


def _upright(image: Image.Image) -> Image.Image:
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except (struct.error, KeyError, SyntaxError, TypeError):
        return image  # a broken note beside pixels that may be whole


def _to_eight_bits(image: Image.Image, stored: str | None) -> Image.Image:
    from PIL import Image

    values = np.asarray(image)
    # Older Pillow reads PNG's 16 bits, and PGM's, as 32.
    if image.mode.startswith("I;16") or (image.mode == "I" and stored in ("PNG", "PPM")):
        return Image.fromarray((values >> 8).astype(np.uint8))
    if image.mode == "F" and values.min() >= 0 and values.max() <= 1:
        return Image.fromarray((255 * values).round().astype(np.uint8))
    kind = "32-bit integers" if image.mode == "I" else "floating numbers outside [0, 1]"
    raise ValueError(
        f"it holds {kind}, of which nothing says what is white; give it in 8 bits, as "
        "PIL.Image.fromarray((255 * (a - black) / (white - black)).clip(0, 255).astype('uint8'))"
    )
