import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import modality_gap as mg
from modality_gap import results
from modality_gap.lab import mad
from modality_gap.lab.clip import END, PADDING, build
from modality_gap.lab.measures import PAIRS, draw_test_pairs, embed, measure_model, probe
from modality_gap.report import NAMES


class AllKnowing(nn.Module):
    """A model that reads the words of a caption and is told those of the images, in order."""

    def __init__(self, factors: Tensor) -> None:
        super().__init__()
        self.logit_scale = nn.Parameter(torch.tensor(math.log(100)))
        self.factors, self.seen = factors, 0

    def encode_image(self, images: Tensor) -> Tensor:
        rows = self.factors[self.seen : self.seen + len(images)]
        self.seen = (self.seen + len(images)) % len(self.factors)
        full = mad.draw_captions(rows, 5, np.random.default_rng(0))
        return nn.functional.one_hot(full, len(mad.WORDS)).sum(dim=1).float()

    def encode_text(self, tokens: Tensor) -> Tensor:
        words = nn.functional.one_hot(tokens, len(mad.WORDS) + 2).sum(dim=1).float()
        return words[:, PADDING + 1 : END]


def test_an_all_knowing_model_has_no_gap_and_makes_no_mistake(data: mad.Mad) -> None:
    pairs = draw_test_pairs(data, "test", 5, "digit", None)
    measured = measure_model(AllKnowing(pairs.factors), pairs)
    for name in ("l2m", "l2i", "rmg", "alignment", "l2m_full", "rmg_full"):
        assert measured[name] == pytest.approx(0, abs=1e-6), name
    for factor in mad.FACTORS:
        assert measured[f"accuracy_{factor}"] == 1, factor
    assert measured["attribute_accuracy"] == 1
    assert measured["measured_temperature"] == pytest.approx(0.01)
    # Every factor weighs the same in a caption, so there is no bias beyond the finite sample.
    assert measured["moad_image"] == pytest.approx(0, abs=0.01)


def test_what_a_caption_leaves_out_is_a_gap(data: mad.Mad) -> None:
    """At k = 0 the text is the digit alone: a sixth of what the image says."""
    pairs = draw_test_pairs(data, "test", 0, "digit", None)
    measured = measure_model(AllKnowing(pairs.factors), pairs)
    assert measured["paired_cosine"] == pytest.approx(1 / math.sqrt(6))
    assert measured["l2m_full"] == pytest.approx(0, abs=1e-6)
    assert measured["l2m"] > 0.3
    assert measured["accuracy_digit"] == 1


def test_images_are_the_same_whatever_the_captions_say(data: mad.Mad) -> None:
    one = draw_test_pairs(data, "test", 0, "digit", None)
    two = draw_test_pairs(data, "test", 3, "size", None)
    assert one.images.shape == (PAIRS, 3, 28, 28)
    assert one.images.equal(two.images)
    assert one.full_tokens.equal(two.full_tokens)
    assert not one.tokens.equal(two.tokens)


def test_probe_reads_what_the_embeddings_hold(data: mad.Mad) -> None:
    class Average(AllKnowing):
        """The mean colour of the image, and nothing else."""

        def encode_image(self, images: Tensor) -> Tensor:
            return images.mean(dim=(2, 3)) + 1e-6

    pairs = draw_test_pairs(data, "test", 0, "digit", None)
    accuracies = probe(Average(pairs.factors), data, pairs)
    assert accuracies["probe_colour"] > 0.99
    assert accuracies["probe_digit"] < 0.3


def test_embeddings_come_in_the_order_of_the_pairs(data: mad.Mad) -> None:
    pairs = draw_test_pairs(data, "test", 5, "digit", None)
    embeddings = embed(AllKnowing(pairs.factors), pairs)
    torch.testing.assert_close(embeddings["images"], embeddings["full_texts"])


def test_the_words_are_those_of_measure(data: mad.Mad) -> None:
    """What the stored tables, the published sizes and `mg.measure` share has one name."""
    pairs = draw_test_pairs(data, "test", 2, "digit", None)
    model = build().eval()
    stored = measure_model(model, pairs)
    x, y = (embed(model, pairs)[side].double() for side in ("images", "texts"))
    measured = mg.measure(x, y).values
    shared = stored.keys() & measured.keys()
    assert {"l2m", "l2i", "rmg", "alignment", "uniformity_image", "paired_cosine"} <= shared
    for name in shared:
        assert stored[name] == pytest.approx(measured[name], abs=1e-9), name
    table, _ = results.read("published_measured")
    assert set(table["measure"]) <= NAMES.keys()
