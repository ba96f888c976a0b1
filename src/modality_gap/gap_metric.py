"""The gap while a model trains: a metric of torchmetrics."""

from __future__ import annotations

import importlib.util
from typing import Any

import torch
from torch import Tensor

from .checks import check_sides
from .moments import Moments
from .sphere import normalize
from .torchvision_fix import import_torchvision

if importlib.util.find_spec("torchvision"):
    import_torchvision()  # which torchmetrics imports
from torchmetrics import Metric  # isort: skip

SCALARS = ("images", "squares_x", "squares_y", "own", "distance", "distance_squared")
SHOWN = ("l2m", "l2i", "rmg", "paired_cosine", "mismatched_cosine", "cosine_image", "cosine_text")


class GapMetric(Metric):
    """Sizes of the gap and mean cosines over all batches that it has seen.

    Exact, as if all pairs were given at once: it keeps sums in float64, a few kilobytes, and
    processes add theirs.

    Args:
        normalize: whether rows are made unit first. In training they seldom are; else they have to
            be.
        sync_options: what torchmetrics.Metric takes, such as dist_sync_on_step.

    `update(images, captions)` takes embeddings, shape (N, D), of any floating type; row i of both
    is a pair. `compute()` gives the names of `measure`: l2m, l2i, rmg and mean cosines, scalars in
    float64.

    >>> metric = mg.GapMetric()
    >>> for batch in torch.eye(6).split(2):
    ...     metric.update(batch, batch.roll(1, 1))
    >>> round(float(metric.compute()["paired_cosine"]), 6)
    0.0

    In open_clip's loop, after `image_features, text_features, logit_scale = model(images, texts)`:
    `metric.update(image_features, text_features)`. In Lightning: `self.gap.update(...)` in
    `validation_step`, and `self.log_dict(self.gap.compute())` at the epoch's end. In Hugging Face's
    Trainer: `compute_metrics=lambda p: mg.GapMetric()(*map(torch.as_tensor, p.predictions[:2]))`.
    """

    full_state_update = False
    is_differentiable = False
    higher_is_better = None

    images: Tensor
    total_x: Tensor
    total_y: Tensor

    def __init__(self, normalize: bool = True, **sync_options: Any) -> None:  # noqa: ANN401
        super().__init__(**sync_options)
        self.normalize = normalize
        for name in SCALARS:
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        # One number until a batch tells the width; it adds to any.
        for name in ("total_x", "total_y"):
            self.add_state(name, torch.zeros(1, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, images: Tensor, captions: Tensor) -> None:
        """Add a batch.

        Raises:
            ValueError: shapes differ, or rows are zero, not finite, or not unit where they have to
                be.
        """
        with torch.no_grad():
            x, y = images.detach(), captions.detach()
            if x.shape != y.shape or x.ndim != 2:
                raise ValueError(
                    f"images, captions: expected two of one shape (N, D), because row i of both is "
                    f"a pair; got {tuple(x.shape)} and {tuple(y.shape)}"
                )
            if self.normalize:
                x, y = normalize(x), normalize(y)
            elif len(x) > 1:
                check_sides(x, y)
            x, y = x.double(), y.double()
            apart = torch.linalg.vector_norm(x - y, dim=1)
            self.total_x = self.total_x + x.sum(dim=0)
            self.total_y = self.total_y + y.sum(dim=0)
            sums = (len(x), x.square().sum(), y.square().sum(), (x * y).sum(), apart.sum())
            for name, value in zip(SCALARS, (*sums, apart.square().sum()), strict=True):
                setattr(self, name, getattr(self, name) + value)

    def compute(self) -> dict[str, Tensor]:
        """The measures of all batches so far, of all processes.

        Raises:
            ValueError: fewer than two pairs were given.
        """
        count = int(self.images)
        if count < 2:
            raise ValueError(f"compute: expected at least two pairs by update(), got {count}")
        sums = {name: float(getattr(self, name)) for name in SCALARS if name != "images"}
        x, y = self.total_x.cpu().numpy(), self.total_y.cpu().numpy()
        sizes = Moments(count, count, x, y, *sums.values()).sizes()
        return {name: torch.tensor(sizes[name], dtype=torch.float64) for name in SHOWN}
