"""The book's small CLIP for the figures: its weights as text, and where the stored pairs lie."""

from __future__ import annotations

import base64
import itertools
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ...gap import gap_vector
from ...lab.clip import Model, embed_texts, tokens_of
from ...lab.mad import ATTRIBUTES, FACTORS, WORDS, draw_captions, load_mad
from ...lab.measures import PAIRS, TEST_SEED
from ...lab.mini_clip import load_mini_clip
from ...sphere import normalize

KS = range(len(ATTRIBUTES) + 1)
STEP = 1e-4  # of the coordinates that the map is drawn from


@dataclass(frozen=True, eq=False)
class Stored:
    """A stored model with what the figures need of its pairs.

    Attributes:
        model: in evaluation mode.
        temperature: that it learned.
        captions: the different captions of the stored pairs, shape (C, k + 1), word numbers.
        texts: their unit embeddings, shape (C, 64).
        images: unit embeddings of the 1,000 stored pictures.
        means: of images and of the stored pairs' texts, shape (2, 64).
        plane: two orthonormal columns: from the images' mean to the texts', and the images'
            largest variance across that.
    """

    model: Model
    temperature: float
    captions: Tensor
    texts: Tensor
    images: Tensor
    means: Tensor
    plane: Tensor


@cache
def stored(k: int) -> Stored:
    """The stored model whose captions named k attributes; ValueError for another k."""
    own = load_mini_clip(k)
    _, factors = load_mad().draw("test", PAIRS, np.random.default_rng([TEST_SEED, 0]))
    captions = draw_captions(factors, k, np.random.default_rng([TEST_SEED, 1])).unique(dim=0)
    return Stored(
        model=own.model,
        temperature=float(torch.exp(-own.model.logit_scale)),
        captions=captions,
        texts=embed_texts(own.model, tokens_of(captions)),
        images=own.images,
        means=torch.stack([own.images.mean(0), own.texts.mean(0)]),
        plane=plane(own.images, own.texts),
    )


def plane(x: Tensor, y: Tensor) -> Tensor:
    """Two orthonormal columns, shape (D, 2): along the gap, and x's largest variance across."""
    along = normalize(-gap_vector(x, y)[None])[0]
    rows = x - x.mean(0)
    across = torch.linalg.svd(rows - (rows @ along)[:, None] * along, full_matrices=False).Vh[0]
    if ((rows @ across) ** 3).sum() < 0:  # the longer tail upwards, on every machine
        across = -across
    return torch.stack([along, across], dim=1)


def centred(rows: Tensor, mean: Tensor) -> Tensor:
    """Rows without the mean of their kind, of unit length again."""
    return normalize(rows - mean)


def pack_map(own: Stored) -> dict[str, Any]:
    """What the map of the stored pairs is drawn from: the coordinates, as they are and centred."""
    places = {
        f"{name}{ending}": pack(torch.round(rows @ own.plane / STEP), "<i2")
        for name, side in (("images", own.images), ("texts", own.texts))
        for ending, rows in (
            ("", side),
            ("Centred", centred(side, own.means[0 if name == "images" else 1])),
        )
    }
    return {"temperature": own.temperature, "step": STEP, **places}


def pack_model(k: int) -> dict[str, Any]:
    """All that a page needs to run the model: every number as it is stored, none rounded."""
    own = stored(k)
    tensors = {
        name: value
        for name, value in own.model.state_dict().items()
        if value.is_floating_point() and name != "logit_scale"
    }
    return {
        "sizes": {name: value.numel() for name, value in tensors.items()},
        "weights": pack(torch.cat([value.flatten() for value in tensors.values()]), "<f2"),
        "captions": own.captions.tolist(),
        "means": pack(own.means, "<f4"),
        "plane": pack(own.plane.T, "<f4"),
        **pack_map(own),
    }


def pack(values: ArrayLike, kind: str) -> str:
    """Numbers of a NumPy type as text in base64."""
    return base64.b64encode(np.ascontiguousarray(values).astype(kind).tobytes()).decode()


def script(k: int) -> str:
    """The file that a page loads when its reader asks for the model."""
    return f"(globalThis.miniClip ??= {{}})[{k}] = {json.dumps(pack_model(k))};\n"


def words_of(caption: str) -> list[int]:
    """Word numbers of a caption such as "7-red-no swelling".

    Raises:
        ValueError: no word, a word that MAD lacks, or two of one factor.
    """
    words = [word.strip() for word in caption.split("-") if word.strip()]
    if not words:
        raise ValueError("caption: it has no word; name a digit, or an attribute")
    for word in words:
        if word not in WORDS:
            raise ValueError(f"caption: MAD has no word {word!r}; there are {', '.join(WORDS)}")
    for factor, values in FACTORS.items():
        named = [word for word in words if word in values]
        if len(named) > 1:
            raise ValueError(
                f"caption: {named[0]!r} and {named[1]!r} both name the {factor}; keep one of them"
            )
    return [WORDS.index(word) for word in words]


def captions_of(picture: dict[str, str], k: int) -> list[str]:
    """The captions that MAD may draw for a picture at k, up to the order of their words."""
    return [
        "-".join([picture["digit"], *(picture[name] for name in names)])
        for names in itertools.combinations(ATTRIBUTES, k)
    ]
