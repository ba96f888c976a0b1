"""A small CLIP by hand: draw or take a digit, write a caption, and see where both land."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.datasets import load_digits
from torch import Tensor

from ...lab.clip import embed_images, embed_texts, tokens_of
from ...lab.mad import ATTRIBUTES, FACTORS, WORDS, load_mad, shapes
from ...lab.mad.dataset import CHANNELS
from .. import plots
from . import still
from .host import PageWidget, read
from .weights import KS, captions_of, centred, pack, pack_map, pack_model, stored, words_of

DRAWN = -1
SHOWN = 6  # captions in the list
GRID = shapes.SIDE * shapes.FINE
VALUES = ("k", "digit", "strokes", "attributes", "caption", "temperature", "centred")
Places = shapes.Places


class ClipByHand(PageWidget):
    """The figure. The reader and Python change the same values, and the results follow.

    Attributes:
        k: which model: attributes in the captions it was trained on, 0 to 5.
        digit: 0 to 9, a stored handwritten digit; -1, what was drawn.
        strokes: the drawing, lists of points [x, y] in pixels from the upper left corner, 0 to 28.
        attributes: name to word, the picture's five attributes.
        caption: words of MAD joined by hyphens, such as "7-red-thick".
        temperature: of the softmax, from 0.01 to 1.
        centred: whether each kind of embeddings has lost its mean, and is of unit length again.
        cosine: of picture and caption. Read only, as the next two; NaN and 0 where nothing is
            drawn.
        rank: place of the caption among the different captions of the 1,000 stored pairs and
            itself, by cosine with the picture; 1 is the best.
        probability: its softmax among them.
    """

    _esm = "".join(
        map(read, ("kit.js", "clip.js", "mad.js", "field.js", "words.js", "clip_by_hand.js"))
    )
    _css = read("kit.css") + read("clip_by_hand.css")

    factors = traitlets.Dict({name: list(words) for name, words in FACTORS.items()}).tag(sync=True)
    digits = traitlets.List(traitlets.Dict()).tag(sync=True)
    temperatures = traitlets.List(traitlets.Float()).tag(sync=True)
    first = traitlets.Dict().tag(sync=True)
    wanted = traitlets.Int(-1).tag(sync=True)
    weights = traitlets.Dict().tag(sync=True)

    k = traitlets.Int(3).tag(sync=True)
    digit = traitlets.Int(7).tag(sync=True)
    strokes: Any = traitlets.List().tag(sync=True)
    attributes = traitlets.Dict().tag(sync=True)
    caption = traitlets.Unicode("7").tag(sync=True)
    temperature = traitlets.Float(0.05).tag(sync=True)
    centred = traitlets.Bool(False).tag(sync=True)

    cosine = traitlets.Float(read_only=True)
    rank = traitlets.Int(read_only=True)
    probability = traitlets.Float(read_only=True)

    def __init__(self, **values: Any) -> None:  # noqa: ANN401
        """Use `clip_by_hand`."""
        look = {name: FACTORS[name][0] for name in ATTRIBUTES} | values.pop("attributes", {})
        temperatures = [stored(k).temperature for k in KS]
        # A value that is refused is better refused before anything is computed.
        super().__init__(
            **{"temperature": temperatures[values.get("k", 3)], "attributes": look} | values
        )
        self.set_trait("digits", [pack_digit(digit) for digit in range(10)])
        self.set_trait("temperatures", temperatures)
        self._measure(None)
        self.first = {**pack_map(stored(self.k)), "seen": self.measure()}

    def picture(self) -> Tensor:
        """The picture that is shown, shape (3, 28, 28), in [0, 1]."""
        look = self.attributes
        if self.digit == DRAWN:
            axis, places = drawn_digit(self.strokes)
        else:
            axis, places = stored_digit(self.digit)
        grey = draw_shape(axis, places, look) / 255
        channels = torch.tensor(CHANNELS[look["colour"]], dtype=torch.float32)
        return torch.from_numpy(grey.astype(np.float32)) * channels[:, None, None]

    def measure(self) -> dict[str, Any] | None:
        """All that the figure shows of the present values; None where nothing is drawn."""
        if self.digit == DRAWN and not any(self.strokes):
            return None
        own, words = stored(self.k), words_of(self.caption)
        different = own.captions.shape[1] != len(words) or (
            own.captions != torch.tensor(words)
        ).any(dim=1)
        rest = own.captions[different] if isinstance(different, Tensor) else own.captions
        texts = own.texts[different] if isinstance(different, Tensor) else own.texts
        spelled = [words_of(caption) for caption in self.possible()]
        x = self._put(embed_images(own.model, self.picture()[None]), 0)[0]
        y = self._put(embed_texts(own.model, tokens_of(torch.tensor([words]))), 1)
        may = self._put(embed_texts(own.model, tokens_of(torch.tensor(spelled))), 1)
        captions = [words, *rest.tolist()]
        cosines = (torch.cat([y, self._put(texts, 1)]) @ x).double()
        shares = torch.softmax(cosines / self.temperature, dim=0)
        order = cosines.argsort(descending=True).tolist()
        rank = order.index(0) + 1
        top = [*range(1, SHOWN), max(rank, SHOWN)]
        return {
            "cosine": float(cosines[0]),
            "rank": rank,
            "share": float(shares[0]),
            "of": len(order),
            "list": [
                {
                    "words": captions[order[place - 1]],
                    "cosine": float(cosines[order[place - 1]]),
                    "share": float(shares[order[place - 1]]),
                    "rank": place,
                    "own": order[place - 1] == 0,
                }
                for place in top
                if place <= len(order)
            ],
            "image": (x @ own.plane).tolist(),
            "text": (y[0] @ own.plane).tolist(),
            "possible": (may @ own.plane).tolist(),
            "possibleCosines": (may @ x).tolist(),
        }

    def possible(self) -> list[str]:
        """The captions that the picture may get at k; what is drawn shows the caption's digit."""
        named = [word for word in self.caption.split("-") if word in FACTORS["digit"]]
        digit = str(self.digit) if self.digit != DRAWN else (named or [""])[0]
        return captions_of({"digit": digit, **self.attributes}, self.k) if digit else []

    def _put(self, rows: Tensor, side: int) -> Tensor:
        return centred(rows, stored(self.k).means[side]) if self.centred else rows

    def still(self) -> tuple[bytes, str]:
        """The present state as a PNG file, and in words."""
        return still.png(self._draw, colors=160), self._describe()

    @traitlets.validate("k")
    def _check_k(self, proposal: Any) -> int:  # noqa: ANN401
        if proposal.value not in KS:
            raise ValueError(f"k: expected 0 to {KS[-1]}, got {proposal.value}")
        return proposal.value

    @traitlets.validate("digit")
    def _check_digit(self, proposal: Any) -> int:  # noqa: ANN401
        if proposal.value not in range(DRAWN, 10):
            raise ValueError(f"digit: expected 0 to 9, or -1 for a drawing, got {proposal.value}")
        return proposal.value

    @traitlets.validate("strokes")
    def _check_strokes(self, proposal: Any) -> list[Any]:  # noqa: ANN401
        for stroke in proposal.value:
            points = np.asarray(stroke, dtype=float)
            if points.ndim != 2 or points.shape[1] != 2 or not len(points):
                raise ValueError("strokes: expected lists of points [x, y], each at least one")
            if not ((points >= 0) & (points <= shapes.SIDE)).all():
                raise ValueError(f"strokes: a point lies outside the field, 0 to {shapes.SIDE}")
        return [[list(map(float, point)) for point in stroke] for stroke in proposal.value]

    @traitlets.validate("attributes")
    def _check_attributes(self, proposal: Any) -> dict[str, str]:  # noqa: ANN401
        look = proposal.value
        if set(look) != set(ATTRIBUTES):
            raise ValueError(f"attributes: expected {', '.join(ATTRIBUTES)}, got {', '.join(look)}")
        for name, word in look.items():
            if word not in FACTORS[name]:
                raise ValueError(
                    f"attributes: expected {name} to be one of {', '.join(FACTORS[name])}; "
                    f"got {word!r}"
                )
        return dict(look)

    @traitlets.validate("caption")
    def _check_caption(self, proposal: Any) -> str:  # noqa: ANN401
        words_of(proposal.value)
        return proposal.value

    @traitlets.validate("temperature")
    def _check_temperature(self, proposal: Any) -> float:  # noqa: ANN401
        if not 0.01 <= proposal.value <= 1:
            raise ValueError(f"temperature: expected 0.01 to 1, got {proposal.value}")
        return proposal.value

    @traitlets.observe(*VALUES)
    def _measure(self, _: object) -> None:
        seen = self.measure()
        self.set_trait("cosine", seen["cosine"] if seen else float("nan"))
        self.set_trait("rank", seen["rank"] if seen else 0)
        self.set_trait("probability", seen["share"] if seen else float("nan"))

    @traitlets.observe("wanted")
    def _deliver(self, _: object) -> None:
        if self.wanted in KS:
            self.weights = {"k": self.wanted, **pack_model(self.wanted)}

    def _draw(self, figure: Figure) -> None:
        """Picture, map and list, as in the browser."""
        left, right, below = figure.subplot_mosaic(
            [["picture", "map"], ["list", "list"]], height_ratios=(3, 2)
        ).values()
        own, seen = stored(self.k), self.measure()
        left.imshow(self.picture().permute(1, 2, 0))
        left.set(title=f"The picture; caption\n{self.caption}", xticks=[], yticks=[])
        rows = [
            (own.images, 0, plots.IMAGE, plots.IMAGE_MARKER),
            (own.texts, 1, plots.TEXT, plots.TEXT_MARKER),
        ]
        for side, number, color, marker in rows:
            across, along = (self._put(side, number) @ own.plane).T
            right.scatter(across, along, s=2, c=color, alpha=0.4, marker=marker, linewidths=0)
        right.set(title="The map of the stored pairs", aspect="equal")
        right.axis("off")
        below.set(xlim=(0, 1), title="Which caption fits? (softmax)", yticks=[])
        if seen is None:
            return
        for place in seen["possible"]:
            right.plot(*zip(seen["image"], place, strict=True), color=plots.FAINT, linewidth=0.8)
        right.plot(*seen["image"], plots.IMAGE_MARKER, color=plots.IMAGE, mec=plots.INK, ms=7)
        right.plot(*seen["text"], plots.TEXT_MARKER, color=plots.TEXT, mec=plots.INK, ms=7)
        for place, row in enumerate(seen["list"]):
            color = plots.TEXT if row["own"] else plots.FAINT
            below.barh(-place, row["share"], color=color, height=0.7)
            words = "-".join(WORDS[word] for word in row["words"])
            below.text(0.01, -place, f"{row['rank']}. {words}", va="center")

    def _describe(self) -> str:
        return (
            f"A picture, a caption and a map. The picture: {self.digit if self.digit >= 0 else ''} "
            f"{', '.join(self.attributes.values())}. The caption: {self.caption}. Their cosine is "
            f"{self.cosine:.3f} in the model whose captions named {self.k} attributes; the caption "
            f"has rank {self.rank} among the stored captions and a softmax of "
            f"{self.probability:.1%} at temperature {self.temperature:.3g}."
        )


def clip_by_hand(**values: Any) -> ClipByHand:  # noqa: ANN401
    """An interactive figure: a trained CLIP that runs where it is shown.

    Draw a digit or take one, choose its attributes, write a caption: the figure shows where both
    land among the 1,000 stored pairs, and which captions the model prefers. It works in JupyterLab
    and, without a kernel, on a page of the book, which loads a model of 0.5 MB once it is needed.

    Args:
        values: where to begin: k, digit, strokes, attributes, caption, temperature, centred, see
            `ClipByHand`. The temperature is the model's own if it is not given.

    Returns:
        The widget. Its values can be read, set and observed.

    Raises:
        ValueError: a value that is out of range or not one of those above.
    """
    if unknown := [name for name in values if name not in VALUES]:
        raise ValueError(f"{unknown[0]}: no such value; there are {', '.join(VALUES)}")
    if values.get("k", 3) not in KS:
        raise ValueError(f"k: expected 0 to {KS[-1]}, got {values['k']}")
    return ClipByHand(**values)


@cache
def stored_digit(digit: int) -> tuple[NDArray[np.bool_], Places]:
    """The first test digit that shows it: its medial axis, (112, 112), and where it changes."""
    data = load_mad()
    members = data.splits["test"]
    source = int(members[data.labels[members] == digit][0])
    axis = shapes.thin((load_digits().images[source] / 16).astype(np.float32))
    return axis, shapes.draw_places(axis, np.random.default_rng([shapes.SEED, source]))


def pack_digit(digit: int) -> dict[str, Any]:
    """A stored digit as the page reads it."""
    axis, places = stored_digit(digit)
    return {
        "axis": pack(np.packbits(axis), "u1"),
        **{name: np.asarray(value).tolist() for name, value in vars(places).items()},
    }


def drawn_digit(strokes: Sequence[Sequence[Sequence[float]]]) -> tuple[NDArray[np.bool_], Places]:
    """The same of a drawing: it swells in its middle, and is cut after 1, 2 and 5 sixths of it."""
    parts = []
    for stroke in strokes:
        points = np.asarray(stroke)[:, ::-1]
        for before, point in zip(np.vstack([points[:1], points[:-1]]), points, strict=True):
            length = np.linalg.norm(point - before)
            steps = max(1, int(np.ceil(2 * shapes.FINE * length)))
            along = (np.arange(steps)[:, None] + 1) / steps
            direction = (point - before) / length if length else np.array([1.0, 0.0])
            parts.append(
                np.hstack([before + (point - before) * along, np.tile(direction, (steps, 1))])
            )
    trace = np.vstack([*parts, np.empty((0, 4))])
    axis = np.zeros((GRID, GRID), bool)
    axis[tuple((trace[:, :2] * shapes.FINE).astype(int).clip(0, GRID - 1).T)] = True
    at = [trace[sixths * len(trace) // 6] for sixths in (1, 2, 5, 3)] if len(trace) else []
    corner = shapes.SIDE * (1 - shapes.SHRINK) / 2
    return axis, Places(
        swelling=at[3][:2] if at else np.zeros(2),
        cuts=np.array([cut[:2] for cut in at[:3]]).reshape(-1, 2),
        directions=np.array([cut[2:] for cut in at[:3]]).reshape(-1, 2),
        corner=np.array([corner, corner]),
    )


def draw_shape(axis: NDArray[np.bool_], places: Places, look: dict[str, str]) -> NDArray[np.uint8]:
    """One shape of a digit, (28, 28), as `shapes.draw_shapes` draws all of them."""
    if not axis.any():
        return np.zeros((shapes.SIDE, shapes.SIDE), np.uint8)
    field = ndimage.distance_transform_edt(~axis).astype(np.float32) / shapes.FINE
    grid = ((np.indices(axis.shape) + 0.5) / shapes.FINE).astype(np.float32)
    if look["size"] == "small":
        grid = ((grid - places.corner[:, None, None]) / shapes.SHRINK).astype(np.float32)
    points = shapes.swell(grid, places.swelling) if look["swelling"] == "swelling" else grid
    half_width = np.float32(shapes.HALF_WIDTHS[FACTORS["thickness"].index(look["thickness"])])
    ink = shapes.look_up(field, points) < half_width
    if look["fracture"] == "fracture":
        ink &= ~shapes.in_cuts(grid, places)
    return shapes.shrink(ink[None], shapes.BLUR)[0]
