"""Measures the published embeddings: `python -m modality_gap.experiments.published --help`.

The embeddings of real CLIP, ConVIRT, VideoCLIP and CLASP are those that Liang et al. (2022) publish
with their Fig. 1. They are not part of this package; what is measured on them is, as tables
"published_NAME", so that the book can be built without them.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA
from torch import Tensor
from tqdm import tqdm

from .. import storage
from ..closing import METHODS
from ..contrastive import softmax_entropy
from ..embeddings import load_embeddings
from ..embeddings.named import COMMIT, PUBLISHED
from ..gap import (
    gap_share,
    gap_vector,
    l2i,
    l2m,
    loss_landscape,
    loss_minimum,
    modality_separability,
    rmg,
    shift,
)
from ..report import measure
from ..results import FOLDER, as_text, write
from ..retrieval import recall_at_k
from ..sphere import alignment, mean_cosine, normalize, paired_cosine, uniformity
from ..tasks import judge_calibration, judge_pairs
from .lists_runs import judge_splits
from .published_clip import one_pair, two_removed

TEMPERATURES = tuple(1 / inverse for inverse in (100, 50, 30, 20, 10, 1))
ALPHAS = tuple(np.linspace(-0.5, 3, 351).round(2))
BATCH = 50  # of Liang et al.'s loss landscapes
CLUSTERS = 50
SHOWN = 6  # pairs whose cosines are listed one by one
KINDS = ("pair", "mismatched", "image and image", "text and text")


def sizes(x: Tensor, y: Tensor) -> pd.DataFrame:
    """One row: the gap, the cosines, alignment, uniformity, separability and retrieval.

    `lead` is how much more alike the pairs are than mismatched ones, on average, and `lead_error`
    its standard error, from how the pairs differ in it.
    """
    cosine = x @ y.T
    own, others = cosine.diagonal(), len(x) - 1
    by_image, by_text = ((cosine.sum(dim) - own) / others for dim in (1, 0))
    recall_1, recall_5 = recall_at_k(x, y, 1), recall_at_k(x, y, 5)
    row: dict[str, Tensor | float] = {
        "l2m": l2m(x, y),
        "l2i": l2i(x, y),
        "rmg": rmg(x, y),
        "paired_cosine": paired_cosine(x, y),
        "mismatched_cosine": by_image.mean(),
        "lead": own.mean() - by_image.mean(),
        "lead_error": (own - by_image - by_text).std() / len(x) ** 0.5,
        "cosine_image": mean_cosine(x),
        "cosine_text": mean_cosine(y),
        "alignment": alignment(x, y),
        "uniformity_image": uniformity(x),
        "uniformity_text": uniformity(y),
        "separability": modality_separability(x, y),
        "recall_1_image_to_text": recall_1[0],
        "recall_1_text_to_image": recall_1[1],
        "recall_5_image_to_text": recall_5[0],
        "recall_5_text_to_image": recall_5[1],
    }
    values = {name: float(value) for name, value in row.items()}
    return pd.DataFrame([{"pairs": len(x), "dimensions": x.shape[1], **values}])


def similarities(x: Tensor, y: Tensor) -> pd.DataFrame:
    """The table that the loss reads, of the first six pairs: a row per image and text, cosine."""
    image, text = np.indices((SHOWN, SHOWN)).reshape(2, -1)
    cosine = (x[:SHOWN] @ y[:SHOWN].T).flatten().numpy()
    return pd.DataFrame({"image": image, "text": text, "cosine": cosine.round(4)})


def projection(x: Tensor, y: Tensor) -> pd.DataFrame:
    """A row per embedding: pair, modality, two principal components, two UMAP coordinates.

    The signs of the components are such that the images lie on the left and the longer tail of
    the second component points up.
    """
    from umap import UMAP  # slow to import

    rows = torch.cat([x, y]).numpy()
    plane = PCA(n_components=2, svd_solver="full").fit_transform(rows)
    signs = np.sign(
        [plane[len(x) :, 0].mean() - plane[: len(x), 0].mean(), (plane[:, 1] ** 3).sum()]
    )
    plane = plane * signs
    umap = UMAP(metric="cosine", random_state=0, n_jobs=1).fit_transform(rows)
    return _by_modality(len(x)).assign(
        pc1=plane[:, 0].round(4),
        pc2=plane[:, 1].round(4),
        umap1=umap[:, 0].round(3),
        umap2=umap[:, 1].round(3),
    )


def dimensions(x: Tensor, y: Tensor) -> pd.DataFrame:
    """What the dimensions with the largest share of the gap hold, and what is left without them.

    A row per number of removed dimensions: 0, 1, 2, ... Rows are normalised again after the
    removal. `share` is that of all removed dimensions together in the squared gap.
    """
    share = gap_share(x, y)
    order = share.argsort(descending=True)
    counts = [m for m in (0, 1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 100, 200) if m <= x.shape[1] / 2]
    records = []
    for count in counts:
        kept = order[count:]
        a, b = normalize(x[:, kept]), normalize(y[:, kept])
        forth, back = recall_at_k(a, b)
        records.append(
            {
                "removed": count,
                "share": float(share[order[:count]].sum()),
                "l2m": float(l2m(a, b)),
                "rmg": float(rmg(a, b)),
                "recall_1_image_to_text": forth,
                "recall_1_text_to_image": back,
            }
        )
    return pd.DataFrame(records)


def largest_means(x: Tensor, y: Tensor) -> pd.DataFrame:
    """One row: for each modality the dimension of its largest mean, and what these two tell.

    `separability` is the held-out accuracy of a logistic regression that sees only them, a pair
    held out together. `own_*` and `other_*` are the standard deviations in the dimension of a
    modality, within itself and within the other one.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_score

    both = [int(side.mean(0).abs().argmax()) for side in (x, y)]
    rows, labels = torch.cat([x, y])[:, both].numpy(), np.repeat([0, 1], len(x))
    pairs, model = np.tile(np.arange(len(x)), 2), LogisticRegression(C=100)
    right = cross_val_score(model, rows, labels, groups=pairs, cv=GroupKFold(5))
    row: dict[str, float] = {"separability": right.mean()}
    for name, dimension, own, other in (("image", both[0], x, y), ("text", both[1], y, x)):
        row[f"dimension_{name}"] = dimension
        row[f"own_{name}"] = float(own[:, dimension].std())
        row[f"other_{name}"] = float(other[:, dimension].std())
    return pd.DataFrame([row])


def cosines(x: Tensor, y: Tensor) -> pd.DataFrame:
    """Histograms of the cosines of pairs, mismatched pairs, and within each modality.

    A row per kind and bin of width 0.02: kind, cosine (the bin's middle), density.
    """
    other = ~torch.eye(len(x), dtype=torch.bool)
    above = torch.ones_like(other).triu(1)
    values = ((x * y).sum(1), (x @ y.T)[other], (x @ x.T)[above], (y @ y.T)[above])
    edges = np.linspace(-1, 1, 101)
    return pd.concat(
        pd.DataFrame(
            {
                "kind": kind,
                "cosine": ((edges[1:] + edges[:-1]) / 2).round(2),
                "density": np.histogram(cosine.clamp(-1, 1).numpy(), edges, density=True)[0],
            }
        )
        for kind, cosine in zip(KINDS, values, strict=True)
    )


def landscape(x: Tensor, y: Tensor) -> pd.DataFrame:
    """`loss_landscape` on a fine grid, in batches of 50, for six temperatures."""
    return loss_landscape(x, y, ALPHAS, TEMPERATURES, BATCH)


def minima(x: Tensor, y: Tensor) -> pd.DataFrame:
    """`loss_minimum` for the same batches and temperatures, over the same shifts."""
    return loss_minimum(x, y, TEMPERATURES, BATCH, ALPHAS[::10])


def one_sided(x: Tensor, y: Tensor) -> pd.DataFrame:
    """`loss_landscape` at the smallest temperature with one-sided terms, without, and turned.

    `times` is the factor of `with_one_sided`.
    """
    tables = [
        loss_landscape(
            *with_one_sided(x, y, times), np.linspace(-2, 3, 101).round(2), TEMPERATURES[:1], BATCH
        ).assign(times=times)
        for times in (1.0, 0.0, -1.0)
    ]
    return pd.concat(tables, ignore_index=True)


def with_one_sided(x: Tensor, y: Tensor, times: float) -> tuple[Tensor, Tensor]:
    """The pairs with Delta . x_i and Delta . y_j as many times as far from their means.

    0 leaves a pure offset, 1 the pairs as they are. What a row has across the gap keeps its
    direction and fills the rest of the unit length.
    """
    gap = normalize(gap_vector(x, y)[None])[0]
    sides = []
    for side in (x, y):
        along = side @ gap
        across = normalize(side - along[:, None] * gap)
        new = (along.mean() + times * (along - along.mean()))[:, None]
        sides.append((1 - new**2).sqrt() * across + new * gap)
    return sides[0], sides[1]


def along_shift(x: Tensor, y: Tensor) -> pd.DataFrame:
    """A row per shift: gap, cosines, retrieval, and softmax entropy at temperature 0.01."""
    records = []
    for alpha in np.linspace(-0.5, 1, 31).round(2):
        a, b = shift(x, y, alpha)
        forth, back = recall_at_k(a, b)
        records.append(
            {
                "alpha": alpha,
                "l2m": float(l2m(a, b)),
                "rmg": float(rmg(a, b)),
                "paired_cosine": float(paired_cosine(a, b)),
                "cosine_image": float(mean_cosine(a)),
                "cosine_text": float(mean_cosine(b)),
                "recall_1_image_to_text": forth,
                "recall_1_text_to_image": back,
                "entropy": float(softmax_entropy(a, b, 0.01)),
            }
        )
    return pd.DataFrame(records)


def moved(x: Tensor, y: Tensor) -> pd.DataFrame:
    """The clouds after shifts of 0, 0.3 and 0.5, seen in one plane that stays.

    A row per shift and embedding: alpha, pair, modality, `along` the unit gap, and `across`: the
    direction of largest variance orthogonal to it.
    """
    gap = normalize(gap_vector(x, y)[None])[0]
    rows = torch.cat([x, y])
    flat = rows - (rows @ gap)[:, None] * gap
    across = torch.from_numpy(
        PCA(n_components=1, svd_solver="full").fit(flat.numpy()).components_[0]
    )
    across = across * torch.sign(across[across.abs().argmax()])
    pictures = []
    for alpha in (0.0, 0.3, 0.5):
        both = torch.cat(shift(x, y, alpha))
        pictures.append(
            _by_modality(len(x)).assign(
                alpha=alpha,
                along=(both @ gap).numpy().round(4),
                across=(both @ across).numpy().round(4),
            )
        )
    return pd.concat(pictures, ignore_index=True)


def closed(x: Tensor, y: Tensor) -> pd.DataFrame:
    """The judges of `tasks` after each method of `closing`: a row per random split and method.

    A method is fitted on 200 pairs, the temperature on 50 others after the method, and half of
    all pairs is judged; 50 clusters, softmax over 50 candidates, CLIP's temperature 0.01. `hubness`
    is the standard deviation over texts of the mean cosine with all images.
    """
    records = []
    for number in range(5):
        order = np.random.default_rng(number).permutation(len(x))
        judged, fit, refit = np.split(order, [len(x) // 2, len(x) - BATCH])
        for after, kind in METHODS.items():
            method = kind().fit(x[fit], y[fit])
            a, b = method.transform(x[judged], y[judged])
            others = method.transform(x[refit], y[refit])
            records.append(
                {
                    "split": number,
                    "after": after,
                    **judge_pairs(a, b, CLUSTERS),
                    **judge_calibration(a, b, 0.01, others, BATCH),
                    "hubness": float((b @ a.mean(dim=0)).std()),
                }
            )
    return pd.DataFrame(records)


def lists(x: Tensor, y: Tensor) -> pd.DataFrame:
    """Lists of both kinds by every method and ranking: a row per split, rival and size of fit.

    The splits are those of `closed`, and no pair that is judged is in a fit.
    """
    return pd.DataFrame(judge_splits(x, y))


def measured(x: Tensor, y: Tensor) -> pd.DataFrame:
    """What `modality_gap.measure` finds: a row for each measure, its value and interval."""
    table = measure(x, y).table().drop(columns="meaning")
    return table.rename_axis("measure").reset_index()


ALL, TRAINED_CLIP = tuple(PUBLISHED), ("clip",)
MEASUREMENTS: dict[str, tuple[Callable[[Tensor, Tensor], pd.DataFrame], tuple[str, ...]]] = {
    "sizes": (sizes, ALL),
    "measured": (measured, ALL),
    "similarities": (similarities, TRAINED_CLIP),
    "projection": (projection, ALL),
    "dimensions": (dimensions, ALL),
    "largest_means": (largest_means, ALL),
    "cosines": (cosines, ALL),
    "landscape": (landscape, TRAINED_CLIP),
    "minima": (minima, TRAINED_CLIP),
    "one_sided": (one_sided, TRAINED_CLIP),
    "along_shift": (along_shift, TRAINED_CLIP),
    "moved": (moved, TRAINED_CLIP),
    "closed": (closed, TRAINED_CLIP),
    "lists": (lists, TRAINED_CLIP),
    "two_removed": (two_removed, TRAINED_CLIP),
    "one_pair": (one_pair, TRAINED_CLIP),
}


def remeasure(name: str) -> pd.DataFrame:
    """A measurement of the published files, made now; column `set` says of which."""
    function, names = MEASUREMENTS[name]
    tables = [
        function(*load_embeddings(each)).assign(set=each) for each in tqdm(names, leave=False)
    ]
    return pd.concat(tables, ignore_index=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and store; the arguments are those of the command line if None."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder; default: the package's")
    parser.add_argument(
        "--only", nargs="+", choices=MEASUREMENTS, default=list(MEASUREMENTS), help="default: all"
    )
    chosen = parser.parse_args(arguments)
    for name in chosen.only:
        try:
            rows = remeasure(name)
        except ConnectionError as error:
            sys.exit(str(error))
        path = chosen.out / f"published_{name}.csv"
        write(
            path,
            {
                "command": f"python -m modality_gap.experiments.published --only {name}",
                "source": f"github.com/Weixin-Liang/Modality-Gap, commit {COMMIT}, "
                "Figure_1_Modality_Gap",
                "date": datetime.date.today().isoformat(),
                "versions": ", ".join(f"{key} {value}" for key, value in _versions().items()),
            },
            [
                {str(key): as_text(value) for key, value in row.items()}
                for row in rows.to_dict("records")
            ],
        )
        print(path)


def _versions() -> dict[str, str]:
    packages = ("scikit-learn", "umap-learn")
    return storage.versions() | {name: importlib.metadata.version(name) for name in packages}


def _by_modality(pairs: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "pair": np.tile(np.arange(pairs), 2),
            "modality": np.repeat(["image", "text"], pairs),
        }
    )


if __name__ == "__main__":
    main()
