"""Makes the book's own models: `python -m modality_gap.experiments.mini_clip --help`.

Each is a run of `modality_gap.lab.training` with seed 0: "k0" to "k5" the default one at each k,
"cold" at k = 3 with the temperature fixed at 0.01, which leaves a gap that the eye sees. Its
weights are rounded to 16 bits before the test pairs are embedded, so that the stored embeddings
are those of the stored weights. "random" stores the embeddings of such a model that was not
trained.
"""

from __future__ import annotations

import argparse
import datetime
from dataclasses import asdict
from pathlib import Path

from torch import Tensor

from .. import results, storage
from ..lab import clip, measures
from ..lab.mad import ATTRIBUTES, load_mad
from ..lab.mini_clip import rebuild
from ..lab.training import Config, train

CONFIGS = {f"k{k}": Config(k=k) for k in range(len(ATTRIBUTES) + 1)} | {
    "cold": Config(temperature=0.01, learn_temperature=False)
}
NAMES = (*CONFIGS, "random")


def make(name: str, folder: Path) -> Path:
    """Train, round, embed and store: one of NAMES."""
    config, weights = CONFIGS.get(name, Config()), {}
    about = {"weights": f"random weights, seed {config.seed}"}
    if name == "random":
        model = clip.build(config.image_encoder, seed=config.seed)
    else:
        result = train(config)
        weights = {
            key: value.half() if value.is_floating_point() else value
            for key, value in result.weights.items()
        }
        model = rebuild(config, weights)
        about = {
            "weights": f"trained for {config.steps} steps, seed {config.seed}",
            "seconds": f"{result.seconds:.0f}",
        }
    path = folder / f"mini_clip_{name}.safetensors"
    results.write_tensors(
        path,
        {**{f"model.{key}": value for key, value in weights.items()}, **_embed(model, config)},
        {
            "config": asdict(config),
            "command": f"python -m modality_gap.experiments.mini_clip --only {name}",
            "date": datetime.date.today().isoformat(),
            "versions": storage.versions(),
            **about,
        },
    )
    return path


def _embed(model: clip.Model, config: Config) -> dict[str, Tensor]:
    pairs = measures.draw_test_pairs(load_mad(), "test", config.k, config.named, config.drawn_from)
    rows = measures.embed(model, pairs)
    return {name: rows[name] for name in ("images", "texts")}


def main() -> None:
    """Make the models that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, help="default: all")
    parser.add_argument(
        "--out", type=Path, default=results.FOLDER, help="folder; default: the package's"
    )
    arguments = parser.parse_args()
    for name in arguments.only:
        print(make(name, arguments.out))


if __name__ == "__main__":
    main()
