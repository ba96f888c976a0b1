import json
import logging
import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor, nn

import modality_gap as mg
from modality_gap import storage
from modality_gap.embeddings import own
from modality_gap.lab import clip
from modality_gap.torchvision_fix import import_open_clip

import_open_clip()
import open_clip  # noqa: E402  # isort: skip
from huggingface_hub import constants  # noqa: E402  # isort: skip
from open_clip.transform import PreprocessCfg, image_transform_v2  # noqa: E402  # isort: skip

pytestmark = pytest.mark.filterwarnings("ignore:captions. 1 of")  # one of them is cut
NAME = "tiny"
CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
CAPTIONS = [
    "a red square",
    "noise, and a longer caption than twelve tokens can hold, so that its end is cut off",
    "a tall picture",
    "grey",
    "A Wide Picture!",
]


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model name that open_clip knows, of a model that costs nothing."""
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, NAME, CONFIG)


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    """Of several sizes and modes."""
    noise = np.random.default_rng(0).integers(0, 256, (5, 60, 40, 3), np.uint8)
    return [
        Image.new("RGB", (32, 32), "red"),
        Image.fromarray(noise[1]),
        Image.fromarray(noise[2]).convert("P"),
        Image.fromarray(noise[3]).convert("L"),
        Image.fromarray(noise[4].transpose(1, 0, 2)).convert("RGBA"),
    ]


@pytest.fixture
def files(pictures: list[Image.Image], tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        picture.save(path)
    return paths


@pytest.fixture
def model() -> nn.Module:
    return mg.random_clip(NAME, seed=3)


def by_hand(
    model: nn.Module, preprocess: Callable[[Image.Image], Tensor], pictures: list[Image.Image]
) -> tuple[Tensor, Tensor]:
    """open_clip's own way, one pair at a time."""
    tokenizer = open_clip.get_tokenizer(NAME)
    with torch.no_grad():
        x = [model.encode_image(preprocess(picture.convert("RGB"))[None]) for picture in pictures]
        y = [model.encode_text(tokenizer([caption])) for caption in CAPTIONS]
    return mg.normalize(torch.cat(x).double()), mg.normalize(torch.cat(y).double())


def check(embeddings: mg.Embeddings, expected: tuple[Tensor, Tensor]) -> None:
    for rows, side in zip(embeddings, expected, strict=True):
        assert rows.dtype == torch.float64
        torch.testing.assert_close(rows, side, rtol=0, atol=2e-6)


def no_encoding(*_: object) -> None:
    raise AssertionError("pairs are checked before anything is encoded")


# --- what comes out -------------------------------------------------------------------------------


def test_a_random_model_is_encoded_as_open_clip_does(
    model: nn.Module, pictures: list[Image.Image], files: list[Path]
) -> None:
    expected = by_hand(model, image_transform_v2(PreprocessCfg(size=32), False), pictures)
    assert (expected[0][0] - expected[0][1]).abs().max() > 0.01  # the pairs do differ
    check(mg.encode_pairs(model, pictures, CAPTIONS), expected)
    check(mg.encode_pairs(model, files, CAPTIONS), expected)
    check(mg.encode_pairs(model, [str(path) for path in files], CAPTIONS), expected)


@pytest.mark.parametrize("resize_mode", ["squash", "longest"])
def test_a_model_s_own_preprocessing_is_used(resize_mode: str, pictures: list[Image.Image]) -> None:
    model, _, preprocess = open_clip.create_model_and_transforms(
        NAME,
        image_mean=(0.1, 0.5, 0.9),
        image_std=(1.0, 2.0, 3.0),
        image_resize_mode=resize_mode,
    )
    model.eval()
    check(mg.encode_pairs(model, pictures, CAPTIONS), by_hand(model, preprocess, pictures))


@pytest.mark.parametrize("batch_size", [1, 2, 5, 100])
def test_the_batch_size_changes_nothing(
    batch_size: int, model: nn.Module, pictures: list[Image.Image]
) -> None:
    expected = mg.encode_pairs(model, pictures, CAPTIONS, batch_size=3)
    check(mg.encode_pairs(model, pictures, CAPTIONS, batch_size=batch_size), (*expected,))


def test_pairs_are_taken_by_place_not_by_label(
    model: nn.Module, pictures: list[Image.Image]
) -> None:
    """A table that was shuffled or filtered keeps its labels."""
    captions = pd.Series(CAPTIONS, index=[3, 1, 4, 0, 2])
    paths = pd.Series(pictures, index=list("abcde"), dtype=object)
    made = mg.encode_pairs(model, paths, captions, batch_size=2)
    check(made, (*mg.encode_pairs(model, pictures, CAPTIONS, batch_size=2),))


def test_a_palette_with_transparency_is_no_cause_for_a_warning(
    model: nn.Module, pictures: list[Image.Image]
) -> None:
    clear = pictures[2].copy()
    clear.info["transparency"] = bytes(10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "captions: 1 of ")
        made = mg.encode_pairs(model, [clear, *pictures[:2]], CAPTIONS[:3])
    expected = mg.encode_pairs(model, pictures[2:0:-1], CAPTIONS[:2])
    torch.testing.assert_close(made.x[0], expected.x[0], rtol=0, atol=2e-6)


def test_no_batch_is_larger_than_asked(
    model: nn.Module, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    encode = model.encode_image

    def encode_image(pixels: Tensor) -> Tensor:
        sizes.append(tuple(pixels.shape))
        return encode(pixels)

    monkeypatch.setattr(model, "encode_image", encode_image)
    mg.encode_pairs(model, files, CAPTIONS, batch_size=2)
    assert sizes == [(2, 3, 32, 32), (2, 3, 32, 32), (1, 3, 32, 32)]


def test_a_name_stands_for_random_weights_of_seed_0(
    pictures: list[Image.Image], caplog: pytest.LogCaptureFixture
) -> None:
    state = torch.random.get_rng_state()
    named = mg.encode_pairs(NAME, pictures, CAPTIONS)
    check(named, (*mg.encode_pairs(mg.random_clip(NAME), pictures, CAPTIONS),))
    assert "random weights, seed 0" in named.model
    assert torch.random.get_rng_state().equal(state)
    assert caplog.records == []
    assert logging.root.manager.disable == logging.NOTSET


def test_a_model_is_left_as_it_was(pictures: list[Image.Image]) -> None:
    """In training mode, whose dropout would be random."""
    model = open_clip.create_model(NAME).train()
    dropout = nn.Dropout()
    model.visual.ln_post = nn.Sequential(model.visual.ln_post, dropout)
    model.visual.conv1.eval()
    first = mg.encode_pairs(model, pictures, CAPTIONS)
    assert model.training
    assert dropout.training
    assert not model.visual.conv1.training
    check(mg.encode_pairs(model, pictures, CAPTIONS), (*first,))
    assert all(weights.grad is None for weights in model.parameters())


@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_a_checkpoint_gives_its_model_s_embeddings(
    ending: str, model: nn.Module, pictures: list[Image.Image], tmp_path: Path
) -> None:
    path = tmp_path / f"weights{ending}"
    if ending == ".pt":
        torch.save({"epoch": 1, "state_dict": model.state_dict()}, path)
    else:
        safetensors.torch.save_file(model.state_dict(), path)
    expected = mg.encode_pairs(model, pictures, CAPTIONS)
    for pretrained in (path, str(path)):
        loaded = mg.encode_pairs(NAME, pictures, CAPTIONS, pretrained=pretrained)
        check(loaded, (*expected,))
        assert f"weights of weights{ending}, SHA-256 " in loaded.model


def test_a_folder_with_a_model(
    model: nn.Module, pictures: list[Image.Image], tmp_path: Path
) -> None:
    """Its configuration also says how images are prepared."""
    settings = {"mean": [0.1, 0.5, 0.9], "std": [1.0, 2.0, 3.0]}
    (tmp_path / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": CONFIG, "preprocess_cfg": settings})
    )
    safetensors.torch.save_file(model.state_dict(), tmp_path / "open_clip_model.safetensors")
    preprocess = image_transform_v2(PreprocessCfg(size=32, **settings), False)
    folder = f"local-dir:{tmp_path}"
    check(mg.encode_pairs(folder, pictures, CAPTIONS), by_hand(model, preprocess, pictures))
    (tmp_path / "open_clip_model.safetensors").unlink()
    with pytest.raises(
        ValueError, match=r"cannot make 'local-dir:.*weights .* could not be loaded"
    ):
        mg.encode_pairs(folder, pictures, CAPTIONS)


def test_a_file_gives_back_what_was_encoded(
    model: nn.Module, pictures: list[Image.Image], tmp_path: Path
) -> None:
    out = tmp_path / "new" / "mine.safetensors"
    made = mg.encode_pairs(model, pictures, CAPTIONS, out=out)
    again = mg.load_embeddings(out)
    assert all(a.equal(b) for a, b in zip(again, made, strict=True))
    assert replace(again, x=made.x, y=made.y) == made
    assert made.name == "CLIP"
    assert open_clip.__version__ in made.source
    assert {"date", "versions"} <= storage.load(out)[1].keys()
    assert list(out.parent.iterdir()) == [out]


def test_nothing_is_written_before_all_is_encoded(
    model: nn.Module, files: list[Path], tmp_path: Path
) -> None:
    files[4].write_bytes(files[4].read_bytes()[:50])
    out = tmp_path / "mine.safetensors"
    with pytest.raises(ValueError, match="images: row 4 cannot be read as an image"):
        mg.encode_pairs(model, files, CAPTIONS, out=out, batch_size=2)
    assert not out.exists()


@pytest.mark.parametrize("obstacle", ["a file for a folder", "a folder for the file"])
def test_a_file_that_cannot_be_written_is_known_before_all_is_encoded(
    obstacle: str, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "_encode", no_encoding)
    out = tmp_path / "mine.safetensors"
    if obstacle == "a file for a folder":
        out = files[0] / out.name
    else:
        out.mkdir()
    with pytest.raises(OSError, match=r"0\.png|mine\.safetensors"):
        mg.encode_pairs(NAME, files, CAPTIONS, out=out)


# --- what cannot be -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "captions", "message"),
    [
        (["0.png", "9.png"], ["a", "b"], r"images: row 1: there is no file '.*9\.png'"),
        (["0.png", 7], ["a", "b"], "images: row 1: expected a path or a PIL image, got int"),
        (["0.png", "1.png"], ["a", None], "captions: row 1: expected a text, got None"),
        (["0.png", "1.png"], [" ", "b"], "captions: row 0: expected a text, got ' '"),
        (["0.png", "1.png"], ["a"], "and at least 2; got 2 and 1"),
        (["0.png"], ["a"], "and at least 2; got 1 and 1"),
        (iter(["0.png", "1.png"]), ["a", "b"], "images: expected a list, got list_iterator"),
        (["0.png", "1.png"], {"a", "b"}, "captions: expected a list, got set"),
        (["0.png", 5000 * "1"], ["a", "b"], "images: row 1: there is no file"),
        ("0.png", ["a"], "images: expected a list, got str"),
        (["0.png", "1.png"], "ab", "captions: expected a list, got str"),
    ],
)
def test_pairs_that_cannot_be(
    images: object,
    captions: object,
    message: str,
    model: nn.Module,
    files: list[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(own, "_encode", no_encoding)
    monkeypatch.chdir(files[0].parent)
    with pytest.raises(ValueError, match=message):
        mg.encode_pairs(model, images, captions)


@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_an_image_that_cannot_be_read_has_its_row(
    content: bytes | None, model: nn.Module, files: list[Path]
) -> None:
    files[3].write_bytes(files[3].read_bytes()[:100] if content is None else content)
    with pytest.raises(ValueError, match="images: row 3 cannot be read as an image: "):
        mg.encode_pairs(model, files, CAPTIONS)


def test_an_image_without_pixels_has_its_row(model: nn.Module, pictures: list[Image.Image]) -> None:
    empty = pictures[1].crop((5, 5, 5, 9))
    with pytest.raises(ValueError, match="images: row 1 cannot be read as an image: it has no"):
        mg.encode_pairs(model, [pictures[0], empty], CAPTIONS[:2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "tinny"}, "model: open_clip has no model 'tinny'; open_clip.list_models"),
        ({"model": 5}, "model: expected an open_clip model or the name of one, got int"),
        ({"model": nn.Linear(1, 1)}, "model: expected an open_clip model .* got Linear"),
        ({"model": clip.build()}, "a vocabulary of .. tokens, not the 49408 .*; give the name"),
        ({"model": open_clip.CLIP(**CONFIG).half()}, "model: expected weights in float32"),
        ({"model": open_clip.CLIP(**CONFIG), "pretrained": "openai"}, "leave it out"),
        ({"model": "local-dir:here", "pretrained": "openai"}, "where its weights are; leave it"),
        (
            {"model": "ViT-B/32", "pretrained": "opnai"},
            "'opnai' is neither a file nor a tag of 'ViT-B-32'; its tags are openai, laion400m",
        ),
        ({"pretrained": "openai"}, "neither a file nor a tag of 'tiny'; its tags are none"),
        ({"pretrained": "0.png"}, "model: open_clip cannot make 'tiny' with weights '0.png': ."),
        ({"batch_size": 0}, "batch_size: expected at least 1, got 0"),
        ({"out": "mine.npz"}, "out: expected a path that ends in .safetensors, got 'mine.npz'"),
    ],
)
def test_arguments_that_cannot_be(
    arguments: dict[str, Any],
    message: str,
    pictures: list[Image.Image],
    files: list[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(files[0].parent)
    with pytest.raises(ValueError, match=message):
        mg.encode_pairs(**{"model": NAME, "images": pictures, "captions": CAPTIONS, **arguments})


class Trap:
    """Whoever unpickles it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("content", ["code", "another model", "nothing", "no checkpoint"])
def test_a_checkpoint_that_is_none_is_refused_and_runs_no_code(
    content: str, pictures: list[Image.Image], tmp_path: Path
) -> None:
    path = tmp_path / "weights.pt"
    if content == "code":
        torch.save({"state_dict": Trap(tmp_path / "trapped")}, path)
        with path.open("rb") as file:
            torch.load(file, weights_only=False)
        (tmp_path / "trapped").rmdir()  # it does go off
    elif content == "another model":
        torch.save(nn.Linear(2, 2).state_dict(), path)
    elif content == "no checkpoint":
        torch.save([1], path)
    else:
        path.touch()
    with pytest.raises(
        ValueError, match=f"open_clip cannot make 'tiny' with weights '{path}': ."
    ) as e:
        mg.encode_pairs(NAME, pictures, CAPTIONS, pretrained=path)
    assert "\n" not in str(e.value)
    assert not (tmp_path / "trapped").exists()


# --- weights from the network ---------------------------------------------------------------------


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no way to the hub; the name has a tag."""
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    settings = {"hf_hub": "somebody/tiny/", "mean": (0.1, 0.5, 0.9), "std": (1.0, 2.0, 3.0)}
    known = {"web": {**settings, "quick_gelu": True}}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, NAME, known)
    return tmp_path / "hub"


@pytest.mark.parametrize(
    ("model", "pretrained"),
    [
        (NAME, "web"),
        ("hf-hub:somebody/tiny", None),
        ("ViT-B-32", "openai"),
        ("roberta-ViT-B-32", None),
    ],
)
def test_without_a_network_weights_are_one_sentence(
    model: str, pretrained: str | None, hub: Path, pictures: list[Image.Image]
) -> None:
    message = rf"{model} needs files of http://127.0.0.1:9 that .* cannot be reached .*refused"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConnectionError, match=message) as caught:
            mg.encode_pairs(model, pictures, CAPTIONS, pretrained=pretrained)
    assert caught.value.__suppress_context__
    assert "\n" not in str(caught.value)


def test_a_cache_without_the_weights_does_not_count(hub: Path, pictures: list[Image.Image]) -> None:
    """A model's tokenizer lies there once the model was made with random weights."""
    repository = hub / "models--somebody--tiny"
    (repository / "snapshots" / "1").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("1")
    (repository / "snapshots" / "1" / "tokenizer.json").touch()
    with pytest.raises(ConnectionError, match="tiny needs files of"):
        mg.encode_pairs(NAME, pictures, CAPTIONS, pretrained="web")


def test_weights_in_the_cache_need_no_network(
    hub: Path, model: nn.Module, pictures: list[Image.Image]
) -> None:
    """With the preprocessing and the activation of the tag."""
    repository = hub / "models--somebody--tiny"
    snapshot = repository / "snapshots" / "1"
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("1")
    safetensors.torch.save_file(model.state_dict(), snapshot / "open_clip_model.safetensors")
    quick = open_clip.create_model(NAME, force_quick_gelu=True).eval()
    quick.load_state_dict(model.state_dict())
    settings = PreprocessCfg(size=32, mean=(0.1, 0.5, 0.9), std=(1.0, 2.0, 3.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "captions: 1 of ")
        made = mg.encode_pairs(NAME, pictures, CAPTIONS, pretrained="web")
    check(made, by_hand(quick, image_transform_v2(settings, False), pictures))
    assert "weights 'web'" in made.model


def test_without_open_clip_there_is_one_sentence(
    pictures: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    for call in (lambda: mg.random_clip("ViT-B-32"), lambda: mg.encode_pairs(NAME, pictures, [])):
        with pytest.raises(ImportError, match=r'pip install "modality-gap\[lab\]"'):
            call()
