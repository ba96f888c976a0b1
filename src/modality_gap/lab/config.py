"""All that decides a run of `training`, checked on construction."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass

import torch

from .clip import IMAGE_ENCODERS
from .mad import check_choice

DUPLICATES = ("kept", "masked", "soft")
INITS = ("random", "procrustes")
EARLY_STEPS = (0, 10, 25, 50)
MEASURE_EVERY = 100


@dataclass(frozen=True)
class Config:
    """All that decides a run: on the CPU of one machine, equal configs give equal bits.

    Attributes:
        k: attributes that a caption names beside the factor that is always named, 0 to 5.
        named: the factor that every caption names.
        drawn_from: the factors that the k are drawn from; None: all but `named`.
        image_encoder: "cnn" or "vit".
        shared: whether "vit" and the text encoder share transformer blocks and projection.
        temperature: of the loss, at the start.
        learn_temperature: whether it is trained; 1 / temperature stays at most 100, as in CLIP.
        temperature_end: of the loss, at the end, on a geometric schedule; None: no schedule.
        alignment_weight: of `alignment`, added to the loss.
        uniformity_weight: of the uniformity of images, of texts and across, added to the loss.
        duplicates: what the loss does with other pairs of a batch whose caption says the same:
            "kept" as negatives, "masked" out, or "soft" targets shared among them.
        init: "random", or "procrustes": the image projection is rotated so that the two
            modalities of the untrained model lie on each other as well as a rotation can.
        steps, batch_size, learning_rate, weight_decay, warmup: of AdamW with a cosine schedule.
        seed: of the weights and of every draw.
        threads: of PyTorch on the CPU; other numbers round differently.
        device: "auto" (a GPU if there is one), or a PyTorch device such as "cpu" or "cuda". A GPU
            may add in another order each time, so its runs agree only to rounding.

    Raises:
        ValueError: on construction, for a config that cannot be.
    """

    k: int = 3
    named: str = "digit"
    drawn_from: tuple[str, ...] | None = None
    image_encoder: str = "cnn"
    shared: bool = False
    temperature: float = 0.07
    learn_temperature: bool = True
    temperature_end: float | None = None
    alignment_weight: float = 0.0
    uniformity_weight: float = 0.0
    duplicates: str = "kept"
    init: str = "random"
    steps: int = 400
    batch_size: int = 256
    learning_rate: float = 4e-3
    weight_decay: float = 0.05
    warmup: int = 100
    seed: int = 0
    threads: int = 1
    device: str = "auto"

    def __post_init__(self) -> None:
        """Check every field; the message names the one at fault."""
        for name, known in [
            ("image_encoder", IMAGE_ENCODERS),
            ("duplicates", DUPLICATES),
            ("init", INITS),
        ]:
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: expected one of {known}, got {getattr(self, name)!r}")
        for name in ("k", "steps", "batch_size", "warmup", "seed", "threads"):
            if not isinstance(getattr(self, name), int):
                raise ValueError(f"{name}: expected a whole number, got {getattr(self, name)!r}")
        check_choice(self.k, self.named, self.drawn_from)
        for name, least in [("steps", 1), ("batch_size", 2), ("threads", 1), ("warmup", 0)]:
            if getattr(self, name) < least:
                raise ValueError(f"{name}: expected at least {least}, got {getattr(self, name)}")
        for name in ("temperature", "temperature_end", "learning_rate"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise ValueError(f"{name}: expected a positive number, got {value}")
        for name in ("temperature", "temperature_end"):
            if (getattr(self, name) or 1) < 0.01:
                raise ValueError(f"{name}: CLIP's bound is 0.01, got {getattr(self, name)}")
        for name in ("weight_decay", "alignment_weight", "uniformity_weight"):
            if not (getattr(self, name) >= 0 and math.isfinite(getattr(self, name))):
                raise ValueError(f"{name}: expected 0 or more, got {getattr(self, name)}")
        if self.shared and (self.image_encoder, self.init) != ("vit", "random"):
            raise ValueError("shared: expected image_encoder 'vit' and init 'random'")
        if self.learn_temperature and self.temperature_end is not None:
            raise ValueError("temperature_end: a learned temperature follows no schedule")
        if self.seed < 0:
            raise ValueError(f"seed: expected 0 or more, got {self.seed}")
        if self.device != "auto":
            try:
                torch.device(self.device)
            except RuntimeError as error:
                raise ValueError(f"device: PyTorch knows no device {self.device!r}") from error

    @property
    def key(self) -> str:
        """16 hexadecimal digits that stand for this config."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:16]

    @property
    def measured_steps(self) -> tuple[int, ...]:
        """Before which steps the model is measured; the last is the trained model."""
        regular = range(MEASURE_EVERY, self.steps, MEASURE_EVERY)
        early = [step for step in EARLY_STEPS if step < self.steps]
        return (*early, *regular, self.steps)

    def learning_rate_at(self, step: int) -> float:
        """Of a step: linear warm-up, then half a cosine down to 0, as in open_clip."""
        if step < self.warmup:
            return self.learning_rate * ((step + 1) / self.warmup)
        angle = math.pi * (step - self.warmup) / (self.steps - self.warmup)
        return self.learning_rate * (0.5 * (1 + math.cos(angle)))

    def temperature_at(self, step: int) -> float:
        """When `step` steps are done, on the geometric schedule to `temperature_end`."""
        end = self.temperature_end or self.temperature
        return self.temperature * (end / self.temperature) ** (step / self.steps)
