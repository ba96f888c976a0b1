import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

import modality_gap as mg
from helpers import rotation, unit_rows
from modality_gap import results
from modality_gap.book import published as pages
from modality_gap.closing import METHODS
from modality_gap.embeddings.named import PUBLISHED
from modality_gap.experiments import published

needs_files = pytest.mark.skipif(
    not all(pages.at_hand(name) for name in published.MEASUREMENTS),
    reason="MODALITY_GAP_DATA names no folder with the published files",
)
# UMAP is a random layout: another processor may draw another one.
UMAP = ["umap1", "umap2"]


def clouds(n: int = 40, d: int = 8) -> tuple[Tensor, Tensor]:
    """Pairs with a gap along the first axis, and something in common otherwise."""
    x = unit_rows(n, d)
    offset = torch.zeros(d, dtype=torch.float64)
    offset[0] = 2
    return mg.normalize(x + offset), mg.normalize(x + 0.3 * unit_rows(n, d, 1) - offset)


@pytest.mark.parametrize("name", published.MEASUREMENTS)
def test_stored_table_has_its_provenance_and_its_sets(name: str) -> None:
    table, provenance = results.read(f"published_{name}")
    assert {"command", "source", "date", "versions"} <= set(provenance)
    assert tuple(table.set.unique()) == published.MEASUREMENTS[name][1]


@needs_files
@pytest.mark.parametrize("name", published.MEASUREMENTS)
def test_stored_table_is_what_the_published_files_give(name: str) -> None:
    stored = results.read(f"published_{name}")[0].drop(columns=UMAP, errors="ignore")
    made = pages.table(name).drop(columns=UMAP, errors="ignore")
    assert list(made) == list(stored)
    pd.testing.assert_frame_equal(made, stored, rtol=2e-5, atol=2e-4, check_dtype=False)


def test_without_the_files_the_stored_table_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "available_embeddings", lambda: dict.fromkeys(PUBLISHED, False))
    stored = results.read("published_sizes")[0]
    pd.testing.assert_frame_equal(pages.table("sizes"), stored)
    assert "is stored with the book" in pages.origin("sizes", "minima")


def test_with_the_files_they_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = clouds()
    monkeypatch.setattr(pages, "available_embeddings", lambda: dict.fromkeys(PUBLISHED, True))
    monkeypatch.setattr(published, "load_embeddings", lambda name: (x, y))
    table = pages.table("sizes")
    assert list(table.set) == list(PUBLISHED)
    assert table.l2m.to_list() == [mg.l2m(x, y).item()] * len(PUBLISHED)
    assert "measured anew" in pages.origin("sizes")


def test_sizes_agree_with_their_definitions_and_do_not_turn_with_the_axes() -> None:
    x, y = clouds()
    row, turned = (
        published.sizes(a, b).iloc[0] for a, b in ((x, y), (x @ rotation(8), y @ rotation(8)))
    )
    similarity = (x @ y.T).numpy()
    assert row.mismatched_cosine == pytest.approx(similarity[~np.eye(40, dtype=bool)].mean())
    assert row.rmg == mg.rmg(x, y).item()
    assert row.separability == 1
    for name in row.index:
        assert turned[name] == pytest.approx(row[name], abs=1e-9), name


def test_the_images_lie_on_the_left() -> None:
    x, y = clouds()
    for pair in ((x, y), (y, x)):
        table = published.projection(*pair)
        assert (
            table[table.modality == "image"].pc1.max() < table[table.modality == "text"].pc1.min()
        )
        assert (table.pc2**3).sum() >= 0


def test_the_dimension_that_carries_the_gap_is_removed_first() -> None:
    table = published.dimensions(*clouds())
    assert table.removed.to_list() == [0, 1, 2, 3, 4]
    assert table.share[1] > 0.99
    assert table.l2m[1] < 0.2 * table.l2m[0]
    assert table.share.is_monotonic_increasing


def test_histograms_are_densities_around_the_means() -> None:
    x, y = clouds()
    table = published.cosines(x, y)
    row = published.sizes(x, y).iloc[0]
    means = (row.paired_cosine, row.mismatched_cosine, row.cosine_image, row.cosine_text)
    for kind, mean in zip(published.KINDS, means, strict=True):
        part = table[table.kind == kind]
        assert part.density.sum() * 0.02 == pytest.approx(1)
        assert (part.density * part.cosine).sum() * 0.02 == pytest.approx(mean, abs=0.01)


def test_the_plane_of_the_moved_clouds_stays() -> None:
    x, y = clouds()
    table = published.moved(x, y)
    for alpha, part in table.groupby("alpha"):
        means = part.groupby("modality").along.mean()
        moved = mg.gap_vector(*mg.shift(x, y, float(alpha)))
        along = moved @ mg.normalize(mg.gap_vector(x, y)[None])[0]
        assert means["image"] - means["text"] == pytest.approx(along.item(), abs=2e-4)


def test_closed_clouds_are_judged_on_pairs_that_no_method_saw() -> None:
    x, y = clouds(200)
    table = published.closed(x, y)
    assert table.after.to_list() == list(METHODS) * 5
    assert table.split.to_list() == [split for split in range(5) for _ in METHODS]
    judged = np.random.default_rng(0).permutation(200)[:100]
    nothing = table[table.after == "nothing"].set_index("split")
    assert nothing.l2m[0] == mg.l2m(x[judged], y[judged]).item()
    assert nothing.l2m.nunique() == 5
    for _, rows in table.groupby("split"):
        sizes = rows.set_index("after").l2m
        assert (sizes.drop("nothing") < sizes["nothing"]).all()
        assert (sizes > 0.005).all(), "on pairs of its own, no method closes the gap entirely"


def test_the_stored_picture_is_drawn(tmp_path: Path) -> None:
    picture = tmp_path / "picture.svg"
    subprocess.run([sys.executable, "-m", "modality_gap.book.published", picture], check=True)
    assert picture.stat().st_size > 10_000


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "modality_gap.experiments.published"]
    offline = {
        **os.environ,
        "MODALITY_GAP_DATA": str(tmp_path),
        "MODALITY_GAP_CACHE": str(tmp_path / "c"),
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }
    missing = subprocess.run(
        [*command, "--out", tmp_path], capture_output=True, text=True, env=offline
    )
    assert missing.returncode == 1
    assert "Traceback" not in missing.stderr
    assert missing.stderr.strip()
    assert list(tmp_path.glob("*.csv")) == []


def test_the_readme_shows_the_stored_picture() -> None:
    root = Path(__file__).parents[2]
    assert "book/_static/clip_gap.svg" in (root / "README.md").read_text()
    assert (root / "book/_static/clip_gap.svg").exists()
