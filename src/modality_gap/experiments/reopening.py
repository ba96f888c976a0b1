"""The runs of the sweep "reopening": one model whose captions say less, and then all again.

Trained with captions that name everything, it goes on with captions that name `then_k` attributes,
and after that with full ones again. Schrodi et al. (2025, section 6) go the first of these ways,
from full to shorter captions, with the temperature free or frozen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

from torch import Tensor

from ..lab.mad import ATTRIBUTES, load_mad
from ..lab.training import Config, Run, use_threads

FULL = len(ATTRIBUTES)
LEG = 300  # steps of each way
EARLY = 50  # when it is measured on the way

Rows: TypeAlias = list[dict[str, float | str]]


@dataclass(frozen=True)
class Reopening(Config):
    """A run: `steps` steps at k = FULL with a learned temperature, then LEG at `then_k`, and back.

    Attributes:
        then_k: attributes that captions name on the way there.
        then_frozen: whether the temperature is held from then on.
    """

    k: int = FULL
    then_k: int = 1
    then_frozen: bool = True


def run(config: Reopening, stop: int | None = None) -> Rows:
    """Train all three legs.

    Each leg has an AdamW and a schedule of its own, and batches that no other leg has.

    Args:
        config: of the run.
        stop: train only the first leg, up to this step.

    Returns:
        Rows with leg ("first", "there", "back") and the measures of `training.Run.record`, on test
        pairs whose captions are of the leg's kind; step counts all steps before.
    """
    first = replace(config, then_k=FULL, then_frozen=False)
    rows, weights = _train(first, "first", None, stop) if stop else _train_first(first)
    if stop:
        return rows
    before = config.steps
    for number, (leg, k) in enumerate((("there", config.then_k), ("back", FULL)), 1):
        along = replace(
            config,
            k=k,
            learn_temperature=not config.then_frozen,
            steps=LEG,
            seed=config.seed + 1000 * number,
        )
        more, weights = _train(along, leg, weights)
        rows = [*rows, *({**row, "step": int(row["step"]) + before} for row in more)]
        before += LEG
    return rows


def _train(
    config: Config, leg: str, weights: dict[str, Tensor] | None = None, stop: int | None = None
) -> tuple[Rows, dict[str, Tensor]]:
    """One leg: its rows, and the weights at its end."""
    last = stop or config.steps
    with use_threads(config.threads):
        run = Run(config, load_mad(), weights)
        while True:
            if run.step in (0, min(EARLY, last), last):
                run.record()
            if run.step == last:
                break
            run.train_step()
    return [{"leg": leg, **row} for row in run.rows], run.model.state_dict()


@lru_cache(maxsize=1)
def _train_first(config: Reopening) -> tuple[Rows, dict[str, Tensor]]:
    """The first leg, which all runs of a seed have in common."""
    return _train(config, "first")
