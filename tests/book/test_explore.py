"""The figure in which the gap is moved by hand: its numbers, its page, its Python face."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Page
from torch import Tensor

import modality_gap as mg
from figure_page import CONTRASTS, DARK, RENDER, slide, wait_for_drawing, watch, write_page
from helpers import unit_rows
from modality_gap.book import explore
from modality_gap.book.explore import host
from modality_gap.book.explore.landscape import stored_landscape
from modality_gap.results import read

SPHERE, STORED = "six pairs", "CLIP, stored"
ALPHAS = (-0.5, -0.13, 0.0, 0.25, 0.5, 1.0, 3.0)
TEMPERATURES = (0.01, 0.03, 0.2, 1.0)


def random_pairs(n: int, d: int, seed: int, gap: float = 1.0) -> tuple[Tensor, Tensor]:
    """Pairs that resemble each other, with a gap between the two sides."""
    x, noise = unit_rows(n, d, seed), unit_rows(n, d, seed + 1)
    offset = unit_rows(2, d, seed + 2)[0] * gap
    return mg.normalize(x + offset), mg.normalize(x + 0.7 * noise - offset)


SETS = {
    "64 in 512": random_pairs(64, 512, 0),
    "64 in 16": random_pairs(64, 16, 10, gap=0.2),
    "5 in 3": random_pairs(5, 3, 20),
    "2 in 64": random_pairs(2, 64, 30, gap=3.0),
}


# Numbers: the JavaScript against the package

LOAD = """async ([code, sets]) => {
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    window.figure = await import(url);
    window.sets = Object.fromEntries(sets.map((set) => [set.name, figure.unpack(set)]));
    window.all = (set, move, temperature) => {
        const row = (_, image) => figure.softmaxRow(set, move, temperature, image).entropy;
        const entropies = Array.from({ length: set.n }, row);
        const entropy = entropies.reduce((a, b) => a + b) / set.n;
        return { ...figure.measure(set, move, temperature), entropy };
    };
}"""


@pytest.fixture(scope="module")
def widget() -> explore.MovingGap:
    own = mg.load_embeddings("mini-clip-cold")
    return explore.MovingGap(
        {
            **{name: explore.moving_gap({name: rows}).pairs[name] for name, rows in SETS.items()},
            "own": explore.moving_gap({"own": own}).pairs["own"],
            STORED: stored_landscape(),
            SPHERE: None,
        }
    )


@pytest.fixture(scope="module")
def figure(browser: Browser, widget: explore.MovingGap) -> Iterator[Callable[..., Any]]:
    """Calls an exported function of the module on a set."""
    page = browser.new_page()
    page.evaluate(LOAD, [widget._esm, widget.sets])

    def call(function: str, name: str, *values: float) -> Any:  # noqa: ANN401
        return page.evaluate(
            "([f, name, values]) => (figure[f] ?? window[f])(sets[name], ...values)",
            [function, name, values],
        )

    yield call
    page.close()


@pytest.mark.parametrize("name", [*SETS, "own"])
def test_the_page_computes_what_the_package_computes(
    name: str, figure: Callable[..., Any], widget: explore.MovingGap
) -> None:
    rows = widget.pairs[name]
    for alpha in ALPHAS:
        x, y = mg.shift(*rows, alpha)
        for temperature in TEMPERATURES:
            measured = figure("all", name, alpha, temperature)
            numerator, denominator = mg.info_nce_terms(x, y, temperature)
            expected = {
                "loss": mg.info_nce(x, y, temperature),
                "numerator": numerator,
                "denominator": denominator,
                "sum": mg.info_nce(x, y, temperature, "image_to_text"),
                "entropy": mg.softmax_entropy(x, y, temperature),
            }
            for key, value in expected.items():
                assert measured[key] == pytest.approx(float(value), abs=1e-5), (alpha, temperature)


def test_a_softmax_row_is_that_of_the_package(
    figure: Callable[..., Any], widget: explore.MovingGap
) -> None:
    x, y = mg.shift(*widget.pairs["own"], 0.3)
    row = figure("softmaxRow", "own", 0.3, 0.05, 7)["p"]
    expected = torch.softmax(x[7] @ y.T / 0.05, dim=0)
    assert list(row) == pytest.approx(expected.tolist(), abs=1e-9)


@pytest.mark.parametrize("name", [*SETS, "own"])
def test_the_marked_minimum_is_that_of_the_package(
    name: str, figure: Callable[..., Any], widget: explore.MovingGap
) -> None:
    for temperature in TEMPERATURES:
        minimum = figure("curve", name, temperature)["minimum"]
        grid = np.linspace(-0.5, 3, 71)
        expected = mg.loss_minimum(*widget.pairs[name], [temperature], alphas=grid).iloc[0]
        assert minimum["loss"] == pytest.approx(expected.loss, abs=1e-5)
        if expected.loss < 1e-6:
            continue  # so flat that rounding decides
        assert minimum["move"] == pytest.approx(expected.alpha, abs=1e-3)
        assert minimum["atEnd"] == (min(abs(expected.alpha + 0.5), abs(expected.alpha - 3)) < 1e-6)


def test_of_the_published_clip_the_page_has_the_stored_losses(
    figure: Callable[..., Any], widget: explore.MovingGap
) -> None:
    table = read("published_landscape")[0]
    rows = table[table.set == "clip"]
    for row in rows.iloc[:: len(rows) // 40].itertuples():
        measured = figure("measure", STORED, row.alpha, row.temperature)
        for key in ("loss", "numerator", "denominator"):
            assert measured[key] == pytest.approx(getattr(row, key), rel=2e-5, abs=2e-5)
    shown = explore.moving_gap(data=STORED, alpha=1.0, temperature=0.0105)
    expected = rows[(rows.alpha == 1) & (rows.temperature == 0.01)].iloc[0]
    assert shown.terms() == pytest.approx(
        dict(expected[["loss", "numerator", "denominator"]]), abs=1e-4
    )
    assert (shown.loss, math.isnan(shown.entropy)) == (expected.loss, True)


def test_the_second_valley_is_marked_where_there_is_one(figure: Callable[..., Any]) -> None:
    table = read("published_landscape")[0]
    for tau, rows in table[table.set == "clip"].groupby("temperature"):
        drawn, losses = figure("curve", STORED, tau), rows.loss.to_numpy()
        assert drawn["minimum"]["loss"] == pytest.approx(losses.min(), abs=1e-5)
        valleys = np.flatnonzero(np.diff(np.sign(np.diff(losses))) > 0) + 1
        assert bool(drawn["second"]) == (len(valleys) == 2)
        if len(valleys) == 2:
            assert drawn["second"]["move"] == pytest.approx(rows.alpha.iloc[valleys[1]], abs=1e-5)
    assert not figure("curve", "own", 0.01)["second"]


def test_the_sphere_has_the_published_losses(figure: Callable[..., Any]) -> None:
    flat = {1: 1.547743, 5: 1.095220, 35: 0.886648, 50: 1.083448, 100: 2.014244}
    for inverse, loss in flat.items():
        assert figure("measure", SPHERE, 0, 1 / inverse)["loss"] == pytest.approx(loss, abs=1e-6)
        for pole in (-90, 90):
            measured = figure("measure", SPHERE, pole, 1 / inverse)["loss"]
            assert measured == pytest.approx(math.log(6), abs=1e-6)


@pytest.mark.parametrize("temperature", [0.01, 0.02, 0.04])
def test_the_sphere_has_the_published_minimum(
    temperature: float, figure: Callable[..., Any]
) -> None:
    minimum = figure("curve", SPHERE, temperature)["minimum"]
    sharpness = math.cos(math.radians(minimum["move"])) / temperature
    assert sharpness == pytest.approx(21.21584, abs=1e-4)
    assert minimum["loss"] == pytest.approx(0.8095150939, abs=1e-9)


def test_above_that_temperature_the_sphere_is_best_without_a_gap(
    figure: Callable[..., Any],
) -> None:
    assert abs(figure("curve", SPHERE, 0.05)["minimum"]["move"]) < 1e-3


# The page


@pytest.fixture(scope="module")
def fragment() -> str:
    return explore.moving_gap().page()


def reading(tab: Page, title: str) -> str:
    """What stands beside the title of a panel, once the drawing has caught up."""
    wait_for_drawing(tab)
    return tab.get_by_role("img", name=re.compile(f"^{title}: ")).get_attribute("aria-label") or ""


def shown_loss(tab: Page) -> float:
    return float(re.findall(r"InfoNCE: ([\d.]+)", reading(tab, "InfoNCE"))[0])


def test_every_control_and_every_drawing_has_a_name(page: Page) -> None:
    sliders = page.get_by_role("slider")
    names = [sliders.nth(k).get_attribute("aria-label") for k in range(sliders.count())]
    assert names == ["shift along the gap, α", "temperature, τ", "image"]
    assert all(sliders.nth(k).get_attribute("aria-valuetext") for k in range(3))
    assert page.locator("input:not([data-lm-suppress-shortcuts])").count() == 0  # for JupyterLab
    assert page.get_by_role("radio", name="our small CLIP", exact=True).is_checked()
    assert page.get_by_role("group", name="embeddings").count() == 1
    assert page.get_by_role("button", name="reset").count() == 1
    drawings = page.get_by_role("img")
    labels = [drawings.nth(k).get_attribute("aria-label") or "" for k in range(drawings.count())]
    titles = ["The two clouds", "InfoNCE", "Its two terms, image to text", "Softmax row"]
    assert [label.split(":")[0] for label in labels] == titles


def test_it_is_used_by_keyboard_alone(page: Page) -> None:
    x, y = explore.moving_gap().pairs["our small CLIP"]
    page.keyboard.press("Tab")  # the radio buttons
    page.keyboard.press("Tab")  # reset
    page.keyboard.press("Tab")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    expected = float(mg.info_nce(*mg.shift(x, y, 0.1), 0.05))
    assert shown_loss(page) == pytest.approx(expected, abs=6e-4)
    assert page.locator(":focus").get_attribute("aria-valuetext") == "α = 0.10"
    outlined = page.evaluate(
        """[...document.querySelectorAll(".mg-explore *")]
            .filter((element) => getComputedStyle(element).outlineStyle !== "none")
            .map((element) => element === document.activeElement)"""
    )
    assert outlined == [True]
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    expected = float(mg.info_nce(*mg.shift(x, y, 0.1), 0.01))
    assert shown_loss(page) == pytest.approx(expected, abs=6e-4)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")
    wait_for_drawing(page)
    assert page.locator(":focus").get_attribute("aria-valuetext") == "1"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")  # reset
    assert shown_loss(page) == pytest.approx(float(mg.info_nce(x, y, 0.05)), abs=6e-4)
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowLeft")  # round to the last set
    assert page.get_by_role("radio", name=SPHERE).is_checked()
    page.get_by_role("slider", name="latitude of the texts, θ").wait_for()


def test_neighbouring_temperatures_read_differently(page: Page) -> None:
    texts = []
    for position in (-2, -1.99, -1.98, -1.97):
        slide(page, "temperature", position)
        wait_for_drawing(page)
        slider = page.get_by_role("slider", name="temperature")
        texts.append((slider.get_attribute("aria-valuetext") or "").split(",")[0])
    assert texts == ["τ = 0.0100", "τ = 0.0102", "τ = 0.0105", "τ = 0.0107"]


def test_who_comes_back_to_the_page_finds_sliders_and_drawings_in_step(
    browser: Browser, fragment: str, tmp_path: Path
) -> None:
    """Chromium gives controls their old places if they are there before the page is at its end."""
    tab, elsewhere = browser.new_page(), tmp_path / "elsewhere.html"
    elsewhere.write_text("<!doctype html><title>elsewhere</title>", "utf-8")
    tab.goto(write_page(tmp_path, fragment, "<p>the rest of a long page</p>" * 30_000))
    sliders = tab.get_by_role("slider")
    sliders.first.focus()
    tab.keyboard.press("End")
    tab.goto(elsewhere.as_uri())
    tab.go_back()
    tab.wait_for_selector(".explore-runs")
    wait_for_drawing(tab)
    shown = {s.get_attribute("aria-valuetext"): s.input_value() for s in sliders.all()}
    assert shown == {"α = 0.00": "0", "τ = 0.0500, 1/τ = 20": "-1.3", "0": "0"}
    tab.close()


def test_it_is_used_by_touch(browser: Browser, fragment: str, tmp_path: Path) -> None:
    context = browser.new_context(has_touch=True, viewport={"width": 390, "height": 844})
    tab = context.new_page()
    tab.goto(write_page(tmp_path, fragment))
    before = shown_loss(tab)
    slider = tab.get_by_role("slider", name="shift along")
    box = slider.bounding_box()
    assert box
    assert box["height"] >= 24
    tab.touchscreen.tap(box["x"] + 0.22 * box["width"], box["y"] + box["height"] / 2)
    assert shown_loss(tab) < before  # at this temperature a smaller gap is better
    tab.get_by_role("radio", name=SPHERE).tap()
    assert tab.get_by_role("radio", name=SPHERE).is_checked()
    context.close()


@pytest.mark.parametrize("width", [320, 390, 720, 1280])
def test_nothing_overflows(width: int, page: Page) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for name in ("our small CLIP", STORED, SPHERE):
        page.get_by_role("radio", name=name, exact=True).check(force=True)
        wait_for_drawing(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    columns = page.locator(".mg-grid").last.evaluate(
        "e => getComputedStyle(e).gridTemplateColumns.split(' ').length"
    )
    assert columns == (2 if width >= 720 else 1)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_stand_out(theme: str, browser: Browser, fragment: str, tmp_path: Path) -> None:
    tab = browser.new_page()
    style = DARK if theme == "dark" else "body { background: #ffffff; color: #24292f; }"
    tab.goto(write_page(tmp_path, fragment, style=style, theme=theme))
    tab.wait_for_selector(".explore-runs")
    contrasts = tab.evaluate(CONTRASTS)
    assert len(contrasts) > 30
    assert min(contrasts) >= 7
    tab.close()


def test_sliders_and_choice_are_seen_where_the_system_imposes_its_colours(page: Page) -> None:
    page.emulate_media(forced_colors="active")
    chosen, other = page.locator(".mg-choice span").all()[:2]
    for part in (*page.get_by_role("slider").all(), chosen):
        picture = Image.open(io.BytesIO(part.screenshot())).convert("L")
        drawn = (np.asarray(picture) < 128).sum()
        assert drawn > 150, "the thumb alone is a disc of 200 pixels"
    ground = "e => getComputedStyle(e).backgroundColor"
    assert chosen.evaluate(ground) != other.evaluate(ground)


def test_paper_gets_the_still_picture(page: Page) -> None:
    still, live = page.locator(".explore-still"), page.locator(".explore-live")
    assert not still.is_visible()
    assert live.is_visible()
    page.emulate_media(media="print")
    assert still.is_visible()
    assert not live.is_visible()


def test_without_scripts_there_is_the_still_picture(
    browser: Browser, fragment: str, tmp_path: Path
) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(write_page(tmp_path, fragment))
    still = tab.locator(".explore-still")
    assert still.is_visible()
    assert len(still.get_attribute("alt") or "") > 100
    context.close()


def test_two_figures_on_a_page_are_two(browser: Browser, fragment: str, tmp_path: Path) -> None:
    tab = browser.new_page()
    other = explore.moving_gap(data=SPHERE, theta=40, temperature=0.02).page()
    tab.goto(write_page(tmp_path, fragment, other))
    tab.wait_for_selector(".explore-runs >> nth=1")
    assert tab.locator("input:checked").count() == 2
    tab.get_by_role("radio", name=SPHERE).first.check(force=True)
    wait_for_drawing(tab)
    slide(tab, "latitude", -60)
    assert tab.locator("input:checked").count() == 2
    wait_for_drawing(tab)
    values = [s.get_attribute("aria-valuetext") for s in tab.get_by_role("slider").all()]
    assert values[::3] == ["θ = −60.0°", "θ = 40.0°"]
    assert tab.locator("[id]").count() == 0
    tab.close()


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 0.8])
def test_the_drawn_clouds_and_the_gap_follow_alpha(alpha: float, page: Page) -> None:
    """The drawn distance of the means along the gap, in units of that at alpha = 0."""
    x, y = explore.moving_gap().pairs["our small CLIP"]
    means = page.locator(".mg-means")

    def drawn() -> float:
        wait_for_drawing(page)
        ends = re.findall(r"-?[\d.]+", means.get_attribute("d") or "")
        return float(ends[2]) - float(ends[0])

    unmoved = drawn()
    slide(page, "shift", alpha)
    now, (a, b) = drawn(), mg.shift(x, y, alpha)
    along = -mg.gap_vector(x, y)
    signed = float((b.mean(0) - a.mean(0)) @ along / along.norm())
    assert now / unmoved == pytest.approx(signed / float(along.norm()), abs=0.02)
    said = re.findall(r"gap ([−-]?[\d.]+)", reading(page, "The two clouds"))[0]
    assert float(said.replace("−", "-")) == pytest.approx(signed, abs=6e-4)
    page.wait_for_timeout(900)
    spoken = page.locator("[aria-live=polite]").text_content() or ""
    heard = re.findall(r"Gap ([−-]?[\d.]+)\.", spoken)
    assert not heard or float(heard[0].replace("−", "-")) == pytest.approx(signed, abs=6e-4)
    assert heard or alpha == 0


def test_a_screen_reader_hears_the_numbers(page: Page) -> None:
    spoken = page.locator("[aria-live=polite]")
    first = spoken.text_content()
    slide(page, "shift", 0.5)
    assert spoken.text_content() == first  # not while the hand moves
    page.wait_for_timeout(900)
    sentences = spoken.text_content() or ""
    x, y = explore.moving_gap().pairs["our small CLIP"]
    moved = mg.shift(x, y, 0.5)
    change = float(mg.info_nce_terms(*moved, 0.05)[0] - mg.info_nce_terms(x, y, 0.05)[0])
    assert "our small CLIP, α = 0.50, τ = 0.0500, 1/τ = 20." in sentences
    assert f"numerator changed by −{abs(change):.3f}" in sentences
    assert f"InfoNCE {float(mg.info_nce(*moved, 0.05)):.3f}" in sentences


def test_what_is_not_stored_is_said_and_not_drawn(page: Page) -> None:
    page.get_by_role("radio", name=STORED).check(force=True)
    wait_for_drawing(page)
    assert [one.is_visible() for one in page.locator(".mg-panel").all()] == [
        False,
        True,
        True,
        False,
    ]
    assert "no clouds" in page.locator(".mg-note").inner_text()
    temperature = page.get_by_role("slider", name="temperature")
    temperature.focus()
    page.keyboard.press("Home")
    assert "second valley" in reading(page, "InfoNCE")
    assert (temperature.get_attribute("aria-valuetext") or "").startswith("τ = 0.0100")
    page.keyboard.press("ArrowRight")
    wait_for_drawing(page)
    assert (temperature.get_attribute("aria-valuetext") or "").startswith("τ = 0.0200")
    page.get_by_role("button", name="reset").click()
    wait_for_drawing(page)
    assert page.locator(".mg-panel:visible").count() == 4


def test_a_click_chooses_an_image(page: Page) -> None:
    drawing = page.get_by_role("img", name="The two clouds")
    box = drawing.bounding_box()
    assert box
    drawing.click(position={"x": 0.5 * box["width"], "y": 0.1 * box["height"]})
    slider = page.get_by_role("slider", name="image")
    page.wait_for_function("e => e.value !== '0'", arg=slider.element_handle())


# anywidget's contract, with a model that writes down what is asked of it


@pytest.fixture
def hosted(browser: Browser) -> Iterator[Page]:
    tab, shown = browser.new_page(), explore.moving_gap()
    names = ("sets", "data", "alpha", "theta", "temperature", "image")
    tab.evaluate(RENDER, [shown._esm, {name: getattr(shown, name) for name in names}])
    yield tab
    tab.close()


def test_what_the_reader_chooses_goes_to_the_model(hosted: Page) -> None:
    slide(hosted, "shift", 0.25)
    slide(hosted, "temperature", -1)
    slide(hosted, "image", 40)
    hosted.get_by_role("radio", name=SPHERE).check(force=True)
    calls = hosted.evaluate("calls")
    changes = [call for call in calls if call != ["save_changes"]]
    expected = [["alpha", 0.25], ["temperature", 0.1], ["image", 40], ["data", SPHERE]]
    assert changes == [*expected, ["image", 5]]
    assert calls.count(["save_changes"]) == 4


def test_what_python_sets_is_shown(hosted: Page) -> None:
    x, y = explore.moving_gap().pairs["our small CLIP"]
    hosted.evaluate("fromPython('alpha', 0.3333)")
    hosted.evaluate("fromPython('temperature', 0.021)")
    expected = float(mg.info_nce(*mg.shift(x, y, 0.3333), 0.021))
    assert shown_loss(hosted) == pytest.approx(expected, abs=6e-4)
    values = [s.get_attribute("aria-valuetext") for s in hosted.get_by_role("slider").all()]
    assert values == ["α = 0.33", "τ = 0.0210, 1/τ = 47.6", "0"]
    assert hosted.evaluate("calls") == []


def test_many_changes_are_one_drawing(hosted: Page) -> None:
    mutations = hosted.evaluate(
        """async () => {
            const reading = document.querySelectorAll(".mg-head span")[1];
            let count = 0;
            const observer = new MutationObserver((records) => { count += records.length; });
            observer.observe(reading, { childList: true });
            for (let k = 0; k < 50; k++) fromPython("alpha", k / 100);
            await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)));
            return count;
        }"""
    )
    assert mutations == 1


def test_it_leaves_nothing_behind(hosted: Page) -> None:
    hosted.evaluate("cleanUp()")
    listening = hosted.evaluate("Object.values(listeners).map((calls) => calls.size)")
    assert listening == [0] * 5


# The Python face


def test_results_follow_the_values() -> None:
    x, y = SETS["64 in 16"]
    shown = explore.moving_gap({"mine": (x, y)}, temperature=0.1)
    assert shown.loss == pytest.approx(float(mg.info_nce(x, y, 0.1)))
    heard = []
    shown.observe(lambda change: heard.append(change.new), "loss")
    shown.alpha = 0.4
    shown.temperature = 0.3
    moved = mg.shift(x, y, 0.4)
    numerator, denominator = mg.info_nce_terms(*moved, 0.3)
    assert shown.loss == pytest.approx(float(mg.info_nce(*moved, 0.3)))
    assert shown.numerator == pytest.approx(float(numerator))
    assert shown.denominator == pytest.approx(float(denominator))
    assert shown.entropy == pytest.approx(float(mg.softmax_entropy(*moved, 0.3)))
    assert heard[-1] == shown.loss
    with pytest.raises(Exception, match="read-only"):
        shown.loss = 0


def test_values_from_the_front_end_arrive() -> None:
    shown = explore.moving_gap(image=40)
    shown.set_state({"alpha": 0.25, "temperature": 0.02})
    assert shown.loss == pytest.approx(float(mg.info_nce(*shown.moved(), 0.02)))
    shown.set_state({"data": SPHERE, "image": 5, "theta": 30.0})
    assert (shown.data, shown.image) == (SPHERE, 5)
    assert shown.loss == pytest.approx(float(mg.info_nce(*shown.moved(30), 0.02)))


def test_the_image_stays_inside_the_set() -> None:
    shown = explore.moving_gap(image=40)
    shown.data = SPHERE
    assert shown.image == 5


def test_the_sphere_of_python_is_that_of_the_paper() -> None:
    shown = explore.moving_gap(data=SPHERE, temperature=0.02)
    assert shown.loss == pytest.approx(1.083448, abs=1e-6)
    shown.theta = math.degrees(math.acos(21.21584 * 0.02))
    assert shown.loss == pytest.approx(0.8095150939, abs=1e-9)


def test_real_clip_is_there_where_its_file_is() -> None:
    names = list(explore.moving_gap().pairs)
    clip = ["real CLIP"] if mg.available_embeddings()["clip"] else []
    assert names == ["our small CLIP", *clip, STORED, SPHERE]


def test_it_opens_with_a_gap_that_is_seen_and_best_where_the_model_was_trained() -> None:
    shown = explore.moving_gap(temperature=0.01)
    x, y = shown.pairs[shown.data]
    assert mg.l2m(x, y) > 0.5
    minimum = mg.loss_minimum(x, y, [0.01]).iloc[0]
    assert minimum.alpha == pytest.approx(0, abs=0.1)
    assert shown.loss == pytest.approx(minimum.loss, abs=0.01)


def test_of_many_pairs_the_first_64_are_taken() -> None:
    x, y = random_pairs(100, 8, 5)
    shown = explore.moving_gap({"many": (x, y)})
    assert torch.equal(shown.pairs["many"][0], mg.normalize(x[:64]))
    single = explore.moving_gap({"many": (x.float(), y.float())})
    assert single.pairs["many"][0].dtype == torch.float64


X, Y = random_pairs(8, 4, 0)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ({}, "at least one set"),
        ((X, Y), "expected a dictionary"),
        ("clip", "expected a dictionary"),
        ({"a": (X[:1], Y[:1])}, "'a'.*at least 2 row"),
        ({"a": (X, Y[:5])}, "'a'.*expected the shape of x"),
        ({"a": (X,)}, "'a' is not a pair"),
        ({"a": 3}, "'a' is not a pair"),
        ({"a": (2 * X, Y)}, "'a'.*row 0"),
        ({"": (X, Y)}, "expected a name"),
        ({3: (X, Y)}, "expected a name"),
        ({"a": (X, X)}, "means of 'a' coincide"),
        ({"a": (X[:1].repeat(3, 1), -X[:1].repeat(3, 1))}, "lies along the gap"),
    ],
)
def test_sets_that_cannot_be_shown(pairs: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=message):
        explore.moving_gap(pairs)


@pytest.mark.parametrize(
    ("name", "value"),
    [("alpha", 3.2), ("theta", -91), ("temperature", 0), ("temperature", math.nan), ("image", 8)],
)
def test_values_out_of_range(name: str, value: float) -> None:
    shown = explore.moving_gap({"mine": (X, Y)})
    with pytest.raises(ValueError, match=f"{name}: expected"):
        setattr(shown, name, value)
    with pytest.raises(ValueError, match=f"{name}: expected"):
        explore.moving_gap({"mine": (X, Y)}, **{name: value})


def test_a_value_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="tau: no such value; there are data, alpha, theta"):
        explore.moving_gap({"mine": (X, Y)}, tau=0.1)


def test_a_set_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="there is no set 'theirs'; there are 'mine'"):
        explore.moving_gap({"mine": (X, Y)}, data="theirs")


# Its two forms


def test_a_notebook_gets_the_widget_and_the_page() -> None:
    data, _ = explore.moving_gap({"mine": (X, Y)})._repr_mimebundle_()
    assert set(data) == {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}


def test_the_book_gets_the_page_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(host.STATIC, "1")
    shown = explore.moving_gap({"mine": (X, Y)})
    assert shown.comm is None  # so no state of a widget enters the notebook
    shown.alpha = 0.5
    data, _ = shown._repr_mimebundle_()
    assert set(data) == {"text/plain", "text/html"}
    state = re.findall(r'<script type="application/json">(.*?)</script>', data["text/html"])
    assert json.loads(state[0])["alpha"] == 0.5
    assert set(json.loads(state[0])) == {"sets", "data", "alpha", "theta", "temperature", "image"}


def test_the_page_holds_the_code_as_it_is_and_is_small() -> None:
    page = explore.moving_gap({"mine": SETS["64 in 512"]}).page()
    for name in ("kit.js", "gap.js", "moving_gap.js", "host.js"):
        assert host.read(name) in page
    assert len(page) < 160_000


def test_a_name_cannot_break_the_page(browser: Browser, tmp_path: Path) -> None:
    name = '</script><!--<img src="x" onerror="alert(1)">'
    tab, complaints = browser.new_page(), []
    watch(tab, complaints)
    tab.goto(write_page(tmp_path, explore.moving_gap({name: (X, Y)}).page()))
    tab.wait_for_selector(".explore-runs")
    assert tab.get_by_role("radio").get_attribute("value") == name
    assert tab.locator("img").count() == 1
    assert complaints == []
    tab.close()
