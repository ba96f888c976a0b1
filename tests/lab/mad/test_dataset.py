import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from filelock import FileLock
from scipy.stats import chisquare
from sklearn.datasets import load_digits
from torch import Tensor

from modality_gap import storage
from modality_gap.lab import mad
from modality_gap.lab.mad import dataset, shapes


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


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


def test_render_shows_the_shape_that_the_factors_say(data: mad.Mad) -> None:
    grey = data.shapes.unflatten(1, (3, 2, 2, 2))
    sources_, factors = data.draw("validation", 300, rng())
    images = data.render(sources_, factors)
    assert images.shape == (300, 3, 28, 28)
    assert images.dtype == torch.float32
    factors[:, 5] = mad.FACTORS["colour"].index("red")
    for image, source, row in zip(
        data.render(sources_, factors), sources_.tolist(), factors.tolist(), strict=True
    ):
        assert (image[0] * 255).round().byte().equal(grey[(source, *row[1:5])])


def test_draws_use_up_the_split_and_are_uniform(data: mad.Mad) -> None:
    drawn, factors = data.draw("test", 400 * 3, rng())
    for part in drawn.split(400):
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
    with pytest.raises(ValueError, match="sources: row 0 is 1797; expected 0 to 1796"):
        data.render(torch.tensor([1797, 0, 0]), factors)
    with pytest.raises(ValueError, match=r"sources: expected shape \(3,\).*got \(2,\)"):
        data.render(drawn[:2], factors)
    with pytest.raises(ValueError, match=r"sources: expected int64, got torch\.float32"):
        data.render(drawn.float(), factors)


# The splits and the making.


def test_splits_of_the_whole_set(data: mad.Mad) -> None:
    assert {name: len(members) for name, members in data.splits.items()} == {
        "train": 1247,
        "validation": 150,
        "test": 400,
    }
    everything = torch.cat(list(data.splits.values()))
    assert everything.sort().values.equal(torch.arange(1797))  # no digit twice, none left out
    share = data.labels.bincount() / len(data.labels)
    for members in data.splits.values():
        assert (data.labels[members].bincount() - share * len(members)).abs().max() <= 1
    assert data.splits["test"].equal(dataset.split(data.labels)["test"])


def test_workers_put_the_digits_together_in_order(
    data: mad.Mad, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits, labels = load_digits(return_X_y=True)
    monkeypatch.setattr(dataset, "load_digits", lambda **_: (digits[:5], labels[:5]))
    monkeypatch.setattr(dataset, "CHUNK", 2)
    with joblib.parallel_config(backend="threading"):  # processes would take long to start
        made = dataset.make()
    assert made["shapes"].equal(data.shapes[:5])
    assert made["labels"].equal(data.labels[:5])


# The cache.


def cached(folder: Path) -> list[Path]:
    return sorted(folder.glob("mad-*.safetensors"))


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every making of a data set; what is made is random and small. The cache is `tmp_path`."""
    calls: list[int] = []

    def make() -> dict[str, Tensor]:
        calls.append(len(calls))
        values = rng().integers(0, 256, (1797, 1, 2, 2), np.uint8)
        return {"shapes": torch.from_numpy(values), "labels": torch.arange(1797) % 10}

    monkeypatch.setattr(dataset, "make", make)
    monkeypatch.setenv("MODALITY_GAP_CACHE", str(tmp_path))
    return calls


def test_what_is_in_the_cache_is_not_made_again(made: list[int]) -> None:
    one, two = mad.load_mad(), mad.load_mad()
    assert made == [0]
    assert one.shapes.equal(two.shapes)
    assert one.labels.equal(two.labels)
    assert all(one.splits[name].equal(two.splits[name]) for name in one.splits)


def test_what_other_code_has_drawn_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: list[int]
) -> None:
    code = Path(shapes.__file__).read_text("utf-8")
    other = tmp_path / "shapes.py"
    monkeypatch.setattr(shapes, "__file__", str(other))
    for text in (code, f"{code}\n# A comment.\n", code.replace("BLUR = 0.4", "BLUR = 0.5")):
        other.write_text(text)
        mad.load_mad()
    assert made == [0, 1]
    assert len(cached(tmp_path)) == 2


@pytest.mark.parametrize("harm", ["cut short", "altered", "emptied"])
def test_a_damaged_cache_is_made_anew_with_a_warning(
    harm: str, tmp_path: Path, made: list[int]
) -> None:
    first = mad.load_mad()
    (path,) = cached(tmp_path)
    payload = bytearray(path.read_bytes())
    payload[-1000] ^= 1
    size = {"cut short": len(payload) // 2, "altered": len(payload), "emptied": 0}[harm]
    path.write_bytes(payload[:size])
    with pytest.warns(UserWarning, match=f"{path} is damaged; MAD is made anew"):
        again = mad.load_mad()
    assert made == [0, 1]
    assert again.shapes.equal(first.shapes)
    assert storage.load(path)[0]["shapes"].equal(first.shapes)


def test_the_environment_says_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODALITY_GAP_CACHE", "~/here")
    assert storage.cache_folder() == Path.home() / "here"
    monkeypatch.delenv("MODALITY_GAP_CACHE")
    assert storage.cache_folder().name == "modality-gap"


def test_of_two_at_once_one_makes_and_one_waits(
    made: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one makes only when the other asks for the lock."""
    waiting = threading.Barrier(2, timeout=60)

    class Lock(FileLock):
        def acquire(self) -> object:
            waiting.wait()
            return super().acquire()

    monkeypatch.setattr(dataset, "FileLock", Lock)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: mad.load_mad(), range(2)))
    assert made == [0]
    assert both[0].shapes.equal(both[1].shapes)


def test_without_a_folder_to_write_to_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: list[int]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MODALITY_GAP_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="MAD is made without a cache: ") as caught:
        assert len(mad.load_mad().labels) == 1797
    assert len(caught) == 1


def test_on_a_full_disk_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: list[int]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "write", full)
    with pytest.warns(UserWarning, match="not kept for the next time: .*No space left") as caught:
        assert len(mad.load_mad().labels) == 1797
    assert len(caught) == 1
    assert cached(tmp_path) == []
