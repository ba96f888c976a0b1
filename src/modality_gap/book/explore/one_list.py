"""One list of images and captions: what a query finds, before and after each closing method."""

from __future__ import annotations

import base64
import copy
import io
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ...closing import METHODS, Method
from ...experiments.lists_runs import RIVALS
from ...lab.mad import FACTORS, caption_strings, draw_captions, load_mad
from ...lab.measures import PAIRS, TEST_SEED
from ...lab.mini_clip import load_mini_clip
from ...ranking import SIDES, Cosines, InvertedSoftmax, Ranking, ZPerQuery, lists
from ...sphere import normalize
from .. import plots
from . import still
from .host import PageWidget, read
from .moving_gap import as_base64
from .weights import pack

FIT = slice(0, 500)  # of the 1,000 stored pairs; the list holds others
LISTED = slice(500, 600)
STEP = 1 / 32767  # of the embeddings, as the page holds them
FIRST, ROUNDING = 10, 1e-6  # as in the JavaScript
SIDE, ACROSS = 28, 10
VALUES = ("of", "query", "method")


@dataclass(frozen=True, eq=False)
class Listed:
    """What is ranked.

    Attributes:
        x, y: unit embeddings of images and captions, shape (100, 64); row i of both is a pair.
        fitted: by name a method that changes them, and how their cosines are scored; fitted on
            500 other pairs.
        images: pictures, shape (100, 28, 28, 3), in [0, 1].
        pictures, captions: both in words.
    """

    x: Tensor
    y: Tensor
    fitted: dict[str, tuple[Method, Ranking]]
    images: NDArray[np.float32]
    pictures: list[str]
    captions: list[str]


@cache
def listed() -> Listed:
    """Of the stored model whose temperature was held at 0.01: it has a large gap."""
    own = load_mini_clip("cold")
    x, y = (normalize((rows[LISTED].double() / STEP).round()) for rows in (own.images, own.texts))
    rivals = {
        **{name: pair for name, pair in RIVALS.items() if name != "whitening"},
        "fewer dimensions": (METHODS["fewer dimensions"](), Cosines()),
    }
    order = [*METHODS, *(name for name in rivals if name not in METHODS)]
    fitted = {name: copy.deepcopy(rivals[name]) for name in order}
    fit = own.images[FIT], own.texts[FIT]
    for method, ranking in fitted.values():
        ranking.fit(*method.fit(*fit).transform(*fit))
    data = load_mad()
    sources, factors = data.draw("test", PAIRS, np.random.default_rng([TEST_SEED, 0]))
    captions = draw_captions(factors, 3, np.random.default_rng([TEST_SEED, 1]))
    values = list(FACTORS.values())
    return Listed(
        x=x,
        y=y,
        fitted=fitted,
        images=data.render(sources[LISTED], factors[LISTED]).permute(0, 2, 3, 1).numpy(),
        pictures=[
            ", ".join(values[column][word] for column, word in enumerate(row))
            for row in factors[LISTED].tolist()
        ],
        captions=caption_strings(captions[LISTED]),
    )


class OneList(PageWidget):
    """The figure. The reader and Python choose the same values, and the results follow.

    Attributes:
        of: what is searched with, "image" or "text".
        query: whose, 0 to 99, of the pairs in the list.
        method: what is done to embeddings or scores for the second list, see `methods`.
        other: of the first ten candidates, how many are of the other kind: by plain cosines, and
            after the method. Read only, as the next.
        place: where the query's partner stands, counted from 1, in the same two lists.
    """

    _esm = read("kit.js") + read("one_list.js")
    _css = read("kit.css") + read("one_list.css")

    packed = traitlets.Dict().tag(sync=True)
    overview = traitlets.List(traitlets.Dict()).tag(sync=True)
    sheet = traitlets.Unicode().tag(sync=True)
    pictures = traitlets.List(traitlets.Unicode()).tag(sync=True)
    captions = traitlets.List(traitlets.Unicode()).tag(sync=True)

    of = traitlets.Unicode("image").tag(sync=True)
    query = traitlets.Int(0).tag(sync=True)
    method = traitlets.Unicode("z per kind").tag(sync=True)

    other = traitlets.List(traitlets.Int(), read_only=True)
    place = traitlets.List(traitlets.Int(), read_only=True)

    def __init__(self, **values: Any) -> None:  # noqa: ANN401
        """Use `one_list`."""
        own = listed()
        super().__init__(
            packed=pack_lists(),
            overview=overview(),
            sheet=as_png(own.images),
            pictures=own.pictures,
            captions=own.captions,
            **values,
        )
        self._measure(None)

    @property
    def methods(self) -> list[str]:
        """The names of the methods, "nothing" first."""
        return list(listed().fitted)

    def scores(self, method: str | None = None) -> Tensor:
        """Scores of the images, then the captions, shape (200,); -inf for the query itself.

        Args:
            method: by name; the present one if None.
        """
        own = listed()
        change, ranking = own.fitted[self.method if method is None else method]
        x, y = change.transform(own.x, own.y)
        row = (x if self.of == "image" else y)[self.query][None]
        return ranking.scores(row, SIDES[SIDES.index(self.of)], x, y, torch.tensor([self.query]))[0]

    def ranked(self, method: str | None = None) -> list[int]:
        """The candidates, the best first: 0 to 99 are images, 100 to 199 captions."""
        scores = self.scores(method)
        return order(scores)[: len(scores) - 1].tolist()

    def still(self) -> tuple[bytes, str]:
        """The present state as a PNG file, and in words."""
        own, name = listed(), "a picture" if self.of == "image" else "a caption"
        spelled = (own.pictures if self.of == "image" else own.captions)[self.query]
        return still.png(self._draw, (7.2, 3.6), colors=32), (
            f"Two lists that one query finds, {name}: {spelled}. By plain cosines {self.other[0]} "
            f"of the first ten are of the other kind, and the partner stands at {self.place[0]}; "
            f"after {self.method} {self.other[1]} are, and it stands at {self.place[1]}. Beside "
            f"them bars for {len(self.methods)} methods: how many of ten are of the other kind on "
            f"average over all {2 * len(own.x)} queries, and the median place of the partner."
        )

    @traitlets.validate("of")
    def _check_of(self, proposal: Any) -> str:  # noqa: ANN401
        if proposal.value not in SIDES:
            raise ValueError(f"of: expected 'image' or 'text', got {proposal.value!r}")
        return proposal.value

    @traitlets.validate("query")
    def _check_query(self, proposal: Any) -> int:  # noqa: ANN401
        if not 0 <= proposal.value < len(listed().x):
            raise ValueError(
                f"query: expected 0 to {len(listed().x) - 1}, the pairs in the list, "
                f"got {proposal.value}"
            )
        return proposal.value

    @traitlets.validate("method")
    def _check_method(self, proposal: Any) -> str:  # noqa: ANN401
        if proposal.value not in self.methods[1:]:
            names = ", ".join(self.methods[1:])
            raise ValueError(f"method: expected one of {names}; got {proposal.value!r}")
        return proposal.value

    @traitlets.observe(*VALUES)
    def _measure(self, _: object) -> None:
        n = len(listed().x)
        partner = self.query + (n if self.of == "image" else 0)
        ranks = [self.ranked(name) for name in ("nothing", self.method)]
        others = [sum((k >= n) == (self.of == "image") for k in ranked[:FIRST]) for ranked in ranks]
        self.set_trait("other", others)
        self.set_trait("place", [ranked.index(partner) + 1 for ranked in ranks])

    def _draw(self, figure: Figure) -> None:
        left, right, all_of_them = figure.subplots(1, 3, width_ratios=(5, 5, 4))
        self._draw_list(left, "nothing", "Plain cosines", self.place[0])
        self._draw_list(right, self.method, self.method, self.place[1])
        rows = overview()
        bars = all_of_them.barh([row["name"] for row in rows], [row["other"] for row in rows])
        for row, bar in zip(rows, bars, strict=True):
            bar.set_color(plots.PALETTE[2] if row["name"] == self.method else plots.FAINT)
            place = (0.1, bar.get_y() + 0.4)
            all_of_them.text(*place, f"{row['other']:.1f}; {row['place']:g}", va="center")
        all_of_them.invert_yaxis()
        all_of_them.tick_params("y", length=0)
        all_of_them.set(xlim=(0, FIRST), xticks=(0, 5, 10))
        all_of_them.set_title("All queries: other kind\nin ten; partner's place", loc="right")

    def _draw_list(self, axis: Axes, name: str, title: str, place: int) -> None:
        own, ranked, n = listed(), self.ranked(name), len(listed().x)
        asked = self.query + (0 if self.of == "image" else n)
        rows = [(f"{at + 1}", ranked[at]) for at in (*range(FIRST), max(place - 1, FIRST))]
        for line, (number, candidate) in enumerate([("?", asked), *rows]):
            axis.text(-0.2, -line, number, ha="right", va="center")
            partner = number == f"{place}"
            if candidate < n:
                picture = own.images[candidate]
                axis.imshow(picture, extent=(0, 1, -line - 0.45, -line + 0.45))
                axis.text(1.2, -line, "partner" if partner else "", va="center", weight="bold")
            else:
                weight = "bold" if partner else "normal"
                axis.text(0, -line, own.captions[candidate - n], va="center", weight=weight)
        axis.set(xlim=(-1, 7.5), ylim=(-len(rows) - 0.5, 0.5), title=title, aspect="auto")
        axis.axis("off")


def order(scores: Tensor) -> Tensor:
    """Columns from the best score; scores that differ by rounding keep the candidates' order."""
    return (scores / ROUNDING).round().argsort(dim=-1, descending=True, stable=True)


@cache
def overview() -> list[dict[str, Any]]:
    """Of each method over all queries: mean number of the other kind in ten, and median place."""
    own, n, rows = listed(), len(listed().x), []
    for name, (method, ranking) in own.fitted.items():
        others, places = [], []
        for numbers, partners, scores in lists(*method.transform(own.x, own.y), ranking):
            ranked = order(scores)
            others.append(((ranked[:, :FIRST] >= n) == (numbers < n)[:, None]).sum(dim=1))
            places.append((ranked == partners[:, None]).int().argmax(dim=1) + 1)
        other = float(torch.cat(others).double().mean())
        rows.append({"name": name, "other": other, "place": float(np.median(torch.cat(places)))})
    return rows


@cache
def pack_lists() -> dict[str, Any]:
    """The embeddings and the fitted methods, as the page reads them."""
    own = listed()
    rows = torch.cat([own.x, own.y])
    whole = torch.cat([load_mini_clip("cold").images[LISTED], load_mini_clip("cold").texts[LISTED]])
    return {
        "width": rows.shape[1],
        "rows": pack((whole.double() / STEP).round(), "<i2"),
        "methods": [
            {"name": name, "change": pack_change(method), **pack_scores(method, ranking)}
            for name, (method, ranking) in own.fitted.items()
        ],
    }


def pack_change(method: Method) -> list[dict[str, str]]:
    """What a method does to images and to captions: (row + shift) * scale @ turn."""
    has = vars(method)
    change: list[dict[str, str]] = [{}, {}]
    for side, letter, sign in ((0, "x", -1), (1, "y", 1)):
        if f"mean_{letter}_" in has:
            change[side]["shift"] = as_base64(-has[f"mean_{letter}_"])
        if f"deviation_{letter}_" in has:
            change[side]["scale"] = as_base64(1 / has[f"deviation_{letter}_"].double())
        if "kept_" in has:
            change[side]["scale"] = as_base64(has["kept_"])
        if "gap_" in has:
            change[side]["shift"] = as_base64(sign * has["alpha"] * has["gap_"])
    if "turn_" in has:
        change[0]["turn"] = pack(has["turn_"], "<f4")
    if "step_" in has:
        change[0 if has["retrieved"] == "text" else 1]["shift"] = as_base64(-has["step_"])
    return change


def pack_scores(method: Method, ranking: Ranking) -> dict[str, Any]:
    """What a ranking does to cosines."""
    if isinstance(ranking, InvertedSoftmax):
        rows = torch.cat(method.transform(listed().x, listed().y))
        banks = (
            ranking.beta * bank.double() @ rows.T for bank in (ranking.bank_x_, ranking.bank_y_)
        )
        hubs = [as_base64(bank.logsumexp(dim=0)) for bank in banks]
        return {"score": "softmax", "beta": ranking.beta, "hubs": hubs}
    if isinstance(ranking, ZPerQuery):
        return {"score": "query"}
    if isinstance(ranking, Cosines):
        return {"score": "cosine"}
    statistics = vars(ranking)
    return {
        "score": "kind",
        "mean": statistics["mean_"].tolist(),
        "deviation": statistics["deviation_"].tolist(),
    }


def as_png(images: NDArray[np.float32]) -> str:
    """All pictures in one, ten a row, as an address that holds it."""
    rows = images.reshape(-1, ACROSS, SIDE, SIDE, 3).transpose(0, 2, 1, 3, 4)
    sheet = (rows.reshape(-1, ACROSS * SIDE, 3) * 255).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(sheet).quantize(32).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def one_list(**values: Any) -> OneList:  # noqa: ANN401
    """An interactive figure: one query, and the list of images and captions that it finds.

    It shows the first ten of 199 candidates and the query's partner, by plain cosines and after a
    closing method or with calibrated scores, and below the same for all queries. The model is the
    stored one with a large gap; methods are fitted on 500 pairs that are not in the list, by
    `modality_gap.closing` and `modality_gap.ranking`. Embeddings are rounded to 16 bits. It works
    in JupyterLab and, without a kernel, on a page of the book.

    Args:
        values: where to begin: of, query, method, see `OneList`.

    Returns:
        The widget. Its values can be read, set and observed.

    Raises:
        ValueError: a value that is out of range or not one of those above.

    Source: the methods', see `modality_gap.closing` and `modality_gap.ranking`.
    """
    if unknown := [name for name in values if name not in VALUES]:
        raise ValueError(f"{unknown[0]}: no such value; there are {', '.join(VALUES)}")
    return OneList(**values)
