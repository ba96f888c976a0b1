"""One run: a frozen config in, a result out. Repeatable to the last bit on one machine."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from tqdm import tqdm

from ..sphere import alignment, uniformity
from . import clip
from .config import Config
from .mad import Mad, draw_captions, load_mad
from .measures import draw_test_pairs, embed, measure_model, probe

__all__ = [
    "Config",
    "Result",
    "Run",
    "caption_ids",
    "contrastive_loss",
    "cross_uniformity",
    "train",
    "use_threads",
]

MAX_LOGIT_SCALE = math.log(100)


@dataclass(frozen=True)
class Result:
    """What a run gives.

    Attributes:
        config: of the run.
        rows: a dictionary for each measured step: step, train_loss (mean since the row before),
            and what `measures.measure_model` gives; the last also what `measures.probe` gives.
        embeddings: of the test pairs, "images", "texts" and "full_texts", each (1000, 64).
        weights: of the trained model, by name.
        seconds: that this call took.
    """

    config: Config
    rows: list[dict[str, float]]
    embeddings: dict[str, Tensor]
    weights: dict[str, Tensor]
    seconds: float


def contrastive_loss(
    images: Tensor, texts: Tensor, scale: Tensor, ids: Tensor, duplicates: str
) -> Tensor:
    """CLIP's symmetric loss, with three ways to treat captions that say the same.

    Args:
        images, texts: unit rows, shape (N, D); row i of both is a pair.
        scale: inverse temperature.
        ids: integers, shape (N,), equal where two captions say the same.
        duplicates: "kept", "masked" or "soft", see `Config`.
    """
    logits = scale * images @ texts.T
    targets = torch.arange(len(logits), device=logits.device)
    if duplicates != "kept":
        same = ids[:, None] == ids[None, :]
    if duplicates == "masked":
        logits = logits.masked_fill(same.triu(1) | same.tril(-1), -math.inf)
    if duplicates == "soft":
        targets = same.to(logits.dtype) / same.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2


def cross_uniformity(x: Tensor, y: Tensor) -> Tensor:
    """Uniformity across modalities, log mean_{i != j} exp(-2 ||x_i - y_j||^2).

    Args:
        x, y: unit rows, shape (N, D), N >= 2; row i of both is a pair.

    Source: Fahim et al. (2024).
    """
    other = ~torch.eye(len(x), dtype=torch.bool, device=x.device)
    return torch.log(torch.exp(4 * (x @ y.T - 1))[other].mean())


def caption_ids(words: Tensor) -> Tensor:
    """A number for what a caption says, whatever the order of its words: (N, words) to (N,)."""
    return (1 << words).sum(dim=1)


def train(
    config: Config,
    *,
    data: Mad | None = None,
    progress: bool = True,
    stop: int | None = None,
) -> Result:
    """Train a small CLIP on MAD and measure it on the way.

    Args:
        config: of the run.
        data: MAD; None loads the default data set.
        progress: show a bar with loss and gap.
        stop: train only up to this step of the schedule.

    Returns:
        The result, measured on the test pairs.

    Raises:
        ValueError: the batch is larger than the training data, or the device is not there.
    """
    began = time.perf_counter()
    data = data or load_mad()
    available = len(data.splits["train"])
    if config.batch_size > available:
        raise ValueError(
            f"batch_size: expected at most the {available} digits of training, "
            f"got {config.batch_size}"
        )
    last = min(config.steps, config.steps if stop is None else stop)
    with use_threads(config.threads):
        run = Run(config, data)
        shown = {} if progress else {"disable": True}
        with tqdm(total=last, unit="step", leave=False, **shown) as bar:
            while True:
                if run.step in config.measured_steps:
                    run.record()
                if run.step >= last:
                    break
                run.train_step()
                bar.update()
                if run.step % 10 == 0:
                    bar.set_postfix(loss=f"{run.losses[-1]:.3f}", gap=f"{run.gap:.3f}")
        embeddings = embed(run.model, run.pairs)
    weights = {name: value.cpu().clone() for name, value in run.model.state_dict().items()}
    return Result(config, run.rows, embeddings, weights, time.perf_counter() - began)


class Run:
    """Model, optimiser and what was measured; `step` steps are done."""

    def __init__(self, config: Config, data: Mad, weights: dict[str, Tensor] | None = None) -> None:
        """Start from the config's seed, or from weights; ValueError: the device is not there."""
        self.config, self.data, self.device = config, data, _find_device(config.device)
        self.step, self.gap = 0, math.nan
        self.losses: list[float] = []
        self.rows: list[dict[str, float]] = []
        self.pairs = draw_test_pairs(data, "test", config.k, config.named, config.drawn_from)
        self.model = clip.build(
            config.image_encoder,
            temperature=config.temperature,
            shared=config.shared,
            seed=config.seed,
        ).to(self.device)
        self.model.logit_scale.requires_grad_(config.learn_temperature)
        if weights is not None:
            self.model.load_state_dict(weights)
        else:
            settle(self.model.visual, self.draw(config.steps)[0])
        if config.init == "procrustes":
            self._close_gap()
        self.optimizer = adamw([self.model], config)

    def draw(self, step: int) -> tuple[Tensor, Tensor]:
        """Images and caption words of a step: they depend on the seed and the step alone."""
        config, rng = self.config, np.random.default_rng([self.config.seed, step])
        sources, factors = self.data.draw("train", config.batch_size, rng)
        words = draw_captions(factors, config.k, rng, config.named, config.drawn_from)
        return self.data.render(sources, factors).to(self.device), words.to(self.device)

    @torch.no_grad()
    def _close_gap(self) -> None:
        """Rotate the image embeddings onto the texts: W = U V^T of X^T Y = U S V^T."""
        images, words = self.draw(self.config.steps)
        x = clip.embed_images(self.model, images)
        y = clip.embed_texts(self.model, clip.tokens_of(words))
        u, _, vt = torch.linalg.svd(x.T @ y)
        self.model.visual.proj.copy_(self.model.visual.proj @ u @ vt)

    def train_step(self) -> None:
        """One step of AdamW."""
        config = self.config
        images, words = self.draw(self.step)
        self.model.train()
        x = self.model.encode_image(images, normalize=True)
        y = self.model.encode_text(clip.tokens_of(words), normalize=True)
        loss = contrastive_loss(
            x, y, self.model.logit_scale.exp(), caption_ids(words), config.duplicates
        )
        if config.alignment_weight:
            loss = loss + config.alignment_weight * alignment(x, y)
        if config.uniformity_weight:
            spread = uniformity(x) + uniformity(y) + cross_uniformity(x, y)
            loss = loss + config.uniformity_weight * spread / 3
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate_at(self.step)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(max=MAX_LOGIT_SCALE)
            if config.temperature_end is not None:
                self.model.logit_scale.fill_(-math.log(config.temperature_at(self.step + 1)))
        self.losses.append(loss.item())
        self.gap = float((x.detach().mean(0) - y.detach().mean(0)).norm())
        self.step += 1

    def record(self) -> None:
        """Add a row of measures."""
        row: dict[str, float] = {"step": self.step}
        row["train_loss"] = float(np.mean(self.losses)) if self.losses else math.nan
        row |= measure_model(self.model, self.pairs)
        if self.step == self.config.steps:
            row |= probe(self.model, self.data, self.pairs)
        self.rows.append(row)
        self.losses = []


@torch.no_grad()
def settle(tower: nn.Module, images: Tensor) -> None:
    """Batch norm's running statistics start from a batch, not from 0 and 1."""
    norms = [m for m in tower.modules() if isinstance(m, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    tower.train()(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def adamw(models: Iterable[nn.Module], config: Config) -> torch.optim.AdamW:
    """The optimiser of all that is to be trained; only matrices decay."""
    trained = [p for model in models for p in model.parameters() if p.requires_grad]
    return torch.optim.AdamW(
        [
            {"params": [p for p in trained if p.ndim >= 2], "weight_decay": config.weight_decay},
            {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
        betas=(0.9, 0.98),
        fused=True,
    )


@contextmanager
def use_threads(count: int) -> Iterator[None]:
    """PyTorch's threads for the length of a block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _find_device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    try:
        torch.zeros(1, device=device)
    except (AssertionError, RuntimeError, NotImplementedError) as error:
        raise ValueError(f"device: this machine has no device {name!r} for PyTorch") from error
    return device
