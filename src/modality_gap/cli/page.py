"""`modality-gap report`: one HTML file that opens offline."""

from __future__ import annotations

import argparse
import html
import importlib.metadata
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .. import closing, picture, storage
from ..gap import loss_landscape
from ..moments import sampled
from ..ranking import Ranking, ZPerKind
from ..report import NAMES, Measured, measure, unpacked
from ..sphere import normalize
from ..tasks import mixed_recall, one_kind_recall
from . import svg
from .measure import add_files, beside, opened

if TYPE_CHECKING:
    from argparse import _SubParsersAction

SHOWN, COMPARED = 400, 1000  # pairs in the picture of clouds; in landscape and lists
JOINED = 40
COLD = 0.01
ALPHAS = tuple(np.linspace(-0.25, 1, 51).round(3))
HELP = """\
Write one HTML file that needs no network: the two clouds, every size with its interval beside known
models, the loss along the gap, the dimensions that carry it, a list of images and texts before and
after each way to close it, and what to do for which task.

  modality-gap report mine.safetensors --out report.html
"""
STYLE = """\
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}
svg{width:40rem;max-width:100%;height:auto;font:12px system-ui,sans-serif}h2{margin-top:2.5rem}
table{border-collapse:collapse;font-size:14px}td,th{padding:.15rem .6rem;text-align:right}
td:last-child,th:first-child{text-align:left}.wide{overflow-x:auto}small{opacity:.8}
"""
CHAPTERS = {
    3: ("03_modality_gap", "A caption lands far from its image and still finds it"),
    6: ("06_moving_the_gap", "Why not simply close the gap?"),
    10: ("10_closing_the_gap", "For which task should the gap be closed?"),
}
# What chapters 3 and 10 find of their models.
ADVICE = (
    ("a list of one kind: images for a text, or texts for an image", "leave the gap alone", 10),
    ("zero-shot names", "leave the gap alone", 10),
    (
        "one list of images and texts, in which the partner is sought",
        "leave the embeddings, calibrate the scores: modality-gap fit kinds",
        10,
    ),
    (
        "lists and clusters in which both kinds of one label are wanted",
        "centre, and fit a new temperature: modality-gap fit centring",
        10,
    ),
    ("does this caption fit?", "compare with the cosines of wrong pairs, not with a number", 3),
)


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its arguments."""
    parser = commands.add_parser(
        "report",
        help="one HTML file about your embeddings, to be read offline",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_files(parser)
    parser.add_argument("--out", type=Path, required=True, help="an .html file")
    parser.add_argument("--beside", nargs="*", default=["clip", "mini-clip-k3"], metavar="NAME")
    parser.add_argument(
        "--book", metavar="ADDRESS", help="where the book's pages lie, for the links"
    )
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> None:
    """Measure and write."""
    out = chosen.out.expanduser()
    storage.check_writable(out)
    (both,) = opened(chosen)
    measured = measure(both, normalize=chosen.normalize)
    x, y = _some(both)
    others = {name: beside(name) for name in chosen.beside}
    storage.write(out, page(measured, x, y, others, chosen.book or _address()).encode())
    print(f"{out}: {measured.images:,} images, {measured.captions:,} captions; it opens offline")


def page(
    measured: Measured, x: Tensor, y: Tensor, others: dict[str, dict[str, float]], book: str
) -> str:
    """The report.

    Args:
        measured: what `measure` gives.
        x, y: some of its pairs, unit rows, shape (N, D), float64.
        others: known models' measures by their names.
        book: where the book's pages lie; "" for no links.
    """
    title = html.escape(measured.name or "Embeddings")
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in measured.notes)
    sections = [
        ("The two clouds", _clouds(x, y), 3),
        ("Cosines of four kinds", picture.histograms(measured.cosines), 3),
        ("Sizes, beside known models", notes + _sizes(measured, others), 3),
        ("The loss along the gap", _landscape(measured, x, y), 6),
        ("Dimensions that carry the gap", _dimensions(x, y), 3),
        ("Lists of images and texts", _lists(x, y), 10),
        ("What to do for which task", _advice(book), 10),
    ]
    body = "".join(
        f"<section><h2>{name}</h2>{content}<p><small>More: {_chapter(number, book)}</small></p>"
        "</section>"
        for name, content, number in sections
    )
    version = importlib.metadata.version("modality-gap")
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}: modality gap'
        '</title><meta name="viewport" content="width=device-width">'
        f"<style>{STYLE}</style></head><body><h1>{title}</h1><p>{measured.images:,} images and "
        f"{measured.captions:,} captions in {measured.dimensions} dimensions.</p>{body}"
        f"<p><small>Made by modality-gap {version}.</small></p></body></html>"
    )


def _some(both: object) -> tuple[Tensor, Tensor]:
    """At most COMPARED pairs, each image with its first caption, as unit rows."""
    images, captions, owner = unpacked(both)
    rows = sampled(len(images), COMPARED, 0)
    if owner is not None:
        first = torch.full((len(images),), len(owner)).scatter_reduce(
            0, owner, torch.arange(len(owner)), "amin"
        )
        x, y = images.take(rows), captions.take(first[rows])
    else:
        x, y = images.take(rows), captions.take(rows)
    return normalize(x), normalize(y)  # half precision is not unit to the last digit


def _clouds(x: Tensor, y: Tensor) -> str:
    a, b = x[:SHOWN], y[:SHOWN]
    rows = torch.cat([a, b])
    centred = rows - rows.mean(dim=0)
    plane = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T
    plane = torch.nn.functional.pad(plane, (0, 2 - plane.shape[1]))  # a line is in a plane, too
    one, two = plane[: len(a)].T.tolist(), plane[len(a) :].T.tolist()
    return svg.scatter(
        [("images", svg.IMAGE, *one), ("captions", svg.TEXT, *two)],
        JOINED,
        "Images and captions in the plane of two principal components, some pairs joined",
        ("first principal component", "second"),
    )


def _sizes(measured: Measured, others: dict[str, dict[str, float]]) -> str:
    heads = "".join(f"<th>{html.escape(name)}</th>" for name in others)
    rows = []
    for name, value in measured.values.items():
        ends = measured.intervals.get(name)
        between = "" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"
        known = "".join(
            f"<td>{column[name]:.3f}</td>" if name in column else "<td></td>"
            for column in others.values()
        )
        rows.append(
            f"<tr><th><code>{name}</code></th><td>{value:.3f}</td><td>{between}</td>{known}"
            f"<td>{html.escape(NAMES[name][0])}</td></tr>"
        )
    return (
        "<div class=wide><table><thead><tr><th>measure</th><th>here</th><th>95 % of samples</th>"
        f"{heads}<th>meaning</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        "<p>The known models were measured on other pairs. To compare, encode the same pairs with "
        "both.</p>"
    )


def _landscape(measured: Measured, x: Tensor, y: Tensor) -> str:
    rest = measured.values["temperature"]
    others = [value for value in (COLD, 0.1) if not 2 / 3 < value / rest < 3 / 2]
    temperatures = sorted([*others, *([rest] if np.isfinite(rest) else [])])
    table = loss_landscape(x, y, ALPHAS, temperatures)
    curves = []
    for temperature, part in table.groupby("temperature"):
        above = part["loss"] - part["loss"].min()
        curves.append(
            (f"τ = {temperature:.3g}", list(ALPHAS), (above / (above.max() or 1)).tolist())
        )
    sentence = (
        f"At a temperature of {rest:.3g} the loss would leave the gap as it is; colder, it "
        "asks for a wider one, warmer, for a narrower one."
        if np.isfinite(rest)
        else "At no temperature from 0.001 to 10 would the loss leave the gap as it is."
    )
    return f"<p>{sentence}</p>" + svg.lines(
        curves,
        "Loss along a shift of both clouds, each curve from its least to its largest value",
        ("shift α, in units of the gap; 0 is as it is, 0.5 closes it", "loss, scaled to 0 to 1"),
    )


def _dimensions(x: Tensor, y: Tensor) -> str:
    squares = (x.mean(dim=0) - y.mean(dim=0)).square()
    shares = (squares / squares.sum().clamp(min=1e-300)).sort(descending=True).values[:20].tolist()
    return svg.bars(
        shares,
        f"Shares of the squared gap in its largest dimensions, the first {shares[0]:.2f}",
        ("dimensions, the largest first", "share of the squared gap"),
    )


def _lists(x: Tensor, y: Tensor) -> str:
    """Half of the pairs fit, the other half is judged."""
    half = len(x) // 2
    if half < 20:
        return "<p>Fewer than 40 pairs are too few to fit a method and to judge it.</p>"
    fit, judged = (x[:half], y[:half]), (x[half:], y[half:])
    rows: list[tuple[str, closing.Pair, Ranking | None]] = []
    for name, kind in closing.METHODS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                moved = kind().fit(*fit).transform(*judged)
            except ValueError:  # a column that does not vary
                continue
        rows.append((name, moved, None))
    rows.append(("scores by kind", judged, ZPerKind().fit(*fit)))
    lines = "".join(_line(*row) for row in rows)
    return (
        f"<p>Each image and each text looks for its partner among {2 * len(judged[0]):,} images "
        f"and texts. Methods were fitted on {half:,} other pairs.</p><div class=wide><table>"
        "<thead><tr><th>method</th><th>images first</th><th>texts first</th>"
        f"<th>in lists of one kind, images</th><th>texts</th></tr></thead>"
        f"<tbody>{lines}</tbody></table></div>"
    )


def _line(name: str, pair: tuple[Tensor, Tensor], ranking: Ranking | None) -> str:
    found = (*mixed_recall(*pair, ranking), *one_kind_recall(*pair, ranking))
    cells = "".join(f"<td>{value:.3f}</td>" for value in found)
    return f"<tr><th>{name}</th>{cells}</tr>"


def _advice(book: str) -> str:
    rows = "".join(
        f"<tr><th>{task}</th><td>{what} ({_chapter(number, book)})</td></tr>"
        for task, what, number in ADVICE
    )
    return (
        "<p>What the book found of its small models and of one published CLIP; the lists above are "
        f"of yours.</p><div class=wide><table><tbody>{rows}</tbody></table></div>"
    )


def _chapter(number: int, book: str) -> str:
    file, title = CHAPTERS[number]
    words = f"chapter {number}, {html.escape(title)}"
    if not book:
        return words
    return f'<a href="{html.escape(book.rstrip("/"))}/notebooks/{file}.html">{words}</a>'


def _address() -> str:
    """The book's address, if the installed package knows one."""
    found: Sequence[str] = importlib.metadata.metadata("modality-gap").get_all("Project-URL") or ()
    urls = dict(each.split(", ", 1) for each in found)
    return urls.get("Documentation", urls.get("Homepage", ""))
