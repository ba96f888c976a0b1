"""Stored sweeps as the chapters read them: with the columns that they add, and seed by seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from .. import results
from .numbers import mean_sd


def read(name: str) -> pd.DataFrame:
    """A stored sweep of training runs, a row per run and measured step.

    Added are `entropy`, the mean of the directions of the softmax that were measured;
    `underconfidence`, entropy minus loss on the test pairs; and `share`, that of the shift in the
    squared distance of the pairs.
    """
    table, _ = results.read(name)
    entropy = table.filter(regex="^entropy").mean(axis=1)
    return table.assign(
        entropy=entropy,
        underconfidence=entropy - table.test_loss,
        share=table.l2m**2 / table.alignment,
    )


def final(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of trained models: those of each run's last step."""
    return table[table.step == table.steps]


def of_seeds(table: pd.DataFrame, column: str, **settings: object) -> NDArray[Any]:
    """A column where the settings hold, one value for each seed, in the order of the seeds.

    Args:
        table: rows of a sweep.
        column: to take.
        settings: columns of the table and the value that each is to have.

    Raises:
        ValueError: the settings hold in no row, or in two rows of one seed.
    """
    rows = table
    for name, value in settings.items():
        rows = rows[rows[name] == value]
    if rows.empty or rows.seed.duplicated().any():
        raise ValueError(f"settings: expected one row for each seed, {settings} give {len(rows)}")
    return rows.sort_values("seed")[column].to_numpy()


def mean_sds(
    table: pd.DataFrame, form: str, columns: Iterable[str], **settings: Iterable[object]
) -> dict[str, str]:
    """Mean ± standard deviation over seeds, written, for every combination of settings.

    Args:
        table: rows of a sweep.
        form: of the names, such as "{column}-{k}-{temperature:g}".
        columns: to take.
        settings: columns of the table and the values that each is to have in turn.

    Raises:
        ValueError: as `of_seeds`.
    """
    found = {}
    for column, *values in product(columns, *settings.values()):
        chosen = dict(zip(settings, values, strict=True))
        name = form.format(column=column, **chosen)
        found[name] = mean_sd(of_seeds(table, str(column), **chosen))
    return found


def ranks(table: pd.DataFrame, x: str, y: str) -> list[float]:
    """Spearman's rank correlation of two columns, one value for each seed, in their order.

    To twelve decimals, so that rounding decides nothing at a level.
    """
    from scipy.stats import spearmanr

    found = [spearmanr(run[x], run[y]).statistic for _, run in table.groupby("seed")]
    return [round(float(rank), 12) for rank in found]


def differences(
    stored: pd.DataFrame, key: str, rows: Sequence[Mapping[str, Any]], until: int = 50
) -> pd.Series:
    """How far a run that was repeated lies from the stored one.

    Args:
        stored: rows of a sweep.
        key: of the run's configuration.
        rows: of the repeated run, from its first step on.
        until: the last step that is compared; rounding grows from step to step.

    Returns:
        For each measure in both, the largest absolute difference over the steps.

    Raises:
        ValueError: nothing is stored of the run, or other steps were measured.
    """
    old = stored[(stored["run"] == key) & (stored.step <= until)].reset_index(drop=True)
    new = pd.DataFrame([row for row in rows if row["step"] <= until], columns=list(rows[0]))
    if old.empty or list(old.step) != list(new.step):
        raise ValueError(f"rows: expected steps {list(old.step)}, got {list(new.step)}")
    both = [name for name in new if name in old]
    return (old[both] - new[both]).abs().max()


def mismatched_cosine(table: pd.DataFrame, pairs: int = 1000) -> pd.Series:
    """Mean cosine of an image and the captions of all other images, from a sweep's columns.

    Args:
        table: with `cosine_image` and `cosine_text`, means over i ≠ j, `paired_cosine` and `l2m`.
        pairs: how many were measured.
    """
    image, text = (
        (1 + (pairs - 1) * table[f"cosine_{side}"]) / pairs for side in ("image", "text")
    )
    every = (image + text - table.l2m**2) / 2  # x̄·ȳ from |x̄|², |ȳ|² and |x̄ - ȳ|²
    return (pairs * every - table.paired_cosine) / (pairs - 1)
