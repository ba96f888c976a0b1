"""What a user would run instead of the package: a library's own function, or a paper's formula.

All take x and y, unit rows of shape (N, D).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from torch import Tensor

from modality_gap.lab import mad
from modality_gap.torchvision_fix import import_torchvision

import_torchvision()
import open_clip  # noqa: E402
from torchmetrics.functional.pairwise import pairwise_cosine_similarity  # noqa: E402
from torchmetrics.functional.retrieval import retrieval_recall  # noqa: E402

ALPHAS = np.linspace(-0.5, 1, 76)
TEMPERATURES = tuple(1 / inverse for inverse in (100, 50, 30, 20, 10, 1))
BATCH = 50


def mean_cosine(x: Tensor, y: Tensor) -> Tensor:
    return pairwise_cosine_similarity(x, zero_diagonal=True).sum() / (len(x) * (len(x) - 1))


def l2m(x: Tensor, y: Tensor) -> Tensor:
    return (x.mean(0) - y.mean(0)).norm()


def l2i(x: Tensor, y: Tensor) -> Tensor:
    return (x - y).norm(dim=1).mean()


def rmg(x: Tensor, y: Tensor) -> Tensor:
    """From all pairs, as in the papers' code."""
    other = ~torch.eye(len(x), dtype=torch.bool)
    between = ((1 - x @ y.T) / 2).diagonal().mean()
    within = (((1 - x @ x.T) / 2)[other].mean() + ((1 - y @ y.T) / 2)[other].mean()) / 2
    return between / (between + within)


def alignment(x: Tensor, y: Tensor) -> Tensor:
    """align_loss of align_uniform."""
    return (x - y).norm(p=2, dim=1).pow(2).mean()


def uniformity(x: Tensor, y: Tensor) -> Tensor:
    """uniform_loss of align_uniform."""
    return torch.pdist(x, p=2).pow(2).mul(-2).exp().mean().log()


def recall_at_k(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    similarity, partner = x @ y.T, torch.arange(len(x))
    forward = similarity.topk(1, dim=1).indices[:, 0] == partner
    backward = similarity.topk(1, dim=0).indices[0] == partner
    return forward.double().mean(), backward.double().mean()


def recall_by_torchmetrics(x: Tensor, y: Tensor) -> list[Tensor]:
    own = torch.eye(len(x), dtype=torch.bool)
    similarity = pairwise_cosine_similarity(x, y)
    return [
        torch.stack(
            [retrieval_recall(s, o, top_k=1) for s, o in zip(rows, own, strict=True)]
        ).mean()
        for rows in (similarity, similarity.T)
    ]


def info_nce(x: Tensor, y: Tensor) -> Tensor:
    return open_clip.ClipLoss()(x, y, 1 / 0.05)


def softmax_entropy(x: Tensor, y: Tensor) -> Tensor:
    return torch.distributions.Categorical(logits=x @ y.T / 0.05).entropy().mean()


def modality_separability(x: Tensor, y: Tensor) -> float:
    model = LogisticRegression(C=100, max_iter=1000)
    labels = np.repeat([0, 1], len(x))
    return float(cross_val_score(model, torch.cat([x, y]).numpy(), labels, cv=5).mean())


def factors(n: int) -> tuple[Tensor, Tensor]:
    """Object labels, shape (n,), and labels of MAD's five attributes, shape (n, 5)."""
    generator = torch.Generator().manual_seed(0)
    sizes = [len(values) for values in mad.FACTORS.values()]
    labels = [torch.randint(0, size, (n,), generator=generator) for size in sizes]
    return labels[0], torch.stack(labels[1:], dim=1)


def moad(x: Tensor, y: Tensor) -> Tensor:
    """From all pairs and their masks."""
    cosine = (x @ x.T).fill_diagonal_(0)
    n, everything, differences = len(x), cosine.sum(), []
    objects, attributes = factors(n)
    for labels in [objects, *attributes.T]:
        same = labels[:, None] == labels[None, :]
        pairs, total = same.count_nonzero() - n, torch.where(same, cosine, 0).sum()
        differences.append(total / pairs - (everything - total) / (n * n - n - pairs))
    return differences[0] - torch.stack(differences[1:]).mean()


def loss_landscape(x: Tensor, y: Tensor) -> list[float]:
    """Shift, normalise, and open_clip's loss of each batch, as Liang et al. do."""
    delta, loss, found = x.mean(0) - y.mean(0), open_clip.ClipLoss(), []
    for alpha in ALPHAS:
        a = torch.nn.functional.normalize(x - alpha * delta, dim=1).split(BATCH)
        b = torch.nn.functional.normalize(y + alpha * delta, dim=1).split(BATCH)
        for temperature in TEMPERATURES:
            losses = [loss(i, t, 1 / temperature) for i, t in zip(a, b, strict=True)]
            found.append(float(torch.stack(losses).mean()))
    return found


# The limits: the products alone, thrown away, and what cannot be left out of a landscape.


def one_product(x: Tensor, y: Tensor) -> None:
    for rows in x.split(2048):
        for columns in y.split(2048):
            rows @ columns.T


def two_products(x: Tensor, y: Tensor) -> None:
    one_product(x, y)
    one_product(y, x)


def products_and_sums(x: Tensor, y: Tensor) -> None:
    """Of every shift the products of all batches, of every temperature both log-sum-exps."""
    a, b = x.view(-1, BATCH, x.shape[1]), y.view(-1, BATCH, x.shape[1])
    for _ in ALPHAS:
        cosines = a @ b.transpose(1, 2)
        for temperature in TEMPERATURES:
            logits = cosines / temperature
            logits.logsumexp(1).mean() + logits.logsumexp(2).mean()


LIMITS: dict[str, Callable[[Tensor, Tensor], None]] = {
    "uniformity": one_product,
    "info_nce": one_product,
    "softmax_entropy": one_product,
    "recall_at_k": two_products,
    "loss_landscape": products_and_sums,
}
