"""The InfoNCE loss of paired embeddings, its two terms, and the entropy of its softmax."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from .checks import check_number, check_pairs
from .sums import Contrast, Entropy

Direction = Literal["both", "image_to_text", "text_to_image"]


def info_nce(
    x: Tensor, y: Tensor, temperature: float | Tensor, direction: Direction = "both"
) -> Tensor:
    """Contrastive loss in which every pair of the batch is told from all mismatched ones.

    Image to text it is the mean over i of -s_ii / tau + log sum_j exp(s_ij / tau) with
    s_ij = x_i . y_j; text to image the same with s transposed; "both" is their mean, CLIP's loss.
    The logits are made in blocks, so memory does not grow with N^2, forward or backward.

    Args:
        x: unit image embeddings, shape (N, D), N >= 2.
        y: unit text embeddings, shape (N, D); row i belongs to row i of x.
        temperature: tau > 0, a number or a scalar tensor (then the loss is differentiable in it).
        direction: "both", "image_to_text" or "text_to_image".

    Returns:
        Scalar, in nats. Differentiable in x, y and temperature.

    Raises:
        ValueError: shapes differ, fewer than two rows, a row is not of unit length, tau <= 0, or
            an unknown direction.

    Source: Radford et al. (2021), Fig. 3; van den Oord et al. (2018), equation 4.

    >>> mg.info_nce(torch.eye(3), torch.eye(3), temperature=1)
    tensor(0.5514)
    """
    if direction not in ("both", "image_to_text", "text_to_image"):
        raise ValueError(
            f'direction: expected "both", "image_to_text" or "text_to_image", got {direction!r}'
        )
    check_pairs(x, y)
    tau = _tau(temperature, x)
    own, rows, columns = Contrast.apply(x, y, tau)
    denominator = {
        "both": (rows + columns) / 2,
        "image_to_text": rows,
        "text_to_image": columns,
    }[direction]
    return denominator - (own / tau).to(x.dtype)


def info_nce_terms(x: Tensor, y: Tensor, temperature: float | Tensor) -> tuple[Tensor, Tensor]:
    """The two terms of the image-to-text InfoNCE loss.

    Args:
        x, y: unit rows, shape (N, D), N >= 2; row i of x is paired with row i of y.
        temperature: tau > 0.

    Returns:
        (numerator, denominator): the means over i of -s_ii / tau and of log sum_j exp(s_ij / tau).
        They add up to info_nce(x, y, temperature, "image_to_text").

    Raises:
        ValueError: shapes differ, fewer than two rows, a row is not of unit length, or tau <= 0.

    >>> mg.info_nce_terms(torch.eye(3), torch.eye(3), temperature=1)
    (tensor(-1.), tensor(1.5514))
    """
    check_pairs(x, y)
    tau = _tau(temperature, x)
    own, denominator, _ = Contrast.apply(x, y, tau)
    return -(own / tau).to(x.dtype), denominator


def softmax_entropy(x: Tensor, y: Tensor, temperature: float | Tensor) -> Tensor:
    """Mean entropy of the image-to-text softmax, softmax_j(x_i . y_j / tau).

    The logits are made in blocks, so memory does not grow with N^2, forward or backward.

    Args:
        x, y: unit rows, shape (N, D), N >= 2.
        temperature: tau > 0.

    Returns:
        Scalar in [0, log N], in nats.

    Raises:
        ValueError: shapes differ, fewer than two rows, a row is not of unit length, or tau <= 0.

    >>> mg.softmax_entropy(torch.eye(3), torch.eye(3), temperature=1)
    tensor(0.9753)
    """
    check_pairs(x, y)
    entropy: Tensor = Entropy.apply(x, y, _tau(temperature, x))
    return entropy


def _tau(temperature: float | Tensor, x: Tensor) -> Tensor:
    """The temperature as a scalar; ValueError unless cosines over it are finite numbers."""
    if check_number(temperature, "temperature", above=0) <= (least := 2 / torch.finfo(x.dtype).max):
        check_number(temperature, "temperature", above=least)
    return torch.as_tensor(temperature, dtype=torch.float64).reshape(())
