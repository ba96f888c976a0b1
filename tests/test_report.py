"""`measure`: any shape that rows come in, against plain NumPy, with intervals that cover."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import modality_gap as mg
from helpers import unit_rows
from modality_gap import intervals, report
from modality_gap.moments import sampled

Array = NDArray[np.float64]


def pairs(n: int = 60, d: int = 8, seed: int = 0) -> tuple[Tensor, Tensor]:
    x, y = unit_rows(n, d, seed), unit_rows(n, d, seed + 1)
    offset = torch.eye(d, dtype=torch.float64)[0]
    return mg.normalize(x + offset), mg.normalize(x + 0.4 * y - 0.5 * offset)


def plain(x: Array, y: Array, owner: NDArray[np.int64]) -> dict[str, float]:
    """Every measure as its definition reads."""
    right = owner == np.arange(len(x))[:, None]
    cosine, gap = x @ y.T, x.mean(0) - y.mean(0)
    found = {"l2m": np.linalg.norm(gap), "paired_cosine": cosine[right].mean()}
    found["l2i"] = np.linalg.norm(x[owner] - y, axis=1).mean()
    found["alignment"] = np.square(np.linalg.norm(x[owner] - y, axis=1)).mean()
    found["mismatched_cosine"] = cosine[~right].mean()
    found["lead"] = found["paired_cosine"] - found["mismatched_cosine"]
    for word, rows in (("image", x), ("text", y)):
        others = ~np.eye(len(rows), dtype=bool)
        found[f"cosine_{word}"] = (rows @ rows.T)[others].mean()
        squares = np.square(rows[:, None] - rows).sum(-1)
        found[f"uniformity_{word}"] = np.log(np.exp(-2 * squares)[others].mean())
    between = (1 - found["paired_cosine"]) / 2
    within = (1 - (found["cosine_image"] + found["cosine_text"]) / 2) / 2
    found["rmg"] = between / (between + within)
    for word, values in (("paired", cosine[right]), ("mismatched", cosine[~right])):
        found[f"{word}_cosine_low"], found[f"{word}_cosine_high"] = np.quantile(
            values, (0.05, 0.95)
        )
    for k in (1, 5, 10):
        forth, back = ((-c).argsort(1)[:, :k] for c in (cosine, cosine.T))
        found[f"recall_{k}_image_to_text"] = (
            (owner[forth] == np.arange(len(x))[:, None]).any(1).mean()
        )
        found[f"recall_{k}_text_to_image"] = (back == owner[:, None]).any(1).mean()
    shares = np.sort(gap**2)[::-1] / (gap @ gap)
    found |= {f"share_{count}": shares[:count].sum() for count in (1, 2, 10) if count <= len(gap)}
    return {key: float(value) for key, value in found.items()}


def check(found: mg.Measured, expected: dict[str, float], tolerance: float = 1e-9) -> None:
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, abs=tolerance, nan_ok=True), key


def test_every_measure_is_its_definition_s() -> None:
    x, y = pairs(d=12)
    found = mg.measure(x, y)
    check(found, plain(x.numpy(), y.numpy(), np.arange(60)))
    assert found["separability"] == mg.modality_separability(x, y)
    assert list(found.keys()) == list(report.NAMES)


def test_several_captions_an_image() -> None:
    x, _ = pairs(20)
    owner = np.random.default_rng(0).permutation(np.repeat(np.arange(20), np.arange(1, 21) % 4 + 1))
    y = mg.normalize(x[torch.from_numpy(owner)] + 0.8 * unit_rows(len(owner), 8, 9))
    found = mg.measure(x, y, owner)
    check(found, plain(x.numpy(), y.numpy(), owner))
    assert (found.images, found.captions, found.dimensions) == (20, len(owner), 8)
    assert found["recall_5_image_to_text"] == mg.recall_at_k(x, y, 5, owner)[0]
    # Renumbering the images, and another order of the captions, change nothing.
    order, turn = torch.randperm(20), torch.randperm(len(owner))
    again = mg.measure(x[order], y[turn], order.argsort()[torch.from_numpy(owner)[turn]])
    check(
        again,
        {key: found[key] for key in found.values if key not in ("separability", "temperature")},
    )


@pytest.mark.parametrize(
    "form",
    [
        lambda t: t,
        lambda t: t.numpy(),
        lambda t: t.float(),
        lambda t: pd.DataFrame(t.numpy(), index=range(7, 7 + len(t))),
        lambda t: t.tolist(),
        lambda t: list(t),
        lambda t: t.clone().requires_grad_(),
        lambda t: t.numpy().astype(">f8"),
        lambda t: t.numpy()[::-1][::-1],
        lambda t: np.asfortranarray(t.numpy()),
        lambda t: OnlyDlpack(t),
    ],
)
def test_whatever_holds_rows_is_taken(form: Any) -> None:  # noqa: ANN401
    x, y = pairs()
    single = isinstance(form(x), Tensor) and form(x).dtype == torch.float32
    check(
        mg.measure(form(x), form(y)),
        plain(x.numpy(), y.numpy(), np.arange(60)),
        1e-6 if single else 1e-9,
    )


class OnlyDlpack:
    """As a tensor of another library."""

    def __init__(self, rows: Tensor) -> None:
        self.rows = rows

    def __dlpack__(self, **options: object) -> object:
        return self.rows.__dlpack__(**options)

    def __dlpack_device__(self) -> object:
        return self.rows.__dlpack_device__()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_rows_count_as_unit_to_the_precision_they_came_in(dtype: torch.dtype) -> None:
    """They were unit before they were rounded; they are measured as they are."""
    x, y = (rows.to(dtype) for rows in pairs(200, 64))
    found = mg.measure(x, y)
    check(found, plain(x.double().numpy(), y.double().numpy(), np.arange(200)))
    if dtype == torch.float16:
        check(mg.measure(x.numpy(), y.numpy()), dict(found.values))
        wide = x.float()
        with pytest.raises(ValueError, match=r"images: row \d+ has length .* normalize=True makes"):
            mg.measure(wide, y.float())


def test_a_pair_may_come_in_one() -> None:
    x, y = pairs()
    expected = mg.measure(x, y).values
    for both in ((x, y), [x, y], torch.stack([x, y]), np.stack([x.numpy(), y.numpy()])):
        check(mg.measure(both), expected, 0)
    embeddings = mg.load_embeddings("mini-clip-k0")
    assert mg.measure(embeddings).name == "mini-clip-k0"
    with pytest.raises(ValueError, match=r"mg\.measure\(images, captions\)"):
        mg.measure(x)


def test_rows_are_normalised_on_request_only() -> None:
    x, y = pairs()
    long = x * torch.linspace(1, 20, 60, dtype=torch.float64)[:, None]
    with pytest.raises(
        ValueError, match=r"images: row 1 has length 1\.32203; expected a unit row; norm"
    ):
        mg.measure(long, y)
    check(mg.measure(long, y * 1e200, normalize=True), mg.measure(x, y).values)


def test_what_cannot_be_measured_is_one_sentence() -> None:
    x, y = pairs()
    nan = x.clone()
    nan[41, 2] = math.nan
    cases: list[tuple[Any, Any, Any, str]] = [
        (nan, y, None, "images: row 41 holds a NaN; leave out this row and its partner"),
        (x, torch.zeros_like(y), None, "captions: row 0 is zero; leave out"),
        (
            x,
            y[:50],
            None,
            "captions: expected the shape of images, .* leave out what has no partner",
        ),
        (x, y.repeat(2, 1), None, r"with 2 captions an image, .* owner=torch.arange\(60\)"),
        (x, y[:, :5], None, "captions: row 0 has length|the two encoders of one model"),
        (
            x,
            unit_rows(60, 5),
            None,
            "captions: expected the shape of images.* encoders of one model",
        ),
        (x, y.T.contiguous(), None, r"captions: row 0 has length|captions\.T"),
        (
            x.T,
            y.T,
            None,
            r"images: row 0 has length .* is this \(D, N\)\? Then images\.T|normalize",
        ),
        (x, y, [0] * 60, "owner: image 1 has no caption"),
        (
            x[:1],
            y[:1],
            None,
            r"images: expected at least 2 row\(s\), got 1; one vector is no cloud",
        ),
        (x[0], y[0], None, r"images: expected shape \(N, D\), got \(8,\); one vector"),
        (x[:, None], y[:, None], None, r"images\[:, 0\] drops the axis of length one"),
        (
            (100 * x).long(),
            y,
            None,
            r"images: expected floating numbers, got torch.int64; .*\.double",
        ),
        (np.array([None, 1]), y, None, "images: expected numbers of shape .* of object$"),
        (np.array([[1], [2, 3]], object), y, None, r"of object; np\.stack"),
        ("x.npy", y, None, r"images: expected numbers, got a name; mg\.open_pairs"),
    ]
    for images, captions, owner, message in cases:
        with pytest.raises(ValueError, match=message):
            mg.measure(images, captions, owner)


def test_a_transposed_array_is_seen_and_its_message_leads_to_the_right_number() -> None:
    x = unit_rows(100, 16, dtype=torch.float32)
    lying = x.T.contiguous()
    for call in (mg.uniformity, lambda w: mg.measure(w, w)):
        with pytest.raises(
            ValueError, match=r"all columns are unit instead: is this \(D, N\)\? Then"
        ):
            call(lying)
    with pytest.warns(UserWarning, match=r"is this \(D, N\)\? Then mg\.normalize\(x\.T\)"):
        mg.normalize(lying)
    torch.testing.assert_close(mg.normalize(lying.T), x)


def test_following_the_messages_of_strict_functions_ends_in_the_right_number() -> None:
    a = np.random.default_rng(5).normal(size=(40, 12)).astype(np.float16)
    rows = a.astype(float) / np.linalg.norm(a.astype(float), axis=1, keepdims=True)
    right = mg.uniformity(torch.from_numpy(rows)).item()
    with pytest.raises(ValueError, match=r"got ndarray; x = mg\.normalize\(x\) makes one"):
        mg.uniformity(a)
    with pytest.raises(ValueError, match=r"got torch\.float16; x = mg\.normalize\(x\)"):
        mg.uniformity(torch.from_numpy(a))
    for given in (a, torch.from_numpy(a), pd.DataFrame(a), rows.astype(np.float16)):
        assert mg.uniformity(mg.normalize(given)).item() == pytest.approx(right, abs=2e-3)
    assert mg.uniformity(mg.normalize(a)).item() == pytest.approx(right, abs=1e-6)
    assert mg.normalize(a).dtype == torch.float32


def test_copies_are_counted_and_told() -> None:
    x, y = pairs()
    assert not any("copies" in note for note in mg.measure(x, y).notes)
    five = mg.measure(x.repeat_interleave(5, 0), y.repeat_interleave(5, 0))
    assert "240 of 300 images are copies of others (60 different)" in five.notes[0]
    assert "np.unique(images, axis=0, return_inverse=True)" in five.notes[0]
    assert "240 of 300 captions are copies" in five.notes[1]
    once, owner = np.unique(x.repeat_interleave(5, 0).numpy(), axis=0, return_inverse=True)
    told = mg.measure(once, y.repeat_interleave(5, 0), owner)
    assert told["recall_1_image_to_text"] == mg.measure(x, y)["recall_1_image_to_text"]
    x[7] = x[3]
    assert "1 of 60 images are copies" in mg.measure(x.float(), y.float()).notes[0]


def test_a_sample_is_told_and_sums_stay_exact() -> None:
    x, y = pairs(400)
    whole, part = mg.measure(x, y), mg.measure(x, y, sample=100)
    assert "of 100 of the 400 images" in part.notes[0]
    for key in ("l2m", "l2i", "rmg", "paired_cosine", "cosine_text", "alignment", "share_1"):
        assert part[key] == whole[key]
        wide = np.diff(part.intervals[key]) / np.diff(whole.intervals[key])
        assert 0.6 < float(wide[0]) < 1.6, key  # as wide as all pairs make it
    chosen = sampled(400, 100, 0)
    alone = mg.measure(x[chosen], y[chosen])
    for key in ("uniformity_image", "recall_1_image_to_text", "hubness_text"):
        assert part[key] == pytest.approx(alone[key], abs=1e-12)


def test_the_temperature_is_that_at_which_the_gap_is_the_minimum() -> None:
    for name in ("mini-clip-k3", "mini-clip-cold"):
        x, y = mg.load_embeddings(name)
        found = mg.measure(x[:300], y[:300])["temperature"]
        assert mg.loss_minimum(x[:300], y[:300], [found]).alpha.item() == pytest.approx(0, abs=1e-5)


def test_intervals_cover_what_they_are_of() -> None:
    """In 95 % of samples of a known cloud; the bootstrap's, so within what 60 of these say."""
    x, y = pairs(4000, 6)
    truth = mg.measure(x, y, sample=50)
    keys = ("l2m", "rmg", "paired_cosine", "mismatched_cosine", "cosine_image", "alignment")
    inside = dict.fromkeys(keys, 0)
    for seed in range(60):
        rows = torch.randperm(4000, generator=torch.Generator().manual_seed(seed))[:80]
        found = mg.measure(x[rows], y[rows])
        for key in keys:
            low, high = found.intervals[key]
            inside[key] += low <= truth[key] <= high
    # Fewer than 51 of 60 has a chance of 1 in 2,000 at 95 %.
    assert {key: count for key, count in inside.items() if count < 51} == {}


@pytest.mark.parametrize("captions", [1, 3])
def test_intervals_of_ranges_cover_the_quantiles(captions: int) -> None:
    x, y = pairs(20_000, 6)
    y = mg.normalize(y.repeat_interleave(captions, 0) + 0.2 * unit_rows(20_000 * captions, 6, 9))
    owner = torch.arange(20_000).repeat_interleave(captions)
    cosine = (x[owner] * y).sum(dim=1)
    inside = dict.fromkeys(("low", "high"), 0)
    for seed in range(60):
        rows = torch.randperm(20_000, generator=torch.Generator().manual_seed(seed))[:200].sort()[0]
        theirs = torch.isin(owner, rows)
        place = torch.searchsorted(rows, owner[theirs])
        ranges = {"low": 0.05, "high": 0.95}
        sample = intervals.Sampled(x[rows], y[theirs], place, {}, {}, {}, ranges)
        drawn = intervals.draws(sample, 0, 200)
        for key, share in ranges.items():
            low, high = intervals.middle(drawn[key])
            inside[key] += low <= float(cosine.quantile(share)) <= high
    # Fewer than 50 of 60 has a chance of 1 in 600 at 93 %.
    assert min(inside.values()) >= 50, inside


def test_a_draw_makes_no_pair_of_an_image_with_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = pairs(200)
    found = mg.measure(x, y)
    sample = intervals.Sampled(x, y, torch.arange(200), {}, {}, {})
    drawn = intervals.draws(sample, 0)
    for key in ("cosine_image", "cosine_text", "mismatched_cosine", "paired_cosine"):
        error = drawn[key].std() / math.sqrt(len(drawn[key]))
        assert abs(drawn[key].mean() - found[key]) < 5 * error, key


def test_the_result_is_a_table_a_dictionary_and_a_picture() -> None:
    x, y = pairs()
    found = mg.measure(x, y, name="a <model>")
    table = found.table()
    assert table.index.name == "a <model>"
    assert table.loc["rmg", "value"] == found["rmg"]
    assert table.loc["rmg", "low"] < found["rmg"] < table.loc["rmg", "high"]
    assert dict(found) == found.values
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["l2m"] == found["l2m"]
    assert told["intervals"]["l2m"] == list(found.intervals["l2m"])
    page = found._repr_html_()
    assert page.count("<svg") == 1
    assert "a &lt;model&gt;" in page
    assert "relative modality gap" in page
    lines = str(found).splitlines()
    assert lines[0] == "a <model>: 60 pairs in 8 dimensions"
    assert len(lines) == 1 + len(found.values) + len(found.notes)


def test_embeddings_that_are_one_point_are_measured_as_far_as_that_goes() -> None:
    x = unit_rows(1, 4).repeat(12, 1)
    found = mg.measure(x, x)
    assert math.isnan(found["rmg"])
    assert found.to_dict()["rmg"] is None
    assert found["l2m"] == 0
    assert found["recall_1_image_to_text"] == pytest.approx(1 / 12)
    assert any("0 / 0" in note for note in found.notes)
    few = mg.measure(*pairs(3))
    assert "recall_5_image_to_text" not in few.values
