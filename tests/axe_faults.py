"""What axe-core calls a serious fault of a page."""

from __future__ import annotations

from pathlib import Path

import axe_playwright_python
from playwright.sync_api import Page

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text("utf-8")

# Contrast is asked of one element of each kind: a site has tens of thousands, and few kinds.
KINDS = """seen => {
  return [...document.querySelectorAll("body *")].filter(element => {
    if (![...element.childNodes].some(node => node.nodeType == 3 && node.data.trim())) return false;
    if (!element.checkVisibility()) return false;
    let kind = document.documentElement.dataset.theme;
    for (let at = element, k = 0; at && k < 5; at = at.parentElement, k++)
      kind += `>${at.tagName}.${at.getAttribute("class")}`;
    return !seen.has(kind) && seen.add(kind);
  });
}"""
RULES = """async () => axe.run(document, {
  resultTypes: ["violations"], preload: false, rules: { "color-contrast": { enabled: false } },
})"""
CONTRAST = """async ([kinds, known]) => {
  const seen = new Set(known), include = eval(kinds)(seen);
  const options = { resultTypes: ["violations"], preload: false, runOnly: ["color-contrast"] };
  return [include.length ? await axe.run({ include }, options) : { violations: [] }, [...seen]];
}"""


def rule_faults(page: Page) -> list[str]:
    """Serious faults of every kind but contrast."""
    page.evaluate(AXE)
    return serious(page.evaluate(RULES))


def contrast_faults(page: Page, seen: set[str]) -> list[str]:
    """Pale texts of the kinds that were not `seen` yet; they are added to it."""
    page.evaluate(AXE)
    result, kinds = page.evaluate(CONTRAST, [KINDS, sorted(seen)])
    seen.update(kinds)
    return serious(result)


def serious(result: dict) -> list[str]:
    return [
        f"{each['id']}: {node['html'][:150]}"
        for each in result["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def drop_formulas(page: Page) -> None:
    """Formulas have thousands of elements that no reader meets; MathJax speaks for them."""
    page.evaluate("document.querySelectorAll('mjx-container').forEach(e => e.remove())")
