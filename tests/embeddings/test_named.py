import hashlib
import io
import os
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import modality_gap as mg
from fake_server import FileServer, serving
from helpers import unit_rows
from modality_gap import results, storage
from modality_gap.embeddings import named
from modality_gap.embeddings.named import PUBLISHED
from modality_gap.lab.mini_clip import load_mini_clip

FEATURES = np.random.default_rng(0).normal(size=(2, 100, 8)).astype(np.float32)
FILE = "features_clip.npy"
DATA = os.environ.get("MODALITY_GAP_DATA")


def packed(array: NDArray[Any], pickled: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=pickled)
    return buffer.getvalue()


PAYLOAD = packed(FEATURES)
DAMAGED = PAYLOAD[:-1] + bytes([PAYLOAD[-1] ^ 1])


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(PAYLOAD) as server:
        yield server


def publish(monkeypatch: pytest.MonkeyPatch, payload: bytes) -> None:
    """Let "clip" be this file."""
    sha256 = hashlib.sha256(payload).hexdigest()
    known = replace(PUBLISHED["clip"], shape=FEATURES.shape, sha256=sha256)
    monkeypatch.setitem(PUBLISHED, "clip", known)


@pytest.fixture
def cache(tmp_path: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the small "clip" that the server has will be kept; there is nothing yet."""
    publish(monkeypatch, PAYLOAD)
    monkeypatch.setattr(named, "ADDRESS", server.address)
    monkeypatch.setenv("MODALITY_GAP_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MODALITY_GAP_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "cache" / "modality_gap_features"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That MODALITY_GAP_DATA names; there is nothing yet."""
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("MODALITY_GAP_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def check(clip: mg.Embeddings) -> None:
    expected = FEATURES.astype(np.float64)
    expected /= np.linalg.norm(expected, axis=2, keepdims=True)
    for rows, side in zip(clip, expected, strict=True):
        assert rows.dtype == torch.float64
        np.testing.assert_allclose(rows.numpy(), side, rtol=0, atol=1e-15)


# --- published sets: where they come from ---------------------------------------------------------


def test_a_published_set_is_fetched_once(cache: Path, server: FileServer) -> None:
    assert not mg.available_embeddings()["clip"]
    check(mg.load_embeddings("clip"))
    assert [path.name for path in cache.iterdir()] == [FILE]
    assert (cache / FILE).read_bytes() == PAYLOAD
    assert mg.available_embeddings()["clip"]
    check(mg.load_embeddings("clip"))
    assert server.requests == [f"/{FILE}"]


def test_it_says_where_it_comes_from(cache: Path) -> None:
    clip = mg.load_embeddings("clip")
    assert (clip.name, clip.model, clip.licence) == ("clip", "CLIP ViT-B/16, trained", "MIT")
    assert "MS-COCO" in clip.data
    assert named.COMMIT in clip.source


@pytest.mark.parametrize("place", ["modality_gap_features", "."])
def test_the_folder_comes_first(place: str, cache: Path, folder: Path, server: FileServer) -> None:
    storage.write(cache / FILE, DAMAGED)
    storage.write(folder / place / FILE, PAYLOAD)
    assert mg.available_embeddings()["clip"]
    check(mg.load_embeddings("clip"))
    assert server.requests == []


def test_a_folder_without_the_file_is_passed_over(
    cache: Path, folder: Path, server: FileServer
) -> None:
    storage.write(cache / FILE, PAYLOAD)
    assert mg.available_embeddings()["clip"]
    check(mg.load_embeddings("clip"))
    assert server.requests == []


@pytest.mark.parametrize("name", ["~/data", "data"])
def test_the_folder_may_be_named_in_short(
    name: str, cache: Path, folder: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("MODALITY_GAP_DATA", name)
    server.misdeed = "fails"
    with pytest.raises(ConnectionError, match=rf" in {folder} \(MODALITY_GAP_DATA\)"):
        mg.load_embeddings("clip")
    storage.write(folder / FILE, PAYLOAD)
    check(mg.load_embeddings("clip"))


@pytest.mark.parametrize("forbidden", ["to enter", "to read"])
def test_what_may_not_be_read_is_passed_over(
    forbidden: str,
    cache: Path,
    folder: Path,
    server: FileServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not by its mode, because root reads everything."""
    storage.write(folder / FILE, DAMAGED)
    storage.write(cache / FILE, PAYLOAD)
    stat, access = os.stat, os.access

    def enter(path: str | Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if str(path).startswith(str(folder)):
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, follow_symlinks=follow_symlinks)

    def read(path: str | Path, mode: int) -> bool:
        return not str(path).startswith(str(folder)) and access(path, mode)

    with monkeypatch.context() as machine:
        if forbidden == "to enter":
            machine.setattr(os, "stat", enter)
        else:
            machine.setattr(os, "access", read)
        assert mg.available_embeddings()["clip"]
        check(mg.load_embeddings("clip"))
    assert server.requests == []


def test_a_damaged_file_in_the_folder_is_an_error(
    cache: Path, folder: Path, server: FileServer
) -> None:
    storage.write(folder / FILE, DAMAGED)
    storage.write(cache / FILE, PAYLOAD)
    assert not mg.available_embeddings()["clip"]
    with pytest.raises(ValueError, match=rf"{folder / FILE} is not what .*put the file from http"):
        mg.load_embeddings("clip")
    assert server.requests == []


@pytest.mark.parametrize("payload", [DAMAGED, PAYLOAD[:100], b""])
def test_a_damaged_file_in_the_cache_is_fetched_anew(
    payload: bytes, cache: Path, server: FileServer
) -> None:
    storage.write(cache / FILE, payload)
    assert not mg.available_embeddings()["clip"]
    check(mg.load_embeddings("clip"))
    assert (cache / FILE).read_bytes() == PAYLOAD


def test_without_a_cache_it_goes_on(cache: Path) -> None:
    cache.parent.touch()  # a file stands where the folder would
    with pytest.warns(UserWarning, match=f"{FILE} is not kept for the next time: ") as caught:
        check(mg.load_embeddings("clip"))
    assert [warning.filename for warning in caught if warning.category is UserWarning] == [__file__]


def test_no_network_is_known_within_five_seconds() -> None:
    assert 0 < named.PATIENCE < 5


# --- published sets: what may go wrong ------------------------------------------------------------


@pytest.mark.parametrize(
    ("misdeed", "reason"),
    {
        "says a length and closes early": "IncompleteRead|does not match",
        "says no length and closes early": "does not match the known hash",
        "changes a byte": "does not match the known hash",
        "is silent": "timed out",
        "stalls in the body": "timed out",
        "has no such file": "404",
        "fails": "500",
        "hangs up": "Remote end closed connection without response",
    }.items(),
)
def test_what_cannot_be_fetched_is_one_sentence_with_two_ways_out(
    misdeed: str,
    reason: str,
    cache: Path,
    folder: Path,
    server: FileServer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if misdeed in ("is silent", "stalls in the body"):
        monkeypatch.setattr(named, "PATIENCE", 0.2)
    server.misdeed = misdeed
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConnectionError, match=reason) as caught:
            mg.load_embeddings("clip")
    message = str(caught.value)
    for tried in (f"{folder} (MODALITY_GAP_DATA)", str(cache), server.address + FILE):
        assert tried in message
    for way in ("download it by hand", "modality_gap.results.read", "mini-clip-k3"):
        assert way in message
    assert "\n" not in message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert list(cache.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_damaged_cache_without_a_network_stays_an_error(cache: Path, server: FileServer) -> None:
    storage.write(cache / FILE, DAMAGED)
    server.misdeed = "fails"
    with pytest.raises(ConnectionError, match="500"):
        mg.load_embeddings("clip")
    assert not mg.available_embeddings()["clip"]


def test_nothing_is_unpickled(
    cache: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.payload = packed(np.array([{}, {}], object), pickled=True)
    publish(monkeypatch, server.payload)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        mg.load_embeddings("clip")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (FEATURES[:, :10], r"expected \(2, 100, 8\) of float32 .*; got \(2, 10, 8\) of float32"),
        (FEATURES.astype(np.int8), r"expected \(2, 100, 8\) of float32 .*; got .* of int8"),
    ],
)
def test_another_array_is_refused(
    array: NDArray[Any],
    message: str,
    cache: Path,
    server: FileServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server.payload = packed(array)
    publish(monkeypatch, server.payload)
    with pytest.raises(ValueError, match=message):
        mg.load_embeddings("clip")


# --- published sets: the real ones ----------------------------------------------------------------

needs_files = pytest.mark.skipif(
    not DATA or not all(map(mg.available_embeddings().get, PUBLISHED)),
    reason="MODALITY_GAP_DATA names no folder with the published files",
)


def test_the_published_files_are_these() -> None:
    files = {name: (about.shape, about.sha256) for name, about in PUBLISHED.items()}
    coco, video, protein = (2, 500, 512), (2, 100, 768), (2, 99, 768)
    assert files == {
        "clip": (coco, "7227280ace0f145d2c45afa8ab507a1cb280e9460aa271fe9052d08e35342adb"),
        "clip-random": (coco, "c6a5f9ca3fba36d635fd47d20b3cdd5b9ac78dc462070240fdc2ee2786110403"),
        "convirt": (coco, "8cfb9c31888d12726a3f8b551bed64f04b25d1c76d5353b0a3e9efeceb43edb9"),
        "convirt-random": (
            coco,
            "2fd5698e712d5e0d72256a1b29044b2059818f0575ab12bfcb2c5ae13092007f",
        ),
        "videoclip": (video, "53255cac6105c5c47dd1850d77de084957d5f83841ba9ae9254bf7ae998573da"),
        "videoclip-random": (
            video,
            "c57ee05a606c4a9da0d71ad8b5d5c964d780af816890064a693eb178492c0f3b",
        ),
        "clasp": (protein, "5a1d12a68729405003fe19b271a38ae35adab97c139e4b4a51d70b18c44bf628"),
        "clasp-random": (
            protein,
            "2a159d008b7527e9fbd3de49daf9116d9500d1aaa250c3a5b009b162c5f4066b",
        ),
    }
    assert named.ADDRESS == (
        "https://raw.githubusercontent.com/Weixin-Liang/Modality-Gap/"
        "8e20cb24efa4c5f89aad694f2f65eb43ffc46d10/Figure_1_Modality_Gap/"
    )


def reference(x: NDArray[Any], y: NDArray[Any]) -> dict[str, float]:
    """The measures by their definitions, in plain NumPy."""
    n = len(x)
    other = ~np.eye(n, dtype=bool)
    inner, within_x, within_y = x @ y.T, x @ x.T, y @ y.T
    apart = np.linalg.norm(x - y, axis=1)
    between = (1 - np.diag(inner)).mean() / 2
    within = ((1 - within_x[other]) / 2).mean() / 2 + ((1 - within_y[other]) / 2).mean() / 2
    squared = np.concatenate([((x[i] - x[i + 1 :]) ** 2).sum(1) for i in range(n)])
    logits = inner / 0.01
    losses = [
        (np.log(np.exp(side - side.max(1, keepdims=True)).sum(1)) + side.max(1) - np.diag(side))
        for side in (logits, logits.T)
    ]
    return {
        "l2m": np.linalg.norm(x.mean(0) - y.mean(0)),
        "l2i": apart.mean(),
        "rmg": between / (between + within),
        "paired_cosine": np.diag(inner).mean(),
        "mean_cosine": within_x[other].mean(),
        "alignment": (apart**2).mean(),
        "uniformity": np.log(np.exp(-2 * squared).mean()),
        "info_nce": np.mean(losses),
    }


@needs_files
@pytest.mark.parametrize("name", PUBLISHED)
def test_the_measures_of_the_published_files_are_those_of_their_definitions(name: str) -> None:
    assert DATA is not None
    file = f"features_{name.replace('-', '_')}.npy"
    path = next(place for place in Path(DATA).rglob(file))
    raw = np.load(path).astype(np.float64)
    expected = reference(*raw / np.linalg.norm(raw, axis=2, keepdims=True))
    x, y = mg.load_embeddings(name)
    assert {
        "l2m": mg.l2m(x, y).item(),
        "l2i": mg.l2i(x, y).item(),
        "rmg": mg.rmg(x, y).item(),
        "paired_cosine": mg.paired_cosine(x, y).item(),
        "mean_cosine": mg.mean_cosine(x).item(),
        "alignment": mg.alignment(x, y).item(),
        "uniformity": mg.uniformity(x).item(),
        "info_nce": mg.info_nce(x, y, 0.01).item(),
    } == pytest.approx(expected, rel=0, abs=1e-9)


# --- the book's own models ------------------------------------------------------------------------


@pytest.mark.parametrize("k", range(6))
def test_a_stored_model_s_embeddings(k: int) -> None:
    mini, stored = mg.load_embeddings(f"mini-clip-k{k}"), load_mini_clip(k)
    assert mini.name == f"mini-clip-k{k}"
    assert f"the digit and {k} of its 5 attributes" in mini.data
    assert "modality_gap.experiments.mini_clip" in mini.source
    assert "CC BY 4.0" in mini.licence
    for rows, expected in ((mini.x, stored.images), (mini.y, stored.texts)):
        assert rows.dtype == torch.float64
        torch.testing.assert_close(rows.norm(dim=1), torch.ones(1000, dtype=torch.float64))
        torch.testing.assert_close(rows.float(), expected)


def test_a_random_model_s_embeddings() -> None:
    random = mg.load_embeddings("mini-clip-random")
    assert (random.name, random.model) == (
        "mini-clip-random",
        "the book's small CLIP, random weights, seed 0",
    )
    assert random.x.shape == random.y.shape == (1000, 64)


def test_every_name_is_listed_and_the_own_ones_need_no_network(
    cache: Path, server: FileServer
) -> None:
    names = mg.available_embeddings()
    own = [*(f"mini-clip-k{k}" for k in range(6)), "mini-clip-cold", "mini-clip-random"]
    assert list(names) == [*own, *PUBLISHED]
    assert [name for name, here in names.items() if here] == own
    assert server.requests == []


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("mini-clip-k33", r"got 'mini-clip-k33'; did you mean 'mini-clip-k3'\?$"),
        ("videoclip_random", r"did you mean 'videoclip-random'\?$"),
        ("CLIP", r"did you mean 'clip'\?$"),
        ("resnet", "got 'resnet'$"),
    ],
)
def test_an_unknown_name_lists_those_there_are(name: str, hint: str) -> None:
    with pytest.raises(ValueError, match=f"name: expected one of mini-clip-k0, .*; .*{hint}"):
        mg.load_embeddings(name)


@pytest.mark.parametrize("name", [3, None, ["clip"], b"clip"])
def test_a_name_is_a_string_or_a_path(name: object) -> None:
    kind = type(name).__name__
    with pytest.raises(ValueError, match=f"^name: expected a name or a path, got {kind}$"):
        mg.load_embeddings(name)  # type: ignore[arg-type]


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [str, Path])
def test_a_file_is_read_as_it_was_written(kind: type, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    mine = mg.Embeddings(
        unit_rows(5, 3), unit_rows(5, 3, 1), "mine", "a model", "data", "source", "licence"
    )
    named.store(path, mine, {"date": "today"})
    again = mg.load_embeddings(kind(path))
    assert all(a.equal(b) for a, b in zip(again, mine, strict=True))
    assert replace(again, x=mine.x, y=mine.y) == mine
    assert storage.load(path)[1]["date"] == "today"


def test_files_that_hold_no_embeddings(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        mg.load_embeddings(tmp_path / "none.safetensors")
    with pytest.raises(ValueError, match=r"mini_clip_k0\.safetensors holds no embeddings"):
        mg.load_embeddings(results.FOLDER / "mini_clip_k0.safetensors")
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="is damaged"):
        mg.load_embeddings(path)
