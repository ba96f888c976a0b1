"""How the book writes its numbers."""

from __future__ import annotations

import sys

import myst_nb
import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from modality_gap.book import numbers

SPACE = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([0.5, 0.52], "0.51 ± 0.01"),
        ([0.5, 0.504], "0.502 ± 0.003"),
        ([0.5, 0.5004], "0.5002 ± 0.0003"),
        ([0.1, 0.3], "0.20 ± 0.14"),
        ([-0.3, -0.1], "−0.20 ± 0.14"),
        ([0.5, 0.5], "0.50 ± 0.00"),
    ],
)
def test_mean_and_standard_deviation(values: list[float], text: str) -> None:
    assert numbers.mean_sd(values).replace(SPACE, " ") == text
    assert numbers.mean_sd(np.array(values)) == numbers.mean_sd(torch.tensor(values).double())


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=6))
def test_a_spread_that_is_there_is_seen(values: list[float]) -> None:
    deviation = numbers.standard_deviation(values)
    shown = numbers.mean_sd(values).partition("±")[2].strip()
    assert (deviation > 0) == any(digit in shown for digit in "123456789")
    if "·" not in shown and "⁻" not in shown:
        assert abs(float(shown) - deviation) <= 0.5e-2


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=6))
def test_moments(values: list[float]) -> None:
    scale = max(map(abs, values)) or 1
    assert abs(numbers.mean(values) - np.mean(values)) <= 1e-12 * scale
    assert abs(numbers.standard_deviation(values) - np.std(values, ddof=1)) <= 1e-9 * scale


@given(st.floats(-1e6, 1e6), st.integers(1, 5))
def test_the_mean_of_equal_values_is_that_value(value: float, count: int) -> None:
    assume(value)
    assert numbers.mean([value] * count) == value


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ((0, 1e-12), "0 to 10⁻¹²"),
        ((24, 24), "24"),
        ((-1e-6, 1e-6), "−10⁻⁶ to 10⁻⁶"),
        ((5e-324, float("inf")), "above 0"),
        ((0, float("inf")), "at least 0"),
        ((float("-inf"), -5e-324), "below 0"),
        ((float("-inf"), -0.5), "at most −0.5"),
        ((21.215835, 21.215845), "21.215835 to 21.215845"),
    ],
)
def test_intervals_in_words(ends: tuple[float, float], words: str) -> None:
    assert numbers.interval(ends) == words


@pytest.mark.parametrize(
    ("values", "band", "each", "words"),
    [
        ([0.31991, 0.31985], (0.3179, 0.3219), False, "0.31988 ± 0.00004, 2 seeds"),
        ([2e-16], (0, 1e-12), False, "2.0 · 10⁻¹⁶"),
        ([0.0], (0, 1e-12), False, "0"),
        ([-0.9, -1.0], (-1, -0.8), True, "−1.00 to −0.90, 2 seeds"),
        ([1, 1], (1, 1), True, "1, 2 seeds"),
        ([24], (24, 24), False, "24"),
    ],
)
def test_numbers_in_words(
    values: list[float], band: tuple[float, float], each: bool, words: str
) -> None:
    assert numbers.describe(values, band, each, "seeds").replace(SPACE, " ") == words


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.0, 2, "0"),
        (1.0, 2, "1.00"),
        (-1.5, 1, "−1.5"),
        (2e-7, 2, "2 · 10⁻⁷"),
        (-1e-12, 3, "−10⁻¹²"),
    ],
)
def test_a_number(value: float, digits: int, text: str) -> None:
    assert numbers.number(value, digits) == text


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, object]]:
    """What is displayed, as if in a notebook."""
    outputs: list[tuple[object, object]] = []

    def display(data: object, *, raw: bool, metadata: object) -> None:
        assert raw
        outputs.append((data, metadata))

    monkeypatch.setattr("IPython.get_ipython", object)
    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr("myst_nb.ext.glue.ipy_display", display)
    return outputs


def test_glue_hands_over_plain_numbers(shown: list[tuple[dict[str, str], object]]) -> None:
    numbers.glue({"a": torch.tensor(0.5), "b": np.float32(0.25), "c": 3, "d": "x ± y"})
    assert [next(iter(data.values())) for data, _ in shown] == ["0.5", "0.25", "3", "'x ± y'"]


@pytest.mark.parametrize("value", [0.1 + 0.2, 1e-12, float("nan"), -3, True, "0.50 ± 0.01", "it's"])
def test_glue_is_that_of_myst_nb(shown: list[tuple[object, object]], value: float | str) -> None:
    InteractiveShell.instance()  # which formats what MyST-NB glues
    myst_nb.glue("name", value, display=False)
    InteractiveShell.clear_instance()
    numbers.glue({"name": value})
    assert shown[0] == shown[1]


def test_glue_does_nothing_outside_of_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("IPython.display.display", None)
    numbers.glue({"a": 0.5})
    monkeypatch.setitem(sys.modules, "IPython", None)  # not installed
    numbers.glue({"a": 0.5})
