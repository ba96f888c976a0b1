"""Numbers in sentences: how they are written, and how they come into the text of a page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import SupportsFloat

import numpy as np

SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
MINUS = "\N{MINUS SIGN}"
PLUS_MINUS = "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}"


def glue(numbers: Mapping[str, SupportsFloat | str]) -> None:
    """Give numbers to the text of the page, which shows them by ``{glue:text}`name:.2f` ``.

    Args:
        numbers: by name; numbers of any kind, tensors and arrays of one element too, become floats
            and whole numbers stay whole. A text is shown as it is.

    Outside of a notebook, and where MyST-NB is not installed, nothing happens.
    """
    try:
        from IPython import get_ipython
        from myst_nb import glue  # type: ignore[import-untyped]
    except ImportError:
        return
    if get_ipython() is None:
        return
    for name, number in numbers.items():
        plain = number if isinstance(number, int | str) else float(number)
        glue(name, plain, display=False)


def mean_sd(values: Iterable[SupportsFloat]) -> str:
    """Mean ± sample standard deviation, as the book writes them.

    Two decimals; more, up to five, where the standard deviation would show as zero.

    Args:
        values: at least two.
    """
    numbers = np.array([float(value) for value in values])
    deviation = float(numbers.std(ddof=1))
    digits = 2
    if deviation > 0:
        digits = min(max(digits, -math.floor(math.log10(2 * deviation))), 5)
    return f"{number(float(numbers.mean()), digits)}{PLUS_MINUS}{deviation:.{digits}f}"


def number(value: float, digits: int) -> str:
    """A number with that many decimals; very small ones with their power of ten."""
    if value and abs(value) < 0.5 * 10**-digits:
        return with_power(f"{value:.0e}")
    text = f"{value:.{digits}f}"
    return ("0" if float(text) == 0 == value else text).replace("-", MINUS)


def shortest(value: float) -> str:
    """A bound as one would write it."""
    return with_power(f"{value:.10g}")


def with_power(text: str) -> str:
    """Python's 1e-12 as 10⁻¹², 2e-12 as 2 · 10⁻¹²."""
    digits, e, power = text.replace("-", MINUS).partition("e")
    raised = str(int(power.replace(MINUS, "-") or 0)).translate(SUPERSCRIPTS)
    sign = MINUS if digits.startswith(MINUS) else ""
    if not e:
        return digits
    return f"{sign}10{raised}" if digits.lstrip(sign) == "1" else f"{digits} · 10{raised}"
