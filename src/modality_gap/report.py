"""One call that measures paired embeddings, in whatever shape they come."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from . import picture
from .balance import first_captions, resting_temperature
from .checks import check_owner, check_whole, unequal
from .door import Held, Rows, as_rows, as_tensor
from .gap import held_out_accuracy
from .intervals import Sampled, draws, interval, middle
from .moments import Moments, Spread, fingerprints, sampled, sum_up
from .retrieval import NEIGHBOURS, hub_skewness, places
from .sums import SIDE, products

if TYPE_CHECKING:
    import pandas as pd

SAMPLE = 5000  # images, beyond which what compares all with all is measured on a sample
SEPARATED, BALANCED = 2000, 1000  # pairs for the classifier, and of one batch of the loss
COUNTED = 2**20  # rows, beyond which copies are counted in the sample alone
WRONG = 2**22  # wrong pairs, beyond which their range is that of so many random ones
SIDES = ("images", "captions")
SHARES = (1, 2, 10)
RANGE = (0.05, 0.95)
NAMES = {
    "l2m": ("distance between the means", 0, 2),
    "l2i": ("mean distance of the pairs", 0, 2),
    "rmg": ("relative modality gap", 0, 1),
    "paired_cosine": ("mean cosine of the pairs", -1, 1),
    "paired_cosine_low": ("5 % of the pairs have a lower cosine", -1, 1),
    "paired_cosine_high": ("5 % of the pairs have a higher cosine", -1, 1),
    "mismatched_cosine": ("mean cosine of wrong pairs", -1, 1),
    "mismatched_cosine_low": ("5 % of the wrong pairs have a lower cosine", -1, 1),
    "mismatched_cosine_high": ("5 % of the wrong pairs have a higher cosine", -1, 1),
    "lead": ("mean cosine of right less that of wrong pairs", -2, 2),
    "cosine_image": ("mean cosine of two images", -1, 1),
    "cosine_text": ("mean cosine of two captions", -1, 1),
    "alignment": ("mean squared distance of the pairs", 0, 4),
    "uniformity_image": ("log mean potential of two images", -8, 0),
    "uniformity_text": ("log mean potential of two captions", -8, 0),
    "separability": ("held-out accuracy of telling images from captions", 0.5, 1),
    "recall_1_image_to_text": ("images that find a caption first", 0, 1),
    "recall_1_text_to_image": ("captions that find their image first", 0, 1),
    "recall_5_image_to_text": ("... among the first 5", 0, 1),
    "recall_5_text_to_image": ("... among the first 5", 0, 1),
    "recall_10_image_to_text": ("... among the first 10", 0, 1),
    "recall_10_text_to_image": ("... among the first 10", 0, 1),
    "hubness_text": ("skewness of how often a caption is in a list of 10", -math.inf, math.inf),
    "hubness_image": ("skewness of how often an image is in a list of 10", -math.inf, math.inf),
    "share_1": ("share of the squared gap in its largest dimension", 0, 1),
    "share_2": ("... in its two largest", 0, 1),
    "share_10": ("... in its ten largest", 0, 1),
    "temperature": ("at which the loss would leave the gap as it is", 0, math.inf),
}


@dataclass(frozen=True)
class Measured:
    """What `measure` found: a picture in a notebook, a table, a dictionary.

    Attributes:
        name: of the embeddings.
        images, captions, dimensions: N, M and D.
        values: the measures by name; NaN for one that does not exist here.
        intervals: of most of them, (low, high), which 95 % of such samples of pairs would give.
        notes: what has to be known: copies, samples, what was left out.
        cosines: some of each kind, for the picture.

    >>> measured = mg.measure(torch.eye(4), torch.eye(4).roll(1, 0), name="mine")
    >>> measured.table().loc["l2i", "value"].round(4)
    np.float64(1.4142)
    """

    name: str
    images: int
    captions: int
    dimensions: int
    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    notes: list[str]
    cosines: dict[str, Tensor]

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    def keys(self) -> Iterator[str]:
        """The names of the measures, so that `dict(measured)` is its values."""
        return iter(self.values)

    def table(self) -> pd.DataFrame:
        """A row for each measure: value, low, high, meaning; its index is their names."""
        import pandas as pd  # takes half a second

        ends = [self.intervals.get(name, (math.nan, math.nan)) for name in self.values]
        return pd.DataFrame(
            {
                "value": list(self.values.values()),
                "low": [low for low, _ in ends],
                "high": [high for _, high in ends],
                "meaning": [NAMES[name][0] for name in self.values],
            },
            index=pd.Index(list(self.values), name=self.name or "measure"),
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything but the picture, as JSON holds it: None for what does not exist."""
        return {
            "name": self.name,
            "images": self.images,
            "captions": self.captions,
            "dimensions": self.dimensions,
            **{
                name: value if math.isfinite(value) else None for name, value in self.values.items()
            },
            "intervals": {key: list(ends) for key, ends in self.intervals.items()},
            "notes": self.notes,
        }

    def __str__(self) -> str:
        lines = [self._title()]
        for name, value in self.values.items():
            low, high = self.intervals.get(name, (math.nan, math.nan))
            ends = "" if math.isnan(low) else f"[{low:.4f}, {high:.4f}]"
            lines.append(f"{name:24}{value:9.4f}  {ends:20} {NAMES[name][0]}")
        return "\n".join([*lines, *(f"Note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        return picture.page_part(self._title(), self.cosines, self._rows(), self.notes)

    def _rows(self) -> list[tuple[str, float, tuple[float, float] | None, str]]:
        return [
            (name, value, self.intervals.get(name), NAMES[name][0])
            for name, value in self.values.items()
        ]

    def _title(self) -> str:
        several = "" if self.images == self.captions else f" and {self.captions:,} captions"
        what = "pairs" if not several else "images"
        name = f"{self.name}: " if self.name else ""
        return f"{name}{self.images:,} {what}{several} in {self.dimensions} dimensions"


def measure(
    images: Any,  # noqa: ANN401
    captions: Any = None,  # noqa: ANN401
    owner: Any = None,  # noqa: ANN401
    *,
    normalize: bool = False,
    name: str = "",
    sample: int = SAMPLE,
    seed: int = 0,
    spread: Spread | None = None,
) -> Measured:
    """Every size of the gap and what goes with it, with intervals.

    Sums over rows and pairs are of all of them, in one pass. What compares all with all
    (uniformity, recall, hubness) is of at most `sample` images, drawn at random, with their
    captions; the classifier of at most 2,000 pairs, and the temperature is that of one batch of at
    most 1,000. A note tells where it was less than all.

    Args:
        images: embeddings, shape (N, D), N >= 2: tensors, arrays, data frames or anything with
            DLPack, in any floating type and on any device; what `open_pairs` opened; or both sides
            in one, as `Embeddings`, a pair, or a stack of shape (2, N, D).
        captions: shape (M, D); row i belongs to row i of images, unless there is an owner.
        owner: for several captions an image, of each caption the row of its image, shape (M,).
        normalize: whether rows are made unit first. Else they have to be, as precisely as the type
            allows in which they came.
        name: what the result is called.
        sample: see above; as many as there are images makes all exact.
        seed: of the samples and of the bootstrap.
        spread: a `map` that takes the one pass elsewhere, function and parts; None: threads here.

    Returns:
        The measures by name, as in the book's tables.

    Raises:
        ValueError: rows that are not unit, not finite, of different widths or without partners;
            the message says which row, and what repairs it.

    >>> measured = mg.measure(mg.load_embeddings("mini-clip-k3"))
    >>> round(measured["l2m"], 3), round(measured["recall_1_image_to_text"], 3)
    (0.127, 0.22)
    """
    images, captions, owner, name = _unpack(images, captions, owner, name)
    x, y = as_rows(images, "images", normalize), as_rows(captions, "captions", normalize)
    for rows in (x, y):
        rows.check_upright()
    owner = _check(x, y, owner)
    size = check_whole(sample, "sample", 2, 10**9)
    seed = check_whole(seed, "seed", 0, 2**32 - 1)
    moments = sum_up(x, y, owner, spread)
    notes = [] if max(len(x), len(y)) > COUNTED else _copies(x, y, owner)
    chosen = sampled(len(x), size, seed)
    of_sample = _draw_sample(x, y, owner, chosen)
    if len(chosen) < len(x):
        notes.append(
            f"Uniformity, recall, hubness and the ranges are of {len(chosen):,} of the "
            f"{len(x):,} images, drawn at random, with their captions; with fewer candidates "
            "recall is higher."
        )
        if max(len(x), len(y)) > COUNTED:
            notes += _copies(_held(of_sample[0]), _held(of_sample[1]), of_sample[2])
    return _measured(name, x, moments, of_sample, notes, seed)


def _measured(
    name: str,
    x: Rows,
    moments: Moments,
    of_sample: tuple[Tensor, Tensor, Tensor],
    notes: list[str],
    seed: int,
) -> Measured:
    a, b, owner = of_sample
    values = moments.sizes()
    by_image: dict[str, Tensor] = {}
    by_caption: dict[str, Tensor] = {}
    cosines = _cosines(a, b, owner, seed)
    for kind in ("paired", "mismatched"):
        ends = np.quantile(cosines[kind].numpy(), RANGE)
        values |= {f"{kind}_cosine_low": ends[0], f"{kind}_cosine_high": ends[1]}
    for side, rows, by_row in (("image", a, by_image), ("text", b, by_caption)):
        potential = _potentials(rows, f"Uniformity of {side}s")
        mean = potential.mean()
        values[f"uniformity_{side}"] = float(mean.log())
        # How a row moves the logarithm of a mean over pairs, to the first order.
        by_row[f"uniformity_{side}"] = mean.log() + 2 * (potential / mean - 1)
    sides = places(a, b, owner)
    for k in (1, 5, 10):
        if k <= len(a):
            by_image[f"recall_{k}_image_to_text"] = sides[0].found(k)
            by_caption[f"recall_{k}_text_to_image"] = sides[1].found(k)
    for parts in (by_image, by_caption):
        values |= {key: float(rows.mean()) for key, rows in parts.items() if "recall" in key}
    few = torch.arange(len(a))[:: -(-len(a) // SEPARATED)]
    pairs = a, first_captions(b, owner, len(a))
    values["separability"] = held_out_accuracy(pairs[0][few], pairs[1][few], min(5, len(few)), 0)
    if len(a) > NEIGHBOURS:
        values["hubness_text"], values["hubness_image"] = hub_skewness(a, b), hub_skewness(b, a)
    squares = torch.from_numpy(moments.gap()).square()
    order = squares.argsort(descending=True)
    dimensions = {f"share_{count}": order[:count] for count in SHARES if count <= len(order)}
    values |= {
        key: float(squares[dims].sum() / squares.sum()) if squares.any() else math.nan
        for key, dims in dimensions.items()
    }
    few = torch.arange(len(a))[:: -(-len(a) // BALANCED)]
    values["temperature"] = resting_temperature(pairs[0][few], pairs[1][few])
    if math.isnan(values["temperature"]):
        notes.append("At no temperature from 0.001 to 10 would the loss leave the gap as it is.")
    if math.isnan(values["rmg"]):
        notes.append("All rows are one point, so the relative modality gap is 0 / 0.")
    ranges = {
        f"paired_cosine_{end}": share for end, share in zip(("low", "high"), RANGE, strict=True)
    }
    drawn = draws(Sampled(a, b, owner, by_image, by_caption, dimensions, ranges), seed)
    here = _of_sample_alone(a, b, owner, values, dimensions)
    shrink = math.sqrt(len(a) / len(x))
    intervals = {}
    for key, found in drawn.items():
        if key in ranges:
            intervals[key] = middle(found)
        elif math.isfinite(values[key]) and found.isfinite().all():
            of_all = key in here
            centre = here[key] if of_all else values[key]
            ends = NAMES[key][1:]
            intervals[key] = interval(values[key], centre, found, shrink if of_all else 1, *ends)
    ordered = {key: float(values[key]) for key in NAMES if key in values}
    counts = moments.images, moments.captions, x.shape[1]
    return Measured(name, *counts, ordered, intervals, notes, cosines)


def _of_sample_alone(
    x: Tensor, y: Tensor, owner: Tensor, values: dict[str, float], dimensions: dict[str, Tensor]
) -> dict[str, float]:
    """What the sample itself gives for the measures that are made of all rows."""
    moments = sum_up(_held(x), _held(y), owner)
    squares = torch.from_numpy(moments.gap()).square()
    shares = {key: float(squares[dims].sum() / squares.sum()) for key, dims in dimensions.items()}
    return moments.sizes() | shares


def _held(rows: Tensor) -> Rows:
    return Rows([Held(rows, "sample")], "sample", trusted=True)


def _unpack(images: Any, captions: Any, owner: Any, name: str) -> tuple[Any, Any, Any, str]:  # noqa: ANN401
    """Both sides of what may be given as one."""
    if captions is not None:
        return images, captions, owner, name
    if hasattr(images, "x") and hasattr(images, "y"):  # Embeddings
        own = images.owner if owner is None else owner
        return images.x, images.y, own, name or images.name
    if hasattr(images, "images") and hasattr(images, "captions"):  # what open_pairs opened
        own = images.owner if owner is None else owner
        return images.images, images.captions, own, name or images.name
    if not isinstance(images, list | tuple):
        images = as_tensor(images, "images")
        if images.ndim != 3:
            images = (images,)
    if len(images) != 2:
        raise ValueError(
            "captions: expected the embeddings of the captions, mg.measure(images, captions); or "
            "both as one pair, or a stack of shape (2, N, D)"
        )
    return images[0], images[1], owner, name


def unpacked(both: Any) -> tuple[Rows, Rows, Tensor | None]:  # noqa: ANN401
    """Both sides and the owner of what `measure` takes as one argument."""
    images, captions, owner, _ = _unpack(both, None, None, "")
    x, y = as_rows(images, "images"), as_rows(captions, "captions")
    return x, y, _check(x, y, owner)


def _check(x: Rows, y: Rows, owner: Any) -> Tensor | None:  # noqa: ANN401
    if x.shape[1] != y.shape[1] or (owner is None and len(x) != len(y)):
        same = "" if owner is not None else ", because row i of both is a pair"
        wanted = f"{x.shape}{same}" if owner is None else f"{x.shape[1]} columns"
        raise ValueError(
            f"captions: expected the shape of images, {wanted}; got {y.shape}"
            f"{unequal(x.shape, y.shape, 'captions')}"
        )
    return None if owner is None else check_owner(owner, len(x), len(y))


def _draw_sample(
    x: Rows, y: Rows, owner: Tensor | None, chosen: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Images of the sample, their captions, and of these the image's place in the sample."""
    if owner is None:
        return x.take(chosen), y.take(chosen), torch.arange(len(chosen))
    place = torch.full((len(x),), -1)
    place[chosen] = torch.arange(len(chosen))
    captions = (place[owner] >= 0).nonzero()[:, 0]
    return x.take(chosen), y.take(captions), place[owner[captions]]


def _copies(x: Rows, y: Rows, owner: Tensor | None) -> list[str]:
    notes = []
    for rows, word in zip((x, y), SIDES, strict=True):
        different = len(fingerprints(rows).unique())
        if different == len(rows):
            continue
        note = (
            f"{len(rows) - different:,} of {len(rows):,} {word} are copies of others "
            f"({different:,} different): the wrong pairs then include right ones, and equal "
            "candidates share their places by chance."
        )
        if word == "images" and owner is None and different <= len(rows) / 2:
            note += (
                " For several captions an image give each image once: rows, owner = "
                "np.unique(images, axis=0, return_inverse=True); mg.measure(rows, captions, owner)."
            )
        notes.append(note)
    return notes


def _potentials(rows: Tensor, what: str, t: float = 2) -> Tensor:
    """Of each row the mean potential with all others, exp(-t ||x_i - x_j||^2), shape (N,)."""
    squares = rows.square().sum(dim=1)
    total = torch.zeros_like(squares)
    blocks = math.ceil(len(rows) / SIDE) ** 2
    from tqdm import tqdm

    bar = tqdm(products(rows, rows), what, blocks, unit="block", delay=3, leave=False)
    for here, there, block, _ in bar:
        block.mul_(2).sub_(squares[here, None]).sub_(squares[there]).mul_(t).exp_()
        if here == there:
            block.fill_diagonal_(0)
        total[here] += block.sum(dim=1)
    return total / (len(rows) - 1)


def _cosines(x: Tensor, y: Tensor, owner: Tensor, seed: int) -> dict[str, Tensor]:
    """Cosines of right and wrong pairs, all or WRONG random ones, and some within each side."""
    generator = torch.Generator().manual_seed(seed)
    if len(x) * len(y) <= WRONG:
        wrong = (x @ y.T)[torch.arange(len(x))[:, None] != owner]
    else:
        j = torch.randint(len(y), (WRONG // 4,), generator=generator)
        i = torch.randint(len(x) - 1, (WRONG // 4,), generator=generator)
        i += i >= owner[j]  # every image but its own
        wrong = _dots(x, i, y, j)
    found = {"paired": (x[owner] * y).sum(dim=1), "mismatched": wrong}
    for word, rows in (("two images", x), ("two captions", y)):
        i = torch.randint(len(rows), (2**16,), generator=generator)
        j = torch.randint(len(rows) - 1, (2**16,), generator=generator)
        found[word] = _dots(rows, i, rows, j + (j >= i))
    return found


def _dots(x: Tensor, i: Tensor, y: Tensor, j: Tensor) -> Tensor:
    parts = zip(i.split(2**14), j.split(2**14), strict=True)
    return torch.cat([(x[a] * y[b]).sum(dim=1) for a, b in parts])
