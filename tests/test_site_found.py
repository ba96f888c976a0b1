"""What leads to the built site and through it: the search box, the heads of pages, citations."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser

import cited
from built_site import (
    HTML,
    ROOT,
    open_page,
    parse,
    toc_pages,
)

pytestmark = pytest.mark.usefixtures("site")

TEXT = (ROOT / "book" / "questions.md").read_text("utf-8")
QUESTIONS = [*re.findall(r"^## (.+)$", TEXT, re.M)]
# What is asked, and the address of a section that answers it.
ASKED = {
    "0.3": "why-a-cosine-of-0-3-is-normal",
    ".3": "why-a-cosine-of-0-3-is-normal",
    "CLIPScore": "clipscore-is-0-3-here-0-7-there-and-30-elsewhere",
    "cosine similarity low": "why-a-cosine-of-0-3-is-normal",
    "modality gap": "term-modality-gap",
    "recall_at_k": "modality_gap.recall_at_k",
    "temperatures": "term-temperature",
    **{question: "" for question in QUESTIONS},
}


def test_there_are_twelve_questions() -> None:
    assert len(QUESTIONS) == 12


def test_the_first_three_hits_answer(browser: Browser, address: str) -> None:
    # The index is the same, however it was loaded.
    asked = list(ASKED.items())[: None if address.startswith("http") else 4]
    for query, anchor in asked:
        page, complaints = open_page(browser, address, f"search.html?q={quote(query)}")
        page.get_by_text("Search finished").wait_for()
        links = page.locator("#search-results li a")
        hits = [links.nth(i).get_attribute("href") for i in range(min(50, links.count()))]
        if anchor:
            assert any(hit.endswith(f"#{anchor}") for hit in hits[:3]), (query, hits[:3])
        else:  # the heading of a section
            assert links.nth(0).text_content().startswith(query)
        summary = page.inner_text(".search-summary")
        counts = re.search(r"(\d+) sections? on (\d+) page", summary).groups()
        found, pages = map(int, counts)
        assert min(found, 50) == len(hits) == len(set(hits))
        assert pages >= len({hit.partition("#")[0] for hit in hits})
        assert pages <= len(list(HTML.glob("*/*.html")))
        for hit in hits[:3]:
            name, _, place = hit.partition("#")
            assert parse(HTML / name).find(id=place), hit
        assert page.locator("#search-results li p.context").first.inner_text()
        assert complaints == []
        page.close()


def test_what_is_nowhere_is_said_to_be_nowhere(browser: Browser, address: str) -> None:
    page, complaints = open_page(browser, address, "search.html?q=xylophone")
    page.get_by_text("Nothing was found").wait_for()
    assert page.locator("#search-results li").count() == 0
    assert complaints == []
    page.close()


# --- found by search engines, and cited -----------------------------------------------------------


def test_every_page_says_what_it_is() -> None:
    records = []
    for path in toc_pages():
        page = parse(path)
        metas = {
            tag.get("property") or tag.get("name"): tag.get("content")
            for tag in page.select("head meta[content]")
        }
        title = page.select_one("article h1").get_text().removesuffix("#")
        title = re.sub(r"^\d+\. ", "", title)
        assert 40 < len(metas["description"]) <= 210, path.name
        assert metas["og:description"] == metas["description"]
        assert all(metas[name] for name in ("og:title", "og:site_name", "og:image:alt"))
        assert (HTML / metas["og:image"]).stat().st_size < 200_000
        (record,) = (
            json.loads(tag.string) for tag in page.select("script[type='application/ld+json']")
        )
        assert record["@type"] == "LearningResource"
        assert record["name"] == title
        assert record["description"] == metas["description"]
        entry = page.select_one(".cite-this pre").get_text()
        assert f"title = {{{{{title}}}}}" in entry
        records.append(record)
    assert [record["position"] for record in records] == [*range(1, len(records) + 1)]
    authors = cited.people(cited.citation())
    assert all(record["author"] == authors for record in records)


def test_the_intro_says_how_the_book_is_cited() -> None:
    intro = parse(HTML / "book" / "intro.html")
    entry = cited.bibtex(cited.citation(), cited.addresses().get("Documentation", ""))
    assert intro.select_one("#cite-this pre").get_text().strip() == entry


def test_the_section_that_is_open_is_cited(browser: Browser, address: str) -> None:
    name = "notebooks/03_modality_gap.html"
    page, complaints = open_page(browser, address, f"{name}#why-a-cosine-of-0-3-is-normal")
    entry = page.locator(".cite-this pre")
    assert "note = {Section Why a cosine of 0.3 is normal}" in entry.text_content()
    page.evaluate("location.hash = ''")
    page.wait_for_function("!document.querySelector('.cite-this pre').textContent.includes('note')")
    assert complaints == []
    page.close()
