"""Stored results: small text tables, each with the provenance of its runs, and their reader."""

from __future__ import annotations

from importlib import resources

import pandas as pd


def read(name: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """A stored table and its provenance.

    Args:
        name: of the table, such as "clip_gap".

    Returns:
        The table, and what its header says: command, source, date, versions and the like.

    Raises:
        ValueError: there is no table of that name; the message lists those there are.
    """
    folder = resources.files(__package__)
    file = folder / f"{name}.csv"
    if not file.is_file():
        known = sorted(f.name[:-4] for f in folder.iterdir() if f.name.endswith(".csv"))
        raise ValueError(f"name: there is no table {name!r}; there are {', '.join(known)}")
    with file.open() as lines:
        header = [line[2:].rstrip("\n") for line in lines if line.startswith("# ")]
    with file.open() as lines:
        table = pd.read_csv(lines, comment="#")
    return table, dict(line.split(": ", 1) for line in header)
