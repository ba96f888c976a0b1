"""Shapes of MAD in one grey picture, which a page colours."""

from __future__ import annotations

import base64
import io

from PIL import Image
from torch import Tensor


def as_png(pixels: Tensor, levels: int) -> str:
    """Shapes in one picture as an address that holds it.

    Args:
        pixels: uint8, shape (rows, columns, side, side).
        levels: of grey that are kept; the eye tells few apart in shapes so small.
    """
    rows, columns, side, _ = pixels.shape
    sheet = pixels.permute(0, 2, 1, 3).reshape(rows * side, columns * side).numpy()
    file = io.BytesIO()
    Image.fromarray(sheet).quantize(levels).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
