from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor

from modality_gap.lab import mad


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def some_factors(count: int) -> Tensor:
    sizes = [len(words) for words in mad.FACTORS.values()]
    return torch.from_numpy(rng().integers(0, sizes, (count, 6)))


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
