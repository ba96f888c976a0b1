"""Measures the gap of real CLIP and stores it: `python -m modality_gap.results.clip_gap --help`.

The embeddings are those that Liang et al. (2022) publish with their Fig. 1: CLIP ViT-B/16 on 500
MS-COCO images and captions. They are not part of this package; what is stored is a projection of
them on a plane and a few sizes.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import os
import platform
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import sklearn
import torch
from matplotlib.axes import Axes
from sklearn.decomposition import PCA
from torch import Tensor

from .. import plots
from ..gap import l2m, modality_separability, recall_at_k, rmg
from ..sphere import mean_cosine, normalize, paired_cosine
from . import read

FILE = "modality_gap_features/features_clip.npy"
SHA256 = "7227280ace0f145d2c45afa8ab507a1cb280e9460aa271fe9052d08e35342adb"
SOURCE = (
    "github.com/Weixin-Liang/Modality-Gap, commit 8e20cb24efa4c5f89aad694f2f65eb43ffc46d10, "
    "Figure_1_Modality_Gap/features_clip.npy"
)


def load(folder: Path) -> tuple[Tensor, Tensor]:
    """The published image and text embeddings, unit rows; ValueError if the file is another one."""
    path = folder / FILE
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise ValueError(f"{path}: expected the published file with SHA-256 {SHA256}")
    images, texts = torch.from_numpy(np.load(path, allow_pickle=False)).double()
    return normalize(images), normalize(texts)


def project(x: Tensor, y: Tensor) -> pd.DataFrame:
    """A row per embedding: pair, modality, and its first two principal components."""
    plane = PCA(n_components=2, svd_solver="full").fit_transform(torch.cat([x, y]).numpy())
    return pd.DataFrame(
        {
            "pair": np.tile(np.arange(len(x)), 2),
            "modality": np.repeat(["image", "text"], len(x)),
            "pc1": plane[:, 0].round(4),
            "pc2": plane[:, 1].round(4),
        }
    )


def measure(x: Tensor, y: Tensor) -> dict[str, float]:
    """Sizes of the gap, cosines, separability and retrieval."""
    return {
        "l2m": float(l2m(x, y)),
        "rmg": float(rmg(x, y)),
        "paired_cosine": float(paired_cosine(x, y)),
        "image_cosine": float(mean_cosine(x)),
        "text_cosine": float(mean_cosine(y)),
        "separability": modality_separability(x, y),
        "recall_at_1": recall_at_k(x, y)[0],
    }


def draw(axes: Axes, table: pd.DataFrame, joined: int = 40) -> None:
    """Both clouds, with the first `joined` pairs connected."""
    x, y = (
        table[table.modality == modality].sort_values("pair")[["pc1", "pc2"]].to_numpy()
        for modality in ("image", "text")
    )
    for image, text in zip(x[:joined], y[:joined], strict=True):
        axes.plot(*zip(image, text, strict=True), color=plots.PALETTE[-1], linewidth=0.5, alpha=0.6)
    for name, cloud, color, marker in [
        (f"{len(x)} images", x, plots.IMAGE, plots.IMAGE_MARKER),
        (f"their {len(y)} captions", y, plots.TEXT, plots.TEXT_MARKER),
    ]:
        axes.plot(*cloud.T, marker, color=color, markersize=3, alpha=0.7, rasterized=True)
        axes.annotate(name, (cloud[:, 0].mean(), 0.4), color=color, ha="center", fontsize=11)
    axes.set_ylim(-0.45, 0.48)
    axes.set(xlabel="first principal component", ylabel="second principal component")
    axes.set_aspect("equal")


def main() -> None:
    """Measure and store, or redraw the README's picture from what is stored."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("MODALITY_GAP_DATA"),
        help=f"folder that holds {FILE}; default: the environment variable MODALITY_GAP_DATA",
    )
    parser.add_argument("--picture", type=Path, help="only draw the stored table into this file")
    arguments = parser.parse_args()
    if arguments.picture:
        plots.use_style()
        figure, axes = plt.subplots(figsize=(6.4, 4.8))
        draw(axes, read("clip_gap")[0])
        figure.savefig(arguments.picture, metadata={"Date": None})
        return
    if not arguments.data or not (Path(arguments.data) / FILE).exists():
        sys.exit(f"No {FILE} found: give its folder with --data or in MODALITY_GAP_DATA.")
    x, y = load(Path(arguments.data))
    header = {
        "command": "python -m modality_gap.results.clip_gap",
        "source": SOURCE,
        "sha256": SHA256,
        "date": datetime.date.today().isoformat(),
        "versions": f"python {platform.python_version()}, torch {torch.__version__}, "
        f"scikit-learn {sklearn.__version__}",
        **{name: f"{value:.6f}" for name, value in measure(x, y).items()},
    }
    target = Path(__file__).with_name("clip_gap.csv")
    comments = "".join(f"# {name}: {value}\n" for name, value in header.items())
    target.write_text(comments + project(x, y).to_csv(index=False))
    print(target)


if __name__ == "__main__":
    main()
