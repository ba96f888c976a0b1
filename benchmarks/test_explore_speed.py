"""How long the interactive figure takes to redraw while a slider is dragged.

    make bench

Every drawing is timed in Chromium, with style and layout: once while alpha moves, once while the
temperature does, which moves the loss curve too. A frame at 60 Hz leaves 16.7 ms.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

import pytest

from modality_gap.book import explore

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from browser import chromium

FRAMES = 300
# A frame's callbacks run in the order in which they are asked for: ours, the figure's, ours.
DRAG = """async ([index, from, to, frames]) => {
    const slider = document.querySelectorAll("input[type=range]")[index];
    const times = [], intervals = [];
    let last = 0;
    for (let k = 0; k < frames; k++) {
        await new Promise((done) => {
            let start = 0;
            requestAnimationFrame((now) => {
                if (last) intervals.push(now - last);
                last = now;
                start = performance.now();
            });
            slider.value = from + ((to - from) * k) / frames;
            slider.dispatchEvent(new Event("input"));
            requestAnimationFrame(() => {
                document.body.getBoundingClientRect();
                times.push(performance.now() - start);
                done();
            });
        });
    }
    return [times, intervals];
}"""


@pytest.mark.parametrize(
    ("name", "index", "start", "end"), [("alpha", 0, -0.5, 1), ("temperature", 1, -2, 0)]
)
def test_a_drag_is_smooth(
    name: str,
    index: int,
    start: float,
    end: float,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><meta charset='utf-8'>{explore.moving_gap().page()}", "utf-8")
    with chromium() as browser:
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        tab.goto(page.as_uri())
        tab.wait_for_selector(".explore-runs")
        tab.evaluate(DRAG, [index, start, end, 60])  # until the code is compiled
        times, intervals = tab.evaluate(DRAG, [index, start, end, FRAMES])
    with capsys.disabled():
        print(
            f"\n{name}: {statistics.median(times):.1f} ms a drawing, 95 % within "
            f"{statistics.quantiles(times, n=20)[-1]:.1f} ms; frames every "
            f"{statistics.median(intervals):.1f} ms"
        )
