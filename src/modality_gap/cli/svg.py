"""Small figures as SVG text: no library, no script, and colours that follow the page."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

IMAGE, TEXT = "#0072B2", "#D55E00"
COLOURS = ("#009E73", "#CC79A7", "#A6761D", "#56B4E9")
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 560, 300, 62, 44, 12

Line = tuple[str, Sequence[float], Sequence[float]]


def scatter(
    clouds: Sequence[tuple[str, str, Sequence[float], Sequence[float]]],
    pairs: int,
    title: str,
    labels: tuple[str, str],
) -> str:
    """Clouds of points, name, colour and both coordinates; lines join the first pairs of two."""
    axes = _Axes(
        [value for _, _, across, _ in clouds for value in across],
        [value for *_, up in clouds for value in up],
    )
    parts = [axes.frame(title, labels)]
    (_, _, x0, y0), (_, _, x1, y1) = clouds[:2]
    for place in range(min(pairs, len(x0), len(x1))):
        start, end = axes.at(x0[place], y0[place]), axes.at(x1[place], y1[place])
        parts.append(f'<path d="M{start}L{end}" stroke="currentColor" opacity=".25"/>')
    for number, (name, colour, across, up) in enumerate(clouds):
        for x, y in zip(across, up, strict=True):
            cx, cy = axes.at(x, y).split(" ")
            mark = f'<circle cx="{cx}" cy="{cy}" r="2.2" fill="{colour}" opacity=".7"/>'
            if number:
                mark = (
                    f'<path d="M{float(cx) - 2.6:.1f} {float(cy) + 2.2:.1f}l5.2 0l-2.6 -4.6z" '
                    f'fill="{colour}" opacity=".7"/>'
                )
            parts.append(mark)
        parts.append(axes.key(number, name, colour))
    return "".join([*parts, "</svg>"])


def lines(curves: Sequence[Line], title: str, labels: tuple[str, str]) -> str:
    """Curves by name."""
    axes = _Axes([v for _, x, _ in curves for v in x], [v for *_, y in curves for v in y])
    parts = [axes.frame(title, labels)]
    for number, (name, across, up) in enumerate(curves):
        colour = COLOURS[number % len(COLOURS)]
        path = "L".join(axes.at(x, y) for x, y in zip(across, up, strict=True))
        dash = ("", "6 3", "2 3", "8 3 2 3")[number % 4]
        parts.append(
            f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2" '
            f'stroke-dasharray="{dash}"/>'
        )
        parts.append(axes.key(number, name, colour))
    return "".join([*parts, "</svg>"])


def bars(values: Sequence[float], title: str, labels: tuple[str, str]) -> str:
    """One bar for each value, in order."""
    axes = _Axes([0, len(values)], [0, max(values)])
    parts = [axes.frame(title, labels)]
    for place, value in enumerate(values):
        left, top = axes.at(place + 0.15, value).split(" ")
        right, base = axes.at(place + 0.85, 0).split(" ")
        parts.append(
            f'<rect x="{left}" y="{top}" width="{float(right) - float(left):.1f}" '
            f'height="{float(base) - float(top):.1f}" fill="{COLOURS[0]}"/>'
        )
    return "".join([*parts, "</svg>"])


class _Axes:
    """From values to places on the picture."""

    def __init__(self, across: Sequence[float], up: Sequence[float]) -> None:
        self.low_x, self.high_x = min(across), max(across)
        self.low_y, self.high_y = min(up), max(up)
        self.high_x += self.high_x == self.low_x
        self.high_y += self.high_y == self.low_y

    def at(self, x: float, y: float) -> str:
        """The place of a point."""
        across = LEFT + (WIDTH - LEFT - 14) * (x - self.low_x) / (self.high_x - self.low_x)
        up = (HEIGHT - BOTTOM - TOP) * (y - self.low_y) / (self.high_y - self.low_y)
        return f"{across:.1f} {HEIGHT - BOTTOM - up:.1f}"

    def frame(self, title: str, labels: tuple[str, str]) -> str:
        """The opening of the picture, with axes, ticks and labels."""
        parts = [
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{html.escape(title)}</title>'
            f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - 14}" fill="none" '
            'stroke="currentColor" opacity=".6"/>'
        ]
        for value in _ticks(self.low_x, self.high_x):
            x = self.at(value, self.low_y).split(" ")[0]
            parts.append(_text(float(x), HEIGHT - BOTTOM + 16, f"{value:g}", "middle"))
        for value in _ticks(self.low_y, self.high_y):
            y = self.at(self.low_x, value).split(" ")[1]
            parts.append(_text(LEFT - 6, float(y) + 4, f"{value:g}", "end"))
        parts.append(_text((LEFT + WIDTH) / 2, HEIGHT - 8, labels[0], "middle"))
        middle = (HEIGHT - BOTTOM) / 2
        parts.append(
            f'<text x="12" y="{middle}" transform="rotate(-90 12 {middle})" text-anchor="middle" '
            f'fill="currentColor">{html.escape(labels[1])}</text>'
        )
        return "".join(parts)

    def key(self, number: int, name: str, colour: str) -> str:
        """A line of the legend."""
        y = TOP + 12 + 16 * number
        return (
            f'<rect x="{WIDTH - 130}" y="{y - 8}" width="10" height="8" fill="{colour}"/>'
            + _text(WIDTH - 114, y, name, "start")
        )


def _ticks(low: float, high: float) -> list[float]:
    step = 10 ** math.floor(math.log10((high - low) / 2))
    step *= next(times for times in (1, 2, 5, 10) if (high - low) / (step * times) <= 6)
    first = math.ceil(low / step - 1e-9)
    return [round(step * n, 10) for n in range(first, math.floor(high / step + 1e-9) + 1)]


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor">'
        f"{html.escape(words)}</text>"
    )
