"""The InfoNCE loss of paired embeddings, its two terms, and the entropy of its softmax."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from .checks import check_pairs, check_positive, enumerate_blocks

Direction = Literal["both", "image_to_text", "text_to_image"]
# Largest number of logits held at once: 64 MiB in float32. Blocks below 32 MiB come from the heap,
# which the results kept between them would leave full of holes.
LOGITS = 2**24


def info_nce(
    x: Tensor, y: Tensor, temperature: float | Tensor, direction: Direction = "both"
) -> Tensor:
    """Contrastive loss in which every pair of the batch is told from all mismatched ones.

    Image to text it is the mean over i of -s_ii / tau + log sum_j exp(s_ij / tau) with
    s_ij = x_i . y_j; text to image the same with s transposed; "both" is their mean, CLIP's loss.
    The logits are made in blocks of rows, so memory does not grow with N^2.

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
    """
    if direction not in ("both", "image_to_text", "text_to_image"):
        raise ValueError(
            f'direction: expected "both", "image_to_text" or "text_to_image", got {direction!r}'
        )
    check_pairs(x, y)
    check_positive(temperature, "temperature")
    rows, columns = _log_denominators(x, y, temperature)
    denominator = {
        "both": (rows + columns) / 2,
        "image_to_text": rows,
        "text_to_image": columns,
    }[direction]
    return denominator - ((x * y).sum(dim=1) / temperature).mean()


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
    """
    check_pairs(x, y)
    check_positive(temperature, "temperature")
    return -((x * y).sum(dim=1) / temperature).mean(), _log_denominators(x, y, temperature)[0]


def softmax_entropy(x: Tensor, y: Tensor, temperature: float | Tensor) -> Tensor:
    """Mean entropy of the image-to-text softmax, softmax_j(x_i . y_j / tau).

    Args:
        x, y: unit rows, shape (N, D), N >= 2.
        temperature: tau > 0.

    Returns:
        Scalar in [0, log N], in nats.

    Raises:
        ValueError: shapes differ, fewer than two rows, a row is not of unit length, or tau <= 0.
    """
    check_pairs(x, y)
    check_positive(temperature, "temperature")
    total = x.new_zeros(())
    for _, rows in enumerate_blocks(x / temperature, _rows_per_block(x)):
        log_p = torch.log_softmax(rows @ y.T, dim=1)
        total = total - (log_p.exp() * log_p).sum()
    return total / len(x)


def _rows_per_block(x: Tensor) -> int:
    return max(1, LOGITS // len(x))


def _log_denominators(x: Tensor, y: Tensor, temperature: float | Tensor) -> tuple[Tensor, Tensor]:
    """Mean over rows, and mean over columns, of log sum exp of the logits."""
    size = _rows_per_block(x)
    scaled = x / temperature
    recompute = torch.is_grad_enabled() and (scaled.requires_grad or y.requires_grad)
    by_row, by_column = [], x.new_full((len(x),), -torch.inf)
    for _, rows in enumerate_blocks(scaled, size):
        if recompute and len(rows) < len(x):  # in the backward pass, instead of keeping the block
            row, column = checkpoint(_reduce, rows, y, use_reentrant=False)
        else:
            row, column = _reduce(rows, y)
        by_row.append(row)
        by_column = torch.logaddexp(by_column, column) if len(rows) < len(x) else column
    return torch.cat(by_row).mean(), by_column.mean()


def _reduce(rows: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    logits = rows @ y.T
    return logits.logsumexp(dim=1), logits.logsumexp(dim=0)
