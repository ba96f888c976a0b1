"""Embeddings in files: every form is opened, none runs what lies in it, all bad ones are told."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from torch import Tensor

import modality_gap as mg
from helpers import unit_rows
from modality_gap import door, moments

X, Y = unit_rows(40, 6, 1), unit_rows(40, 6, 2)
EXPECTED = mg.measure(X, Y)


def check(pairs: mg.Pairs, tolerance: float = 1e-12) -> None:
    found = mg.measure(pairs)
    for name, value in EXPECTED.values.items():
        assert found[name] == pytest.approx(value, abs=tolerance, nan_ok=True), name


def write(path: Path, form: str) -> Path:
    if form == "safetensors":
        safetensors.torch.save_file({"image_embeds": X, "text_embeds": Y}, path)
    elif form == "npz":
        np.savez(path, x=X, y=Y)
    elif form == "npy":
        np.save(path, np.stack([X, Y]))
    elif form == "fortran.npy":
        np.save(path, np.asfortranarray(np.stack([X, Y])))
    elif form == "big.npy":
        np.save(path, np.stack([X, Y]).astype(">f8"))
    elif form == "pt":
        torch.save({"images": X, "texts": Y, "step": 3}, path)
    elif form == "pair.pt":
        torch.save([X, Y], path)
    elif form == "stack.pt":
        torch.save(torch.stack([X, Y]), path)
    else:
        table = pd.DataFrame(
            {"image_embedding": list(X.numpy()), "text_embedding": list(Y.numpy())}
        )
        table.assign(caption="a").to_parquet(path, row_group_size=7)
    return path


FORMS = [
    "safetensors",
    "npz",
    "npy",
    "fortran.npy",
    "big.npy",
    "pt",
    "pair.pt",
    "stack.pt",
    "parquet",
]


@pytest.mark.parametrize("form", FORMS)
def test_one_file_with_both_sides(form: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"mine.{form}", form)
    check(mg.open_pairs(path))
    loaded = mg.load_embeddings(str(path))
    torch.testing.assert_close((*loaded,), (X, Y), rtol=0, atol=1e-15)
    assert loaded.name == path.stem


@pytest.mark.parametrize("size", [3, 16, 1000])
@pytest.mark.parametrize("form", ["npy", "safetensors", "pt", "npz", "parquet"])
def test_shards_are_one_table(
    form: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "BLOCK", 5 * 6)
    monkeypatch.setattr(moments, "WORK", 5 * 6)
    monkeypatch.setattr(moments, "PIECES", 2)
    monkeypatch.setattr(moments, "PIECE", 17)
    for side, rows in (("img_emb", X), ("text_emb", Y)):
        folder = tmp_path / side
        folder.mkdir()
        for number, part in enumerate(rows.split(size)):
            path = folder / f"{side}_{number}.{form}"  # 10 comes after 9
            if form == "npy":
                np.save(path, part)
            elif form == "npz":
                np.savez(path, a=part)
            elif form == "pt":
                torch.save(part.clone(), path)
            elif form == "parquet":
                pd.DataFrame({"e": list(part.numpy())}).to_parquet(path)
            else:
                safetensors.torch.save_file({"rows": part.clone()}, path)
    check(mg.open_pairs(tmp_path), 1e-9)
    check(mg.open_pairs(images=tmp_path / "img_emb", texts=tmp_path / "text_emb"), 1e-9)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_files_keep_the_precision_they_came_in(dtype: torch.dtype, tmp_path: Path) -> None:
    rounded = {"x": X.to(dtype), "y": Y.to(dtype)}
    safetensors.torch.save_file(rounded, tmp_path / "mine.safetensors")
    found = mg.measure(mg.open_pairs(tmp_path / "mine.safetensors"))
    expected = mg.measure(rounded["x"], rounded["y"])
    assert found.values == pytest.approx(expected.values, abs=1e-12, nan_ok=True)


def test_two_files_names_of_arrays_and_an_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = np.arange(40) % 20
    np.save(tmp_path / "a.npy", X[:20])
    np.save(tmp_path / "b.npy", Y)
    np.save(tmp_path / "owner.npy", owner)
    np.savetxt(tmp_path / "owner.txt", owner, fmt="%d")
    np.savez(tmp_path / "all.npz", left=X[:20], right=Y, other=X, owner=owner)
    expected = mg.measure(X[:20], Y, owner)
    monkeypatch.setenv("HOME", str(tmp_path))
    for pairs in (
        mg.open_pairs(["~/a.npy", tmp_path / "b.npy"], owner="~/owner.npy"),
        mg.open_pairs([tmp_path / "a.npy", tmp_path / "b.npy"], owner=tmp_path / "owner.txt"),
        mg.open_pairs(tmp_path / "all.npz", images="left", texts="right"),
    ):
        assert mg.measure(pairs).values == pytest.approx(expected.values, abs=1e-12, nan_ok=True)


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("form", ["npy", "npz", "pt", "safetensors", "pickle.npy"])
def test_nothing_that_lies_in_a_file_is_run(form: str, tmp_path: Path) -> None:
    path, trap = tmp_path / f"mine.{form}", tmp_path / "trapped"
    rows = np.array([Trap(trap)] * 3, dtype=object)
    if form == "npy":
        np.save(path, rows, allow_pickle=True)
    elif form == "npz":
        np.savez(path, images=rows, texts=rows)
    elif form == "pt":
        torch.save({"images": Trap(trap)}, path)
    else:
        path.write_bytes(pickle.dumps(Trap(trap)))
    with pytest.raises(
        ValueError, match=r"which are code and are not run|nothing of it is run|it is"
    ):
        mg.open_pairs(path)
    assert not trap.exists()


def bad(tmp_path: Path) -> list[tuple[Any, str]]:
    """What people have on their disks, and what is said of it."""

    def file(name: str, content: bytes) -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    def array(name: str, rows: Any) -> Path:  # noqa: ANN401
        np.save(tmp_path / name, rows)
        return tmp_path / name

    whole = write(tmp_path / "whole.npy", "npy").read_bytes()
    safe = write(tmp_path / "whole.safetensors", "safetensors").read_bytes()
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n"
    nan = X.clone()
    nan[31, 2] = float("nan")
    one = array("one.npy", X)
    for number in (0, 1, 3):
        (tmp_path / "img").mkdir(exist_ok=True)
        np.save(tmp_path / "img" / f"img_emb_{number}.npy", X)
    return [
        (tmp_path / "none.npy", "none.npy: there is no such file"),
        (
            file("lfs.safetensors", pointer),
            "is a Git LFS pointer, not the file itself; git lfs pull",
        ),
        (file("cut.npy", whole[:-9]), "cut.npy: it is cut short; copy it again"),
        (file("cut.safetensors", safe[:-9]), "cut.safetensors: it is cut short; copy it again"),
        (
            file("short.safetensors", safe[:40]),
            "short.safetensors is damaged: it is cut short or no",
        ),
        (file("empty.npy", b""), "empty.npy: it is empty"),
        (file("text.npy", b"hello, world"), "text.npy: it is no .npy file"),
        (file("text.npz", b"hello, world"), "text.npz: it is cut short or no .npz file"),
        (file("text.pt", b"hello, world"), "text.pt: it holds more than tensors, or is no file"),
        (file("text.parquet", b"hello, world"), "text.parquet: it is no parquet file"),
        (file("mine.csv", b"1,2"), "mine.csv: expected a file that ends in .safetensors, .npy"),
        (one, r"one.npy: expected two arrays, .* there is one \(40, 6\); name them"),
        (array("flat.npy", X[0]), r"flat.npy: expected shape \(N, D\), or \(2, N, D\)"),
        (
            array("whole_numbers.npy", np.ones((3, 4), int)),
            "expected floating numbers, got torch.int64",
        ),
        (tmp_path / "img", "expected a folder with img_emb and text_emb"),
        (
            [one, array("wide.npy", unit_rows(40, 9))],
            "captions: expected the shape of images.*one model",
        ),
        ([one, array("few.npy", Y[:30])], "captions: expected the shape of images, .* no partner"),
        (
            [one, array("nan.npy", nan)],
            "captions: row 31 of nan.npy holds a NaN; leave out this row",
        ),
        ([one, array("lying.npy", Y.T.contiguous())], r"captions: row 0 .* length|is captions"),
        ([one, one, one], "expected one file with images and captions, or two, got 3"),
        ({"images": tmp_path / "img", "texts": one}, "img: shard 2 is missing between img_emb_0"),
        (
            {"images": [one, array("nan2.npy", nan)], "texts": [one, one]},
            "nan2.npy: row 31 holds a NaN",
        ),
        (
            {"images": [one, tmp_path / "wide.npy"], "texts": [one, one]},
            "wide.npy has 9 columns and one.npy 6; all shards have to come from one model",
        ),
    ]


def test_what_cannot_be_opened_is_one_sentence_with_its_file(tmp_path: Path) -> None:
    for files, message in bad(tmp_path):
        with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
            mg.measure(mg.open_pairs(**files) if isinstance(files, dict) else mg.open_pairs(files))
        assert "\n" not in str(caught.value)


def test_a_shard_that_one_side_lacks_is_named(tmp_path: Path) -> None:
    for side in ("img_emb", "text_emb"):
        (tmp_path / side).mkdir()
        for number, rows in enumerate(X.split(10)):
            np.save(tmp_path / side / f"{side}_{number}.npy", rows)
    assert len(mg.open_pairs(tmp_path).images) == 40
    for side, number in (("text_emb", 3), ("img_emb", 0)):
        path = tmp_path / side / f"{side}_{number}.npy"
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(ValueError, match=f"{side}: shard {number} is missing, which the other"):
            mg.open_pairs(tmp_path)
        path.write_bytes(content)


def test_a_file_that_is_cut_while_it_is_read_is_told(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    pairs = mg.open_pairs([tmp_path / "x.npy", tmp_path / "y.npy"])
    with (tmp_path / "y.npy").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(ValueError, match=r"y.npy: it ends before its last row; copy it again"):
        mg.measure(pairs)


def test_rows_need_not_begin_at_a_multiple_of_their_size(tmp_path: Path) -> None:
    """A header of any length is allowed, and eight bits are read as they are stored."""
    names = {
        "F32": (torch.float32, 4),
        "F16": (torch.float16, 2),
        "F8_E4M3": (torch.float8_e4m3fn, 1),
    }
    for name, (dtype, size) in names.items():
        header, content = {}, b""
        for side, rows in (("images", X), ("texts", Y)):
            span = [len(content), len(content) + rows.numel() * size]
            header[side] = {"dtype": name, "shape": [40, 6], "data_offsets": span}
            content += rows.to(dtype).view(torch.uint8).numpy().tobytes()
        start = json.dumps(header).encode()
        start += b" " * (3 - len(start) % 4)  # odd
        path = tmp_path / "odd.safetensors"
        path.write_bytes(len(start).to_bytes(8, "little") + start + content)
        found = mg.measure(mg.open_pairs(path, normalize=True))
        expected = mg.measure(X.to(dtype).double(), Y.to(dtype).double(), normalize=True)
        assert found.values == pytest.approx(expected.values, abs=1e-6, nan_ok=True)


def test_parameters_are_tensors(tmp_path: Path) -> None:
    torch.save({"images": torch.nn.Parameter(X), "texts": Y}, tmp_path / "trained.pt")
    check(mg.open_pairs(tmp_path / "trained.pt"))


def test_own_files_that_are_not_unit_say_how_to_measure_them(tmp_path: Path) -> None:
    path = tmp_path / "raw.npz"
    np.savez(path, x=3 * X, y=Y)
    with pytest.raises(
        ValueError, match=r"has length 3; expected a unit row; mg\.measure\(mg\.open"
    ):
        mg.load_embeddings(path)
    check(mg.open_pairs(path, normalize=True))


def test_a_stopped_embedding_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = pytest.importorskip("modality_gap.embeddings.own")
    from PIL import Image

    from modality_gap.embeddings import parts

    calls: list[str] = []
    monkeypatch.setattr(parts, "PART", 2)

    def encode(word: str) -> Any:  # noqa: ANN401
        def of_part(encoder: Any, items: list[Any], size: int, first: int) -> Tensor:  # noqa: ANN401
            calls.append(word)
            return unit_rows(len(items), 4, first)

        return of_part

    def stop(*_: object) -> Tensor:
        raise KeyboardInterrupt

    monkeypatch.setattr(own, "encode_images", encode("x"))
    monkeypatch.setattr(own, "encode_captions", stop)
    monkeypatch.setattr(own, "tell_cut", lambda *_: None)
    encoder = own.Encoder(None, None, None, "tiny", "random")
    monkeypatch.setattr(own, "_from_name", lambda *_: encoder)
    images = [tmp_path / f"{number}.png" for number in range(5)]
    for path in images:
        Image.new("RGB", (4, 4)).save(path)
    out = tmp_path / "mine.safetensors"
    again = {"model": "tiny", "images": images, "captions": list("abcde"), "out": out}
    with pytest.raises(KeyboardInterrupt):
        parts.encode_in_parts(**again)
    assert not out.exists()
    assert calls == ["x", "x", "x"]
    calls.clear()
    with pytest.raises(KeyboardInterrupt):
        parts.encode_in_parts(**again)
    assert calls == []  # all images are kept
    monkeypatch.setattr(own, "encode_captions", encode("y"))
    made = parts.encode_in_parts(**again)
    assert calls == ["y", "y", "y"]
    assert (made.x.shape, made.y.shape) == ((5, 4), (5, 4))
    torch.testing.assert_close(made.y[4:], unit_rows(1, 4, 4))
    assert mg.load_embeddings(out).x.equal(made.x)
    assert not out.with_name("mine.safetensors.parts").exists()
