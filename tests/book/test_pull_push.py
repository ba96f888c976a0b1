"""Pull and push by hand: the numbers, the page, the Python face."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, Page

import modality_gap as mg
from figure_page import slide, wait_for_drawing, watch, write_page
from modality_gap.book import explore
from modality_gap.book.explore.pull_push import RATE

LOAD = """async (code) => {
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    window.figure = await import(url);
}"""
PLACES = [
    {"x": [10.0, 50.0, 95.0], "y": [42.0, 80.0, 200.0]},
    {"x": [0.0, 0.0, 120.0, 350.0], "y": [90.0, 90.0, -30.0, 10.0]},
    {"x": [0.0, 180.0], "y": [1.0, 179.0]},
]


@pytest.fixture(scope="module")
def call(browser: Browser) -> Iterator[Callable[..., Any]]:
    tab = browser.new_page()
    tab.evaluate(LOAD, explore.PullPush._esm)
    yield tab.evaluate
    tab.close()


@pytest.mark.parametrize("places", PLACES)
@pytest.mark.parametrize("weights", [{"pull": 1, "push": 1}, {"pull": 0.3, "push": 1.7}])
def test_the_page_computes_what_the_package_computes(
    places: dict[str, list[float]], weights: dict[str, float], call: Callable[..., Any]
) -> None:
    x, y = (torch.tensor(side).double().deg2rad() for side in places.values())
    a, b = (torch.stack([side.cos(), side.sin()], dim=1) for side in (x, y))
    now = call("(state) => figure.measure(state)", {**places, **weights})
    shown = explore.pull_push(**places, **weights)
    align, uniform = float(mg.alignment(a, b)), float(mg.uniformity(a) + mg.uniformity(b)) / 2
    assert now["align"] == pytest.approx(align) == shown.alignment
    assert now["uniform"] == pytest.approx(uniform) == shown.uniformity
    loss = weights["pull"] * align + weights["push"] * uniform
    assert now["loss"] == pytest.approx(loss) == shown.loss


@pytest.mark.parametrize("places", PLACES)
def test_the_flow_is_downhill_on_the_loss(
    places: dict[str, list[float]], call: Callable[..., Any]
) -> None:
    """One step against the gradient of the package's functions, and all against the page's."""
    weights = {"pull": 0.8, "push": 1.3}
    angles = torch.tensor(list(places.values())).double().deg2rad().requires_grad_()
    a, b = torch.stack([angles.cos(), angles.sin()], dim=-1)
    spread = (mg.uniformity(a) + mg.uniformity(b)) / 2
    (slope,) = torch.autograd.grad(0.8 * mg.alignment(a, b) + 1.3 * spread, angles)
    after = (angles - RATE * slope).rad2deg()
    shown = explore.pull_push(**places, **weights)
    shown.flow()
    assert [shown.x, shown.y] == [pytest.approx(row) for row in after.tolist()]
    code = """([state, steps]) => {
        for (let k = 0; k < steps; k++) state = { ...state, ...figure.flow(state) };
        return state;
    }"""
    for steps in (1, 25):
        shown = explore.pull_push(**places, **weights)
        before = shown.loss
        shown.flow(steps)
        moved = call(code, [{**places, **weights}, steps])
        assert moved["x"] == pytest.approx(shown.x, abs=1e-6)
        assert moved["y"] == pytest.approx(shown.y, abs=1e-6)
        assert shown.loss < before


def test_no_points_are_more_uniform_than_evenly_spread_ones(call: Callable[..., Any]) -> None:
    best = call("(n) => figure.evenly(n)", 5)
    assert explore.pull_push(*[[72.0 * i for i in range(5)]] * 2).uniformity == pytest.approx(best)
    freed = explore.pull_push(pull=0)
    freed.flow(2000)
    assert freed.uniformity == pytest.approx(best, abs=1e-6)


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    tab, complaints = browser.new_page(viewport={"width": 800, "height": 900}), []
    watch(tab, complaints)
    tab.goto(write_page(tmp_path, explore.pull_push().page()))
    tab.wait_for_selector(".explore-runs")
    yield tab
    assert complaints == []
    tab.close()


def shown_terms(tab: Page) -> list[float]:
    wait_for_drawing(tab)
    values = tab.locator(".mg-side .mg-strong").all_text_contents()
    return [float(value.replace("−", "-")) for value in values]


def point(tab: Page, name: str) -> int:
    text = tab.get_by_role("slider", name=name).get_attribute("aria-valuetext") or ""
    return int(re.findall(r"\d+", text)[0])


def test_a_point_is_moved_by_keyboard(page: Page) -> None:
    page.get_by_role("slider", name="view x of image 1").focus()
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    wait_for_drawing(page)
    assert point(page, "view x of image 1") == 22
    x = [22.0, *explore.pull_push().x[1:]]
    expected = explore.pull_push(x, explore.pull_push().y)
    assert shown_terms(page) == pytest.approx([expected.alignment, expected.uniformity], abs=6e-4)


def test_a_point_is_dragged(page: Page) -> None:
    mark = page.get_by_role("slider", name="view x of image 1").locator("path").bounding_box()
    assert mark
    page.mouse.move(mark["x"] + mark["width"] / 2, mark["y"] + mark["height"] / 2)
    page.mouse.down()
    circle = page.locator(".mg-around").bounding_box()
    assert circle
    middle = circle["x"] + circle["width"] / 2
    page.mouse.move(middle, circle["y"] + circle["height"] + 5, steps=6)
    page.mouse.up()
    wait_for_drawing(page)
    assert point(page, "view x of image 1") == pytest.approx(270, abs=2)


def test_a_press_beside_the_circle_moves_nothing(page: Page) -> None:
    before = shown_terms(page)
    circle = page.locator(".mg-around").bounding_box()
    assert circle
    page.mouse.move(circle["x"] + circle["width"] / 2, circle["y"] + circle["height"] / 2)
    page.mouse.down()
    page.mouse.move(circle["x"], circle["y"], steps=4)
    page.mouse.up()
    assert shown_terms(page) == before


def test_the_flow_ends_by_itself_and_at_once_for_those_who_want_no_motion(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.get_by_role("button", name="flow").click()
    align, uniform = shown_terms(page)
    assert align == pytest.approx(0, abs=2e-3)
    best = explore.pull_push(*[[72.0 * i for i in range(5)]] * 2).uniformity
    assert uniform == pytest.approx(best, abs=2e-3)
    assert page.get_by_role("button", name="flow").is_visible()
    page.get_by_role("button", name="scatter again").click()
    slide(page, "weight of the push", 0)
    wait_for_drawing(page)
    assert page.get_by_role("radio", name="pull alone").is_checked()
    assert shown_terms(page)[0] == pytest.approx(explore.pull_push().alignment, abs=6e-4)


def test_the_flow_can_be_stopped(page: Page) -> None:
    page.get_by_role("button", name="flow").click()
    page.get_by_role("button", name="stop").click()
    before = shown_terms(page)
    page.wait_for_timeout(100)
    assert shown_terms(page) == before


def test_results_follow_the_values() -> None:
    shown = explore.pull_push()
    heard = []
    shown.observe(lambda change: heard.append(change.new), "alignment")
    shown.set_state({"x": [0.0, 90.0], "y": [0.0, 90.0]})
    assert shown.alignment == 0 == heard[-1]
    assert shown.uniformity == pytest.approx(-4)
    with pytest.raises(Exception, match="read-only"):
        shown.loss = 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"x": [1, 2, 3], "y": [1, 2]}, "as many angles in both, got 3 and 2"),
        ({"x": [1], "y": [2]}, "[xy]: expected 2 to 12"),
        ({"x": [1, float("nan")], "y": [2, 3]}, "x: expected 2 to 12 finite"),
        ({"pull": 3}, "pull: expected 0 to 2"),
        ({"push": -1}, "push: expected 0 to 2"),
        ({"lambda_": 1}, "lambda_: no such value"),
    ],
)
def test_values_that_cannot_be(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        explore.pull_push(**values)
