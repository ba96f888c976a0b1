"""A page that holds figures as the book's theme holds them, and what its tests ask of it."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page


def write_page(
    folder: Path, *fragments: str, style: str = "", theme: str = "light", root: str = ""
) -> str:
    """A page that holds the figures as the book's theme holds them, `root` above its files."""
    outputs = "".join(
        f'<div class="cell_output"><div class="output text_html">{part}</div></div>'
        for part in fragments
    )
    page = folder / "page.html"
    page.write_text(
        f'<!doctype html><html lang="en" data-theme="{theme}" data-content_root="{root}">'
        '<meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>page</title>'
        f"<style>body {{ margin: 0; font-family: sans-serif }} {style}</style>"
        f'<body class="bd-content">{outputs}</body></html>',
        "utf-8",
    )
    return page.as_uri()


def watch(tab: Page, complaints: list[str]) -> None:
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on(
        "request",
        lambda request: (
            request.url.startswith(("file:", "blob:", "data:")) or complaints.append(request.url)
        ),
    )


def wait_for_drawing(tab: Page) -> None:
    tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")


def slide(tab: Page, name: str, value: float) -> None:
    slider = tab.get_by_role("slider", name=re.compile(name)).first
    slider.evaluate("(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }", value)


# What the theme of the book does to an output on its dark page.
DARK = """
    body { background: #14181e; color: #ced6dd; }
    html[data-theme=dark] .bd-content div.cell_output .text_html:not(:has(table.dataframe)) {
        background-color: #ced6dd; color: #14181e; padding: .5rem;
    }
"""
CONTRASTS = """() => {
    const channels = (text) => text.match(/[\\d.]+/g).map(Number);
    const luminance = (rgb) => rgb.slice(0, 3).map((c) => c / 255)
        .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
        .reduce((sum, c, k) => sum + c * [0.2126, 0.7152, 0.0722][k], 0);
    const ground = (e) => {
        const color = channels(getComputedStyle(e).backgroundColor);
        return !e.parentElement || (color[3] ?? 1) === 1 ? color : ground(e.parentElement);
    };
    const words = [...document.querySelectorAll(".mg-explore *")]
        .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
    return words.map((e) => {
        const style = getComputedStyle(e), drawn = e.namespaceURI.endsWith("svg");
        const [a, b] = [drawn ? style.fill : style.color, 0].map((c) => c || ground(e))
            .map((c) => luminance(Array.isArray(c) ? c : channels(c)));
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    });
}"""


RENDER = """async ([code, state]) => {
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    const { default: figure } = await import(url);
    const listeners = {};
    window.calls = [];
    window.listeners = listeners;
    window.model = {
        get: (name) => state[name],
        set: (name, value) => { state[name] = value; calls.push([name, value]); },
        save_changes: () => calls.push(["save_changes"]),
        on: (event, call) => (listeners[event] ??= new Set()).add(call),
        off: (event, call) => listeners[event].delete(call),
    };
    window.fromPython = (name, value) => {
        state[name] = value;
        for (const call of listeners[`change:${name}`] ?? []) call();
    };
    window.cleanUp = await figure.render({ model, el: document.body });
}"""
