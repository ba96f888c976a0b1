"""Which words reach the picture: its moves, its page, its Python face."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, Page

from figure_page import wait_for_drawing, watch, write_page
from modality_gap.book import explore
from modality_gap.book.explore import weights
from modality_gap.book.explore.what_moves import CHANGES, moves, of, others
from modality_gap.lab.clip import embed_images
from modality_gap.lab.mad import FACTORS, load_mad

LOAD = """async ([code, shown]) => {
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    window.figure = await import(url);
    window.known = figure.unpackMoves(shown.table, shown.changes, shown.step);
}"""
LOOKS = [(7, "thick", "red"), (0, "medium", "grey"), (9, "thin", "yellow")]


@pytest.fixture(scope="module")
def call(browser: Browser) -> Iterator[Callable[..., Any]]:
    tab, shown = browser.new_page(), explore.what_moves()
    packed = {name: getattr(shown, name) for name in ("table", "changes", "step")}
    tab.evaluate(LOAD, [explore.WhatMoves._esm, packed])
    yield tab.evaluate
    tab.close()


@pytest.mark.parametrize("look", LOOKS)
def test_page_and_package_have_the_same_moves(
    look: tuple[int, str, str], call: Callable[..., Any]
) -> None:
    picture = dict(zip(("digit", "thickness", "colour"), look, strict=True))
    shown = explore.what_moves(*look)
    for factor in CHANGES:
        told = call("([l, f]) => [0, 3, 5].flatMap((k) => known.moves(l, f, k))", [picture, factor])
        expected = [move for k in (0, 3, 5) for move in shown.moves_of(factor, k).values()]
        assert told == pytest.approx(expected, abs=6e-5)
        told = call("(f) => known.every[f]", factor)
        assert told == pytest.approx([shown.everywhere(factor, k) for k in range(6)], abs=6e-5)


def rendered(digit: int, hand: int = 0, **look: str) -> torch.Tensor:
    """A picture of MAD, shape (1, 3, 28, 28), drawn by the data set itself."""
    data = load_mad()
    members = data.splits["test"]
    source = members[data.labels[members] == digit][hand : hand + 1]
    usual = {"swelling": "no swelling", "fracture": "no fracture", "size": "large"}
    words = {"digit": str(digit), **usual, **look}
    values = [[FACTORS[name].index(words[name]) for name in FACTORS]]
    return data.render(source, torch.tensor(values))


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("k", [0, 4])
def test_a_move_is_what_the_model_says_of_two_pictures(look: tuple[int, str, str], k: int) -> None:
    digit, thickness, colour = look
    own = {"thickness": thickness, "colour": colour}
    shown = explore.what_moves(*look)
    changed = {
        ("digit", "4"): rendered(4, **own),
        ("thickness", "thick" if thickness != "thick" else "thin"): None,
        ("swelling", "swelling"): None,
        ("fracture", "fracture"): None,
        ("size", "small"): None,
        ("colour", "magenta"): None,
        ("hand", "third hand"): rendered(digit, hand=2, **own),
    }
    before = embed_images(weights.stored(k).model, rendered(digit, **own))[0]
    for (factor, word), picture in changed.items():
        picture = rendered(digit, **own | {factor: word}) if picture is None else picture
        after = embed_images(weights.stored(k).model, picture)[0]
        move = shown.moves_of(factor, k)[word]
        assert move == pytest.approx(float(1 - before @ after), abs=1e-6), factor


def test_every_picture_has_its_other_words_and_no_move_to_itself() -> None:
    assert others().sum(dim=-1).unique().tolist() == [9 + 2 + 1 + 1 + 1 + 6 + 2]
    assert moves()[:, ~others()].max() < 1e-6
    digits = moves()[:, :, :, :, of("digit")]
    assert torch.allclose(digits, digits.permute(0, 4, 2, 3, 1), atol=1e-12)


def test_axis_and_bars_have_room_for_all(call: Callable[..., Any]) -> None:
    top = call("() => figure.TOP")
    assert moves().max() <= top["move"]
    for factor in CHANGES:
        words, other = moves()[..., of(factor)], others()[..., of(factor)]
        assert ((words * other).sum(dim=-1) / other.sum(dim=-1)).max() <= top["mean"]


def test_labels_keep_their_distance(call: Callable[..., Any]) -> None:
    placed = call("() => figure.spread([50, 51, 49, 10, 90, 90], 10, 0, 95)")
    order = [3, 2, 0, 1, 4, 5]
    heights = [placed[k] for k in order]
    assert all(b - a >= 10 for a, b in itertools.pairwise(heights))
    assert (placed[3], max(placed)) == (10, 95)


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    tab, complaints = browser.new_page(), []
    watch(tab, complaints)
    tab.goto(write_page(tmp_path, explore.what_moves().page()))
    tab.wait_for_selector(".explore-runs")
    yield tab
    assert complaints == []
    tab.close()


def tiles(tab: Page) -> list[str]:
    wait_for_drawing(tab)
    return tab.locator(".mg-tiles > div:not([hidden])").all_inner_texts()


def test_the_page_follows_the_reader(page: Page) -> None:
    page.get_by_role("radio", name="digit").focus()
    page.keyboard.press("ArrowDown")
    page.get_by_role("combobox", name="digit").select_option("4")
    page.get_by_role("combobox", name="colour").select_option("blue")
    page.get_by_role("radio", name="k = 5").check(force=True)
    changed = page.get_by_role("radio", checked=True).first.get_attribute("value") or ""
    seen = [words.rsplit(" ", 1) for words in tiles(page)]
    shown = explore.what_moves(4, colour="blue", changed=changed, k=5)
    assert [word for word, _ in seen] == list(shown.moves)
    assert [float(move) for _, move in seen] == pytest.approx(
        list(shown.moves.values()), abs=0.00506
    )
    page.get_by_role("button", name="reset").click()
    assert [words.rsplit(" ", 1)[0] for words in tiles(page)] == list(explore.what_moves().moves)


def test_a_tile_shows_the_changed_picture(page: Page) -> None:
    page.get_by_role("radio", name="size").check(force=True)
    wait_for_drawing(page)
    pixels = page.locator(".mg-tiles canvas").first.evaluate(
        """(canvas) => {
            const copy = Object.assign(document.createElement("canvas"), { width: 28, height: 28 });
            const pen = copy.getContext("2d", { willReadFrequently: true });
            pen.drawImage(canvas, 0, 0);
            return [...pen.getImageData(0, 0, 28, 28).data];
        }"""
    )
    seen = torch.tensor(pixels).view(28, 28, 4)[:, :, :3] / 255
    expected = rendered(7, thickness="thick", colour="red", size="small")[0].permute(1, 2, 0)
    assert (seen - expected).abs().max() < 0.16  # of eight levels of grey


def test_results_follow_the_values() -> None:
    shown = explore.what_moves()
    shown.set_state({"changed": "size", "k": 5})
    assert list(shown.moves) == ["small"]
    assert shown.mean == shown.moves["small"] == shown.moves_of("size", 5)["small"]
    with pytest.raises(Exception, match="read-only"):
        shown.mean = 1.0


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("digit", 10, "digit: expected 0 to 9, got 10"),
        ("k", -1, "k: expected 0 to 5"),
        ("thickness", "fat", "thickness: expected one of medium"),
        ("colour", "pink", "colour: expected one of grey"),
        ("changed", "word", "changed: expected one of digit.*hand"),
    ],
)
def test_values_that_cannot_be(name: str, value: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=message):
        explore.what_moves(**{name: value})
