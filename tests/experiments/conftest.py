"""The command with small sweeps, whose runs train nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from modality_gap.experiments.engine import Run


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """The command; it executes in this process."""
    # Imported here, because pytest reads this file before it has set the threads of PyTorch.
    from fake_runs import SMALL_SWEEPS, quick
    from modality_gap.experiments import sweeps

    monkeypatch.setattr(sweeps, "SWEEPS", dict(SMALL_SWEEPS))

    def call(*arguments: str, function: Run | None = quick, out: Path = tmp_path) -> int:
        command = ["--out", str(out), "--workers", "1", *arguments]
        return sweeps.main(command, function=function, prepare=lambda: None)

    return call
