"""What screen readers stumble over is mended, and axe-core finds no serious fault on any page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page

from accessible import mended
from browser import chromium
from test_site import HTML, all_pages, site  # noqa: F401

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text("utf-8")


@pytest.mark.parametrize(
    ("html", "said"),
    [
        ('<th class="a"></th><th>b</th>', '<td class="a"></td><th>b</th>'),
        ("<thead>\n<th>&nbsp;</th>", "<thead>\n<td>&nbsp;</td>"),
        (
            "<dl>\n<dd><em>x</em>,</dd>\n<dd>y</dd>\n</dl>",
            '<ul class="sig-params">\n<li><em>x</em>,</li>\n<li>y</li>\n</ul>',
        ),
        ("<dl>\n<dt>a</dt>\n<dd>b</dd>\n</dl>", "<dl>\n<dt>a</dt>\n<dd>b</dd>\n</dl>"),
    ],
)
def test_mends(html: str, said: str) -> None:
    assert mended(html) == said


# Contrast is asked of one element of each kind: a page has thousands, and few kinds.
KINDS = """() => {
  const seen = new Set();
  return [...document.querySelectorAll("body *")].filter(element => {
    if (![...element.childNodes].some(node => node.nodeType == 3 && node.data.trim())) return false;
    let kind = "";
    for (let at = element, k = 0; at && k < 5; at = at.parentElement, k++)
      kind += `${at.tagName}.${at.getAttribute("class")}>`;
    return !seen.has(kind) && seen.add(kind);
  });
}"""
RUN = """async ([contrast, kinds]) => {
  const options = { resultTypes: ["violations"], preload: false };
  const found = contrast
    ? await axe.run({ include: eval(kinds)() }, { ...options, runOnly: ["color-contrast"] })
    : await axe.run(document, { ...options, rules: { "color-contrast": { enabled: false } } });
  return found.violations.filter(each => ["serious", "critical"].includes(each.impact))
    .flatMap(each => each.nodes.map(node => `${each.id}: ${node.html.slice(0, 150)}`));
}"""


def faults(page: Page, contrast: bool) -> list[Any]:
    return page.evaluate(RUN, [contrast, KINDS])


def test_axe_sees_a_fault() -> None:
    with chromium() as browser:
        page = browser.new_page()
        page.set_content(
            "<html lang=en><title>t</title><button></button><p style='color: #aaa'>pale words"
        )
        page.evaluate(AXE)
        assert [fault.split(":")[0] for fault in faults(page, False)] == ["button-name"]
        assert [fault.split(":")[0] for fault in faults(page, True)] == ["color-contrast"]


def open_page(browser: Browser, file: Path, width: int) -> Page:
    page = browser.new_page(color_scheme="light", viewport={"width": width, "height": 900})
    page.goto(file.as_uri())
    page.wait_for_load_state("networkidle")
    page.evaluate(AXE)
    # Formulas have thousands of elements that no reader meets; MathJax speaks for them.
    page.evaluate("document.querySelectorAll('mjx-container').forEach(e => e.remove())")
    return page


def test_axe_finds_no_serious_fault_on_any_page() -> None:
    found = {}
    with chromium() as browser:
        for file in all_pages():
            page = open_page(browser, file, 1280)
            seen = [*faults(page, False), *faults(page, True)]
            page.emulate_media(color_scheme="dark")
            page.evaluate("new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))")
            page.evaluate("document.getAnimations().forEach(each => each.finish())")
            seen += [f"dark, {fault}" for fault in faults(page, True)]
            page.close()
            if seen:
                found[file.relative_to(HTML).as_posix()] = seen
    assert found == {}


@pytest.mark.parametrize("name", ["book/intro", "book/api", "notebooks/06_moving_the_gap"])
def test_axe_finds_no_serious_fault_on_a_phone(name: str) -> None:
    with chromium() as browser:
        assert faults(open_page(browser, HTML / f"{name}.html", 390), False) == []
