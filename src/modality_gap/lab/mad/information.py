"""What captions say of the factors behind an image, in exact bits."""

from __future__ import annotations

import math

from .factors import ATTRIBUTES, FACTORS


def caption_information(k: int) -> tuple[float, float]:
    """What image and caption of MAD share, and what the caption leaves open, in bits.

    X are the six factors of an image, uniform and independent; the caption Y names the digit and
    k of the five attributes, drawn without replacement whatever their values. Each attribute is
    named with probability k / 5, so that

        I(X; Y) = log2 10 + k / 5 * (sum of log2 of the attributes' numbers of values)

    and H(X | Y) = H(X) - I(X; Y). The order of a caption's words changes neither.

    Args:
        k: attributes in a caption, 0 to 5.

    Returns:
        (I(X; Y), H(X | Y)), exact up to rounding.

    Raises:
        ValueError: k out of range.
    """
    if k not in range(len(ATTRIBUTES) + 1):
        raise ValueError(f"k: expected 0 to {len(ATTRIBUTES)}, got {k}")
    bits = {name: math.log2(len(words)) for name, words in FACTORS.items()}
    attributes = sum(bits[name] for name in ATTRIBUTES)
    unsaid = attributes * (len(ATTRIBUTES) - k) / len(ATTRIBUTES)
    return sum(bits.values()) - unsaid, unsaid
