"""The versions one would write first: each materialises the N x N matrix."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from modality_gap.lab import mad


def off_diagonal_mean(matrix: Tensor) -> Tensor:
    n = len(matrix)
    return (matrix.sum() - matrix.diagonal().sum()) / (n * (n - 1))


def mean_cosine(x: Tensor, y: Tensor) -> Tensor:
    return off_diagonal_mean(x @ x.T)


def l2m(x: Tensor, y: Tensor) -> Tensor:
    return ((x @ x.T).mean() + (y @ y.T).mean() - 2 * (x @ y.T).mean()).clamp(min=0).sqrt()


def rmg(x: Tensor, y: Tensor) -> Tensor:
    between = ((1 - x @ y.T) / 2).diagonal().mean()
    within = (off_diagonal_mean((1 - x @ x.T) / 2) + off_diagonal_mean((1 - y @ y.T) / 2)) / 2
    return between / (between + within)


def uniformity(x: Tensor, y: Tensor) -> Tensor:
    i, j = torch.triu_indices(len(x), len(x), offset=1)
    return torch.cdist(x, x)[i, j].pow(2).mul(-2).exp().mean().log()


def recall_at_k(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    similarity, partner = x @ y.T, torch.arange(len(x))
    forward = similarity.topk(1, dim=1).indices[:, 0] == partner
    backward = similarity.T.topk(1, dim=1).indices[:, 0] == partner
    return forward.double().mean(), backward.double().mean()


def info_nce(x: Tensor, y: Tensor) -> Tensor:
    logits, partner = x @ y.T / 0.05, torch.arange(len(x))
    return (cross_entropy(logits, partner) + cross_entropy(logits.T, partner)) / 2


def softmax_entropy(x: Tensor, y: Tensor) -> Tensor:
    p = torch.softmax(x @ y.T / 0.05, dim=1)
    return -(p * p.clamp(min=1e-30).log()).sum(dim=1).mean()


def factors(n: int) -> tuple[Tensor, Tensor]:
    """Object labels, shape (n,), and labels of MAD's five attributes, shape (n, 5)."""
    generator = torch.Generator().manual_seed(0)
    sizes = [len(values) for values in mad.FACTORS.values()]
    labels = [torch.randint(0, size, (n,), generator=generator) for size in sizes]
    return labels[0], torch.stack(labels[1:], dim=1)


def moad(x: Tensor, y: Tensor) -> Tensor:
    cosine = (x @ x.T).fill_diagonal_(0)
    n, everything, differences = len(x), cosine.sum(), []
    objects, attributes = factors(n)
    for labels in [objects, *attributes.T]:
        same = labels[:, None] == labels[None, :]
        pairs, total = same.count_nonzero() - n, torch.where(same, cosine, 0).sum()
        differences.append(total / pairs - (everything - total) / (n * n - n - pairs))
    return differences[0] - torch.stack(differences[1:]).mean()
