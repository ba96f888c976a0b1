"""Numbers in sentences: how they are written, and how they come into the text of a page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import SupportsFloat

from .claims import NEGATIVE, POSITIVE, Interval

SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
MINUS = "\N{MINUS SIGN}"
RECORD = "application/papermill.record/"  # begins the type of an output that only the text shows
PLUS_MINUS = "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}"


def glue(numbers: Mapping[str, SupportsFloat | str]) -> None:
    """Give numbers to the text of the page, which shows them by ``{glue:text}`name:.2f` ``.

    Args:
        numbers: by name; numbers of any kind, tensors and arrays of one element too, become floats
            and whole numbers stay whole. A text is shown as it is.

    Outside of a notebook nothing happens. In one, the outputs of the cell are those of
    `myst_nb.glue`, whose import takes longer than PyTorch's.
    """
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        return
    if get_ipython() is None:
        return
    for name, number in numbers.items():
        plain = number if isinstance(number, int | str) else float(number)
        display(
            {f"{RECORD}text/plain": repr(plain)},
            raw=True,
            metadata={"scrapbook": {"name": name, "mime_prefix": RECORD}},
        )


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean, exactly rounded; between the smallest and the largest value."""
    return min(max(math.fsum(values) / len(values), min(values)), max(values))


def standard_deviation(values: Sequence[float]) -> float:
    """Sample standard deviation, of at least two values."""
    centre = mean(values)
    return math.sqrt(math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1))


def decimals(values: Sequence[float], least: int = 2) -> int:
    """How many decimals the book writes of these numbers.

    `least`, and up to three more where their standard deviation would show as zero.
    """
    deviation = standard_deviation(values) if len(values) > 1 else 0
    if deviation == 0:
        return least
    return min(max(least, -math.floor(math.log10(2 * deviation))), least + 3)


def mean_sd(values: Iterable[SupportsFloat], least: int = 2) -> str:
    """Mean ± sample standard deviation, as the book writes them: see `decimals`.

    Args:
        values: at least two.
        least: decimals.
    """
    numbers = [float(value) for value in values]
    digits, deviation = decimals(numbers, least), standard_deviation(numbers)
    spread = number(deviation, digits) if deviation else f"{0:.{digits}f}"
    return f"{number(mean(numbers), digits)}{PLUS_MINUS}{spread}"


def describe(values: Sequence[float], band: Interval | None, each: bool, over: str) -> str:
    """What was measured: mean ± standard deviation, or the range if every value counts.

    Args:
        values: at least one.
        band: what they are to be compared with, which takes as many decimals as its ends have.
        each: whether every value counts.
        over: what there is one value of, in the plural.
    """
    least = _to_compare(values, band)
    if len(values) == 1:
        small = 0 < abs(values[0]) < 1e-3
        return with_power(f"{values[0]:.1e}") if small else number(values[0], least)
    many = f", {len(values)} {over}"
    if not each:
        return mean_sd(values, least) + many
    digits = decimals(values, least)
    low, high = number(min(values), digits), number(max(values), digits)
    return (low if low == high else f"{low} to {high}") + many


def interval(ends: Interval) -> str:
    """An interval in words."""
    low, high = ends
    if low == high:
        return shortest(low)
    if high == math.inf:
        return "above 0" if ends == POSITIVE else f"at least {shortest(low)}"
    if low == -math.inf:
        return "below 0" if ends == NEGATIVE else f"at most {shortest(high)}"
    return f"{shortest(low)} to {shortest(high)}"


def _to_compare(values: Sequence[float], band: Interval | None) -> int:
    """Decimals that tell a value from the ends of a band; none if all of them are whole."""
    ends = [end for end in band or () if math.isfinite(end) and abs(end) > 1e-9]
    if all(float(value).is_integer() for value in [*values, *ends]):
        return 0
    return max(2, *(len(f"{end:.10f}".rstrip("0").partition(".")[2]) for end in ends), 0)


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
