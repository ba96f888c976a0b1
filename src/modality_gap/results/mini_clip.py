"""The book's own models, one for each k: `python -m modality_gap.results.mini_clip --help`.

Each is the default run of `modality_gap.training` with seed 0. Its weights are rounded to 16 bits
before the test pairs are embedded, so that the stored embeddings are those of the stored weights.
"""

from __future__ import annotations

import argparse
import datetime
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from .. import clip, measures, storage
from ..mad import ATTRIBUTES, load_mad
from ..training import Config, train
from . import versions

FOLDER = Path(__file__).parent


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


def load_mini_clip(k: int, folder: Path = FOLDER) -> MiniClip:
    """The stored model whose captions named k attributes.

    Args:
        k: 0 to 5.
        folder: where the models are stored.

    Raises:
        ValueError: k out of range, or a damaged file.
    """
    if k not in range(len(ATTRIBUTES) + 1):
        raise ValueError(f"k: expected 0 to {len(ATTRIBUTES)}, got {k}")
    tensors, about = storage.load(folder / f"mini_clip_k{k}.safetensors")
    config = Config(**about.pop("config"))
    weights = {name[6:]: value for name, value in tensors.items() if name.startswith("model.")}
    model = rebuild(config, weights)
    return MiniClip(config, model, tensors["images"], tensors["texts"], about)


def rebuild(config: Config, weights: dict[str, Tensor]) -> clip.Model:
    """A model of the config's kind with the given weights, in evaluation mode."""
    model = clip.build(config.image_encoder, shared=config.shared)
    model.load_state_dict(weights)
    return model.eval().requires_grad_(False)


def make(k: int, folder: Path) -> Path:
    """Train, round, embed and store."""
    config, data = Config(k=k), load_mad()
    result = train(config, data=data)
    weights = {
        name: value.half() if value.is_floating_point() else value
        for name, value in result.weights.items()
    }
    pairs = measures.draw_test_pairs(data, "test", config.k, config.always, config.among)
    embeddings = measures.embed(rebuild(config, weights), pairs)
    path = folder / f"mini_clip_k{k}.safetensors"
    storage.save(
        path,
        {
            **{f"model.{name}": value for name, value in weights.items()},
            **{name: embeddings[name] for name in ("images", "texts")},
        },
        {
            "config": asdict(config),
            "command": "python -m modality_gap.results.mini_clip",
            "date": datetime.date.today().isoformat(),
            "versions": versions(),
            "seconds": f"{result.seconds:.0f}",
        },
    )
    return path


def main() -> None:
    """Make the models that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--k", type=int, nargs="+", default=range(len(ATTRIBUTES) + 1), help="default: all"
    )
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder; default: the package's")
    arguments = parser.parse_args()
    for k in arguments.k:
        print(make(k, arguments.out))


if __name__ == "__main__":
    main()
