from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

import modality_gap as mg
from helpers import unit_rows
from modality_gap import results
from modality_gap.book.published import at_hand
from modality_gap.closing import METHODS
from modality_gap.experiments import published

needs_files = pytest.mark.skipif(
    not all(at_hand(name) for name in published.MEASUREMENTS),
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
    made = published.remeasure(name).drop(columns=UMAP, errors="ignore")
    assert list(made) == list(stored)
    pd.testing.assert_frame_equal(made, stored, rtol=2e-5, atol=2e-4, check_dtype=False)


def test_the_two_largest_means() -> None:
    """Images lie at ±a on one axis, texts on another, each still where the other one varies."""
    sign = torch.tensor([1.0, 2.0] * 10).double()
    still, third = torch.full((20,), 0.1).double(), 5 * (-1.0) ** torch.arange(20).double()
    x = mg.normalize(torch.stack([10 * sign, still * sign, third * sign], dim=1))
    y = mg.normalize(torch.stack([still * sign, -10 * sign, third * sign], dim=1))
    (row,) = published.largest_means(x, y).to_dict("records")
    assert (row["dimension_image"], row["dimension_text"], row["separability"]) == (0, 1, 1)
    (turned,) = published.largest_means(y, x).to_dict("records")
    assert (turned["dimension_image"], turned["dimension_text"]) == (1, 0)
    x, y = clouds()  # one axis has the largest mean of both
    (row,) = published.largest_means(x, y).to_dict("records")
    assert row["dimension_image"] == row["dimension_text"] == 0
    assert row["own_image"] == row["other_text"] == pytest.approx(x[:, 0].numpy().std(ddof=1))
    assert row["own_text"] == row["other_image"] == pytest.approx(y[:, 0].numpy().std(ddof=1))
    assert row["separability"] == 1
    mixed = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    same = published.largest_means(x, x[mixed]).separability.item()
    assert same < 0.7, "one cloud twice is told apart by luck"


def test_sizes_are_their_definitions_in_numpy() -> None:
    x, y = clouds()
    y = mg.normalize(y + 0.8 * unit_rows(len(y), 8, 5))  # so that not every pair is found
    (row,) = published.sizes(x, y).to_dict("records")
    a, b, n = x.numpy(), y.numpy(), len(x)
    other, inner = ~np.eye(n, dtype=bool), a @ b.T
    within = {"image": (a @ a.T)[other], "text": (b @ b.T)[other]}
    apart = 1 - np.diag(inner).mean()
    spread = sum(1 - cosines.mean() for cosines in within.values()) / 2
    # From how many others a partner is beaten, in each direction.
    ranks = [(side > np.diag(side)[:, None]).sum(1) for side in (inner, inner.T)]
    without_own = np.where(other, inner, np.nan)
    lead = np.diag(inner) - np.nanmean(without_own, 0) - np.nanmean(without_own, 1)
    expected = {
        "pairs": n,
        "dimensions": 8,
        "l2m": np.linalg.norm(a.mean(0) - b.mean(0)),
        "l2i": np.linalg.norm(a - b, axis=1).mean(),
        "rmg": apart / (apart + spread),
        "paired_cosine": np.diag(inner).mean(),
        "mismatched_cosine": inner[other].mean(),
        "lead": np.diag(inner).mean() - inner[other].mean(),
        "lead_error": lead.std(ddof=1) / n**0.5,
        "cosine_image": within["image"].mean(),
        "cosine_text": within["text"].mean(),
        "alignment": ((a - b) ** 2).sum(1).mean(),
        "uniformity_image": np.log(np.exp(4 * (within["image"] - 1)).mean()),
        "uniformity_text": np.log(np.exp(4 * (within["text"] - 1)).mean()),
        "separability": 1,
        "recall_1_image_to_text": (ranks[0] < 1).mean(),
        "recall_1_text_to_image": (ranks[1] < 1).mean(),
        "recall_5_image_to_text": (ranks[0] < 5).mean(),
        "recall_5_text_to_image": (ranks[1] < 5).mean(),
    }
    assert row == pytest.approx(expected, abs=1e-9)
    recalls = [value for name, value in expected.items() if name.startswith("recall")]
    assert len(set(recalls)) == 4, "clouds on which no column can stand for another"
    assert expected["cosine_image"] != pytest.approx(expected["cosine_text"], abs=0.01)


def test_similarities_are_those_of_the_first_pairs_image_by_text() -> None:
    x, y = clouds()
    table = published.similarities(x, y)
    assert table.cosine.between(-1, 1).all()
    square = table.pivot(index="image", columns="text", values="cosine")
    expected = np.array([[(a * b).sum() for b in y[:6]] for a in x[:6]])
    np.testing.assert_allclose(square, expected, atol=5e-5)
    assert not np.allclose(square, square.T, atol=0.01), "else the axes could be exchanged"


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


def test_a_pure_offset_is_left_and_directions_across_it_stay() -> None:
    x, y = clouds()
    gap = mg.normalize(mg.gap_vector(x, y)[None])[0]
    for side, flat in zip((x, y), published.with_one_sided(x, y, 0), strict=True):
        assert (flat @ gap).tolist() == pytest.approx([(side @ gap).mean().item()] * len(side))
        across = [mg.normalize(rows - (rows @ gap)[:, None] * gap) for rows in (side, flat)]
        torch.testing.assert_close(*across)
        torch.testing.assert_close(flat.norm(dim=1), torch.ones(len(flat), dtype=flat.dtype))
    torch.testing.assert_close(published.with_one_sided(x, y, 1), (x, y))
    turned = published.with_one_sided(x, y, -1)
    torch.testing.assert_close(mg.gap_vector(*turned) @ gap, mg.gap_vector(x, y) @ gap)
    assert np.corrcoef(x @ gap, turned[0] @ gap)[0, 1] == pytest.approx(-1)


@pytest.mark.parametrize("seed", range(5))
def test_the_loss_of_a_pure_offset_is_the_same_before_and_past_the_meeting(seed: int) -> None:
    n, d = 20, 6
    up, sides = torch.ones(2 * n, 1, dtype=torch.float64), []
    for rows, height in ((unit_rows(n, d, seed), 0.4), (unit_rows(n, d, seed + 10), -0.4)):
        across = torch.cat([rows, -rows])  # so that both sides have one mean across the gap
        sides.append(mg.normalize(torch.cat([across, height * up], 1)))
    x, y = sides
    here, past = (
        mg.loss_landscape(x, y, [0.5 + sign * by for by in (0.1, 0.5, 1.2)], [0.05, 1], 8)
        for sign in (-1, 1)
    )
    np.testing.assert_allclose(here.loss, past.loss, atol=1e-12)
    np.testing.assert_allclose(here.distance, -past.distance, atol=1e-12)
    torch.testing.assert_close(published.with_one_sided(x, y, 0), (x, y))


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


def test_without_the_files_the_command_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(name: str) -> None:
        raise ConnectionError(f"{name} is not here")

    monkeypatch.setattr(published, "load_embeddings", nothing)
    with pytest.raises(SystemExit, match=r"^clip is not here$"):
        published.main(["--out", str(tmp_path)])
    assert list(tmp_path.iterdir()) == []


def test_the_error_of_the_lead_is_the_spread_over_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "modality_separability", lambda x, y: 1)  # slow, not asked
    samples = []
    for seed in range(200):
        x, y = unit_rows(50, 8, seed), unit_rows(50, 8, seed + 1000)
        samples.append(published.sizes(x, mg.normalize(y + x)))
    table = pd.concat(samples)
    assert table.lead.std() == pytest.approx(table.lead_error.mean(), rel=0.15)
