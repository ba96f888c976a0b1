"""The runs of the sweep "closing": trained, and judged after every method of closing the gap."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..closing import METHODS, Pair
from ..lab import clip
from ..lab.mad import ATTRIBUTES, FACTORS, Mad, load_mad
from ..lab.measures import BATCH, TestPairs, draw_test_pairs, embed
from ..lab.mini_clip import rebuild
from ..lab.training import Config, train
from ..sphere import normalize
from ..tasks import (
    answers,
    calibration_error,
    judge_calibration,
    judge_pairs,
    noise_stability,
    temperature_scaling,
)

EARLY_STEP = 50  # judged then, and at the end


def run(config: Config, stop: int | None = None) -> list[dict[str, float | str]]:
    """Train, then judge the model as it is and after every method of `closing.METHODS`.

    Methods are fitted on 1,000 pairs of the training digits, temperatures on validation pairs,
    and all is judged on the test pairs.

    Args:
        config: of the run.
        stop: judge only what is trained up to this step.

    Returns:
        A row for each judged step and method: step, after, temperature (the model's), the judges.
    """
    data, rows = load_mad(), []
    for step in sorted({min(EARLY_STEP, config.steps), config.steps}):
        if stop is None or step <= stop:
            result = train(config, data=data, progress=False, stop=step)
            model = rebuild(config, result.weights)
            rows += [{"step": step, **row} for row in judge(model, config, data)]
    return rows


def judge(model: clip.Model, config: Config, data: Mad) -> list[dict[str, float | str]]:
    """A row for each method of `closing.METHODS`: after, temperature, and all judges on MAD."""
    form = (config.k, config.named, config.drawn_from)
    splits = {name: draw_test_pairs(data, name, *form) for name in ("train", "validation", "test")}
    fit, validation, test = (embed_pairs(model, split) for split in splits.values())
    prompts = {name: _prompts(model, splits["test"], name) for name in FACTORS}
    temperature = float(torch.exp(-model.logit_scale))
    factors, digit = splits["test"].factors, splits["test"].factors[:, 0]
    rows: list[dict[str, float | str]] = []
    for after, kind in METHODS.items():
        method = kind().fit(*fit)
        pairs, refit = method.transform(*test), method.transform(*validation)
        texts = {
            name: method.transform(y=each.flatten(0, 1)).view(each.shape)
            for name, each in prompts.items()
        }
        values = {name: normalize(each.mean(dim=1)) for name, each in texts.items()}
        logits = refit[0] @ values["digit"].T
        refitted = temperature_scaling(logits, splits["validation"].factors[:, 0])
        cosines = pairs[0] @ values["digit"].T
        rows.append(
            {
                "after": after,
                "measured_temperature": temperature,
                **judge_pairs(*pairs, len(FACTORS["digit"]), digit),
                **_judge_zero_shot(pairs[0], values, factors),
                "noise_stability": noise_stability(pairs[0], values["digit"]),
                **judge_calibration(*pairs, temperature, refit, BATCH),
                "digit_error": calibration_error(*answers(cosines / temperature, digit)),
                "digit_error_refitted": calibration_error(*answers(cosines / refitted, digit)),
                "digit_temperature": refitted,
            }
        )
    return rows


def _judge_zero_shot(
    images: Tensor, values: dict[str, Tensor], factors: Tensor
) -> dict[str, float]:
    accuracies = {
        f"accuracy_{name}": float(
            ((images @ values[name].T).argmax(1) == factors[:, place]).double().mean()
        )
        for place, name in enumerate(FACTORS)
    }
    mean = float(np.mean([accuracies[f"accuracy_{name}"] for name in ATTRIBUTES]))
    return {**accuracies, "attribute_accuracy": mean}


def embed_pairs(model: clip.Model, pairs: TestPairs) -> Pair:
    """Images and captions of pairs, unit rows in float64."""
    found = embed(model, pairs)
    return normalize(found["images"].double()), normalize(found["texts"].double())


def _prompts(model: clip.Model, pairs: TestPairs, factor: str) -> Tensor:
    """Embeddings of a factor's prompts, shape (values, prompts, D)."""
    words = pairs.prompts[factor]
    rows = clip.embed_texts(model, clip.tokens_of(words.flatten(0, 1)))
    return normalize(rows.double()).view(*words.shape[:2], -1)
