import gzip
import hashlib
import http.server
import math
import struct
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare
from skimage.measure import label
from skimage.metrics import structural_similarity
from torch import Tensor

import helpers  # noqa: F401  hypothesis without deadlines
from modality_gap import storage
from modality_gap.lab import mad
from modality_gap.lab.mad import dataset, shapes, sources
from modality_gap.torchvision_fix import import_torchvision

SMALL = mad.MadSettings(digits=200)
NAMES = list(mad.FACTORS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def data(folder: Path) -> mad.Mad:
    return mad.load_mad(SMALL, folder)


@pytest.fixture(scope="module")
def grey(data: mad.Mad) -> Tensor:
    """(digit, thickness, swelling, fracture, size, 28, 28): the order of the shapes."""
    return data.shapes.unflatten(1, (3, 2, 2, 2))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def some_factors(count: int, seed: int = 0) -> Tensor:
    sizes = [len(words) for words in mad.FACTORS.values()]
    return torch.from_numpy(rng(seed).integers(0, sizes, (count, 6)))


# --- factors and captions ------------------------------------------------------------------------


def test_words_are_distinct_and_in_the_order_of_the_factors() -> None:
    assert [len(words) for words in mad.FACTORS.values()] == [10, 3, 2, 2, 2, 7]
    assert len(set(mad.WORDS)) == 26
    assert mad.WORDS[:10] == tuple("0123456789")
    assert mad.WORDS[-7:] == ("grey", "red", "green", "blue", "cyan", "magenta", "yellow")
    assert ("digit", *mad.ATTRIBUTES) == tuple(mad.FACTORS)


@pytest.mark.parametrize("k", range(6))
def test_a_caption_says_the_digit_and_k_true_attributes(k: int) -> None:
    factors = some_factors(200)
    words = mad.draw_captions(factors, k, rng())
    assert words.shape == (200, k + 1)
    assert words.dtype == torch.int64
    for row, caption in zip(factors.tolist(), mad.caption_strings(words), strict=True):
        true = {values[value] for values, value in zip(mad.FACTORS.values(), row, strict=True)}
        said = caption.split("-")
        assert len(set(said)) == k + 1
        assert set(said) <= true
        assert str(row[0]) in said


def test_every_choice_and_every_place_is_equally_likely() -> None:
    words = mad.draw_captions(some_factors(1).expand(20_000, 6), 2, rng(1))
    # The digit and two of five attributes, in any order: 10 choices x 6 orders.
    counts = torch.unique(words, dim=0, return_counts=True)[1].numpy()
    assert len(counts) == 60
    assert chisquare(counts).pvalue > 0.001


def test_another_factor_can_be_named_always_and_few_drawn_from() -> None:
    factors = some_factors(300)
    words = mad.draw_captions(factors, 1, rng(), named="colour", drawn_from=["digit", "size"])
    said = [{word_factor(word) for word in row} for row in words.tolist()]
    assert {frozenset(names) for names in said} == {
        frozenset({"colour", "digit"}),
        frozenset({"colour", "size"}),
    }
    assert all(
        word_factor(w) == "colour" for (w,) in mad.draw_captions(factors, 0, rng(), "colour")
    )
    everything = mad.draw_captions(factors, 5, rng(), "colour").sort(dim=1).values
    assert everything.equal(mad.draw_captions(factors, 5, rng(1)).sort(dim=1).values)


def word_factor(word: int) -> str:
    return next(name for name, words in mad.FACTORS.items() if mad.WORDS[word] in words)


@given(st.integers(0, 10_000), st.integers(0, 5), st.sampled_from(NAMES))
def test_captions_are_read_back(seed: int, k: int, named: str) -> None:
    words = mad.draw_captions(some_factors(3, seed), k, rng(seed), named)
    assert [mad.caption_words(text) for text in mad.caption_strings(words)] == [
        tuple(row) for row in words.tolist()
    ]
    assert words.equal(mad.draw_captions(some_factors(3, seed), k, rng(seed), named))


@given(st.text())
def test_a_caption_of_other_words_is_refused(text: str) -> None:
    unknown = [word for word in text.split("-") if word not in mad.WORDS]
    if unknown:
        with pytest.raises(ValueError, match="has no word") as raised:
            mad.caption_words(text)
        assert repr(unknown[0]) in str(raised.value)
    else:
        assert len(mad.caption_words(text)) == len(text.split("-"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"named": "shape"}, "named: expected one of .*, got 'shape'"),
        ({"drawn_from": ["size", "hue"]}, "drawn_from: expected names out of .*, got 'hue'"),
        ({"drawn_from": ["digit", "size"]}, "drawn_from: 'digit' is named always"),
        ({"drawn_from": ["size", "size"]}, "drawn_from: expected each name once"),
        ({"drawn_from": "size"}, "drawn_from: expected a sequence"),
        ({"k": -1}, "k: expected 0 to 5, .*got -1"),
        ({"k": 6}, "k: expected 0 to 5, .*got 6"),
        ({"k": 1.5}, "k: expected 0 to 5, .*got 1.5"),
        ({"k": 3, "drawn_from": ["size", "colour"]}, "k: expected 0 to 2, .*got 3"),
        ({"factors": torch.zeros(2, 5, dtype=torch.long)}, r"factors: expected shape \(n, 6\)"),
        ({"factors": torch.zeros(2, 6)}, "factors: expected integers, got torch.float32"),
        ({"factors": torch.tensor([[0] * 6, [0, 3, 0, 0, 0, 0]])}, "row 1 has thickness 3; .*to 2"),
        ({"factors": torch.tensor([[-1, 0, 0, 0, 0, 0]])}, "row 0 has digit -1; expected 0 to 9"),
    ],
)
def test_captions_that_cannot_be(arguments: dict[str, Any], message: str) -> None:
    given_ones = {"factors": some_factors(2), "k": 1, "rng": rng(), **arguments}
    with pytest.raises(ValueError, match=message):
        mad.draw_captions(**given_ones)


# --- what the attributes do to the pixels --------------------------------------------------------


def test_a_thicker_stroke_has_more_ink(grey: Tensor) -> None:
    medium, thick, thin = grey.float().sum((-1, -2)).unbind(1)
    assert (thick > medium).all()
    assert (medium > thin).all()
    for inner, outer in ((2, 0), (0, 1)):  # and holds the thinner one
        assert (grey[:, inner] <= grey[:, outer]).all()


def test_thickness_is_the_half_width_of_a_straight_stroke() -> None:
    digit = np.zeros((28, 28), np.float32)
    digit[:, 12:16] = 1
    drawn = shapes.draw_shapes(digit, mad.MadSettings(), rng()).reshape(3, 2, 2, 2, 28, 28)
    ink = drawn[:, 0, 0, 0, 10:18].astype(float).sum(axis=-1) / 255
    # On the drawing grid, four to the pixel: the axis, and on both sides what is nearer than that.
    # The middle of an even number of columns is one or the other, hence up to one more.
    expected = np.array([[2 * math.ceil(4 * width) - 1] for width in (1.0, 2.1, 0.45)])
    assert (4 * ink - expected >= -0.05).all()
    assert (4 * ink - expected <= 1.05).all()


def test_swelling_adds_ink_inside_its_disc_only(data: mad.Mad) -> None:
    settings = replace(SMALL, blur=0.0)
    for index in range(8):
        digit = sources.load_source(settings, Path())[0][index]
        drawn = shapes.draw_shapes(digit, settings, rng(index)).reshape(3, 2, 2, 2, 28, 28)
        places = shapes.draw_places(shapes.thin(digit, settings), settings, rng(index))
        points = np.indices((28, 28)) + 0.5
        away = (
            np.linalg.norm(points - places.swelling[:, None, None], axis=0)
            > settings.swelling_radius + 0.71
        )
        before, after = drawn[:, 0, :, 0].astype(float), drawn[:, 1, :, 0].astype(float)
        assert (before == after)[..., away].all()
        assert (after.sum((-1, -2)) > before.sum((-1, -2)))[:, 0].all()


def test_swelling_moves_points_as_its_formula_says() -> None:
    settings = mad.MadSettings(swelling_radius=8.0, swelling_power=3.0)
    centre = np.array([10.0, 10.0])
    grid = np.array([[10.0, 10.0, 10.0], [10.0, 14.0, 19.0]])[:, None]
    looked_up = shapes.swell(grid, centre, settings)[:, 0]
    assert looked_up[0] == pytest.approx([10, 10, 10])
    assert looked_up[1] == pytest.approx([10, 10 + 8 * (4 / 8) ** 3, 19])


def test_fracture_only_removes_ink_and_breaks_the_stroke(grey: Tensor) -> None:
    whole, broken = grey[:, :, 0, 0, 0], grey[:, :, 0, 1, 0]
    assert (broken <= whole).all()
    assert (broken.float().sum((-1, -2)) < whole.float().sum((-1, -2))).all()
    pieces = [
        [int(label(image > 127).max()) for image in both[:, 0].numpy()] for both in (whole, broken)
    ]
    assert np.mean(np.array(pieces[1]) > np.array(pieces[0])) > 0.9


def test_a_small_digit_is_three_quarters_as_large_and_inside_the_frame(grey: Tensor) -> None:
    large, small = grey[:, 0, 0, 0, 0], grey[:, 0, 0, 0, 1]
    ratios = extents(small) / extents(large)
    assert ratios.mean() == pytest.approx(0.75, abs=0.03)
    assert (extents(small) <= 21 + 2).all()
    corners = torch.stack([(image > 60).nonzero().min(0).values for image in small]).float()
    assert (corners.std(0) > 1).all()  # it does not always stand in the same place


def extents(images: Tensor) -> Tensor:
    """Height and width of the ink, shape (n, 2)."""
    ink = [(image > 60).nonzero() for image in images]
    return torch.stack([(i.max(0).values - i.min(0).values + 1).float() for i in ink])


def test_a_small_digit_is_the_large_one_scaled() -> None:
    """With room for both, shrinking by half and looking at every other pixel is the same."""
    settings = mad.MadSettings(shrink=0.5, blur=0.0, margin=3.0)
    digit = sources.load_source(settings, Path())[0][3]
    drawn = shapes.draw_shapes(digit, settings, rng()).reshape(3, 2, 2, 2, 28, 28) / 255
    places = shapes.draw_places(shapes.thin(digit, settings), settings, rng())
    large = drawn[1, 0, 0, 0].reshape(14, 2, 14, 2).mean(axis=(1, 3))
    i, j = np.rint(places.corner).astype(int)
    small = drawn[1, 0, 0, 1][i : i + 14, j : j + 14]
    assert structural_similarity(large, small, data_range=1.0, win_size=7) > 0.8
    assert drawn[1, 0, 0, 1].sum() == pytest.approx(large.sum(), rel=0.05)


def test_colour_is_in_the_channels_and_only_there(data: mad.Mad) -> None:
    lit = {
        "red": (1, 0, 0),
        "green": (0, 1, 0),
        "blue": (0, 0, 1),
        "cyan": (0, 1, 1),
        "magenta": (1, 0, 1),
        "yellow": (1, 1, 0),
        "grey": (0.5, 0.5, 0.5),
    }
    sources_, factors = data.draw("train", 50, rng())
    for number, name in enumerate(mad.FACTORS["colour"]):
        factors[:, 5] = number
        images = data.render(sources_, factors)
        shape = images.amax(1) / max(lit[name])
        expected = torch.tensor(lit[name])[:, None, None] * shape[:, None]
        torch.testing.assert_close(images, expected)
        assert images.amax() == max(lit[name])


def test_render_shows_the_shape_that_the_factors_say(data: mad.Mad, grey: Tensor) -> None:
    sources_, factors = data.draw("validation", 300, rng())
    images = data.render(sources_, factors)
    assert images.shape == (300, 3, 28, 28)
    assert images.dtype == torch.float32
    factors[:, 5] = mad.FACTORS["colour"].index("red")
    for image, source, row in zip(
        data.render(sources_, factors), sources_.tolist(), factors.tolist(), strict=True
    ):
        assert (image[0] * 255).round().byte().equal(grey[(source, *row[1:5])])


# --- source digits, splits, draws ----------------------------------------------------------------


def test_a_digit_depends_on_its_number_and_the_seed_only(data: mad.Mad) -> None:
    """Not on the process that drew it, nor on the digits drawn before it."""
    digits, labels = sources.load_source(SMALL, Path())
    assert data.labels.tolist() == labels.tolist()
    for index in (3, 77, 199):
        again = shapes.draw_shapes(digits[index], SMALL, rng_of(0, index))
        assert (data.shapes[index].numpy() == again).all()
        other = shapes.draw_shapes(digits[index], SMALL, rng_of(1, index))
        assert (data.shapes[index].numpy() != other).any()


def rng_of(seed: int, index: int) -> np.random.Generator:
    return np.random.default_rng([seed, index])


def test_splits_of_the_whole_set() -> None:
    labels = torch.from_numpy(sources.load_source(mad.MadSettings(), Path())[1])
    splits = dataset.split(labels, seed=0)
    assert {name: len(members) for name, members in splits.items()} == {
        "train": 1247,
        "validation": 150,
        "test": 400,
    }
    everything = torch.cat(list(splits.values()))
    assert everything.sort().values.equal(torch.arange(1797))  # no digit twice, none left out
    share = labels.bincount() / len(labels)
    for members in splits.values():
        assert (labels[members].bincount() - share * len(members)).abs().max() <= 1
    assert not splits["test"].equal(dataset.split(labels, seed=1)["test"])
    assert splits["test"].equal(dataset.split(labels, seed=0)["test"])


def test_splits_shrink_in_proportion(data: mad.Mad) -> None:
    assert {name: len(members) for name, members in data.splits.items()} == {
        "train": 138,
        "validation": 17,
        "test": 45,
    }


def test_draws_use_up_the_split_and_are_uniform(data: mad.Mad) -> None:
    drawn, factors = data.draw("test", 45 * 3, rng())
    for part in drawn.split(45):
        assert part.sort().values.equal(data.splits["test"])
    assert factors[:, 0].equal(data.labels[drawn])
    factors = data.draw("train", 21_000, rng())[1]
    for column, words in list(enumerate(mad.FACTORS.values()))[1:]:
        counts = factors[:, column].bincount(minlength=len(words))
        assert chisquare(counts.numpy()).pvalue > 0.001
    assert data.draw("train", 9, rng(5))[1].equal(data.draw("train", 9, rng(5))[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("training", 1), "split: expected one of .*'train'.*, got 'training'"),
        (("train", 0), "count: expected at least 1, got 0"),
    ],
)
def test_draws_that_cannot_be(data: mad.Mad, arguments: tuple[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        data.draw(*arguments, rng())


def test_images_that_cannot_be(data: mad.Mad) -> None:
    drawn, factors = data.draw("train", 3, rng())
    wrong_digit, no_colour = factors.clone(), factors.clone()
    wrong_digit[2, 0] = (factors[2, 0] + 1) % 10
    no_colour[1, 5] = 7
    with pytest.raises(ValueError, match=r"row 2 says digit ., but source .* is a ."):
        data.render(drawn, wrong_digit)
    with pytest.raises(ValueError, match="row 1 has colour 7; expected 0 to 6"):
        data.render(drawn, no_colour)
    with pytest.raises(ValueError, match="sources: row 0 is 200; expected 0 to 199"):
        data.render(torch.tensor([200, 0, 0]), factors)
    with pytest.raises(ValueError, match=r"sources: expected shape \(3,\).*got \(2,\)"):
        data.render(drawn[:2], factors)
    with pytest.raises(ValueError, match=r"sources: expected int64, got torch\.float32"):
        data.render(drawn.float(), factors)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "letters"}, "source: expected one of .*, got 'letters'"),
        ({"seed": -1}, "seed: expected 0 or more, got -1"),
        ({"digits": 199}, "digits: expected at least 200, or None for all, got 199"),
        ({"thick": 0.0}, "thick: expected a number above 0, got 0.0"),
        ({"swelling_radius": float("nan")}, "swelling_radius: expected a number above 0, got nan"),
        ({"shrink": 1.1}, "shrink: expected a number above 0 and at most 1, got 1.1"),
        ({"margin": 14.0}, "margin: expected 0 or more and less than 14, got 14.0"),
        ({"cuts": -1}, "cuts: expected 0 or more, got -1"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mad.MadSettings(**settings)


def test_more_digits_than_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="digits: 'digits' has 1797, got 1798"):
        mad.load_mad(mad.MadSettings(digits=1798), tmp_path)


def test_nothing_to_cut_is_no_error() -> None:
    digit = sources.load_source(SMALL, Path())[0][0]
    drawn = shapes.draw_shapes(digit, replace(SMALL, cuts=0), rng()).reshape(3, 2, 2, 2, 28, 28)
    assert (drawn[:, :, 0] == drawn[:, :, 1]).all()


# --- the cache -----------------------------------------------------------------------------------


def cached(folder: Path) -> list[Path]:
    return sorted(folder.glob("mad-*.safetensors"))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[mad.MadSettings]:
    """Every making of a data set; what is made is random, and made in no time."""
    calls: list[mad.MadSettings] = []

    def make(settings: mad.MadSettings, folder: Path) -> dict[str, Tensor]:
        calls.append(settings)
        time.sleep(0.1)
        labels = torch.arange(200) % 10
        values = rng(settings.seed).integers(0, 256, (200, 24, 28, 28), np.uint8)
        return {"shapes": torch.from_numpy(values), "labels": labels}

    monkeypatch.setattr(dataset, "make", make)
    return calls


def test_what_is_in_the_cache_is_not_made_again(
    data: mad.Mad, folder: Path, made: list[mad.MadSettings]
) -> None:
    again = mad.load_mad(SMALL, folder)
    assert made == []
    assert again.shapes.equal(data.shapes)
    assert again.labels.equal(data.labels)
    assert all(again.splits[name].equal(data.splits[name]) for name in data.splits)


@pytest.mark.parametrize("harm", ["cut short", "altered", "emptied", "other settings"])
def test_a_damaged_cache_is_made_anew_with_a_warning(
    harm: str, tmp_path: Path, made: list[mad.MadSettings]
) -> None:
    first = mad.load_mad(SMALL, tmp_path)
    (path,) = cached(tmp_path)
    payload = bytearray(path.read_bytes())
    payload[-1000] ^= 1
    if harm == "other settings":
        mad.load_mad(replace(SMALL, seed=1), tmp_path)
        (other,) = set(cached(tmp_path)) - {path}
        other.replace(path)
    else:
        size = {"cut short": len(payload) // 2, "altered": len(payload), "emptied": 0}[harm]
        path.write_bytes(payload[:size])
    made.clear()
    with pytest.warns(UserWarning, match=f"{path} is damaged; MAD is made anew"):
        again = mad.load_mad(SMALL, tmp_path)
    assert made == [SMALL]
    assert again.shapes.equal(first.shapes)
    assert storage.load(path)[0]["shapes"].equal(first.shapes)


def test_other_settings_are_another_file(tmp_path: Path, made: list[mad.MadSettings]) -> None:
    others = [SMALL, replace(SMALL, seed=1), replace(SMALL, thick=2.0), replace(SMALL, digits=201)]
    for settings in others * 2:
        mad.load_mad(settings, tmp_path)
    assert made == others
    assert len(cached(tmp_path)) == 4


def test_the_environment_says_where_the_cache_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: list[mad.MadSettings]
) -> None:
    monkeypatch.setenv("MODALITY_GAP_CACHE", str(tmp_path / "here"))
    mad.load_mad(SMALL)
    assert cached(tmp_path / "here")
    monkeypatch.setenv("MODALITY_GAP_CACHE", "~/here")
    assert dataset.cache_folder() == Path.home() / "here"
    monkeypatch.delenv("MODALITY_GAP_CACHE")
    assert dataset.cache_folder().name == "modality-gap"


def test_of_two_at_once_one_makes_and_one_waits(
    tmp_path: Path, made: list[mad.MadSettings]
) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: mad.load_mad(SMALL, tmp_path), range(2)))
    assert made == [SMALL]
    assert both[0].shapes.equal(both[1].shapes)


def test_without_a_folder_to_write_to_it_goes_on(
    tmp_path: Path, made: list[mad.MadSettings]
) -> None:
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match="MAD is made without a cache: ") as caught:
        assert len(mad.load_mad(SMALL, tmp_path / "file").labels) == 200
    assert len(caught) == 1


def test_on_a_full_disk_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: list[mad.MadSettings]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "write", full)
    with pytest.warns(UserWarning, match="not kept for the next time: .*No space left") as caught:
        assert len(mad.load_mad(SMALL, tmp_path).labels) == 200
    assert len(caught) == 1
    assert cached(tmp_path) == []


# --- MNIST ---------------------------------------------------------------------------------------


@pytest.fixture
def mnist(monkeypatch: pytest.MonkeyPatch) -> type:
    import_torchvision()
    from torchvision.datasets import MNIST

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return MNIST


@pytest.fixture
def server(
    tmp_path: Path, mnist: type, monkeypatch: pytest.MonkeyPatch
) -> Iterator[http.server.ThreadingHTTPServer]:
    """Serves a tiny set in MNIST's format, under MNIST's names."""
    pixels = rng().integers(0, 256, (300, 28, 28), np.uint8)
    images = struct.pack(">IIII", 2051, 300, 28, 28) + pixels.tobytes()
    digits = struct.pack(">II", 2049, 300) + bytes(range(10)) * 30
    (tmp_path / "served").mkdir()
    resources = []
    for name, _ in mnist.resources:
        packed = gzip.compress(images if "images" in name else digits)
        (tmp_path / "served" / name).write_bytes(packed)
        resources.append((name, hashlib.md5(packed).hexdigest()))

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = partial(Handler, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr(mnist, "mirrors", ["http://127.0.0.1:9/", here])
        monkeypatch.setattr(mnist, "resources", resources)
        yield server
        server.shutdown()


def test_mnist_is_fetched_once(
    tmp_path: Path,
    server: http.server.ThreadingHTTPServer,
    mnist: type,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sources, "MNIST_DIGITS", 250)
    settings = mad.MadSettings(source="mnist")
    digits, labels = sources.load_source(settings, tmp_path)
    assert digits.shape == (250, 28, 28)
    assert digits.dtype == np.float32
    assert (digits.min(), digits.max()) == (0, 1)
    assert labels.tolist() == [number % 10 for number in range(250)]
    monkeypatch.setattr(mnist, "mirrors", [])
    fewer = sources.load_source(replace(settings, digits=200), tmp_path)[0]
    assert (fewer == digits[:200]).all()


def test_without_a_network_mnist_is_one_clear_error(
    tmp_path: Path, mnist: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "mirrors", ["http://127.0.0.1:9/", "http://127.0.0.1:9/mnist/"])
    message = r'fetched from any of http://127.0.0.1:9/, .*refused.*; source="digits" needs no'
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConnectionError, match=message):
            mad.load_mad(mad.MadSettings(source="mnist"), tmp_path)
    assert cached(tmp_path) == []


def test_a_server_that_does_not_answer_is_not_waited_for(
    mnist: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "PATIENCE", 0.2)
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as silent:
        monkeypatch.setattr(mnist, "mirrors", [f"http://127.0.0.1:{silent.server_port}/"])
        begun = time.monotonic()
        with pytest.raises(ConnectionError, match=r"could not be fetched .*(no answer|timed out)"):
            sources.load_source(mad.MadSettings(source="mnist"), tmp_path)
        assert time.monotonic() - begun < 5


def test_a_damaged_download_is_one_clear_error(
    tmp_path: Path, server: http.server.ThreadingHTTPServer, mnist: type
) -> None:
    for path in (tmp_path / "served").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ConnectionError, match=r"could not be fetched .*corrupted"):
        sources.load_source(mad.MadSettings(source="mnist"), tmp_path)


@pytest.mark.parametrize("index", range(3))
def test_digits_of_mnist_s_size_are_drawn_too(index: int) -> None:
    digits = sources.load_source(SMALL, Path())[0]
    large = np.kron(digits[index], np.ones((3, 3), np.float32))
    drawn = shapes.draw_shapes(np.pad(large, 2), mad.MadSettings(source="mnist"), rng())
    ink = drawn.reshape(24, -1).astype(float).sum(axis=1)
    assert drawn.shape == (24, 28, 28)
    assert (ink > 0).all()
