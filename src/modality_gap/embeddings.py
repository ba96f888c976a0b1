"""Embedding sets by name: the book's own models', and those that Liang et al. (2022) publish."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .sphere import normalize


@dataclass(frozen=True)
class Embeddings:
    """Paired unit embeddings, and where they come from. `x, y = embeddings` unpacks the pair.

    Attributes:
        x, y: unit rows, shape (N, D), float64; row i of both is a pair.
        name: by which `load_embeddings` knows them.
        model, data, source, licence: in words.
    """

    x: Tensor
    y: Tensor
    name: str
    model: str
    data: str
    source: str
    licence: str

    def __iter__(self) -> Iterator[Tensor]:
        """The pair (x, y)."""
        return iter((self.x, self.y))


@dataclass(frozen=True)
class Published:
    """A file that Liang et al. (2022) publish."""

    model: str
    data: str
    sha256: str


COMMIT = "8e20cb24efa4c5f89aad694f2f65eb43ffc46d10"
COCO = "500 MS-COCO images and captions"
PUBLISHED = {
    "clip": Published(
        "CLIP ViT-B/16, trained",
        COCO,
        "7227280ace0f145d2c45afa8ab507a1cb280e9460aa271fe9052d08e35342adb",
    ),
    "clip-random": Published(
        "CLIP ViT-B/16, random weights",
        COCO,
        "c6a5f9ca3fba36d635fd47d20b3cdd5b9ac78dc462070240fdc2ee2786110403",
    ),
    "convirt": Published(
        "ConVIRT, trained",
        "500 medical images and their reports",
        "8cfb9c31888d12726a3f8b551bed64f04b25d1c76d5353b0a3e9efeceb43edb9",
    ),
    "convirt-random": Published(
        "ConVIRT, random weights",
        "500 medical images and their reports",
        "2fd5698e712d5e0d72256a1b29044b2059818f0575ab12bfcb2c5ae13092007f",
    ),
    "videoclip": Published(
        "VideoCLIP, trained",
        "100 videos and texts",
        "53255cac6105c5c47dd1850d77de084957d5f83841ba9ae9254bf7ae998573da",
    ),
    "videoclip-random": Published(
        "VideoCLIP, random weights",
        "100 videos and texts",
        "c57ee05a606c4a9da0d71ad8b5d5c964d780af816890064a693eb178492c0f3b",
    ),
    "clasp": Published(
        "CLASP, trained",
        "99 protein sequences and texts",
        "5a1d12a68729405003fe19b271a38ae35adab97c139e4b4a51d70b18c44bf628",
    ),
    "clasp-random": Published(
        "CLASP, random weights",
        "99 protein sequences and texts",
        "2a159d008b7527e9fbd3de49daf9116d9500d1aaa250c3a5b009b162c5f4066b",
    ),
}
MINI_CLIP = tuple(f"mini-clip-k{k}" for k in range(6))
RANDOM_MINI_CLIP = "mini-clip-random"


def available_embeddings() -> dict[str, bool]:
    """Every name that `load_embeddings` knows, and whether it loads without a network."""
    own = dict.fromkeys((*MINI_CLIP, RANDOM_MINI_CLIP), True)
    return own | {name: _at_hand(name) is not None for name in PUBLISHED}


def load_embeddings(name: str) -> Embeddings:
    """A named set (draft: local files only)."""
    if name in PUBLISHED:
        path = _at_hand(name)
        if path is None:
            raise ConnectionError(f"{name}: not at hand")
        images, texts = torch.from_numpy(np.load(path, allow_pickle=False)).double()
        about = PUBLISHED[name]
        return Embeddings(
            normalize(images),
            normalize(texts),
            name,
            about.model,
            about.data,
            f"github.com/Weixin-Liang/Modality-Gap, commit {COMMIT}",
            "MIT",
        )
    from . import clip, measures
    from .mad import load_mad
    from .results.mini_clip import load_mini_clip

    if name == RANDOM_MINI_CLIP:
        pairs = measures.draw_test_pairs(load_mad(), "test", 3, "digit", None)
        embedded = measures.embed(clip.build("cnn", seed=0), pairs)
        x, y, model = embedded["images"], embedded["texts"], "the book's small CLIP, random weights"
    elif name in MINI_CLIP:
        mini = load_mini_clip(int(name[-1]))
        x, y, model = mini.images, mini.texts, "the book's small CLIP, trained"
    else:
        known = ", ".join(available_embeddings())
        raise ValueError(f"name: there are no embeddings {name!r}; there are {known}")
    return Embeddings(
        normalize(x.double()),
        normalize(y.double()),
        name,
        model,
        "1,000 test pairs of MAD",
        "made for this book",
        "BSD-3-Clause",
    )


def _at_hand(name: str) -> Path | None:
    """The published file, if it is on this machine."""
    folder = os.environ.get("MODALITY_GAP_DATA")
    path = Path(folder or ".") / "modality_gap_features" / f"features_{name.replace('-', '_')}.npy"
    return path if folder and path.is_file() else None
