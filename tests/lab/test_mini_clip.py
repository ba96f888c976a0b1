import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import modality_gap as mg
from modality_gap import results, storage
from modality_gap.lab import clip, mad, measures
from modality_gap.lab.mini_clip import load_mini_clip, rebuild
from modality_gap.lab.training import Config

KS = range(len(mad.ATTRIBUTES) + 1)


@pytest.mark.parametrize("k", KS)
def test_stored_embeddings_come_from_the_stored_weights(k: int, data: mad.Mad) -> None:
    """Another processor may round a pixel at the edge of a stroke the other way."""
    mini = load_mini_clip(k)
    pairs = measures.draw_test_pairs(data, "test", k, "digit", None)
    embeddings = measures.embed(mini.model, pairs)
    for stored, name in [(mini.images, "images"), (mini.texts, "texts")]:
        assert stored.shape == (1000, 64)
        distance = torch.linalg.vector_norm(stored - embeddings[name], dim=1)
        assert distance.quantile(0.99) < 1e-3, f"k = {k}, {name}"
        assert distance.mean() < 1e-3, f"k = {k}, {name}"


@pytest.mark.parametrize("k", KS)
def test_stored_models_measure_what_the_sweep_measured(k: int) -> None:
    """They are the sweep's runs of seed 0, rounded to 16 bits."""
    table, _ = results.read("imbalance")
    key = Config(k=k).key
    row = table[(table.run == key) & (table.step == table.steps)].iloc[0]
    mini = load_mini_clip(k)
    assert mini.config == Config(k=k)
    assert mg.rmg(mini.images, mini.texts).item() == pytest.approx(row.rmg, abs=2e-3)
    assert mg.l2m(mini.images, mini.texts).item() == pytest.approx(row.l2m, abs=5e-3)
    temperature = math.exp(-mini.model.logit_scale.item())
    assert temperature == pytest.approx(row.measured_temperature, rel=1e-3)


def test_stored_files_are_small() -> None:
    sizes = [path.stat().st_size for path in results.FOLDER.glob("mini_clip_k*.safetensors")]
    assert len(sizes) == len(KS)
    assert max(sizes) < 2e6
    assert sum(sizes) < 6e6


def test_there_is_no_model_for_other_k() -> None:
    with pytest.raises(ValueError, match='k: expected 0 to 5 or "cold", got 6'):
        load_mini_clip(6)


def test_swapped_weights_would_be_noticed(data: mad.Mad) -> None:
    """The first test can fail: another model's weights give other embeddings."""
    mini = load_mini_clip(3)
    pairs = measures.draw_test_pairs(data, "test", 3, "digit", None)
    other = rebuild(Config(k=2), load_mini_clip(2).model.state_dict())
    distance = measures.embed(other, pairs)["images"] - mini.images
    assert torch.linalg.vector_norm(distance, dim=1).quantile(0.99) > 0.1


def test_the_stored_random_model_is_the_one_before_training(data: mad.Mad) -> None:
    """Rounding in other places than on the machine that stored it moves the last bits."""
    config = Config()
    pairs = measures.draw_test_pairs(data, "test", config.k, config.named, config.drawn_from)
    made = measures.embed(clip.build(config.image_encoder, seed=config.seed), pairs)
    x, y = mg.load_embeddings("mini-clip-random")
    for stored, name in ((x, "images"), (y, "texts")):
        distance = torch.linalg.vector_norm(stored - made[name], dim=1)
        assert distance.quantile(0.99) < 1e-3, name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda payload: payload[:-100], "is damaged"),
    ],
)
def test_a_damaged_file_is_refused(
    change: Callable[[bytes], bytes], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = (results.FOLDER / "mini_clip_k0.safetensors").read_bytes()
    (tmp_path / "mini_clip_k0.safetensors").write_bytes(change(payload))
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    with pytest.raises(storage.DamagedFileError, match=message):
        load_mini_clip(0)


def test_a_file_of_the_old_format_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    about = {"command": "make it", "config": {"always": "digit"}}
    storage.save(tmp_path / "mini_clip_k0.safetensors", {"images": torch.eye(2)}, about)
    with pytest.raises(ValueError, match=r"format version 1; this package reads .* run: make it"):
        load_mini_clip(0)
