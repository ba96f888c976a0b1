"""Pictures and captions that a model would read otherwise than they are meant."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import modality_gap as mg
from modality_gap.embeddings.reading import count_cut, read_picture
from modality_gap.torchvision_fix import import_open_clip

import_open_clip()
import open_clip  # noqa: E402  # isort: skip

RAMP = np.add.outer(np.arange(64) * 900, np.arange(64) * 100).astype(np.uint16)
TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny", TINY)


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_sixteen_bits_are_the_same_picture_as_their_upper_eight(
    ending: str, tmp_path: Path
) -> None:
    path = tmp_path / f"deep.{ending}"
    Image.fromarray(RAMP).save(path)
    expected = np.repeat((RAMP >> 8).astype(np.uint8)[..., None], 3, axis=2)
    np.testing.assert_array_equal(np.asarray(read_picture(path, 0)), expected)
    np.testing.assert_array_equal(np.asarray(read_picture(Image.open(path), 0)), expected)


def test_older_pillow_reads_sixteen_bits_as_thirty_two() -> None:
    picture = Image.fromarray(RAMP.astype(np.int32))
    picture.format = "PNG"
    np.testing.assert_array_equal(np.asarray(read_picture(picture, 0))[..., 0], RAMP >> 8)


def test_floating_greys_from_zero_to_one_are_scaled() -> None:
    greys = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    read = np.asarray(read_picture(Image.fromarray(greys), 0))
    np.testing.assert_array_equal(read[..., 1].ravel(), np.arange(256))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.full((4, 4), 70_000, np.int32), "32-bit integers"),
        (np.full((4, 4), 200, np.float32), r"floating numbers outside \[0, 1\]"),
        (np.full((4, 4), np.nan, np.float32), r"floating numbers outside \[0, 1\]"),
    ],
)
def test_a_picture_whose_white_is_unknown_is_refused(values: np.ndarray, kind: str) -> None:
    with pytest.raises(ValueError, match=rf"images: row 7 .* holds {kind}, .* give it in 8 bits"):
        read_picture(Image.fromarray(values), 7)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_camera_s_orientation_is_applied(orientation: int, tmp_path: Path) -> None:
    upright = np.zeros((8, 12, 3), np.uint8)
    upright[:4, :6], upright[4:, 6:] = (255, 0, 0), (0, 0, 255)
    # How the sensor saw it: the inverse of what the tag asks for.
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    picture = Image.fromarray(np.ascontiguousarray(turned))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.png"
    picture.save(path, exif=exif)
    np.testing.assert_array_equal(np.asarray(read_picture(path, 0)), upright)


def test_only_captions_beyond_the_context_count_as_cut() -> None:
    tokenize = open_clip.get_tokenizer("tiny")  # ten tokens and two for the ends
    captions = ["cat", "cat " * 10, "cat " * 11, "cat " * 500, "a cat, a dog"]
    assert [count_cut(tokenize, [caption]) for caption in captions] == [0, 0, 1, 1, 0]
    assert count_cut(tokenize, captions) == 2


def test_cut_captions_are_counted_in_one_warning() -> None:
    model = mg.random_clip("tiny")
    pictures = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "white")]
    captions = ["cat " * 90 + "left", "cat " * 90 + "right", "a cat"]
    with pytest.warns(UserWarning, match="2 of 3 are longer than the 12 tokens") as caught:
        made = mg.encode_pairs(model, pictures, captions)
    assert len(caught) == 1
    assert made.y[0].equal(made.y[1])  # which is what is told
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mg.encode_pairs(model, pictures, ["a", "b", "c"])


def test_several_captions_an_image(tmp_path: Path) -> None:
    model = mg.random_clip("tiny", seed=1)
    noise = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    pictures = [Image.fromarray(each) for each in noise]
    captions, owner = list("abcdef"), [2, 0, 1, 1, 0, 2]
    out = tmp_path / "mine.safetensors"
    made = mg.encode_pairs(model, pictures, captions, owner=owner, out=out, batch_size=4)
    assert (made.x.shape, made.y.shape) == ((3, 16), (6, 16))
    assert made.owner is not None
    assert made.owner.tolist() == owner
    pairwise = mg.encode_pairs(model, [pictures[i] for i in owner], captions)
    torch.testing.assert_close(made.x[made.owner], pairwise.x, rtol=0, atol=2e-6)
    torch.testing.assert_close(made.y, pairwise.y, rtol=0, atol=2e-6)
    again = mg.load_embeddings(out)
    assert again.owner is not None
    assert again.owner.equal(made.owner)


@pytest.mark.parametrize(
    ("captions", "owner", "message"),
    [
        (["a"] * 4, None, r"got 2 and 4; owner = \[row of its image for each caption\]"),
        (
            [["a", "b"], ["c"]],
            None,
            r"captions: row 0: .* all captions in one list, and owner",
        ),
        (["a"] * 4, [0, 1, 2, 0], "owner: row 2 is 2; expected the row of an image, 0 to 1"),
        (["a"] * 4, [1, 1, 2, 2], "if yours count from 1, give owner - 1"),
        (["a"] * 4, [0, 0, 0, 0], "owner: image 1 has no caption; leave such images out"),
        (["a"] * 4, [0, 1], r"owner: expected one number for each of 4 captions, got shape \(2,\)"),
        (["a"] * 4, [0.0, 1, 1, 0], r"owner: expected a whole number .* \.astype\(int\) makes"),
    ],
)
def test_owners_that_cannot_be(captions: object, owner: object, message: str) -> None:
    pictures = [Image.new("RGB", (8, 8))] * 2
    with pytest.raises(ValueError, match=message):
        mg.encode_pairs("tiny", pictures, captions, owner=owner)


def test_a_file_may_be_named_from_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    pictures = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    mg.encode_pairs("tiny", pictures, ["a", "b"], out="~/mine.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.safetensors"]
    assert mg.load_embeddings("~/mine.safetensors").x.shape == (2, 16)


def test_a_model_with_a_typing_mistake_gets_its_near_names() -> None:
    pictures = [Image.new("RGB", (8, 8))] * 2
    with pytest.raises(ValueError, match=r"no model 'ViT-B32'; .* did you mean 'ViT-B-32'"):
        mg.encode_pairs("ViT-B32", pictures, ["a", "b"])
