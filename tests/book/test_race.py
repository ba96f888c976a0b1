"""The race of temperatures: its numbers, its page, its Python face."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, Page

import modality_gap as mg
from figure_page import slide, wait_for_drawing, watch, write_page
from modality_gap.book import explore
from modality_gap.book.explore.race import RATE, flow

LOAD = """async (code) => {
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    window.figure = await import(url);
}"""
RUN = """([seed, temperature, steps]) => {
    const run = figure.newRun(seed, temperature);
    while (run.kept.length <= steps) figure.advance(run);
    const { x, y, l2m, loss } = run.kept[steps];
    return { x: Array.from(x), y: Array.from(y), l2m, loss };
}"""


@pytest.fixture(scope="module")
def call(browser: Browser) -> Iterator[Callable[..., Any]]:
    tab = browser.new_page()
    tab.evaluate(LOAD, explore.Race._esm)
    yield tab.evaluate
    tab.close()


@pytest.mark.parametrize("temperature", [0.01, 0.05, 1.0])
def test_the_page_goes_where_the_package_goes(temperature: float, call: Callable[..., Any]) -> None:
    for step in (0, 1, 200):
        run, there = flow(3, temperature), call(RUN, [3, temperature, step])
        assert there["x"] == pytest.approx(run.x[step].flatten().tolist(), abs=1e-7)
        assert there["y"] == pytest.approx(run.y[step].flatten().tolist(), abs=1e-7)
        x, y = run.x[step], run.y[step]
        loss = float(mg.info_nce(x, y, temperature))
        assert there["loss"] == pytest.approx(loss, abs=1e-6) == float(run.loss[step])
        assert there["l2m"] == pytest.approx(float(mg.l2m(x, y)), abs=1e-7) == float(run.l2m[step])


def test_a_step_follows_the_gradient_of_the_packages_loss() -> None:
    run, temperature = flow(0, 0.2), 0.2
    x = run.x[40].clone().requires_grad_()
    y = run.y[40].clone().requires_grad_()
    slopes = torch.autograd.grad(len(x) * temperature * mg.info_nce(x, y, temperature), (x, y))
    for rows, slope, after in zip((x, y), slopes, (run.x[41], run.y[41]), strict=True):
        across = slope - (slope * rows).sum(dim=1, keepdim=True) * rows
        assert torch.allclose(mg.normalize((rows - RATE * across).detach()), after, atol=1e-12)


def test_half_the_step_goes_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The curves are those of the flow, not of the size of a step."""
    whole = flow(1, 0.05)
    monkeypatch.setattr(sys.modules[flow.__module__], "RATE", RATE / 2)
    half = flow.__wrapped__(1, 0.05)
    assert torch.allclose(half.l2m[::2], whole.l2m[: len(half.l2m[::2])], atol=0.01)


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    tab, complaints = browser.new_page(), []
    watch(tab, complaints)
    tab.goto(write_page(tmp_path, explore.race(step=100).page()))
    tab.wait_for_selector(".explore-runs")
    yield tab
    assert complaints == []
    tab.close()


def gaps(tab: Page) -> list[float]:
    """What stands beside the title of L2M, once all runs are at their end."""
    tab.wait_for_function(
        """() => [...document.querySelectorAll(".mg-panel path.mg-line-0")].slice(1)
            .every((path) => / ?3[23]\\d\\.\\d [\\d.]+$/.test(path.getAttribute("d")))""",
        timeout=60_000,
    )
    wait_for_drawing(tab)
    label = tab.get_by_role("img", name=re.compile("^L2M: ")).get_attribute("aria-label") or ""
    return [float(value) for value in re.findall(r"\d\.\d\d", label)]


def test_the_page_shows_the_packages_numbers(page: Page) -> None:
    assert gaps(page) == pytest.approx(explore.race(step=100).l2m, abs=6e-3)
    slide(page, "time", 400)
    assert gaps(page) == pytest.approx(explore.race(step=400).l2m, abs=6e-3)
    page.get_by_role("radio", name="gradient", exact=True).check(force=True)
    expected = explore.race(step=400, clock="gradient")
    assert gaps(page) == pytest.approx(expected.l2m, abs=6e-3)


def test_it_is_used_by_keyboard_alone(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.get_by_role("button", name="race").focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("slider", name="time").input_value() == "1500"
    page.get_by_role("slider", name="time").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    start = explore.race(step=10)
    assert gaps(page) == pytest.approx(start.l2m, abs=6e-3)
    page.get_by_role("button", name="another start").focus()
    page.keyboard.press("Enter")
    assert gaps(page) == pytest.approx(explore.race(step=10, seed=1).l2m, abs=6e-3)
    page.get_by_role("slider", name="temperature of run 2").focus()
    page.keyboard.press("End")
    expected = explore.race(step=10, seed=1, temperatures=[0.02, 1, 0.2, 1])
    assert gaps(page) == pytest.approx(expected.l2m, abs=6e-3)


def test_results_follow_the_values() -> None:
    shown = explore.race(step=0)
    assert len({round(gap, 9) for gap in shown.l2m}) == 1, "one start"
    shown.step = 300
    assert shown.l2m == [float(run.l2m[300]) for run in shown.runs()]
    shown.clock = "gradient"
    assert shown.steps(300) == [300, 120, 30, 6]
    assert shown.loss == [
        float(run.loss[at]) for run, at in zip(shown.runs(), (300, 120, 30, 6), strict=True)
    ]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("temperatures", [0.1, 0.2], "temperatures: expected 4 numbers"),
        ("temperatures", [0.1, 0.2, 0.3, 0], "temperatures: expected 4 numbers from 0.01"),
        ("seed", -1, "seed: expected 0"),
        ("step", 1501, "step: expected 0 to 1500"),
        ("clock", "sun", "clock: expected"),
        ("tau", 1, "tau: no such value"),
    ],
)
def test_values_that_cannot_be(name: str, value: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=message):
        explore.race(**{name: value})
