"""What a caption leaves open: its counts and bits, its page, its Python face."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

import modality_gap as mg
from figure_page import wait_for_drawing, watch, write_page
from modality_gap.book import explore
from modality_gap.lab.mad import FACTORS

LOAD = """async (code) => {
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    window.figure = await import(url);
}"""
CAPTIONS = [
    "",
    "7",
    "red",
    "7-red-thick",
    "no swelling-3-small",
    "0-thin-swelling-fracture-large-grey",
]


@pytest.fixture(scope="module")
def call(browser: Browser) -> Iterator[Callable[..., Any]]:
    tab = browser.new_page()
    tab.evaluate(LOAD, explore.WhatFits._esm)
    yield tab.evaluate
    tab.close()


@pytest.mark.parametrize("caption", CAPTIONS)
def test_page_and_package_count_the_same_pictures(caption: str, call: Callable[..., Any]) -> None:
    shown = explore.what_fits(caption)
    words = [word for word in caption.split("-") if word]
    code = "([f, words]) => figure.fitting(figure.allPictures(f), words)"
    assert call(code, [shown.factors, words]) == shown.fits().flatten().tolist()
    sizes = [len(values) for values in FACTORS.values() if not set(values) & set(words)]
    assert shown.fitting == math.prod(sizes)
    assert shown.left_open == pytest.approx(math.log2(math.prod(sizes)))


@pytest.mark.parametrize("k", range(6))
def test_the_means_are_those_of_the_package(k: int, call: Callable[..., Any]) -> None:
    bits = call("([f, k]) => figure.bitsOf(f, k)", [explore.what_fits().factors, k])
    assert (bits["said"], bits["open"]) == pytest.approx(mg.caption_information(k))
    attributes = [values[0] for name, values in FACTORS.items() if name != "digit"]
    said = [
        explore.what_fits("-".join(["4", *chosen])).said
        for chosen in itertools.combinations(attributes, k)
    ]
    assert sum(said) / len(said) == pytest.approx(bits["said"])


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    tab, complaints = browser.new_page(), []
    watch(tab, complaints)
    tab.goto(write_page(tmp_path, explore.what_fits("7-red").page()))
    tab.wait_for_selector(".explore-runs")
    yield tab
    assert complaints == []
    tab.close()


def counted(tab: Page) -> str:
    wait_for_drawing(tab)
    return tab.locator("canvas").get_attribute("aria-label") or ""


def strong(tab: Page) -> int:
    """How many cells of the grid are not pale."""
    wait_for_drawing(tab)
    return tab.evaluate(
        """() => {
            const shown = document.querySelector("canvas"), { width, height } = shown;
            const copy = Object.assign(document.createElement("canvas"), { width, height });
            const pen = copy.getContext("2d", { willReadFrequently: true });
            pen.drawImage(shown, 0, 0);
            const { data } = pen.getImageData(0, 0, width, height);
            let count = 0;
            for (let y = 1; y < height; y += 14) {
                for (let x = 1; x < width; x += 14) count += data[4 * (y * width + x) + 3] > 200;
            }
            return count;
        }"""
    )


def test_the_grid_thins_as_words_are_pressed(page: Page) -> None:
    assert counted(page).endswith("24 of 1,680")
    assert strong(page) == 24
    page.get_by_role("button", name="small", exact=True).focus()
    page.keyboard.press("Enter")
    assert counted(page).endswith("12 of 1,680")
    assert strong(page) == 12
    page.get_by_role("button", name="7", exact=True).click()
    assert counted(page).endswith("120 of 1,680")
    assert "leaves out the digit" in (page.locator(".mg-note").text_content() or "")
    page.get_by_role("button", name="no word").click()
    assert strong(page) == 1680
    page.get_by_role("button", name="reset").click()
    assert counted(page).endswith("24 of 1,680")


def test_two_digits_fit_nothing_and_that_is_said(page: Page) -> None:
    page.get_by_role("button", name="3", exact=True).click()
    assert counted(page).endswith("0 of 1,680")
    assert "both name the digit" in (page.locator(".mg-note").text_content() or "")
    assert strong(page) == 0


def test_results_follow_the_caption() -> None:
    shown = explore.what_fits("7")
    shown.set_state({"caption": "7-small"})
    assert shown.fitting == 84
    assert shown.said + shown.left_open == pytest.approx(math.log2(1680))


@pytest.mark.parametrize(("caption", "message"), [("pink", "no word 'pink'"), ("3-4", "both name")])
def test_captions_that_cannot_be(caption: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        explore.what_fits(caption)
