"""The CLIP that runs in the page: its pictures and numbers, its page, its Python face."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page

from figure_page import wait_for_drawing, watch, write_page
from modality_gap.book import explore
from modality_gap.book.explore import weights
from modality_gap.book.explore.clip_by_hand import pack_digit
from modality_gap.lab.clip import embed_images, embed_texts, tokens_of
from modality_gap.lab.mad import ATTRIBUTES, FACTORS, load_mad

SEVEN = [[[8.0, 6.0], [20.0, 6.0], [14.2, 14.7], [12.0, 23.5]]]
CROSS = [[[14.0, 4.0], [14.0, 24.0]], [[5.0, 13.0], [23.0, 13.0]]]
DOT = [[[10.0, 10.0]]]
LOOKS = [
    {"thickness": "medium", "swelling": "no swelling", "fracture": "no fracture",
     "size": "large", "colour": "grey"},
    {"thickness": "thick", "swelling": "swelling", "fracture": "no fracture",
     "size": "small", "colour": "magenta"},
    {"thickness": "thin", "swelling": "swelling", "fracture": "fracture",
     "size": "large", "colour": "cyan"},
]  # fmt: skip
LOAD = """async ([code, packed]) => {
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    window.figure = await import(url);
    window.model = figure.unpackModel(packed);
}"""


@pytest.fixture(scope="module")
def call(browser: Browser) -> Iterator[Callable[..., Any]]:
    """Evaluates an expression with the module as `figure` and the model of k = 3 as `model`."""
    tab = browser.new_page()
    tab.evaluate(LOAD, [explore.ClipByHand._esm, weights.pack_model(3)])
    yield tab.evaluate
    tab.close()


# Numbers: the JavaScript against the package

DRAW = "([digit, look]) => Array.from(figure.drawPicture(figure.storedDigit(digit), look))"
DRAW_STROKES = (
    "([strokes, look]) => Array.from(figure.drawPicture(figure.drawnDigit(strokes), look))"
)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look["thickness"])
@pytest.mark.parametrize("digit", [0, 4, 8])
def test_a_stored_digit_is_that_of_mad(
    digit: int, look: dict[str, str], call: Callable[..., Any]
) -> None:
    data = load_mad()
    members = data.splits["test"]
    source = members[data.labels[members] == digit][:1]
    values = [FACTORS[name].index(look[name]) for name in ATTRIBUTES]
    expected = data.render(source, torch.tensor([[digit, *values]]))[0]
    shown = explore.clip_by_hand(digit=digit, attributes=look)
    assert torch.equal(shown.picture(), expected)
    drawn = call(DRAW, [pack_digit(digit), look])
    assert drawn == pytest.approx(expected.flatten().tolist(), abs=1e-6)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look["thickness"])
@pytest.mark.parametrize("strokes", [SEVEN, CROSS, DOT], ids=["seven", "cross", "dot"])
def test_a_drawing_is_the_same_picture_and_the_same_embedding(
    strokes: list[Any], look: dict[str, str], call: Callable[..., Any]
) -> None:
    picture = explore.clip_by_hand(digit=-1, strokes=strokes, attributes=look).picture()
    drawn = call(DRAW_STROKES, [strokes, look])
    assert drawn == pytest.approx(picture.flatten().tolist(), abs=1e-6)
    expected = embed_images(weights.stored(3).model, picture[None])[0]
    embedded = call("(p) => Array.from(figure.embedImage(model, Float32Array.from(p)))", drawn)
    assert embedded == pytest.approx(expected.tolist(), abs=1e-4)


def test_captions_have_the_embeddings_of_pytorch(call: Callable[..., Any]) -> None:
    captions = [[7], [3, 12], [11, 0, 20], [5, 10, 13, 15, 17, 19], [25]]
    for words in captions:
        expected = embed_texts(weights.stored(3).model, tokens_of(torch.tensor([words])))[0]
        embedded = call("(words) => Array.from(figure.embedText(model, words))", words)
        assert embedded == pytest.approx(expected.tolist(), abs=1e-4)


def test_every_model_fits_half_a_megabyte_and_is_exact() -> None:
    for k in weights.KS:
        assert len(weights.script(k)) < 500_000
        half = [v for v in weights.stored(k).model.state_dict().values() if v.is_floating_point()]
        assert all(torch.equal(value.half().float(), value) for value in half)


# The page


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    (folder / "_static" / "mini_clip").mkdir(parents=True)
    for k in (0, 3):
        (folder / "_static" / "mini_clip" / f"k{k}.js").write_text(weights.script(k), "utf-8")
    return folder


@pytest.fixture
def page(browser: Browser, site: Path) -> Iterator[Page]:
    tab, complaints = browser.new_page(viewport={"width": 800, "height": 1000}), []
    watch(tab, complaints)
    shown = explore.clip_by_hand(caption="7-thick", attributes={"thickness": "thick"})
    tab.goto(write_page(site, shown.page(), root="./"))
    tab.wait_for_selector(".explore-runs")
    yield tab
    assert [text for text in complaints if "k5.js" not in text and "ERR_FILE" not in text] == []
    tab.close()


def note(tab: Page) -> str:
    wait_for_drawing(tab)
    return tab.locator(".mg-note").text_content() or ""


def heard(tab: Page) -> list[float]:
    """Cosine, rank, of how many, and softmax in per cent, once the model has answered."""
    tab.wait_for_function(
        "!document.querySelector('.mg-note').textContent.startsWith('The model')", timeout=60_000
    )
    tab.wait_for_timeout(900)
    words = tab.locator("[aria-live=polite]").text_content() or ""
    numbers = words.split("cosine ")[1].replace("−", "-").replace(",", "").split()
    return [float(numbers[i]) for i in (0, 2, 4, 6)]


def agrees(tab: Page, **values: Any) -> bool:  # noqa: ANN401
    seen = explore.clip_by_hand(**values).measure()
    expected = [seen["cosine"], seen["rank"], seen["of"], 100 * seen["share"]]
    return np.allclose(heard(tab), expected, atol=[6e-4, 0, 0, 0.51], rtol=0)


def test_it_opens_with_what_python_computed_and_loads_nothing(page: Page) -> None:
    assert page.locator("script[src]").count() == 0
    assert agrees(page, caption="7-thick", attributes={"thickness": "thick"})


def test_what_the_page_computes_is_what_python_computes(page: Page) -> None:
    look = {"thickness": "thick", "colour": "cyan"}
    page.get_by_role("combobox", name="colour").select_option("cyan")
    page.get_by_role("button", name="cyan", exact=True).click()
    assert agrees(page, caption="7-thick-cyan", attributes=look)
    page.get_by_role("radio", name="centred", exact=True).check(force=True)
    assert agrees(page, caption="7-thick-cyan", attributes=look, centred=True)
    page.get_by_role("radio", name="k = 0").check(force=True)
    assert agrees(page, caption="7-thick-cyan", attributes=look, centred=True, k=0)
    page.get_by_role("button", name="reset").click()
    assert agrees(page, caption="7-thick", attributes={"thickness": "thick"})


def test_a_digit_is_drawn_by_keyboard(page: Page) -> None:
    page.get_by_role("application").focus()
    for key in [" ", *["ArrowRight"] * 3, *["ArrowDown"] * 9, " "]:
        page.keyboard.press(key)
    across = [[14.0 + step, 6.0] for step in range(4)]
    strokes = [across + [[17.0, 7.0 + step] for step in range(9)]]
    look = {"thickness": "thick"}
    assert agrees(page, digit=-1, strokes=strokes, caption="7-thick", attributes=look)
    assert page.get_by_role("combobox", name="digit").input_value() == "drawn"


def test_input_that_means_nothing_gets_a_sentence(page: Page) -> None:
    page.get_by_role("button", name="3", exact=True).click()
    assert "both name the digit" in note(page)
    for word in ("3", "7", "thick"):
        page.get_by_role("button", name=word, exact=True).click()
    assert "no word yet" in note(page)
    page.get_by_role("button", name="clear").click()
    assert "Nothing is drawn yet" in note(page)
    assert "NaN" not in page.locator(".mg-explore").inner_text()


def test_a_stroke_that_leaves_the_field_is_cut_off_and_said(page: Page) -> None:
    box = page.locator("canvas").bounding_box()
    assert box
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] - 60, box["y"] + 80, steps=5)
    page.mouse.up()
    page.get_by_text("left the field").wait_for()


def test_weights_that_do_not_arrive_are_said(page: Page) -> None:
    page.get_by_role("radio", name="k = 5").check(force=True)
    page.get_by_text("did not arrive").wait_for()
    page.get_by_role("button", name="reset").click()
    assert note(page) == ""
    heard(page)


# The Python face


def test_results_follow_the_values() -> None:
    shown = explore.clip_by_hand()
    own = weights.stored(3)
    x = embed_images(own.model, shown.picture()[None])
    y = embed_texts(own.model, tokens_of(torch.tensor([weights.words_of("7")])))
    assert shown.cosine == pytest.approx(float(x @ y.T), abs=1e-6)
    shown.caption = "7-grey"
    seen = shown.measure()
    assert (shown.cosine, shown.rank, shown.probability) == (
        seen["cosine"], seen["rank"], seen["share"],
    )  # fmt: skip
    with pytest.raises(Exception, match="read-only"):
        shown.rank = 1
    shown.set_state({"digit": -1, "strokes": []})
    assert (shown.rank, math.isnan(shown.cosine)) == (0, True)


def test_a_stored_caption_is_ranked_among_the_others() -> None:
    own = weights.stored(1)
    shown = explore.clip_by_hand(k=1, caption="7-red")
    row = (own.captions == torch.tensor(weights.words_of("7-red"))).all(dim=1)
    assert row.sum() == 1
    cosines = own.texts @ embed_images(own.model, shown.picture()[None])[0]
    assert shown.rank == int((cosines > cosines[row]).sum()) + 1
    share = torch.softmax(cosines / shown.temperature, dim=0)[row]
    assert shown.probability == pytest.approx(float(share), abs=1e-6)


@pytest.mark.parametrize("k", weights.KS)
def test_the_captions_that_may_come_are_all_choices(k: int) -> None:
    shown = explore.clip_by_hand(k=k)
    captions = shown.possible()
    assert len(set(captions)) == len(captions) == math.comb(5, k)
    words = [set(caption.split("-")) for caption in captions]
    assert all(len(each) == k + 1 and "7" in each for each in words)


def test_python_sends_the_weights_that_are_wanted() -> None:
    shown = explore.clip_by_hand()
    shown.set_state({"wanted": 0})
    assert shown.weights["k"] == 0
    assert shown.weights["weights"] == weights.pack_model(0)["weights"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("k", 6, "k: expected 0 to 5"),
        ("digit", 10, "digit: expected 0 to 9"),
        ("strokes", [[[3, 29]]], "outside the field"),
        ("strokes", [[3, 2]], r"points \[x, y\]"),
        ("attributes", {"colour": "pink"}, "expected colour to be one of grey"),
        ("attributes", {"shade": "red"}, "attributes: expected thickness"),
        ("caption", "", "it has no word"),
        ("caption", "7-pink", "no word 'pink'"),
        ("caption", "7-3", "'7' and '3' both name the digit"),
        ("temperature", 0, "temperature: expected"),
        ("tau", 1, "tau: no such value; there are k, digit"),
    ],
)
def test_values_that_cannot_be(name: str, value: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=message):
        explore.clip_by_hand(**{name: value})


def test_words_of_all_captions_are_read_back() -> None:
    for a, b in itertools.permutations(["4", "no swelling", "magenta"], 2):
        ids = weights.words_of(f"{a}-{b}")
        assert [weights.WORDS[i] for i in ids] == [a, b]
