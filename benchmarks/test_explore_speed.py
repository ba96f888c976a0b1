"""How long the interactive figures take to redraw while something is dragged.

    make bench

Every drawing is timed in Chromium, with style and layout, while something moves. A frame at
60 Hz leaves 16.7 ms.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from modality_gap.book import explore
from modality_gap.book.explore import host, weights

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from browser import chromium
from figure_page import write_page

FRAMES = 300
# A frame's callbacks run in the order in which they are asked for: ours, the figure's, ours.
DRAG = """async ([action, frames]) => {
    const move = eval(action);
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
            move(k / frames);
            requestAnimationFrame(() => {
                document.body.getBoundingClientRect();
                times.push(performance.now() - start);
                done();
            });
        });
    }
    return [times, intervals];
}"""
SLIDE = """(part) => {
    const slider = document.querySelectorAll("input[type=range]")[%d];
    slider.value = Number(slider.min) + (slider.max - slider.min) * part;
    slider.dispatchEvent(new Event("input"));
}"""
PRESS = """(part) => document.querySelectorAll("button")[%d].click()"""
TURN = """(part) => {
    const key = part < 0.5 ? "ArrowLeft" : "ArrowRight";
    document.querySelector(".mg-mark").dispatchEvent(new KeyboardEvent("keydown", { key }));
}"""
CHOOSE = """(part) => {
    const list = [...document.querySelectorAll("select")].at(-1);
    list.selectedIndex = Math.floor(part * 299) % list.length;
    list.dispatchEvent(new Event("change"));
}"""
DRAGS: dict[str, tuple[Callable[[], host.PageWidget], str]] = {
    "moving gap, alpha": (explore.moving_gap, SLIDE % 0),
    "moving gap, temperature": (explore.moving_gap, SLIDE % 1),
    "CLIP by hand, temperature": (explore.clip_by_hand, SLIDE % 0),
    "CLIP by hand, a new picture": (explore.clip_by_hand, CHOOSE),
    "pull and push, a point": (explore.pull_push, TURN),
    "cone, draw again": (explore.cone, PRESS % 2),
    "race, time": (explore.race, SLIDE % 0),
    "two cones, the turn": (explore.two_cones, SLIDE % 0),
    "two cones, temperature": (explore.two_cones, SLIDE % 1),
    "one list, a query": (explore.one_list, SLIDE % 0),
    "what moves, another picture": (explore.what_moves, CHOOSE),
}


@pytest.mark.parametrize("name", DRAGS)
def test_a_drag_is_smooth(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, action = DRAGS[name]
    with chromium() as browser:
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        models = tmp_path / "_static" / "mini_clip"
        models.mkdir(parents=True)
        (models / "k3.js").write_text(weights.script(3), "utf-8")
        tab.goto(write_page(tmp_path, make().page(), root="./"))
        tab.wait_for_selector(".explore-runs")
        tab.evaluate(DRAG, [action, 60])  # until the code is compiled, and models are asked for
        ready = "!document.querySelector('.mg-note')?.textContent.startsWith('The model')"
        tab.wait_for_function(ready, timeout=120_000)
        tab.wait_for_timeout(3000)
        times, intervals = tab.evaluate(DRAG, [action, FRAMES])
    with capsys.disabled():
        print(
            f"\n{name}: {statistics.median(times):.1f} ms a drawing, 95 % within "
            f"{statistics.quantiles(times, n=20)[-1]:.1f} ms; frames every "
            f"{statistics.median(intervals):.1f} ms"
        )
