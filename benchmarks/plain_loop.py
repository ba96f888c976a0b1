"""The book's model in a training loop as one would write it first, after open_clip's own.

Each sample goes through a Dataset: its picture through PIL and open_clip's transform, its caption's
words are looked up one by one; a DataLoader stacks them.
"""

from __future__ import annotations

import math
import random

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from modality_gap.lab import clip, mad
from modality_gap.lab.training import Config
from modality_gap.torchvision_fix import import_torchvision

import_torchvision()
import open_clip  # noqa: E402


class Pairs(Dataset[tuple[Tensor, Tensor]]):
    """Pictures of MAD and captions, one at a time. The pictures are drawn beforehand."""

    def __init__(self, data: mad.Mad, config: Config) -> None:
        rng = np.random.default_rng(config.seed)
        sources, self.factors = data.draw("train", 16 * len(data.splits["train"]), rng)
        pictures = (255 * data.render(sources, self.factors)).byte()
        self.pictures = pictures.permute(0, 2, 3, 1).numpy()
        self.transform = open_clip.image_transform(
            28, is_train=False, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)
        )
        self.tokens = {word: number for number, word in enumerate(mad.WORDS)}
        self.k = config.k

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, place: int) -> tuple[Tensor, Tensor]:
        picture = self.transform(Image.fromarray(self.pictures[place]))
        digit, *others = (
            values[value]
            for values, value in zip(mad.FACTORS.values(), self.factors[place], strict=True)
        )
        words = [digit, *random.sample(others, self.k)]
        random.shuffle(words)
        return picture, clip.tokens_of(torch.tensor([[self.tokens[word] for word in words]]))[0]


def train(config: Config, data: mad.Mad) -> None:
    """The config's steps of CLIP, from the first to the last."""
    model = clip.build(config.image_encoder, seed=config.seed).train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    loader = DataLoader(Pairs(data, config), config.batch_size, shuffle=True, drop_last=True)
    criterion = open_clip.ClipLoss()
    for _, (images, texts) in zip(range(config.steps), loader, strict=False):
        optimizer.zero_grad()
        image_features, text_features, scale = model(images, texts)
        criterion(image_features, text_features, scale).backward()
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
