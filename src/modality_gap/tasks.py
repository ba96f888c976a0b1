"""What embeddings are used for, each use with a number: the judges of methods and rankings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .checks import check_pairs, check_positive, check_unit, check_whole
from .closing import Pair
from .gap import l2m, rmg
from .ranking import QUERIES, Ranking, lists
from .retrieval import NEIGHBOURS, TIE, recall_at_k

BINS = 15
NOISE = 0.5


def mixed_recall(x: Tensor, y: Tensor, ranking: Ranking | None = None) -> tuple[float, float]:
    """Share of queries that find their partner first among all other images and texts.

    Ties, up to rounding, count by their chance under a random order.

    Args:
        x, y: unit rows, shape (N, D), N >= 2; row i of x is paired with row i of y.
        ranking: that scores the candidates, fitted; the cosines if None.

    Returns:
        (of image queries, of text queries), each in [0, 1].

    Raises:
        ValueError: shapes differ, fewer than two rows, or a row is not of unit length.
    """
    return _partner_first(x, y, ranking, both=True)


def one_kind_recall(x: Tensor, y: Tensor, ranking: Ranking | None = None) -> tuple[float, float]:
    """Share of queries that find their partner first in a list of the other modality alone.

    Args, returns and raises as in `mixed_recall`. Without a ranking, `recall_at_k` with k = 1.
    """
    return _partner_first(x, y, ranking, both=False)


def hubness(x: Tensor, y: Tensor, ranking: Ranking | None = None) -> tuple[float, float]:
    """Skewness of how often each candidate is among the NEIGHBOURS best of a query.

    In a list of the other modality alone. 0 where all are found about as often; large where a few
    hubs are in the lists of many.

    Args:
        x, y, ranking: as in `mixed_recall`, N > NEIGHBOURS.

    Returns:
        (of texts, found by images; of images, found by texts).

    Raises:
        ValueError: shapes differ, too few rows, or a row is not of unit length.

    Source: Radovanovic et al. (2010).
    """
    check_pairs(x, y)
    if len(x) <= NEIGHBOURS:
        raise ValueError(f"x: expected more than {NEIGHBOURS} rows, got {len(x)}")
    counts = torch.zeros(2, len(x), dtype=torch.float64)
    for rows, _, scores in lists(x, y, ranking, both=False):
        best = scores.topk(NEIGHBOURS).indices.flatten()
        counts[int(rows[0]) // len(x)] += torch.bincount(best, minlength=len(x))
    apart = counts - counts.mean(dim=1, keepdim=True)
    spread = apart.square().mean(dim=1).sqrt().clamp(min=torch.finfo(torch.float64).eps)
    texts, images = ((apart**3).mean(dim=1) / spread**3).tolist()
    return texts, images


def cross_modal_neighbours(x: Tensor, y: Tensor, ranking: Ranking | None = None) -> float:
    """Share of the other modality among the NEIGHBOURS nearest of all other images and texts.

    About 1/2 where modality does not matter, 0 where the clouds are apart.

    Args:
        x, y, ranking: as in `mixed_recall`, N > NEIGHBOURS / 2.

    Raises:
        ValueError: shapes differ, too few rows, or a row is not of unit length.
    """
    check_pairs(x, y)
    if 2 * len(x) <= NEIGHBOURS:
        raise ValueError(f"x: expected more than {NEIGHBOURS // 2} rows, got {len(x)}")
    others = []
    for rows, _, scores in lists(x, y, ranking):
        others.append((scores.topk(NEIGHBOURS).indices >= len(x)) != (rows >= len(x))[:, None])
    return float(torch.cat(others).double().mean())


def mixed_map(x: Tensor, y: Tensor, labels: Tensor, ranking: Ranking | None = None) -> float:
    """Mean average precision of ranking all other images and texts.

    What has the query's label is relevant, whatever its modality.

    Args:
        x, y, ranking: as in `mixed_recall`.
        labels: of the pairs, shape (N,).

    Raises:
        ValueError: shapes differ, fewer than two rows, or a row is not of unit length.
    """
    check_pairs(x, y)
    _check_labels(x, labels)
    both = torch.cat([labels, labels])
    return _mean_precision(((rows, scores) for rows, _, scores in lists(x, y, ranking)), both)


def mean_average_precision(rows: Tensor, labels: Tensor) -> float:
    """Mean average precision of ranking all other rows by similarity; a like label is relevant.

    Args:
        rows: unit, shape (N, D), N >= 2.
        labels: shape (N,). A query whose label no other row has counts as 1.

    Raises:
        ValueError: fewer than two rows, a row is not of unit length, or not one label for each.
    """
    check_unit(rows, "rows")
    _check_labels(rows, labels)
    return _mean_precision(_similarities(rows), labels)


def clusters(x: Tensor, y: Tensor, count: int) -> NDArray[np.int64]:
    """Clusters of images and texts together, by k-means, best of ten starts.

    Args:
        x, y: unit rows, shape (N, D), N >= 2.
        count: of clusters, 1 to 2 N.

    Returns:
        Numbers of the clusters, shape (2, N): images, texts.

    Raises:
        ValueError: shapes differ, fewer than two rows, a row is not of unit length, or count is
            out of range.
    """
    from sklearn.cluster import KMeans

    check_pairs(x, y)
    count = check_whole(count, "count", 1, 2 * len(x), "2 N = ")
    rows = torch.cat([x, y]).detach().numpy()
    found = KMeans(count, n_init=10, random_state=0).fit_predict(rows)
    return np.asarray(found, dtype=np.int64).reshape(2, -1)


def calibration_error(confidence: Tensor, correct: Tensor, bins: int = BINS) -> float:
    """Expected calibration error: how far in each bin share correct and mean confidence differ.

    The mean over all answers of that distance in the bin of their confidence.

    Args:
        confidence: of each answer, in [0, 1], shape (N,).
        correct: whether it is right, shape (N,).
        bins: of equal width.

    Returns:
        In [0, 1]; 0 where in every bin as many answers are right as they claim.

    Raises:
        ValueError: shapes differ, nothing is given, or a confidence lies outside [0, 1].

    Source: Guo et al. (2017), equation 3.
    """
    if confidence.ndim != 1 or not len(confidence) or confidence.shape != correct.shape:
        raise ValueError(
            "confidence, correct: expected one number and one truth for each answer, got shapes "
            f"{tuple(confidence.shape)} and {tuple(correct.shape)}"
        )
    if not ((confidence >= 0) & (confidence <= 1 + 1e-6)).all():
        raise ValueError("confidence: expected numbers from 0 to 1")
    surplus = correct.double() - confidence.double()
    place = (confidence * bins).long().clamp(max=bins - 1)
    total = torch.zeros(bins, dtype=torch.float64).index_add(0, place, surplus)
    return float(total.abs().sum() / len(confidence))


def answers(logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Confidence of the most probable answer, and whether it is right.

    Args:
        logits: shape (..., C).
        truth: the right answers, integers in [0, C), shape (...).

    Returns:
        Two tensors of one dimension, as `calibration_error` takes them.
    """
    confidence, answer = logits.softmax(dim=-1).max(dim=-1)
    return confidence.flatten(), (answer == truth).flatten()


def retrieval_calibration(x: Tensor, y: Tensor, temperature: float, batch_size: int) -> float:
    """`calibration_error` of the softmax that finds partners, both directions, batch by batch.

    Args:
        x, y: unit rows, shape (N, D), N >= 2; row i of x is paired with row i of y.
        temperature: > 0.
        batch_size: pairs among which a partner is found; a remainder is left out.

    Raises:
        ValueError: shapes differ, fewer than two rows, a row is not of unit length, temperature
            <= 0, or no whole batch.
    """
    logits = _retrieval_logits(x, y, batch_size)
    check_positive(temperature, "temperature")
    return calibration_error(*answers(logits / temperature, _diagonal(logits)))


def temperature_scaling(logits: Tensor, truth: Tensor) -> float:
    """The temperature in [0.001, 10] at which the cross-entropy of the softmax is least.

    Args:
        logits: cosines, shape (..., C).
        truth: the right answers, integers in [0, C), shape (...).

    Raises:
        ValueError: not one answer for each row of logits.

    Source: temperature scaling, Guo et al. (2017), section 4.2.
    """
    from scipy.optimize import minimize_scalar

    if logits.ndim < 2 or truth.shape != logits.shape[:-1]:
        raise ValueError(
            f"truth: expected one answer for each row of logits of shape {tuple(logits.shape)}, "
            f"got shape {tuple(truth.shape)}"
        )
    right = logits.gather(-1, truth[..., None])[..., 0].mean()

    def loss(log_temperature: float) -> float:
        temperature = math.exp(log_temperature)
        return float((logits / temperature).logsumexp(dim=-1).mean() - right / temperature)

    bounds = (math.log(0.001), math.log(10))
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x)


def noise_stability(x: Tensor, classes: Tensor) -> float:
    """Share of nearest classes that stay when Gaussian noise is added to the rows.

    Its root mean square length is NOISE, where the rows' is 1.

    Args:
        x: unit rows, shape (N, D), N >= 2.
        classes: unit rows, shape (V, D), V >= 2.

    Raises:
        ValueError: fewer than two rows, or a row is not of unit length.

    Source: the question of Chowers et al. (2026).
    """
    check_unit(x, "x")
    check_unit(classes, "classes")
    drawn = np.random.default_rng(0).standard_normal(tuple(x.shape))
    moved = x + NOISE / math.sqrt(x.shape[1]) * torch.from_numpy(drawn).to(x)
    return float(((moved @ classes.T).argmax(1) == (x @ classes.T).argmax(1)).double().mean())


def judge_pairs(x: Tensor, y: Tensor, count: int, labels: Tensor | None = None) -> dict[str, float]:
    """Gap, retrieval, mixed pool and clusters of pairs.

    Args:
        x, y: unit rows, shape (N, D), N >= 2; row i of x is paired with row i of y.
        count: of clusters.
        labels: of the pairs, shape (N,); ranking and clusters are held against them, too.
    """
    from sklearn.metrics import adjusted_mutual_info_score

    recalls, mixed = recall_at_k(x, y), mixed_recall(x, y)
    found = clusters(x, y, count)
    judged = {
        "l2m": float(l2m(x, y)),
        "rmg": float(rmg(x, y)),
        "recall_1_image_to_text": recalls[0],
        "recall_1_text_to_image": recalls[1],
        "mixed_recall_image": mixed[0],
        "mixed_recall_text": mixed[1],
        "cross_modal_neighbours": cross_modal_neighbours(x, y),
        "pairs_together": float(np.mean(found[0] == found[1])),
    }
    if labels is not None:
        truth = torch.cat([labels, labels]).numpy()
        judged["mixed_map"] = mixed_map(x, y, labels)
        judged["image_map"] = mean_average_precision(x, labels)
        judged["cluster_information"] = float(adjusted_mutual_info_score(truth, found.ravel()))
    return judged


def judge_calibration(
    x: Tensor, y: Tensor, temperature: float, refit: Pair, batch_size: int
) -> dict[str, float]:
    """Calibration of retrieval at a temperature, and at one refitted on other pairs.

    Args:
        x, y: unit rows, shape (N, D), N >= 2; row i of x is paired with row i of y.
        temperature: > 0.
        refit: pairs, changed as x and y were.
        batch_size: pairs among which a partner is found.
    """
    logits = _retrieval_logits(*refit, batch_size)
    fitted = temperature_scaling(logits, _diagonal(logits))
    return {
        "retrieval_error": retrieval_calibration(x, y, temperature, batch_size),
        "retrieval_error_refitted": retrieval_calibration(x, y, fitted, batch_size),
        "retrieval_temperature": fitted,
    }


def _partner_first(
    x: Tensor, y: Tensor, ranking: Ranking | None, both: bool
) -> tuple[float, float]:
    found = []
    for rows, partners, scores in lists(x, y, ranking, both):
        own = scores[torch.arange(len(rows)), partners][:, None]
        more, at_least = (
            (scores > own + margin).sum(1) for margin in (TIE[x.dtype], -TIE[x.dtype])
        )
        found.append((more == 0).double() / at_least)
    image, text = torch.cat(found).split(len(x))
    return float(image.mean()), float(text.mean())


def _similarities(pool: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Blocks of queries: their rows, and their cosines within a pool, -inf to oneself."""
    for rows in torch.arange(len(pool)).split(QUERIES):
        similarity = pool[rows] @ pool.T
        similarity[torch.arange(len(rows)), rows] = -torch.inf
        yield rows, similarity


def _mean_precision(blocks: Iterable[tuple[Tensor, Tensor]], labels: Tensor) -> float:
    """Mean average precision of rows' lists; oneself, at -inf, is not relevant."""
    from sklearn.metrics import label_ranking_average_precision_score

    total = 0.0
    for rows, scores in blocks:
        relevant = labels[rows, None] == labels
        relevant[torch.arange(len(rows)), rows] = False
        finite = scores.masked_fill(scores.isinf(), float(scores[scores.isfinite()].min()) - 1)
        score = label_ranking_average_precision_score(relevant.numpy(), finite.numpy())
        total += len(rows) * float(score)
    return total / len(labels)


def _retrieval_logits(x: Tensor, y: Tensor, batch_size: int) -> Tensor:
    """Cosines, shape (2, batches, batch_size, batch_size): of images to texts, texts to images."""
    check_pairs(x, y)
    batch_size = check_whole(batch_size, "batch_size", 2, len(x), "N = ")
    count = len(x) // batch_size
    a, b = (rows[: count * batch_size].view(count, batch_size, -1) for rows in (x, y))
    cosines = a @ b.transpose(1, 2)
    return torch.stack([cosines, cosines.transpose(1, 2)])


def _diagonal(logits: Tensor) -> Tensor:
    return torch.arange(logits.shape[-1]).expand(logits.shape[:-1])


def _check_labels(x: Tensor, labels: Tensor) -> None:
    if labels.shape != (len(x),):
        raise ValueError(f"labels: expected one for each pair, {len(x)}, got {tuple(labels.shape)}")
