import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

import modality_gap as mg
from helpers import unit_rows
from modality_gap.lab import clip, mad
from modality_gap.lab.measures import PAIRS
from modality_gap.lab.training import (
    Config,
    Result,
    Run,
    caption_ids,
    contrastive_loss,
    cross_uniformity,
    train,
)

SHORT = Config(steps=60, batch_size=64, warmup=10)


@pytest.fixture(scope="module")
def uninterrupted(data: mad.Mad) -> Result:
    return train(SHORT, data=data)


def assert_same(one: Result, other: Result) -> None:
    """Equal to the last bit."""
    assert str(one.rows) == str(other.rows)  # as text, where nan is equal to itself
    for name in one.weights:
        assert one.weights[name].equal(other.weights[name]), name
    for name in one.embeddings:
        assert one.embeddings[name].equal(other.embeddings[name]), name


def test_same_config_same_bits(data: mad.Mad, uninterrupted: Result) -> None:
    assert_same(train(SHORT, data=data), uninterrupted)


def test_another_seed_is_another_run(data: mad.Mad, uninterrupted: Result) -> None:
    other = train(replace(SHORT, seed=1), data=data, stop=10)
    assert other.rows[0]["rmg"] != uninterrupted.rows[0]["rmg"]


def test_stopping_early_changes_nothing_before(data: mad.Mad, uninterrupted: Result) -> None:
    stopped = train(SHORT, data=data, stop=25)
    assert str(stopped.rows) == str(uninterrupted.rows[:3])
    assert [row["step"] for row in uninterrupted.rows] == [0, 10, 25, 50, 60]


def test_result_holds_what_it_promises(uninterrupted: Result) -> None:
    last = uninterrupted.rows[-1]
    x, y = (uninterrupted.embeddings[name] for name in ("images", "texts"))
    assert x.shape == y.shape == (PAIRS, clip.DIMENSIONS)
    for name, measure in [("l2m", mg.l2m), ("rmg", mg.rmg), ("l2i", mg.l2i)]:
        assert last[name] == pytest.approx(measure(x, y).item(), abs=1e-5)
    assert last["moad_image"] == pytest.approx(
        last["difference_image_digit"]
        - sum(last[f"difference_image_{name}"] for name in mad.ATTRIBUTES) / 5
    )
    assert last["probe_colour"] > 0.9  # colours are easy
    assert "probe_colour" not in uninterrupted.rows[0]
    model = clip.build()
    model.load_state_dict(uninterrupted.weights)


def test_the_loss_falls(uninterrupted: Result) -> None:
    assert uninterrupted.rows[-1]["train_loss"] < uninterrupted.rows[1]["train_loss"] - 0.5


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"k": 6}, "k: expected 0 to 5"),
        ({"k": -1}, "k: expected"),
        ({"k": 2.5}, "k: expected a whole number"),
        ({"k": 2, "drawn_from": ("size",)}, "k: expected 0 to 1"),
        ({"drawn_from": ("weight",)}, "drawn_from.*weight"),
        ({"named": "weight"}, "named.*weight"),
        ({"drawn_from": ("digit",)}, "drawn_from.*digit"),
        ({"drawn_from": ("size", "size")}, "drawn_from.*once"),
        ({"image_encoder": "resnet"}, "image_encoder.*resnet"),
        ({"duplicates": "dropped"}, "duplicates.*dropped"),
        ({"init": "cold"}, "init.*cold"),
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": 0.001}, "temperature.*0.01"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"weight_decay": -0.1}, "weight_decay"),
        ({"alignment_weight": -1.0}, "alignment_weight"),
        ({"uniformity_weight": float("inf")}, "uniformity_weight"),
        ({"temperature_end": 0.5}, "temperature_end: a learned temperature"),
        ({"temperature_end": 0.001, "learn_temperature": False}, "temperature_end.*0.01"),
        ({"shared": True}, "shared.*vit"),
        ({"shared": True, "image_encoder": "vit", "init": "procrustes"}, "shared.*random"),
        ({"steps": 0}, "steps"),
        ({"batch_size": 1}, "batch_size"),
        ({"threads": 0}, "threads"),
        ({"warmup": -1}, "warmup"),
        ({"seed": -1}, "seed"),
        ({"device": "toaster"}, "device.*toaster"),
    ],
)
def test_a_config_that_cannot_be(changes: dict[str, object], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Config(**changes)  # type: ignore[arg-type]


def test_a_batch_larger_than_the_data(data: mad.Mad) -> None:
    with pytest.raises(ValueError, match="batch_size: expected at most the 1247 digits"):
        train(replace(SHORT, batch_size=1248), data=data)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_device_that_is_not_there(data: mad.Mad) -> None:
    with pytest.raises(ValueError, match="device: this machine has no device 'cuda'"):
        train(replace(SHORT, device="cuda"), data=data)


def test_keys_tell_configs_apart() -> None:
    configs = [
        SHORT,
        replace(SHORT, seed=1),
        replace(SHORT, drawn_from=("size", "colour", "swelling")),
    ]
    assert len({config.key for config in configs}) == 3
    assert SHORT.key == replace(SHORT).key


def test_a_fixed_temperature_stays(data: mad.Mad) -> None:
    fixed = train(replace(SHORT, temperature=0.05, learn_temperature=False), data=data, stop=10)
    assert fixed.rows[-1]["measured_temperature"] == pytest.approx(0.05)


def test_a_learned_temperature_keeps_clip_s_bound(data: mad.Mad) -> None:
    """Gradients that pull the scale up, from below the bound: it ends on the bound."""
    run = Run(replace(SHORT, temperature=0.0101, learning_rate=0.1, warmup=0), data)
    run.model.logit_scale.register_hook(lambda gradient: -torch.ones_like(gradient))
    for _ in range(3):
        run.train_step()
    assert run.model.logit_scale.item() == pytest.approx(math.log(100))


def test_a_scheduled_temperature_is_geometric_and_ends_where_it_should(data: mad.Mad) -> None:
    config = replace(SHORT, temperature=0.05, temperature_end=0.2, learn_temperature=False)
    rows = train(config, data=data).rows
    for row in rows:
        assert row["measured_temperature"] == pytest.approx(0.05 * 4 ** (row["step"] / 60))


def test_shared_weights_stay_shared(data: mad.Mad) -> None:
    weights = train(replace(SHORT, image_encoder="vit", shared=True), data=data, stop=10).weights
    start = clip.build("vit", shared=True).state_dict()
    for name in ("resblocks.0.mlp.c_fc.weight", "resblocks.1.attn.in_proj_weight"):
        layer = int(name.split(".")[1])
        text = weights[f"text.transformer.{name}"]
        image = weights["visual.transformer." + name.replace(str(layer), str(layer + 1), 1)]
        assert text.equal(image)
        assert not text.equal(start[f"text.transformer.{name}"])
    assert weights["text.text_projection"].equal(weights["visual.proj"])


def test_added_terms_move_what_they_name(data: mad.Mad) -> None:
    plain, near, spread = (
        train(replace(SHORT, **weights), data=data, stop=25).rows[-1]
        for weights in ({}, {"alignment_weight": 20.0}, {"uniformity_weight": 20.0})
    )
    assert near["alignment"] < plain["alignment"]
    assert spread["uniformity_image"] < plain["uniformity_image"]


def test_procrustes_start_has_next_to_no_gap(data: mad.Mad) -> None:
    starts = [
        train(replace(SHORT, init=init), data=data, stop=0).rows[0]
        for init in ("random", "procrustes")
    ]
    assert starts[0]["l2m"] > 0.7
    assert starts[1]["l2m"] < 0.2
    # A rotation of one modality changes nothing within it.
    assert starts[0]["uniformity_image"] == pytest.approx(starts[1]["uniformity_image"], abs=1e-4)


def test_the_transformer_trains_as_well(data: mad.Mad) -> None:
    rows = train(replace(SHORT, image_encoder="vit", steps=25), data=data).rows
    assert rows[-1]["train_loss"] < rows[1]["train_loss"]


def test_a_run_has_its_threads_and_the_caller_keeps_its_own(
    data: mad.Mad, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, during = torch.get_num_threads(), []
    record = Run.record

    def count(run: Run) -> None:
        during.append(torch.get_num_threads())
        record(run)

    monkeypatch.setattr(Run, "record", count)
    train(replace(SHORT, threads=before + 1), data=data, stop=0)
    assert during == [before + 1]
    assert torch.get_num_threads() == before


# --- the loss ---


def explicit_loss(x: Tensor, y: Tensor, scale: float, says: Tensor, duplicates: str) -> float:
    """Both directions, a row at a time, in float64."""
    total, n = 0.0, len(x)
    for a, b in ((x, y), (y, x)):
        for i in range(n):
            same = [j for j in range(n) if says[j] == says[i]]
            others = [j for j in range(n) if j not in same]
            counted = {"kept": range(n), "masked": [i, *others], "soft": range(n)}[duplicates]
            normaliser = torch.logsumexp(scale * torch.stack([a[i] @ b[j] for j in counted]), 0)
            targets = same if duplicates == "soft" else [i]
            logits = [float(scale * a[i] @ b[j] - normaliser) for j in targets]
            total -= sum(logits) / len(logits) / (2 * n)
    return total


@pytest.mark.parametrize("duplicates", ["kept", "masked", "soft"])
def test_loss_against_loops(duplicates: str) -> None:
    x, y = unit_rows(9, 4, 0), unit_rows(9, 4, 1)
    says = torch.tensor([0, 1, 0, 2, 3, 3, 0, 4, 5])
    loss = contrastive_loss(x, y, torch.tensor(7.0), says, duplicates)
    assert loss.item() == pytest.approx(explicit_loss(x, y, 7.0, says, duplicates), abs=1e-12)
    assert loss.item() == pytest.approx(
        contrastive_loss(y, x, torch.tensor(7.0), says, duplicates).item(), abs=1e-12
    )


@pytest.mark.parametrize("duplicates", ["kept", "masked", "soft"])
def test_without_repeated_captions_all_three_are_info_nce(duplicates: str) -> None:
    x, y = unit_rows(9, 4, 0), unit_rows(9, 4, 1)
    loss = contrastive_loss(x, y, torch.tensor(10.0), torch.arange(9), duplicates)
    torch.testing.assert_close(loss, mg.info_nce(x, y, 0.1), rtol=0, atol=1e-12)


def test_cross_uniformity_against_loops() -> None:
    x, y = unit_rows(7, 4, 0), unit_rows(7, 4, 1)
    pairs = [(x[i] - y[j]).square().sum() for i in range(7) for j in range(7) if i != j]
    expected = torch.stack(pairs).mul(-2).exp().mean().log()
    torch.testing.assert_close(cross_uniformity(x, y), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(cross_uniformity(y, x), expected, rtol=0, atol=1e-12)


def test_caption_ids_ignore_the_order_of_words() -> None:
    words = torch.tensor([[3, 17], [17, 3], [3, 18]])
    one, two, other = caption_ids(words).tolist()
    assert one == two != other
