"""Moving the gap by hand: sliders for the shift and the temperature, and what the loss does."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import traitlets
from numpy.typing import ArrayLike
from torch import Tensor

from ...checks import check_pairs
from ...contrastive import info_nce, info_nce_terms, softmax_entropy
from ...embeddings.named import available_embeddings, load_embeddings
from ...gap import gap_vector, shift
from ...sphere import normalize
from . import still
from .host import PageWidget, read
from .landscape import StoredLandscape, stored_landscape

PAIRS = 64  # of a set that are taken: the page holds the cosines of all with all
# Liang et al.'s simulation, degrees. The texts of the first two images are swapped.
IMAGES = (-20.0, 0.0, 20.0, 40.0, 60.0, 80.0)
TEXTS = (0.0, -20.0, 20.0, 40.0, 60.0, 80.0)
Pair = tuple[Tensor, Tensor]
VALUES = ("data", "alpha", "theta", "temperature", "image")  # that the reader and Python set
RANGES = {"alpha": (-0.5, 3.0), "theta": (-90.0, 90.0), "temperature": (0.01, 1.0)}


class MovingGap(PageWidget):
    """The figure. The reader and Python move the same values, and the results follow.

    Attributes:
        data: name of the set that is shown.
        alpha: the shift of `modality_gap.shift`, from -0.5 to 3.
        theta: on the sphere, the latitude of the texts in degrees, from -90 to 90.
        temperature: from 0.01 to 1.
        image: row of the image whose softmax is shown.
        loss, numerator, denominator, entropy: what `info_nce`, `info_nce_terms` and
            `softmax_entropy` give for the moved pairs. Read only; `observe` reports changes. Of a
            stored landscape they are those of the nearest stored point, and entropy is NaN.
    """

    _esm = "".join(map(read, ("kit.js", "globe.js", "gap.js", "moving_gap.js")))
    _css = read("kit.css") + read("moving_gap.css")

    sets = traitlets.List(traitlets.Dict()).tag(sync=True)
    data = traitlets.Unicode().tag(sync=True)
    alpha = traitlets.Float(0.0).tag(sync=True)
    theta = traitlets.Float(0.0).tag(sync=True)
    temperature = traitlets.Float(0.05).tag(sync=True)
    image = traitlets.Int(0).tag(sync=True)

    loss = traitlets.Float(read_only=True)
    numerator = traitlets.Float(read_only=True)
    denominator = traitlets.Float(read_only=True)
    entropy = traitlets.Float(read_only=True)

    def __init__(
        self,
        pairs: Mapping[str, Pair | StoredLandscape | None],
        **values: Any,  # noqa: ANN401
    ) -> None:
        """Use `moving_gap`. A set that is None is the sphere."""
        self.pairs = pairs
        sets = [{"name": name} | pack_set(rows) for name, rows in pairs.items()]
        super().__init__(sets=sets, **{"data": next(iter(pairs))} | values)

    @property
    def stored(self) -> StoredLandscape | None:
        """What is stored of the set that is shown, if its pairs are not at hand."""
        shown = self.pairs[self.data]
        return shown if isinstance(shown, StoredLandscape) else None

    @property
    def move(self) -> str:
        """Name of the value that moves the gap of the set that is shown."""
        return "alpha" if self.pairs[self.data] else "theta"

    @property
    def range(self) -> tuple[float, float]:
        """Its smallest and its largest value."""
        return RANGES[self.move]

    def moved(self, by: float | None = None) -> Pair:
        """The pairs that are shown, moved by alpha or theta, or by another value of it.

        Raises:
            ValueError: only losses are stored of this set.
        """
        by = getattr(self, self.move) if by is None else by
        pair = self.pairs[self.data]
        if isinstance(pair, StoredLandscape):
            raise ValueError(f"data: of {self.data!r} losses are stored, and no pairs")
        return shift(*pair, by) if pair else sphere_pairs(by)

    def terms(self, by: float | None = None) -> dict[str, float]:
        """Loss, numerator and denominator of the set, moved like `moved`."""
        by = getattr(self, self.move) if by is None else by
        if self.stored:
            return self.stored.at(by, self.temperature)
        x, y = self.moved(by)
        numerator, denominator = info_nce_terms(x, y, self.temperature)
        return {
            "loss": float(info_nce(x, y, self.temperature)),
            "numerator": float(numerator),
            "denominator": float(denominator),
        }

    def plane(self) -> Tensor:
        """Two orthogonal unit columns that span the plane in which the clouds are drawn."""
        pair = self.pairs[self.data]
        return plane(*pair) if isinstance(pair, tuple) else VIEW

    def still(self) -> tuple[bytes, str]:
        """The present state as a PNG file, and in words."""
        return still.as_png(self), still.describe(self)

    @traitlets.validate("data")
    def _check_data(self, proposal: Any) -> str:  # noqa: ANN401
        if proposal.value not in self.pairs:
            names = ", ".join(map(repr, self.pairs))
            raise ValueError(f"data: there is no set {proposal.value!r}; there are {names}")
        return proposal.value

    @traitlets.validate("alpha", "theta", "temperature")
    def _check_range(self, proposal: Any) -> float:  # noqa: ANN401
        low, high = RANGES[proposal.trait.name]
        if not low <= proposal.value <= high:
            raise ValueError(
                f"{proposal.trait.name}: expected {low:g} to {high:g}, got {proposal.value}"
            )
        return proposal.value

    @traitlets.validate("image")
    def _check_image(self, proposal: Any) -> int:  # noqa: ANN401
        count = self._count()
        if not 0 <= proposal.value < count:
            raise ValueError(f"image: expected a row from 0 to {count - 1}, got {proposal.value}")
        return proposal.value

    @traitlets.observe("data", "alpha", "theta", "temperature")
    def _measure(self, _: object) -> None:
        self.image = min(self.image, self._count() - 1)
        for name, value in self.terms().items():
            self.set_trait(name, value)
        entropy = softmax_entropy(*self.moved(), self.temperature) if not self.stored else np.nan
        self.set_trait("entropy", float(entropy))

    def _count(self) -> int:
        return PAIRS if self.stored else len(self.moved(0.0)[0])


def moving_gap(
    pairs: Mapping[str, Iterable[Tensor]] | None = None,
    **values: Any,  # noqa: ANN401
) -> MovingGap:
    """An interactive figure: move the gap and the temperature, and see what the loss does.

    It shows the two clouds, the loss along the move with its minimum, the loss's two terms, and the
    softmax of one image. It works in JupyterLab and, without a kernel, on a page of the book.

    Args:
        pairs: name to (x, y), unit rows of shape (N, D), N >= 2, row i of both a pair. The first 64
            pairs of a set are taken. None takes the book's small CLIP that was trained at
    XX
        values: where to begin: data (the name of a set), alpha, theta, temperature, image.

    Returns:
        The widget. Its values can be read, set and observed, see `MovingGap`.

    Raises:
        ValueError: no set, a name that is not a text, rows that are not paired unit rows, equal
            means, or a value that is out of range or not one of those above.

    Source: Liang et al. (2022), Fig. 3.
    """
    if unknown := [name for name in values if name not in VALUES]:
        raise ValueError(f"{unknown[0]}: no such value; there are {', '.join(VALUES)}")
    if pairs is None:
        return MovingGap(default_pairs(), **values)
    if not isinstance(pairs, Mapping) or not pairs:
        raise ValueError('pairs: expected a dictionary of at least one set, {"name": (x, y)}')
    return MovingGap({name: take(name, rows) for name, rows in pairs.items()}, **values)


def default_pairs() -> dict[str, Pair | StoredLandscape | None]:
    """The book's own sets, as far as they are at hand."""
    pairs: dict[str, Pair | StoredLandscape | None] = {
        "our small CLIP": take("mini-clip-cold", load_embeddings("mini-clip-cold"))
    }
    if available_embeddings()["clip"]:
        pairs["real CLIP"] = take("clip", load_embeddings("clip"))
    return {**pairs, "CLIP, stored": stored_landscape(), "six pairs": None}


def pack_set(rows: Pair | StoredLandscape | None) -> dict[str, Any]:
    """What the page needs of a set."""
    if rows is None:
        return SPHERE
    return rows.pack(PAIRS) if isinstance(rows, StoredLandscape) else pack(*rows)


def take(name: str, rows: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """The first pairs of a set, checked, in float64."""
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"pairs: expected a name for every set, got {name!r}")
    try:
        x, y = rows
        check_pairs(x, y)
    except (TypeError, ValueError) as error:
        raise ValueError(f"pairs: {name!r} is not a pair of tensors (x, y): {error}") from error
    x, y = (normalize(side[:PAIRS].detach().cpu().double()) for side in (x, y))
    delta = gap_vector(x, y)
    if delta.norm() < 1e-9:
        raise ValueError(f"pairs: the means of {name!r} coincide, so there is no gap to move")
    for side in (x, y):
        if ((side @ delta / delta.norm()).abs() > 1 - 1e-12).any():
            raise ValueError(f"pairs: a row of {name!r} lies along the gap, a shift can make it 0")
    return x, y


def plane(x: Tensor, y: Tensor) -> Tensor:
    """Two orthogonal unit columns: from images to texts, and the largest variance across that."""
    along = normalize(-gap_vector(x, y)[None])[0]
    rows = torch.cat([x - x.mean(0), y - y.mean(0)])
    across = torch.linalg.svd(rows - (rows @ along)[:, None] * along, full_matrices=False).Vh[0]
    if ((rows @ across) ** 3).sum() < 0:  # the longer tail upwards, on every machine
        across = -across
    return torch.stack([along, across], dim=1)


def pack(x: Tensor, y: Tensor) -> dict[str, Any]:
    """What the page needs of a set: all cosines, and the rows' coordinates in the plane."""
    in_x, in_y = x @ plane(x, y), y @ plane(x, y)
    return {
        "kind": "pairs",
        "n": len(x),
        "gap": float(gap_vector(x, y).norm()),
        "arrays": {
            "cosine": as_base64(x @ y.T),
            **{"xu": as_base64(in_x[:, 0]), "xv": as_base64(in_x[:, 1])},
            **{"yu": as_base64(in_y[:, 0]), "yv": as_base64(in_y[:, 1])},
        },
    }


def as_base64(values: ArrayLike) -> str:
    """Numbers as little-endian float64 in base64: no rounding, half the size of decimals."""
    return base64.b64encode(np.asarray(values, "<f8").tobytes()).decode()


def sphere_pairs(theta: float) -> tuple[Tensor, Tensor]:
    """Six images on the equator and their texts at latitude theta, in degrees."""
    return on_sphere(IMAGES, 0.0), on_sphere(TEXTS, theta)


def on_sphere(longitudes: Sequence[float], latitude: float) -> Tensor:
    """Points of one latitude, in degrees, shape (N, 3)."""
    around = torch.tensor(longitudes, dtype=torch.float64).deg2rad()
    up = torch.full_like(around, latitude).deg2rad()
    return torch.stack([up.cos() * around.cos(), up.cos() * around.sin(), up.sin()], dim=1)


def pack_sphere() -> dict[str, Any]:
    """What the page needs of the sphere: the cosines at theta = 0, and the longitudes."""
    x, y = sphere_pairs(0.0)
    arrays = {"cosine": as_base64(x @ y.T), "xl": as_base64(IMAGES), "yl": as_base64(TEXTS)}
    return {"kind": "sphere", "n": len(x), "arrays": arrays}


SPHERE = pack_sphere()
# To the right and upwards for an eye above longitude 30, latitude 14, as in the JavaScript.
VIEW = torch.cat([on_sphere([120.0], 0.0), on_sphere([210.0], 76.0)]).T
