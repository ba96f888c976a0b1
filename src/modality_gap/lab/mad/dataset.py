"""MAD, Multimodal Attributes and Digits: made from handwriting, cached, split, drawn, coloured."""

from __future__ import annotations

import ast
import hashlib
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor
from tqdm import tqdm

from ... import storage
from . import shapes as drawing
from .factors import ATTRIBUTES, FACTORS, SIZES, check_factors

SPLITS = {"validation": 150, "test": 400}  # of 1,797; the other 1,247 are for training
CHUNK = 32  # digits that a process is handed at once

# Red, green and blue of each colour.
CHANNELS = {
    "grey": (0.5, 0.5, 0.5),
    "red": (1, 0, 0),
    "green": (0, 1, 0),
    "blue": (0, 0, 1),
    "cyan": (0, 1, 1),
    "magenta": (1, 0, 1),
    "yellow": (1, 1, 0),
}


@dataclass(frozen=True, eq=False)
class Mad:
    """A MAD data set: every shape of every source digit; colours are added when it is rendered.

    Attributes:
        shapes: (S, 24, 28, 28), uint8: thickness x swelling x fracture x size of each of the S
            source digits, in grey.
        labels: (S,), int64: which digit it is.
        splits: positions of the source digits of "train", "validation" and "test", int64. No
            handwritten digit is in two of them.
    """

    shapes: Tensor
    labels: Tensor
    splits: dict[str, Tensor]

    def draw(self, split: str, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Draw source digits and attributes.

        Args:
            split: "train", "validation" or "test".
            count: how many, at least 1.
            rng: where the draws come from.

        Returns:
            (sources, factors), int64 of shape (count,) and (count, 6). No source digit comes again
            before all of the split have come. Attributes are uniform and independent.

        Raises:
            ValueError: no such split, or count below 1.
        """
        if split not in self.splits:
            raise ValueError(f"split: expected one of {list(self.splits)}, got {split!r}")
        if count < 1:
            raise ValueError(f"count: expected at least 1, got {count}")
        members = self.splits[split].numpy()
        rounds = [rng.permutation(members) for _ in range(-(-count // len(members)))]
        sources = torch.from_numpy(np.concatenate(rounds)[:count])
        attributes = rng.integers(0, SIZES[1:].numpy(), (count, len(ATTRIBUTES)))
        return sources, torch.column_stack([self.labels[sources], torch.from_numpy(attributes)])

    def render(self, sources: Tensor, factors: Tensor) -> Tensor:
        """Images of source digits with given attributes.

        Args:
            sources: positions of source digits, integers of shape (n,).
            factors: integers of shape (n, 6); column 0 is the digit that the source shows.

        Returns:
            Shape (n, 3, 28, 28), float32 in [0, 1].

        Raises:
            ValueError: no such source, a factor out of range, or not the source's digit.
        """
        check_factors(factors)
        self._check_sources(sources, factors)
        _, thickness, swelling, fracture, size, colour = factors.long().unbind(1)
        shape = ((thickness * 2 + swelling) * 2 + fracture) * 2 + size
        channels = torch.tensor([CHANNELS[name] for name in FACTORS["colour"]])
        images = self.shapes[sources, shape].unsqueeze(1) / 255
        return images * channels[colour][:, :, None, None]

    def _check_sources(self, sources: Tensor, factors: Tensor) -> None:
        if sources.shape != factors.shape[:1]:
            raise ValueError(
                f"sources: expected shape ({len(factors)},), one per row of factors; "
                f"got {tuple(sources.shape)}"
            )
        if sources.dtype != torch.int64:
            raise ValueError(f"sources: expected int64, got {sources.dtype}")
        wrong = ((sources < 0) | (sources >= len(self.labels))).nonzero()
        if len(wrong):
            raise ValueError(
                f"sources: row {int(wrong[0])} is {int(sources[wrong[0]])}; "
                f"expected 0 to {len(self.labels) - 1}"
            )
        wrong = (self.labels[sources] != factors[:, 0]).nonzero()
        if len(wrong):
            row = int(wrong[0])
            raise ValueError(
                f"factors: row {row} says digit {int(factors[row, 0])}, but source "
                f"{int(sources[row])} is a {int(self.labels[sources[row]])}"
            )


def load_mad() -> Mad:
    """Read MAD from the cache, or make it and store it there.

    The cache is the folder that the environment variable MODALITY_GAP_CACHE names, else the user's
    cache folder.

    Source: Schrodi et al. (2025), the MAD data set; made anew here, from scikit-learn's digits.
    """
    path = storage.cache_folder() / f"mad-{key()}.safetensors"
    made = _read(path)
    if made is None:
        made = _make_once(path)
    return Mad(made["shapes"], made["labels"], split(made["labels"]))


def key() -> str:
    """16 hexadecimal digits that stand for the code that draws, save its comments and line breaks.

    Data that other code has drawn are in another file.
    """
    code = ast.dump(ast.parse(Path(drawing.__file__).read_text("utf-8")))
    return hashlib.sha256(code.encode()).hexdigest()[:16]


def split(labels: Tensor) -> dict[str, Tensor]:
    """Positions of the source digits in each split, each digit in proportion."""
    rest, rest_labels, splits = np.arange(len(labels)), labels.numpy(), {}
    for name in ("test", "validation"):
        rest, part, rest_labels, _ = train_test_split(
            rest,
            rest_labels,
            test_size=SPLITS[name],
            stratify=rest_labels,
            random_state=drawing.SEED,
        )
        splits[name] = torch.from_numpy(np.sort(part))
    return {"train": torch.from_numpy(np.sort(rest)), **dict(reversed(splits.items()))}


def _read(path: Path) -> dict[str, Tensor] | None:
    """What is stored, or None where that is nothing or damaged."""
    try:
        return storage.load(path)[0]
    except (OSError, storage.DamagedFileError):
        return None


def _make_once(path: Path) -> dict[str, Tensor]:
    """Make and store; a second process waits for the first, and reads what it stored."""
    lock = FileLock(f"{path}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        warnings.warn(f"MAD is made without a cache: {error}", stacklevel=3)
        return make()
    try:
        made = _read(path)
        if made is None:
            if path.exists():
                warnings.warn(f"{path} is damaged; MAD is made anew", stacklevel=3)
            made = make()
            _store(path, made)
        return made
    finally:
        lock.release()


def _store(path: Path, made: dict[str, Tensor]) -> None:
    try:
        storage.save(path, made, {"data": "MAD"})
    except OSError as error:
        warnings.warn(f"MAD is not kept for the next time: {error}", stacklevel=4)


def make() -> dict[str, Tensor]:
    """Draw all shapes of all source digits, in several processes: "shapes" and "labels" of `Mad`.

    What comes out does not depend on how many processes there are.
    """
    digits, labels = load_digits(return_X_y=True)
    digits = (digits.reshape(-1, 8, 8) / 16).astype(np.float32)
    chunks = [
        range(start, min(start + CHUNK, len(digits))) for start in range(0, len(digits), CHUNK)
    ]
    # Idle processes leave after some seconds: what comes next needs their memory.
    workers = joblib.Parallel(n_jobs=-1, return_as="generator", idle_worker_timeout=10)
    drawn = workers(joblib.delayed(_draw_chunk)(digits[chunk], chunk) for chunk in chunks)
    shapes = list(tqdm(drawn, desc="MAD", total=len(chunks), unit="chunk", leave=False))
    return {"shapes": torch.from_numpy(np.concatenate(shapes)), "labels": torch.from_numpy(labels)}


def _draw_chunk(digits: NDArray[np.float32], numbers: Iterable[int]) -> NDArray[np.uint8]:
    pairs = zip(digits, numbers, strict=True)
    return np.stack([drawing.draw_shapes(digit, number) for digit, number in pairs])
