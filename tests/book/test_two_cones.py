"""Two cones: the clouds and their turn, the page, the Python face."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, Page

import modality_gap as mg
from figure_page import slide, wait_for_drawing, watch, write_page
from modality_gap.book import explore
from modality_gap.book.explore.two_cones import DRAWS, INPUTS, LAYERS, drawn

LOAD = """async ([code, packed, draws]) => {
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    window.figure = await import(url);
    const known = figure.unpack(packed, draws);
    window.at = ([layers, a, b, turned, temperature]) => {
        const y = figure.turnedCloud(known[layers], a, b, turned), x = known[layers].clouds[a];
        return { y: y.flat(), ...figure.measure(x, y, temperature), ...figure.facing(x, y) };
    };
}"""
PLACES = [(0, 1, 0.0), (0, 1, 0.6), (3, 2, 0.6), (9, 15, 1.0), (15, 9, 1.0), (4, 4, 0.5)]


@pytest.fixture(scope="module")
def call(browser: Browser) -> Iterator[Callable[..., Any]]:
    tab = browser.new_page()
    tab.evaluate(LOAD, [explore.TwoCones._esm, explore.two_cones().packed, DRAWS])
    yield tab.evaluate
    tab.close()


@pytest.mark.parametrize("layers", LAYERS)
def test_the_page_computes_what_the_package_computes(layers: int, call: Callable[..., Any]) -> None:
    shown = explore.two_cones(layers=layers)
    for a, b, turned in PLACES:
        for temperature in (0.01, 0.07, 1.0):
            shown.set_state({"a": a, "b": b, "turned": turned, "temperature": temperature})
            there = call("at", [layers, a, b, turned, temperature])
            x, y = shown.clouds()
            assert there["y"] == pytest.approx(y.flatten().tolist(), abs=1e-6)
            assert there["l2m"] == pytest.approx(float(mg.l2m(x, y)), abs=1e-6)
            assert shown.l2m == pytest.approx(there["l2m"], abs=1e-6)
            assert there["loss"] == pytest.approx(float(mg.info_nce(x, y, temperature)), abs=1e-4)
            assert shown.loss == pytest.approx(there["loss"], abs=1e-4)


def test_the_clouds_are_those_of_random_networks() -> None:
    """Unit rows of the outputs of `random_mlp`, and gaps near what two cones predict."""
    inputs = torch.randn(INPUTS, 512, generator=torch.Generator().manual_seed(0))
    last = torch.randn(512, 512, generator=torch.Generator().manual_seed(1003))
    outputs = mg.random_mlp(512, 10, seed=3)[:5](inputs) @ last
    globe, wide = mg.normalize(outputs[:, :3]), mg.normalize(outputs)
    assert torch.allclose(drawn()[5].clouds[3].float(), globe, atol=1e-5)
    other = mg.random_mlp(512, 10, seed=2)[:5](inputs)
    other = other @ torch.randn(512, 512, generator=torch.Generator().manual_seed(1002))
    gap = drawn()[5].gaps[3 * 2 // 2 + 2]
    assert float(gap) == pytest.approx(float(mg.l2m(mg.normalize(other), wide)), abs=1e-5)
    lengths = [mg.normalize(rows).mean(dim=0).norm() for rows in (other, wide)]
    assert float(gap) == pytest.approx(math.hypot(*lengths), abs=0.15)


@pytest.mark.parametrize("layers", LAYERS)
def test_no_other_rotation_brings_the_pairs_nearer(layers: int) -> None:
    shown = explore.two_cones(a=6, b=11, layers=layers)
    (x, y), (_, start) = shown.clouds(1), shown.clouds(0)
    assert torch.allclose(y @ y.T, start @ start.T, atol=1e-6), "no angle within B changes"
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        by = 0.05 * torch.randn(3, generator=generator).double()
        cross = torch.tensor([[0, -by[2], by[1]], [by[2], 0, -by[0]], [-by[1], by[0], 0]])
        moved = y @ torch.linalg.matrix_exp(cross).T
        assert (x - y).square().sum() < (x - moved).square().sum()


def test_one_draw_has_no_gap() -> None:
    shown = explore.two_cones(a=7, b=7)
    assert shown.l2m == 0
    shown.turned = 1.0
    assert shown.l2m == 0


@pytest.fixture(scope="module")
def fragment() -> str:
    return explore.two_cones().page()


@pytest.fixture
def page(browser: Browser, fragment: str, tmp_path: Path) -> Iterator[Page]:
    tab, complaints = browser.new_page(), []
    watch(tab, complaints)
    tab.emulate_media(reduced_motion="reduce")
    tab.goto(write_page(tmp_path, fragment))
    tab.wait_for_selector(".explore-runs")
    yield tab
    assert complaints == []
    tab.close()


def readings(tab: Page) -> list[str]:
    wait_for_drawing(tab)
    spoken = tab.locator(".mg-head span:last-child").all_text_contents()
    return [spoken[0], spoken[2].split(",")[0]]


def expected(**values: Any) -> list[str]:  # noqa: ANN401
    shown = explore.two_cones(**values)
    return [f"gap L2M {shown.l2m:.3f}", f"{shown.loss:.3f}"]


def test_it_is_used_by_keyboard_alone(page: Page) -> None:
    assert readings(page) == expected()
    page.get_by_role("button", name="draw A again").focus()
    page.keyboard.press("Enter")
    assert readings(page) == expected(a=1)
    assert "one network, seen twice" in (page.locator(".mg-note").text_content() or "")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert readings(page) == expected(a=1, b=2)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert readings(page) == expected(a=1, b=2, turned=1)
    page.get_by_role("radio", name="5 layers").focus()
    page.keyboard.press("ArrowRight")
    assert readings(page) == expected(a=1, b=2, turned=1, layers=10)
    slide(page, "temperature", -2)
    assert readings(page) == expected(a=1, b=2, turned=1, layers=10, temperature=0.01)
    page.get_by_role("button", name="reset").click()
    assert readings(page) == expected()


def test_keys_and_fingers_turn_the_globe(page: Page) -> None:
    def points() -> str:
        wait_for_drawing(page)
        return page.locator("path.mg-scenery").get_attribute("d") or ""

    seen = [points()]
    globe = page.get_by_role("application")
    globe.focus()
    for key in ("ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
        seen.append(points())
    box = globe.bounding_box()
    assert box
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 110)
    page.mouse.up()
    seen.append(points())
    assert len(set(seen)) == 4
    assert readings(page) == expected(), "and no number changes"


def test_the_draws_go_round(page: Page) -> None:
    for _ in range(DRAWS):
        page.get_by_role("button", name="draw B again").click()
    assert readings(page) == expected()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("a", 16, "a: expected 0 to 15, got 16"),
        ("b", -1, "b: expected 0 to 15"),
        ("layers", 3, "layers: expected 2, 5 or 10"),
        ("turned", 1.5, "turned: expected 0 to 1"),
        ("temperature", 0.0, "temperature: expected 0.01 to 1"),
        ("latitude", 91, "latitude: expected -90 to 90"),
        ("seed", 1, "seed: no such value; there are a, b"),
    ],
)
def test_values_that_cannot_be(name: str, value: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=message):
        explore.two_cones(**{name: value})
