"""The cone that is drawn again: its numbers, its page, its Python face."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, Page

import modality_gap as mg
from figure_page import wait_for_drawing, watch, write_page
from modality_gap.book import explore
from modality_gap.book.explore.cone import ACTIVATIONS
from modality_gap.book.explore.draws import normals

SETTINGS = list(itertools.product(ACTIVATIONS, (True, False), (True, False)))
LOAD = """async (code) => {
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    window.figure = await import(url);
}"""


@pytest.fixture(scope="module")
def call(browser: Browser) -> Iterator[Callable[..., Any]]:
    tab = browser.new_page()
    tab.evaluate(LOAD, explore.Cone._esm)
    yield tab.evaluate
    tab.close()


@pytest.mark.parametrize("seed", [0, 1, 99, 2**31 + 5])
def test_both_languages_draw_the_same_numbers(seed: int, call: Callable[..., Any]) -> None:
    expected = list(itertools.islice(normals(seed), 50))
    code = "(seed) => { const draw = figure.normals(seed); return Array.from({length: 50}, draw); }"
    assert call(code, seed) == pytest.approx(expected, rel=1e-12)


def test_the_numbers_are_standard_normal() -> None:
    numbers = list(itertools.islice(normals(3), 20_000))
    assert statistics.mean(numbers) == pytest.approx(0, abs=0.03)
    assert statistics.pstdev(numbers) == pytest.approx(1, abs=0.02)
    inside = sum(abs(number) < 1 for number in numbers) / len(numbers)
    assert inside == pytest.approx(math.erf(1 / math.sqrt(2)), abs=0.015)


@pytest.mark.parametrize(("activation", "bias", "skip"), SETTINGS)
def test_the_page_computes_what_the_package_computes(
    activation: str, bias: bool, skip: bool, call: Callable[..., Any]
) -> None:
    shown = explore.cone(activation=activation, bias=bias, skip=skip, seed=7)
    values = {"activation": activation, "bias": bias, "skip": skip, "seed": 7}
    flat = shown.inputs.flatten().tolist()
    code = "([x, v]) => figure.layersOf(Float64Array.from(x), v).map((h) => Array.from(h))"
    layers = call(code, [flat, values])
    for ours, theirs in zip(shown.layers(), layers, strict=True):
        assert theirs == pytest.approx(ours.flatten().tolist(), rel=1e-9, abs=1e-12)
    code = "([x, v]) => figure.layersOf(Float64Array.from(x), v).map(figure.meanCosine)"
    cosines = call(code, [flat, values])
    expected = [float(mg.mean_cosine(mg.normalize(h))) for h in shown.layers()]
    assert cosines == pytest.approx(expected, abs=1e-9)
    assert shown.cosines == expected


def test_the_wedge_holds_all_points_and_no_narrower_one_does(call: Callable[..., Any]) -> None:
    for angles in ([10, 40, 25], [350, 20, 5], [0, 120, 240], [170, 190]):
        points = [f(math.radians(a)) for a in angles for f in (math.cos, math.sin)]
        found = call("(h) => figure.wedge(h)", points)
        ordered = sorted(angles)
        steps = [(b - a) % 360 for a, b in zip(ordered, ordered[1:] + ordered[:1], strict=True)]
        assert math.degrees(found["width"]) == pytest.approx(360 - max(steps))


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    tab, complaints = browser.new_page(), []
    watch(tab, complaints)
    tab.goto(write_page(tmp_path, explore.cone().page()))
    tab.wait_for_selector(".explore-runs")
    yield tab
    assert complaints == []
    tab.close()


def said(tab: Page) -> str:
    wait_for_drawing(tab)
    return tab.locator(".mg-note").text_content() or ""


def test_the_median_is_that_of_all_draws(page: Page) -> None:
    far = 1 - explore.cone().draws()[:, 4]
    middle = float(far.sort().values[50])
    power = math.floor(math.log10(middle))
    assert f"is {middle / 10**power:.1f} · 10⁻" in said(page)
    bars = page.locator(".mg-bars").last.get_attribute("d") or ""
    bins = (2 * (far.log10() + 12)).floor().clamp(0, 24).unique()
    assert bars.count("M") == len(bins)


def test_it_is_used_by_keyboard_alone(page: Page) -> None:
    page.get_by_role("button", name="draw again").focus()
    page.keyboard.press("Enter")
    assert said(page).startswith("Draw 101.")
    first = explore.cone(seed=100).cosines[1]
    layer = page.get_by_role("img", name="Layer 1").get_attribute("aria-label") or ""
    assert f"c = {first:.3f}" in layer or first > 0.9985
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert said(page).startswith("Draw 201.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert said(page).startswith("Draw 100.")
    page.get_by_role("radio", name="sigmoid").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("radio", name="tanh").is_checked()
    assert "all points" in (
        page.get_by_role("img", name="Layer 4").get_attribute("aria-label") or ""
    )


def test_the_draws_come_to_an_end_and_say_so(page: Page) -> None:
    more = page.get_by_role("button", name="100 more draws")
    for _ in range(20):
        more.click()
    assert "last draw" in said(page)


def test_results_follow_the_values() -> None:
    shown = explore.cone(seed=3)
    before = shown.cosines
    shown.set_state({"bias": False})
    assert shown.cosines != before
    assert shown.draws().shape == (4, 5)
    assert torch.allclose(shown.draws()[3], torch.tensor(shown.cosines).double())
    with pytest.raises(Exception, match="read-only"):
        shown.cosines = []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("activation", "relu", "activation: expected one of sigmoid, tanh"),
        ("seed", 2000, "seed: expected 0 to 1999"),
        ("depth", 3, "depth: no such value; there are activation"),
    ],
)
def test_values_that_cannot_be(name: str, value: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=message):
        explore.cone(**{name: value})
