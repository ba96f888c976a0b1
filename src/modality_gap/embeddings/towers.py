"""Encoders with random weights, and the embeddings that any encoder gives."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..sphere import normalize
from ..torchvision_fix import import_open_clip


def random_clip(name: str = "ViT-B-32", seed: int = 0, *, training: bool = False) -> nn.Module:
    """An open_clip model at its random initialisation.

    Args:
        name: an open_clip model name, such as "ViT-B-32", "RN50" or "ViT-S-32-alt".
        seed: of the weights; the global generator is left alone.
        training: the mode. False, evaluation: BatchNorm (in the ResNets) uses its running
            statistics, which at initialisation do nothing. True, training: it uses the mean and
            variance of each batch that it sees, as in the first step of training; embeddings then
            depend on the batch, so give `encode` a batch_size of your own.

    Returns:
        The model, with `encode_image` and `encode_text`, without gradients.

    Raises:
        ValueError: open_clip has no configuration of that name.
        ImportError: open_clip is not installed; the message says how to install it.

    >>> model = mg.random_clip("ViT-S-32-alt", seed=1)  # doctest: +SKIP
    """
    import_open_clip()
    import open_clip

    config = open_clip.get_model_config(name)
    if config is None:
        raise ValueError(
            f"name: open_clip has no model {name!r}; see open_clip.list_models() for all names"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return open_clip.CLIP(**config).train(training).requires_grad_(False)


def encode(encoder: Callable[[Tensor], Tensor], inputs: Tensor, batch_size: int = 32) -> Tensor:
    """Unit embeddings of many inputs, a batch at a time, with a progress bar.

    Args:
        encoder: maps a batch of inputs to a batch of vectors, such as `model.encode_image`.
        inputs: what the encoder reads, stacked along the first axis: N of them.
        batch_size: how many inputs go through the encoder at once.

    Returns:
        Shape (N, D), unit rows.

    Raises:
        ValueError: an embedding is zero or not finite.

    >>> mg.encode(lambda batch: 2 * batch, torch.eye(3), batch_size=2)
    tensor([[1., 0., 0.],
            [0., 1., 0.],
            [0., 0., 1.]])
    """
    batches = inputs.split(batch_size)
    with torch.no_grad():
        return normalize(torch.cat([encoder(batch) for batch in tqdm(batches, leave=False)]))
