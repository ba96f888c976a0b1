"""The states that a training run is resumed from."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .. import storage

if TYPE_CHECKING:
    from .training import Run


class Checkpoints:
    """The last two states of a run, in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        """`name` stands for the config and the data: each has files of its own."""
        self.folder, self.name = folder, name

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob(f"{self.name}-*.safetensors"))

    def save(self, run: Run) -> None:
        """Store the state, then forget the state before the one before."""
        tensors = {f"model.{name}": value for name, value in run.model.state_dict().items()}
        for number, state in run.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": value for name, value in state.items()}
        about: dict[str, Any] = {"config": asdict(run.config), "step": run.step, "rows": run.rows}
        storage.save(self.folder / f"{self.name}-{run.step:06d}.safetensors", tensors, about)
        for old in self._files()[:-2]:
            old.unlink(missing_ok=True)

    def restore(self, run: Run, last: int) -> None:
        """Bring the run to the newest whole state up to step `last`; else leave it as it is."""
        for path in reversed(self._files()):
            if int(path.stem.rpartition("-")[2]) > last:
                continue
            try:
                tensors, about = storage.load(path)
            except storage.DamagedFileError as error:
                warnings.warn(f"{error}; going on from the checkpoint before it", stacklevel=3)
                continue
            parameters = [p for group in run.optimizer.param_groups for p in group["params"]]
            model: dict[str, Tensor] = {}
            state: dict[int, dict[str, Tensor]] = {}
            for name, value in tensors.items():
                part, _, rest = name.partition(".")
                if part == "model":
                    model[rest] = value
                    continue
                number, _, kind = rest.partition(".")
                like = parameters[int(number)]
                if value.shape == like.shape:  # in the same layout, or sums round differently
                    value = torch.empty_like(like).copy_(value)
                state.setdefault(int(number), {})[kind] = value
            run.model.load_state_dict(model)
            run.optimizer.load_state_dict({**run.optimizer.state_dict(), "state": state})
            run.step, run.rows = about["step"], about["rows"]
            return
