"""What every interactive figure keeps to, whatever it shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from figure_page import CONTRASTS, DARK, RENDER, wait_for_drawing, write_page
from modality_gap.book import explore
from modality_gap.book.explore import host

FIGURES: dict[str, Callable[[], host.PageWidget]] = {
    "clip_by_hand": explore.clip_by_hand,
    "cone": explore.cone,
    "one_list": explore.one_list,
    "pull_push": explore.pull_push,
    "race": explore.race,
    "two_cones": explore.two_cones,
    "what_fits": explore.what_fits,
    "what_moves": explore.what_moves,
}


@pytest.fixture(scope="module", params=FIGURES)
def figure(request: pytest.FixtureRequest) -> host.PageWidget:
    return FIGURES[request.param]()


@pytest.fixture(scope="module")
def fragment(figure: host.PageWidget) -> str:
    return figure.page()


def test_every_control_and_every_drawing_has_a_name(page: Page) -> None:
    for role in ("slider", "combobox", "radio", "button", "img", "application", "checkbox"):
        for element in page.get_by_role(role).all():
            name = element.get_attribute("aria-label") or element.get_attribute("value")
            name = name or element.text_content()
            assert name, element.evaluate("e => e.outerHTML")
    assert page.locator(":is(input, select):not([data-lm-suppress-shortcuts])").count() == 0
    assert page.locator("[id]").count() == 0
    assert page.locator("[aria-live=polite]").text_content()


def test_every_control_is_reached_by_tab_and_shows_it(page: Page) -> None:
    controls = page.locator(
        ".mg-explore :is(button, select, input[type=range], [tabindex='0'], fieldset)"
    ).count()
    outline = """() => [document.activeElement, document.activeElement.nextElementSibling]
        .some((e) => e && getComputedStyle(e).outlineStyle !== "none")"""
    reached = 0
    while reached <= controls:
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break
        assert page.evaluate(outline), page.evaluate("document.activeElement.outerHTML")
        reached += 1
    assert reached == controls


@pytest.mark.parametrize("width", [320, 390, 720, 1280])
def test_nothing_overflows(width: int, page: Page) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    wait_for_drawing(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_fingers_find_the_controls(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for control in page.locator(":is(button, select, input[type=range])").all():
        box = control.bounding_box()
        assert box
        assert min(box["height"], box["width"]) >= 24


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_stand_out(theme: str, browser: Browser, fragment: str, tmp_path: Path) -> None:
    tab = browser.new_page()
    style = DARK if theme == "dark" else "body { background: #ffffff; color: #24292f; }"
    tab.goto(write_page(tmp_path, fragment, style=style, theme=theme))
    tab.wait_for_selector(".explore-runs")
    contrasts = tab.evaluate(CONTRASTS)
    assert len(contrasts) > 8
    assert min(contrasts) >= 7
    tab.close()


def test_what_is_chosen_is_seen_where_the_system_imposes_its_colours(page: Page) -> None:
    page.emulate_media(forced_colors="active")
    ground = "e => getComputedStyle(e).backgroundColor"
    for chosen, other in (
        (".mg-choice input:checked + span", ".mg-choice input:not(:checked) + span"),
        ("button[aria-pressed=true]", "button[aria-pressed=false]"),
    ):
        if page.locator(chosen).count() and page.locator(other).count():
            grounds = [page.locator(each).first.evaluate(ground) for each in (chosen, other)]
            assert grounds[0] != grounds[1]


def test_paper_gets_the_still_picture(page: Page) -> None:
    still, live = page.locator(".explore-still"), page.locator(".explore-live")
    assert not still.is_visible()
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


def test_it_draws_no_number_that_is_none(page: Page) -> None:
    assert not re.search("NaN|undefined|Infinity", page.content().split("explore-live")[-1])


def test_its_page_is_small(figure: host.PageWidget, fragment: str) -> None:
    assert len(fragment) < 200_000
    assert figure._esm.count("export default") == 1


def test_a_figure_that_does_not_start_leaves_its_picture_and_a_sentence(
    browser: Browser, fragment: str, tmp_path: Path
) -> None:
    tab = browser.new_page()
    broken = fragment.replace("export default { render };", "export default {};")
    tab.goto(write_page(tmp_path, broken))
    tab.get_by_text("The picture stands still").wait_for()
    assert tab.locator(".explore-still").is_visible()
    tab.close()


def test_it_leaves_nothing_behind(browser: Browser, figure: host.PageWidget) -> None:
    tab = browser.new_page()
    inherited = {*host.anywidget.AnyWidget.class_trait_names(), "_esm", "_css", "_anywidget_id"}
    state = {name: getattr(figure, name) for name in figure.keys if name not in inherited}
    tab.evaluate(RENDER, [figure._esm, state])
    tab.evaluate("cleanUp()")
    listening = tab.evaluate("Object.values(listeners).map((calls) => calls.size)")
    assert set(listening) == {0}
    tab.close()
