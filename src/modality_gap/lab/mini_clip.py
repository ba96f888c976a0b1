"""The book's own models, as they are stored with the book."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from .. import results
from . import clip
from .config import Config
from .mad import ATTRIBUTES


@dataclass(frozen=True)
class MiniClip:
    """A trained small CLIP and its embeddings of the fixed test pairs.

    Attributes:
        config: of the run.
        model: in evaluation mode, without gradients.
        images, texts: unit embeddings, shape (1000, 64); row i of both is a pair, that of
            `measures.draw_test_pairs`.
        about: date, versions and duration of the run.
    """

    config: Config
    model: clip.Model
    images: Tensor
    texts: Tensor
    about: dict[str, Any]


def load_mini_clip(k: int | Literal["cold"]) -> MiniClip:
    """A stored model.

    Args:
        k: attributes that its captions named, 0 to 5; or "cold": the model with 3 whose temperature
            was held at 0.01, and whose gap is large.

    Raises:
        ValueError: no such model, or a damaged file.
    """
    if k != "cold" and k not in range(len(ATTRIBUTES) + 1):
        raise ValueError(f'k: expected 0 to {len(ATTRIBUTES)} or "cold", got {k!r}')
    tensors, about = results.read_tensors("mini_clip_cold" if k == "cold" else f"mini_clip_k{k}")
    config = Config(**about.pop("config"))
    weights = {name[6:]: value for name, value in tensors.items() if name.startswith("model.")}
    model = rebuild(config, weights)
    return MiniClip(config, model, tensors["images"], tensors["texts"], about)


def rebuild(config: Config, weights: dict[str, Tensor]) -> clip.Model:
    """A model of the config's kind with the given weights, in evaluation mode."""
    model = clip.build(config.image_encoder, shared=config.shared)
    model.load_state_dict(weights)
    return model.eval().requires_grad_(False)
