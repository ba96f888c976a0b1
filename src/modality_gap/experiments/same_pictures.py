"""The runs of the sweep "pictures": two towers of one kind that see identical pictures.

No caption leaves anything out here, and both sides are of one modality. What gap remains is of the
two initialisations and the loss. Fahim et al. (2024) say that the contrastive loss makes a gap even
within one modality.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..contrastive import info_nce, softmax_entropy
from ..gap import l2m, modality_separability, rmg
from ..lab.clip import BATCH, ConvolutionalTower
from ..lab.mad import Mad, load_mad
from ..lab.measures import BATCH as AMONG
from ..lab.measures import PAIRS, TEST_SEED
from ..lab.training import MAX_LOGIT_SCALE, Config, adamw, contrastive_loss, settle, use_threads
from ..retrieval import recall_at_k
from ..sphere import alignment, mean_cosine, normalize

SECOND = 500  # the second tower's seed lies so far from the first's


@dataclass(frozen=True)
class Pictures(Config):
    """A run; `dimensions` of the embeddings. What is said of captions does not count."""

    dimensions: int = 64


class Towers(nn.Module):
    """Two convolutional towers from two seeds, and a temperature."""

    def __init__(self, config: Pictures) -> None:
        """Start from the config's seed; the global generator is left alone."""
        super().__init__()
        towers = []
        for seed in (config.seed, config.seed + SECOND):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                towers.append(ConvolutionalTower(config.dimensions))
        self.towers = nn.ModuleList(towers)
        self.logit_scale = nn.Parameter(
            torch.tensor(-math.log(config.temperature)), requires_grad=config.learn_temperature
        )


def run(config: Pictures, stop: int | None = None) -> list[dict[str, float]]:
    """Train; a row of measures for each measured step, on 1,000 test images.

    Args:
        config: of the run.
        stop: train only up to this step.
    """
    data, rows = load_mad(), []
    rng = np.random.default_rng([TEST_SEED, 0])
    test = data.render(*data.draw("test", PAIRS, rng))
    with use_threads(config.threads):
        model = Towers(config)
        for tower in model.towers:
            settle(tower, _batch(config, data, config.steps))
        optimizer = adamw([model], config)
        last = config.steps if stop is None else stop
        for step in range(last + 1):
            if step in config.measured_steps:
                rows.append({"step": step, **_measure(model, test)})
            if step < last:
                _train_step(model, optimizer, config, _batch(config, data, step), step)
    return rows


def _batch(config: Pictures, data: Mad, step: int) -> Tensor:
    """Images of a step: they depend on the seed and the step alone."""
    rng = np.random.default_rng([config.seed, step])
    return data.render(*data.draw("train", config.batch_size, rng))


def _train_step(
    model: Towers, optimizer: torch.optim.AdamW, config: Pictures, images: Tensor, step: int
) -> None:
    model.train()
    x, y = (normalize(tower(images)) for tower in model.towers)
    loss = contrastive_loss(x, y, model.logit_scale.exp(), torch.arange(len(x)), "kept")
    for group in optimizer.param_groups:
        group["lr"] = config.learning_rate_at(step)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        model.logit_scale.clamp_(max=MAX_LOGIT_SCALE)


@torch.no_grad()
def _measure(model: Towers, images: Tensor) -> dict[str, float]:
    model.eval()
    x, y = (
        normalize(torch.cat([tower(batch) for batch in images.split(BATCH)]).double())
        for tower in model.towers
    )
    temperature = float(torch.exp(-model.logit_scale))
    batches = list(zip(x.split(AMONG), y.split(AMONG), strict=True))
    recalls = recall_at_k(x, y)
    return {
        "measured_temperature": temperature,
        "test_loss": float(np.mean([float(info_nce(a, b, temperature)) for a, b in batches])),
        "entropy": float(np.mean([float(softmax_entropy(a, b, temperature)) for a, b in batches])),
        "l2m": float(l2m(x, y)),
        "rmg": float(rmg(x, y)),
        "alignment": float(alignment(x, y)),
        "cosine_image": float(mean_cosine(x)),
        "cosine_other": float(mean_cosine(y)),
        "separability": modality_separability(x, y),
        "recall_1": float(np.mean(recalls)),
    }
