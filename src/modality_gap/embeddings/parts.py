"""Embedding that goes on where it was stopped."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from .. import storage
from ..sphere import normalize
from . import own
from .named import Embeddings, store

PART = 1024  # images or captions that are kept at a time


def encode_in_parts(
    model: str,
    images: Sequence[str | Path],
    captions: Sequence[str],
    *,
    out: str | Path,
    owner: Sequence[int] | None = None,
    pretrained: str | Path | None = None,
    batch_size: int = 32,
) -> Embeddings:
    """`encode_pairs` of files, in parts that are kept in OUT.parts until all is done.

    Called again after a stop, it encodes only what is missing. A part of other images, captions or
    weights is made anew.

    Args:
        model, images, captions, owner, pretrained, batch_size: as in `encode_pairs`.
        out: the .safetensors file.

    Raises:
        As `encode_pairs`.
    """
    place = Path(out).expanduser()
    encoder, places = own.prepare(model, images, captions, owner, pretrained, place, batch_size)
    folder = place.with_name(f"{place.name}.parts")
    own.tell_cut(encoder, captions)
    sides = []
    for side, items, encode in (
        ("x", list(map(str, images)), own.encode_images),
        ("y", list(captions), own.encode_captions),
    ):
        rows = []
        for start in range(0, len(items), PART):
            part = items[start : start + PART]
            words = [encoder.name, encoder.weights, *map(_stamp if side == "x" else str, part)]
            key = hashlib.sha256(json.dumps(words).encode()).hexdigest()
            path = folder / f"{side}{start // PART:06}.safetensors"
            made = _kept(path, key)
            if made is None:
                made = encode(encoder, part, batch_size, start)
                storage.save(path, {"rows": made}, {"key": key})
            rows.append(made)
        sides.append(normalize(torch.cat(rows)))
    embeddings = own.described(encoder, sides[0], sides[1], places)
    store(place, embeddings, own.today())
    shutil.rmtree(folder)
    return embeddings


def _kept(path: Path, key: str) -> Any:  # noqa: ANN401
    """What an earlier call has kept, if it is whole and of the same."""
    try:
        tensors, about = storage.load(path)
    except (OSError, storage.DamagedFileError):
        return None
    return tensors.get("rows") if about.get("key") == key else None


def _stamp(path: str) -> str:
    about = Path(path).stat()
    return f"{path} {about.st_size} {about.st_mtime_ns}"
