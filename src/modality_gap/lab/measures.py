"""What is measured of a small CLIP while it trains: the columns of the stored tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from ..bias import similarity_difference
from ..contrastive import info_nce, softmax_entropy
from ..gap import l2i, l2m, rmg
from ..retrieval import recall_at_k
from ..sphere import alignment, mean_cosine, normalize, paired_cosine, uniformity
from .clip import Model, draw_prompts, embed_images, embed_texts, tokens_of, zero_shot_classifier
from .mad import ATTRIBUTES, FACTORS, Mad, draw_captions

PAIRS = 1000
# Pairs among which one is found in the test loss and the entropy: about as many as in training.
BATCH = 250
PROBE_IMAGES = 2000
# The test pairs are the same for every seed of training.
TEST_SEED = 20_250_424


@dataclass(frozen=True)
class TestPairs:
    """A fixed draw of images that no model was trained on, with captions and prompts.

    images (N, 3, 28, 28), factors (N, 6), tokens of their captions and of captions that name
    every attribute, and for each factor its prompts.
    """

    images: Tensor
    factors: Tensor
    tokens: Tensor
    full_tokens: Tensor
    prompts: dict[str, Tensor]


def draw_test_pairs(
    data: Mad, split: str, k: int, named: str, drawn_from: tuple[str, ...] | None
) -> TestPairs:
    """PAIRS pairs of a split: the images depend on nothing, the captions only on their form."""
    image_rng, caption_rng, full_rng, prompt_rng = (
        np.random.default_rng([TEST_SEED, stream]) for stream in range(4)
    )
    sources, factors = data.draw(split, PAIRS, image_rng)
    return TestPairs(
        images=data.render(sources, factors),
        factors=factors,
        tokens=tokens_of(draw_captions(factors, k, caption_rng, named, drawn_from)),
        full_tokens=tokens_of(draw_captions(factors, len(ATTRIBUTES), full_rng)),
        prompts={
            factor: draw_prompts(factor, prompt_rng, k=k, named=named, drawn_from=drawn_from)
            for factor in FACTORS
        },
    )


def embed(model: Model, pairs: TestPairs) -> dict[str, Tensor]:
    """Unit embeddings of the test pairs: "images", "texts" and "full_texts", each (N, D)."""
    device = next(model.parameters()).device
    return {
        "images": embed_images(model, pairs.images.to(device)).cpu(),
        "texts": embed_texts(model, pairs.tokens.to(device)).cpu(),
        "full_texts": embed_texts(model, pairs.full_tokens.to(device)).cpu(),
    }


def measure_model(model: Model, pairs: TestPairs) -> dict[str, float]:
    """The sizes of the gap, the loss and its parts, accuracies and object bias on test pairs.

    "full" is against captions that name every attribute; "centred" is after each modality's mean
    was taken off; "per_digit" is the mean over the ten digits.
    """
    embeddings = embed(model, pairs)
    x, y, full = (embeddings[name].double() for name in ("images", "texts", "full_texts"))
    temperature = float(torch.exp(-model.logit_scale.detach()))
    batches = list(zip(x.split(BATCH), y.split(BATCH), strict=True))
    digit = pairs.factors[:, 0]
    recalls = recall_at_k(x, y)
    measures = {
        "measured_temperature": temperature,
        "test_loss": _mean(info_nce(a, b, temperature) for a, b in batches),
        "entropy_image_to_text": _mean(softmax_entropy(a, b, temperature) for a, b in batches),
        "entropy_text_to_image": _mean(softmax_entropy(b, a, temperature) for a, b in batches),
        "l2m": float(l2m(x, y)),
        "l2m_full": float(l2m(x, full)),
        "l2m_per_digit": _mean(l2m(x[digit == d], y[digit == d]) for d in digit.unique()),
        "l2i": float(l2i(x, y)),
        "rmg": float(rmg(x, y)),
        "rmg_full": float(rmg(x, full)),
        "rmg_centred": float(rmg(normalize(x - x.mean(0)), normalize(y - y.mean(0)))),
        "alignment": float(alignment(x, y)),
        "uniformity_image": float(uniformity(x)),
        "uniformity_text": float(uniformity(y)),
        "paired_cosine": float(paired_cosine(x, y)),
        "cosine_image": float(mean_cosine(x)),
        "cosine_text": float(mean_cosine(y)),
        "recall_1_image_to_text": recalls[0],
        "recall_1_text_to_image": recalls[1],
    }
    for place, factor in enumerate(FACTORS):
        labels = pairs.factors[:, place]
        rows = zero_shot_classifier(model, pairs.prompts[factor]).cpu().double()
        measures[f"accuracy_{factor}"] = _mean((x @ rows.T).argmax(dim=1) == labels)
        measures[f"difference_image_{factor}"] = float(similarity_difference(x, labels))
        measures[f"difference_text_{factor}"] = float(similarity_difference(y, labels))
    measures["attribute_accuracy"] = _mean(measures[f"accuracy_{name}"] for name in ATTRIBUTES)
    for side in ("image", "text"):
        differences = [measures[f"difference_{side}_{name}"] for name in FACTORS]
        measures[f"moad_{side}"] = differences[0] - float(np.mean(differences[1:]))
    return measures


def probe(model: Model, data: Mad, pairs: TestPairs) -> dict[str, float]:
    """Test accuracy of a linear classifier on the image embeddings, for each factor.

    Logistic regression on PROBE_IMAGES training images: what the encoder knows, whether or not
    the captions' words say it.
    """
    device = next(model.parameters()).device
    sources, factors = data.draw("train", PROBE_IMAGES, np.random.default_rng([TEST_SEED, 4]))
    train = embed_images(model, data.render(sources, factors).to(device)).cpu().numpy()
    test = embed_images(model, pairs.images.to(device)).cpu().numpy()
    accuracies = {}
    for place, factor in enumerate(FACTORS):
        classifier = LogisticRegression(C=100, max_iter=1000).fit(train, factors[:, place].numpy())
        accuracies[f"probe_{factor}"] = classifier.score(test, pairs.factors[:, place].numpy())
    return accuracies


def _mean(values: Iterable[Tensor | float]) -> float:
    return float(np.mean([float(value) for value in values]))
