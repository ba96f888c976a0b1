"""Embedding sets by name: the book's own models', and those that Liang et al. (2022) publish."""

from __future__ import annotations

import difflib
import os
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import results, storage
from ..sphere import normalize
from .files import open_pairs
from .formats import ENDINGS, metadata


@dataclass(frozen=True)
class Embeddings:
    """Paired unit embeddings, and where they come from. `x, y = embeddings` unpacks the pair.

    Attributes:
        x, y: unit rows, float64, x of images (with the published sets: images, videos or proteins)
            and y of texts. Row i of both, of shape (N, D), is a pair, unless there is an owner.
        name: by which `load_embeddings` knows them, or that of the encoded model.
        model, data, source, licence: in words.
        owner: None, or, for several captions an image, of each row of y the row of its image in x,
            shape (M,).

    >>> embeddings = mg.load_embeddings("mini-clip-k3")
    >>> x, y = embeddings
    >>> embeddings.licence[:12]
    'BSD-3-Clause'
    """

    x: Tensor
    y: Tensor
    name: str
    model: str
    data: str
    source: str
    licence: str
    owner: Tensor | None = None

    def __iter__(self) -> Iterator[Tensor]:
        """The pair (x, y)."""
        return iter((self.x, self.y))


@dataclass(frozen=True)
class Published:
    """A file that Liang et al. (2022) publish: what it holds, its array's shape, its checksum."""

    model: str
    data: str
    shape: tuple[int, int, int]
    sha256: str


COMMIT = "8e20cb24efa4c5f89aad694f2f65eb43ffc46d10"
ADDRESS = (
    f"https://raw.githubusercontent.com/Weixin-Liang/Modality-Gap/{COMMIT}/Figure_1_Modality_Gap/"
)
FOLDER = "modality_gap_features"  # in which the files lie, in the cache and wherever they are kept
COCO = "500 MS-COCO images and captions"
PUBLISHED = {
    "clip": Published(
        "CLIP ViT-B/16, trained",
        COCO,
        (2, 500, 512),
        "7227280ace0f145d2c45afa8ab507a1cb280e9460aa271fe9052d08e35342adb",
    ),
    "clip-random": Published(
        "CLIP ViT-B/16, random weights",
        COCO,
        (2, 500, 512),
        "c6a5f9ca3fba36d635fd47d20b3cdd5b9ac78dc462070240fdc2ee2786110403",
    ),
    "convirt": Published(
        "ConVIRT, trained",
        "500 medical images and their reports",
        (2, 500, 512),
        "8cfb9c31888d12726a3f8b551bed64f04b25d1c76d5353b0a3e9efeceb43edb9",
    ),
    "convirt-random": Published(
        "ConVIRT, random weights",
        "500 medical images and their reports",
        (2, 500, 512),
        "2fd5698e712d5e0d72256a1b29044b2059818f0575ab12bfcb2c5ae13092007f",
    ),
    "videoclip": Published(
        "VideoCLIP, trained",
        "100 videos and texts",
        (2, 100, 768),
        "53255cac6105c5c47dd1850d77de084957d5f83841ba9ae9254bf7ae998573da",
    ),
    "videoclip-random": Published(
        "VideoCLIP, random weights",
        "100 videos and texts",
        (2, 100, 768),
        "c57ee05a606c4a9da0d71ad8b5d5c964d780af816890064a693eb178492c0f3b",
    ),
    "clasp": Published(
        "CLASP, trained",
        "99 protein sequences and texts",
        (2, 99, 768),
        "5a1d12a68729405003fe19b271a38ae35adab97c139e4b4a51d70b18c44bf628",
    ),
    "clasp-random": Published(
        "CLASP, random weights",
        "99 protein sequences and texts",
        (2, 99, 768),
        "2a159d008b7527e9fbd3de49daf9116d9500d1aaa250c3a5b009b162c5f4066b",
    ),
}
PATIENCE = 4.0  # seconds without news until a server counts as out of reach
WORDS = ("name", "model", "data", "source", "licence")
OWN = (*(f"mini-clip-k{k}" for k in range(6)), "mini-clip-cold", "mini-clip-random")
SOURCE = f"Liang et al. (2022), github.com/Weixin-Liang/Modality-Gap, commit {COMMIT}"


def available_embeddings() -> dict[str, bool]:
    """Every name that `load_embeddings` knows, and whether it loads without a network.

    >>> mg.available_embeddings()["mini-clip-k3"]
    True
    """
    return dict.fromkeys(OWN, True) | {name: _is_here(name) for name in PUBLISHED}


def load_embeddings(name: str | Path) -> Embeddings:
    """Paired embeddings by name, as float64 unit rows.

    "mini-clip-k0" to "mini-clip-k5" are the book's own models, stored with the book,
    "mini-clip-cold" is that with k = 3 whose temperature was held at 0.01, and "mini-clip-random"
    is such a model with random weights. "clip", "convirt", "videoclip" and
    "clasp", and each of them with "-random", are published by Liang et al. (2022): read from the
    folder that the environment variable MODALITY_GAP_DATA names, else from the cache, else
    downloaded into the cache.

    Args:
        name: one of `available_embeddings()`, or the path of a file (a `Path`, or a string that
            ends in ".safetensors", ".npy", ".npz", ".pt" or ".parquet"): one that `encode_pairs`
            wrote, or any with two sides that `open_pairs` knows, of unit rows.

    Raises:
        ValueError: no such name, or a file that is damaged or holds no two sides of unit rows.
        FileNotFoundError: no such file.
        ConnectionError: a published file is not on this machine and cannot be downloaded; the
            message says what to do. It comes within 5 seconds where there is no network.

    Source: Liang et al. (2022), Fig. 1, for the published embeddings.

    >>> x, y = mg.load_embeddings("mini-clip-k3")
    >>> x.shape
    torch.Size([1000, 64])
    """
    if not isinstance(name, str | Path):
        raise ValueError(f"name: expected a name or a path, got {type(name).__name__}")
    if isinstance(name, Path) or name.endswith(ENDINGS):
        return _read(Path(name).expanduser())
    if name in PUBLISHED:
        return _published(name)
    if name in OWN:
        return _own(name)
    known = list(available_embeddings())
    similar = difflib.get_close_matches(name.lower(), known, 1)
    hint = f"; did you mean {similar[0]!r}?" if similar else ""
    raise ValueError(f"name: expected one of {', '.join(known)}; got {name!r}{hint}")


def store(path: Path, embeddings: Embeddings, about: dict[str, Any]) -> None:
    """Write embeddings to a file that `load_embeddings` reads, with what else is known of them."""
    words = {name: getattr(embeddings, name) for name in WORDS}
    tensors = {"x": embeddings.x, "y": embeddings.y}
    if embeddings.owner is not None:
        tensors["owner"] = embeddings.owner
    storage.save(path, tensors, {**words, **about})


def _read(path: Path) -> Embeddings:
    if path.suffix == ".safetensors" and path.is_file() and "about" in metadata(path):
        tensors, about = storage.load(path)
        if not {"x", "y"} <= tensors.keys():
            raise ValueError(f"name: {path} holds no embeddings; expected a file of encode_pairs")
        if set(WORDS) <= about.keys():
            words = {name: about[name] for name in WORDS}
            return Embeddings(tensors["x"], tensors["y"], **words, owner=tensors.get("owner"))
    opened = open_pairs(path)
    try:
        x, y = (rows.read(0, len(rows)) for rows in (opened.images, opened.captions))
    except ValueError as error:
        reason = str(error).removesuffix("; normalize=True makes all rows unit")
        raise ValueError(
            f"{path}: {reason}; mg.measure(mg.open_pairs({str(path)!r}, normalize=True)) measures "
            "its rows made unit"
        ) from None
    words = dict.fromkeys(WORDS, "not known") | {"name": path.stem, "source": str(path)}
    return Embeddings(x, y, **words, owner=opened.owner)


def _own(name: str) -> Embeddings:
    tensors, about = results.read_tensors(name.replace("-", "_"))
    config = about["config"]
    return Embeddings(
        normalize(tensors["images"].double()),
        normalize(tensors["texts"].double()),
        name,
        f"the book's small CLIP, {about['weights']}",
        f"{len(tensors['images']):,} test pairs of MAD; captions name the digit and {config['k']} "
        "of its 5 attributes",
        f"stored with the book; {about['command']}, {about['date']}",
        "BSD-3-Clause; the handwriting is scikit-learn's digits (UCI, CC BY 4.0)",
    )


def _published(name: str) -> Embeddings:
    about = PUBLISHED[name]
    features = np.load(_find(name) or _fetch(name), allow_pickle=False)
    if features.shape != about.shape or features.dtype != np.float32:
        raise ValueError(
            f"{name}: expected {about.shape} of float32 in the published file; "
            f"got {features.shape} of {features.dtype}"
        )
    x, y = torch.from_numpy(features).double()
    return Embeddings(normalize(x), normalize(y), name, about.model, about.data, SOURCE, "MIT")


def _find(name: str) -> Path | None:
    """The published file, if it is on this machine; a damaged one in the cache counts as none."""
    path = _place(name)
    if path is None or _is_intact(path, name):
        return path
    if path == _cached(name):
        return None
    raise ValueError(
        f"{path} is not what was published, because its SHA-256 is not {PUBLISHED[name].sha256}: "
        f"put the file from {_address(name)} in its place, or unset MODALITY_GAP_DATA"
    )


def _fetch(name: str) -> Path:
    """The published file from its authors' repository, kept in the cache if it came whole."""
    import pooch
    import requests

    path, log = _cached(name), pooch.get_logger()
    try:
        storage.check_writable(path)
    except OSError as error:
        warnings.warn(f"{path.name} is not kept for the next time: {error}", stacklevel=4)
        path = Path(tempfile.mkdtemp()) / path.name
    level = log.level
    log.setLevel("ERROR")
    try:
        pooch.retrieve(
            _address(name),
            known_hash=PUBLISHED[name].sha256,
            path=path.parent,
            fname=path.name,
            downloader=pooch.HTTPDownloader(timeout=PATIENCE, progressbar=True),
        )
    except (requests.RequestException, ValueError) as error:  # ValueError: another checksum
        folder = _data_folder()
        looked = f"{folder} (MODALITY_GAP_DATA) or " if folder else ""
        reason = " ".join(str(error).split())[:200]
        raise ConnectionError(
            f"{name}: there is no readable {path.name} in {looked}the cache "
            f"{_cached(name).parent}, and it did not come from {_address(name)} "
            f"({reason}); either download it by hand into a folder and let the environment "
            "variable MODALITY_GAP_DATA name that folder, or do without it: the measurements "
            'stored with the book (modality_gap.results.read("published_sizes")) and embeddings '
            "such as 'mini-clip-k3' need no network"
        ) from None
    finally:
        log.setLevel(level)
    return path


def _is_here(name: str) -> bool:
    path = _place(name)
    return path is not None and _is_intact(path, name)


def _is_intact(path: Path, name: str) -> bool:
    import pooch

    return bool(pooch.file_hash(str(path)) == PUBLISHED[name].sha256)


def _place(name: str) -> Path | None:
    """Where the published file is on this machine, if anywhere."""
    folder, places = _data_folder(), [_cached(name)]
    if folder:
        places = [folder / FOLDER / _file(name), folder / _file(name), *places]
    return next((path for path in places if _is_readable(path)), None)


def _is_readable(path: Path) -> bool:
    # Not Path.is_file, which raises in a folder that may not be entered.
    return os.path.isfile(path) and os.access(path, os.R_OK)


def _data_folder() -> Path | None:
    """The folder that MODALITY_GAP_DATA names, in full."""
    folder = os.environ.get("MODALITY_GAP_DATA")
    return Path(os.path.expanduser(folder)).absolute() if folder else None


def _cached(name: str) -> Path:
    return storage.cache_folder() / FOLDER / _file(name)


def _address(name: str) -> str:
    return ADDRESS + _file(name)


def _file(name: str) -> str:
    return f"features_{name.replace('-', '_')}.npy"
