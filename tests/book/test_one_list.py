"""One list of both kinds: its scores, its page, its Python face."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, Page

import modality_gap as mg
from figure_page import slide, wait_for_drawing
from modality_gap import closing, ranking
from modality_gap.book import explore

LOAD = """async ([code, packed]) => {
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    window.figure = await import(url);
    window.data = figure.unpack(packed);
    window.rank = (name, of, query) => {
        const method = data.methods.find((each) => each.name === name);
        const scores = figure.scoresOf(data, method, of, query), order = figure.ordered(scores);
        return { scores, order, ...figure.tally(order, data, of, query) };
    };
}"""
ALL = """(name) => ["image", "text"].flatMap((of) => Array.from({ length: data.n }, (_, query) => {
    const { other, place } = rank(name, of, query);
    return [[other, place]];
}).flat())"""
SEARCHES = [("image", 0), ("image", 41), ("text", 7), ("text", 99)]


@pytest.fixture(scope="module")
def call(browser: Browser) -> Iterator[Callable[..., Any]]:
    tab = browser.new_page()
    tab.evaluate(LOAD, [explore.OneList._esm, explore.one_list().packed])
    yield tab.evaluate
    tab.close()


def test_the_page_ranks_as_the_package_ranks(call: Callable[..., Any]) -> None:
    shown = explore.one_list()
    for name, (of, query) in itertools.product(shown.methods, SEARCHES):
        shown.of, shown.query = of, query
        code = "([name, of, query]) => { const { scores, order } = rank(name, of, query);"
        code += " return [Array.from(scores, (s) => (s > -Infinity ? s : null)), order]; }"
        scores, order = call(code, [name, of, query])
        own = query if of == "image" else query + 100
        assert scores.pop(own) is None
        expected = shown.scores(name)
        assert expected[own] == -torch.inf
        others = expected[torch.arange(200) != own]
        assert scores == pytest.approx(others.tolist(), abs=1e-9)
        assert order == shown.ranked(name), name


def test_the_means_are_those_of_all_queries(call: Callable[..., Any]) -> None:
    for row in explore.one_list().overview:
        found = torch.tensor(call(ALL, row["name"])).double()
        assert float(found[:, 0].mean()) == pytest.approx(row["other"]), row["name"]
        assert float(found[:, 1].quantile(0.5)) == pytest.approx(row["place"])


def test_the_list_is_that_of_the_stored_model() -> None:
    """Fitted on the first 500 pairs, and none of them is in the list."""
    x, y = mg.load_embeddings("mini-clip-cold")
    fit, listed = (x[:500], y[:500]), (x[500:600], y[500:600])
    own, shown = torch.tensor([3]), explore.one_list(of="text", query=3)
    by_kind = ranking.ZPerKind().fit(*fit).scores(listed[1][3:4], "text", *listed, own)[0]
    assert torch.allclose(shown.scores("z per kind"), by_kind, atol=2e-3)
    a, b = closing.Centring().fit(*fit).transform(*listed)
    centred = b[3] @ torch.cat([a, b]).T
    centred[103] = -torch.inf
    assert torch.allclose(shown.scores("centring"), centred, atol=2e-3)


def test_it_tells_what_the_lists_hold() -> None:
    shown = explore.one_list()
    for of, partner, other in (("image", 100, range(100, 200)), ("text", 0, range(100))):
        shown.set_state({"of": of, "query": 5, "method": "rotation"})
        for side, name in enumerate(("nothing", "rotation")):
            ranked = shown.ranked(name)
            assert len(ranked) == len(set(ranked)) == 199
            assert shown.other[side] == len(set(ranked[:10]) & set(other))
            assert ranked[shown.place[side] - 1] == partner + 5
    with pytest.raises(Exception, match="read-only"):
        shown.place = [1, 1]


@pytest.fixture(scope="module")
def fragment() -> str:
    return explore.one_list().page()


def readings(tab: Page) -> list[str]:
    wait_for_drawing(tab)
    return tab.locator(".mg-two .mg-title + div").all_text_contents()


def expected(**values: Any) -> list[str]:  # noqa: ANN401
    shown = explore.one_list(**values)
    return [
        f"{other} of 10 are of the other kind; the partner is at {place}"
        for other, place in zip(shown.other, shown.place, strict=True)
    ]


def test_it_is_used_by_keyboard_and_a_row_becomes_the_query(page: Page) -> None:
    assert readings(page) == expected()
    page.get_by_role("slider", name="pair").focus()
    page.keyboard.press("ArrowRight")
    assert readings(page) == expected(query=1)
    page.get_by_role("combobox").select_option("centring")
    assert readings(page) == expected(query=1, method="centring")
    page.get_by_role("radio", name="query: picture").focus()
    page.keyboard.press("ArrowRight")
    assert readings(page) == expected(query=1, method="centring", of="text")
    first = explore.one_list(query=1, of="text").ranked("nothing")[0]
    page.locator(".mg-row").first.focus()
    page.keyboard.press("Enter")
    of = "image" if first < 100 else "text"
    assert readings(page) == expected(query=first % 100, method="centring", of=of)
    page.get_by_role("button", name="reset").click()
    assert readings(page) == expected()


def test_the_partner_is_marked_once_in_each_list(page: Page) -> None:
    for query in (1, 60, 100):
        slide(page, "pair", query)
        wait_for_drawing(page)
        marked = page.locator(".mg-partner")
        assert marked.count() == 2
        words = explore.one_list().captions[query - 1]
        for row in marked.all():
            assert f"caption {words}" in (row.get_attribute("aria-label") or "")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("of", "sound", "of: expected 'image' or 'text', got 'sound'"),
        ("query", 100, "query: expected 0 to 99"),
        ("method", "magic", "method: expected one of centring, .*; got 'magic'"),
        ("method", "nothing", "method: expected one of centring"),
        ("k", 3, "k: no such value; there are of, query, method"),
    ],
)
def test_values_that_cannot_be(name: str, value: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=message):
        explore.one_list(**{name: value})
