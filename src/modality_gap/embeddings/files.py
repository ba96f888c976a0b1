"""Embeddings as they lie on a disk: arrays in files and shards, opened without running anything."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ..checks import check_owner
from ..door import Part, Rows
from .formats import ENDINGS, OWNERS, check_file, numbers, read_arrays

# Names under which people store the two sides.
IMAGES = (
    *("images", "image", "x", "image_embeddings", "image_embeds", "image_features", "img_emb"),
    *("image_embedding", "image_emb", "img", "vision", "image_feats"),
)
TEXTS = (
    *("texts", "text", "y", "text_embeddings", "text_embeds", "text_features", "text_emb"),
    *("text_embedding", "txt", "captions", "caption_embeddings", "caption", "text_feats"),
)
FOLDERS = (("img_emb", "text_emb"), ("images", "texts"), ("image", "text"))


@dataclass(frozen=True)
class Pairs:
    """Two sides that were opened; `measure` takes them, and reads them a block at a time.

    Attributes:
        images, captions: rows, (N, D) and (M, D).
        owner: of each caption the row of its image, (M,); None: row i of both is a pair.
        name: of the files.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "both.npz"
    >>> np.savez(path, images=np.eye(4), texts=np.eye(4))
    >>> mg.open_pairs(path).images.shape
    (4, 4)
    """

    images: Rows
    captions: Rows
    owner: Tensor | None
    name: str

    def __iter__(self) -> Iterator[Any]:
        return iter((self.images, self.captions, self.owner))


def open_pairs(
    files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
    *,
    images: Any = None,  # noqa: ANN401
    texts: Any = None,  # noqa: ANN401
    owner: Any = None,  # noqa: ANN401
    normalize: bool = False,
) -> Pairs:
    """Open embeddings that lie in files; nothing is read but what a block needs.

    Args:
        files: one file with both sides: .safetensors, .npz, .pt or .parquet with two named arrays
            or columns, a .npy or .pt stack of shape (2, N, D); a folder as clip-retrieval leaves
            it (img_emb, text_emb); or two files, the images' and the captions'.
        images, texts: instead, a file, a folder of shards, or several shards, of either side; or
            the name of an array in the one file.
        owner: a .npy or text file of whole numbers, of each caption the row of its image; or the
            numbers; or the name of an array in the one file.
        normalize: whether rows are made unit as they are read.

    Returns:
        Both sides; `measure` takes them.

    Raises:
        ValueError: a file is not what its name says, holds pickled objects, is a Git LFS pointer,
            or does not hold two sides; the message says what to do.
        FileNotFoundError: there is no such file.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "stack.npy"
    >>> np.save(path, np.stack([np.eye(4), np.eye(4)]))
    >>> float(mg.measure(mg.open_pairs(path))["l2m"])
    0.0
    """
    paths = [files] if isinstance(files, str | os.PathLike) else list(files)
    places = [Path(path).expanduser() for path in paths]
    name = ", ".join(place.name for place in places)
    if len(places) == 1:
        sides = _both(places[0], images, texts, owner)
    elif len(places) == 2:
        sides = _shards([places[0]]), _shards([places[1]]), owner
    elif not places and images is not None and texts is not None:
        sides = _shards(_several(images)), _shards(_several(texts)), owner
        name = f"{Path(str(_several(images)[0])).stem}"
    else:
        raise ValueError(
            f"files: expected one file with images and captions, or two, got {len(places)}; shards "
            "are named by images= and texts= (--images and --texts)"
        )
    first, second, whose = sides
    x, y = Rows(first, "images", normalize), Rows(second, "captions", normalize)
    return Pairs(x, y, _owner(whose, x, y), name)


def _both(place: Path, images: Any, texts: Any, owner: Any) -> tuple[Any, Any, Any]:  # noqa: ANN401
    if place.is_dir():
        for pair in FOLDERS:
            if all((place / side).is_dir() for side in pair):
                _check_same(*(place / side for side in pair))
                return *(_shards([place / side]) for side in pair), owner
        tables = sorted(place.glob("*.parquet"))
        if not tables:
            raise ValueError(
                f"{place}: expected a folder with img_emb and text_emb, as clip-retrieval leaves "
                "it, or with .parquet files; name other shards by images= and texts="
            )
        named = [_two(read_arrays(table), table, images, texts) for table in tables]
        return [a for a, _ in named], [b for _, b in named], owner
    arrays = read_arrays(place)
    first, second = _two(arrays, place, images, texts)
    if owner is None or (isinstance(owner, str) and owner in numbers(place)):
        known = numbers(place)
        owner = known.get(owner or next((each for each in OWNERS if each in known), ""))
    return [first], [second], owner


def _two(arrays: Mapping[str, Part], path: Path, images: Any, texts: Any) -> tuple[Part, Part]:  # noqa: ANN401
    """The images' and the captions' array among those of a file."""
    lower = {name.lower(): name for name in arrays}
    found = []
    for asked, known in ((images, IMAGES), (texts, TEXTS)):
        names = known if asked is None else (str(asked).lower(),)
        found += [arrays[lower[name]] for name in names if name in lower][:1]
    if len(found) != 2:
        there = ", ".join(f"{name} {part.shape}" for name, part in list(arrays.items())[:8])
        raise ValueError(
            f"{path}: expected two arrays, of images and of captions; there is {there or 'none'}; "
            "name them by images= and texts= (--images and --texts), or make a pair of them: "
            "mg.measure(x, y)"
        )
    return found[0], found[1]


def _several(value: Any) -> list[Any]:  # noqa: ANN401
    return [value] if isinstance(value, str | os.PathLike) else list(value)


def _shards(places: Sequence[Any]) -> list[Part]:
    """One side: files, or folders of them in the order of their numbers."""
    found: list[Part] = []
    for place in places:
        path = Path(place).expanduser()
        paths = [path]
        if path.is_dir():
            paths = sorted(
                (each for each in path.iterdir() if each.suffix.lower() in ENDINGS), key=_number
            )
            _check_gaps(path, paths)
        for each in paths:
            arrays = read_arrays(each)
            if len(arrays) != 1:
                raise ValueError(
                    f"{each}: expected one array of one side, got {len(arrays)}: "
                    f"{', '.join(arrays)}"
                )
            found += arrays.values()
    if not found:
        raise ValueError(f"{', '.join(map(str, places))}: there are no files of embeddings")
    return found


def _number(path: Path) -> tuple[int, str]:
    digits = "".join(c for c in path.stem.rpartition("_")[2] if c.isdigit())
    return int(digits or -1), path.name


def _check_gaps(folder: Path, paths: Sequence[Path]) -> None:
    """Raise ValueError where a shard is missing among numbered ones."""
    there = [_number(path)[0] for path in paths]
    if len(there) < 2 or -1 in there:
        return
    missing = sorted(set(range(min(there), max(there) + 1)) - set(there))
    if missing and len(missing) < len(there):
        raise ValueError(
            f"{folder}: shard {missing[0]} is missing between {paths[0].name} and {paths[-1].name}"
            "; copy it again, or name the shards that shall count"
        )


def _check_same(images: Path, texts: Path) -> None:
    """Raise ValueError where one side has the shard of a number, and the other has not."""
    sides = [
        {_number(path)[0] for path in side.iterdir() if path.suffix.lower() in ENDINGS}
        for side in (images, texts)
    ]
    if -1 in sides[0] | sides[1] or not all(len(side) > 1 for side in sides):
        return
    for folder, lacking in ((texts, sides[0] - sides[1]), (images, sides[1] - sides[0])):
        if lacking:
            raise ValueError(
                f"{folder}: shard {min(lacking)} is missing, which the other side has; copy it "
                "again, or name the shards that shall count"
            )


def _owner(value: Any, x: Rows, y: Rows) -> Tensor | None:  # noqa: ANN401
    if value is None:
        return None
    if isinstance(value, str | os.PathLike):
        path = Path(value).expanduser()
        check_file(path)
        try:
            if path.suffix == ".npy":
                value = np.load(path, allow_pickle=False)
            else:
                value = np.loadtxt(path, dtype=np.int64, ndmin=1)
        except ValueError as error:
            raise ValueError(
                f"{path}: expected whole numbers, one for each caption: {error}"
            ) from None
    return check_owner(value, len(x), len(y))
