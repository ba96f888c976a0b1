"""The page of the stored experiments says what the sweeps themselves say."""

from __future__ import annotations

import re
from pathlib import Path

from modality_gap.experiments.sweeps import SWEEPS

PAGE = Path(__file__).parents[2] / "book" / "experiments.md"


def test_every_sweep_has_a_row_in_its_own_words() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", PAGE.read_text("utf-8"), re.M)
    assert rows == [(name, sweep.description) for name, sweep in SWEEPS.items()]
