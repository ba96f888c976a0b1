"""A measured pair of clouds as HTML: four histograms and a table, in one piece, for any page."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

# Of the book's figures: right pairs green, wrong ones grey, images blue, texts orange.
KINDS = {
    "paired": ("pairs", "#009E73"),
    "mismatched": ("wrong pairs", "#7F7F7F"),
    "two images": ("two images", "#0072B2"),
    "two captions": ("two captions", "#D55E00"),
}
WIDTH, ROW, LEFT = 640, 46, 110
BINS = 120

Line = tuple[str, float, tuple[float, float] | None, str]


def histograms(cosines: Mapping[str, Tensor]) -> str:
    """Cosines of four kinds under each other on one scale, as SVG."""
    kinds = [(kind, cosines[kind].numpy()) for kind in KINDS if kind in cosines]
    values = np.concatenate([v for _, v in kinds])
    low, high = float(values.min()), float(values.max())
    low, high = math.floor(10 * low) / 10, math.ceil(10 * high) / 10 or 0.1
    high = max(high, low + 0.1)

    def across(value: float) -> float:
        return LEFT + (WIDTH - LEFT - 10) * (value - low) / (high - low)

    height = ROW * len(kinds) + 36
    means = ", ".join(f"{KINDS[kind][0]} {v.mean():.2f}" for kind, v in kinds)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'style="max-width:{WIDTH}px;width:100%;font:12px sans-serif">'
        f"<title>Histograms of cosines, with means: {means}</title>"
    ]
    for number, (kind, v) in enumerate(kinds):
        label, colour = KINDS[kind]
        base = ROW * (number + 1)
        density, edges = np.histogram(v, BINS, (low, high))
        tops = base - (ROW - 8) * density / max(1, density.max())
        points = [f"{across(edges[0]):.1f},{base}"]
        for left, right, top in zip(edges, edges[1:], tops, strict=False):
            points += [f"{across(left):.1f},{top:.1f}", f"{across(right):.1f},{top:.1f}"]
        points.append(f"{across(edges[-1]):.1f},{base}")
        mean = across(float(v.mean()))
        parts.append(
            f'<polygon points="{" ".join(points)}" fill="{colour}" fill-opacity=".55"/>'
            f'<path d="M{mean:.1f} {base}V{base - ROW + 6}" stroke="{colour}" stroke-width="2"/>'
            f'<text x="{LEFT - 8}" y="{base - 8}" text-anchor="end" '
            f'fill="currentColor">{label}</text>'
        )
    axis = ROW * len(kinds)
    parts.append(f'<path d="M{LEFT} {axis}H{WIDTH - 10}" stroke="currentColor"/>')
    steps = round((high - low) * 10)
    for tick in range(0, steps + 1, 1 if steps <= 10 else 2):
        value = low + tick / 10
        parts.append(
            f'<text x="{across(value):.1f}" y="{axis + 15}" text-anchor="middle" '
            f'fill="currentColor">{value:.1f}</text>'
        )
    parts.append(
        f'<text x="{(LEFT + WIDTH) / 2:.0f}" y="{axis + 31}" text-anchor="middle" '
        'fill="currentColor">cosine; the line is the mean</text></svg>'
    )
    return "".join(parts)


def table(lines: Sequence[Line]) -> str:
    """Measures with intervals and meanings, as HTML."""
    rows = []
    for name, value, ends, meaning in lines:
        between = "" if ends is None else f"{ends[0]:.4f} to {ends[1]:.4f}"
        shown = "none" if math.isnan(value) else f"{value:.4f}"
        rows.append(
            f"<tr><th scope=row style='text-align:left'><code>{name}</code></th><td>{shown}</td>"
            f"<td style='white-space:nowrap'>{between}</td>"
            f"<td style='text-align:left;min-width:14em'>{html.escape(meaning)}</td></tr>"
        )
    head = "<tr><th>measure<th>value<th>95 % of samples<th style='text-align:left'>meaning</tr>"
    return f"<table class=dataframe><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def page_part(
    title: str, cosines: Mapping[str, Tensor], lines: Sequence[Line], notes: Sequence[str]
) -> str:
    """Title, histograms, table and notes."""
    below = "".join(f"<p>{html.escape(note)}</p>" for note in notes)
    return (
        f"<div><p><strong>{html.escape(title)}</strong></p>{histograms(cosines)}"
        f"<div style='overflow-x:auto'>{table(lines)}</div>{below}</div>"
    )
