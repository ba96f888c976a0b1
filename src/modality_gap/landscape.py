"""The InfoNCE loss of pairs that are moved along their gap, at many shifts and temperatures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .sphere import row_sums
from .sums import row_slices, slices

# Numbers held at once, of float64: of a block of cosines or of rows, 8 MiB; of all logarithms of
# sums and of cosines that are kept, 32 MiB.
BLOCK = 2**20
KEPT = 2**22
SIDE = 1024
# A moved row whose square is below this has lost its direction to rounding.
ZERO = 1e-14

Point = tuple[float, float]


class Landscape:
    """Moves pairs, x - alpha Delta and y + alpha Delta, without touching their rows again.

    Lengths and cosines of moved rows follow from those of the unmoved:
    (x_i - alpha Delta) . (y_j + alpha Delta)
    = x_i . y_j + alpha (x_i . Delta - y_j . Delta) - alpha^2 ||Delta||^2.
    So the products are made once, in float64, and every alpha and temperature is made from them.
    """

    def __init__(self, x: Tensor, y: Tensor, batch_size: int) -> None:
        """Take what every shift needs of the rows.

        Args:
            x, y: unit rows, shape (N, D), as `check_pairs` wants them.
            batch_size: rows of a batch, 2 to N; a remainder is left out.
        """
        self.x, self.y = x.detach(), y.detach()
        self.size, self.count = batch_size, len(x) // batch_size
        self.delta = (row_sums(self.x)[0] - row_sums(self.y)[0]) / len(x)
        self.square = float(self.delta @ self.delta)
        along = []
        for part in row_slices(x):
            a, b = self.x[part].double(), self.y[part].double()
            squares = [(a * a).sum(dim=1), (b * b).sum(dim=1), (a * b).sum(dim=1)]
            along.append(torch.stack([a @ self.delta, b @ self.delta, *squares]))
        self.along_x, self.along_y, self.squares_x, self.squares_y, self.own = torch.cat(along, 1)
        self.kept: dict[tuple[int, int, int], Tensor] = {}

    def distances(self, alphas: Sequence[float]) -> NDArray[np.float64]:
        """Distance between the means of all moved rows, negative once they have passed."""
        found = []
        for group in slices(len(alphas), max(1, KEPT // len(self.x))):
            shifts = torch.tensor(alphas[group], dtype=torch.float64, device=self.x.device)
            scales = torch.stack([torch.stack(self._scales(alpha)) for alpha in alphas[group]])
            gap = -shifts[:, None] * self.delta * scales.sum(dim=(1, 2))[:, None]
            for part in row_slices(self.x):
                gap += scales[:, 0, part] @ self.x[part].double()
                gap -= scales[:, 1, part] @ self.y[part].double()
            gap /= len(self.x)
            found.append(torch.linalg.vector_norm(gap, dim=1) * torch.sign(gap @ self.delta))
        return torch.cat(found).cpu().numpy()

    def terms(self, points: Sequence[Point], progress: bool = False) -> NDArray[np.float64]:
        """Loss (symmetric), numerator and denominator (image to text): a row for each point.

        Args:
            points: (alpha, temperature); those of one alpha should follow each other.
            progress: show a bar once it takes long.
        """
        from tqdm import tqdm

        total = np.zeros((len(points), 2))
        tiles = self._tiles()
        several = max(1, KEPT // max(count * self.size for _, count in tiles))
        hidden = None if progress else True  # None: where there is no terminal
        bar = tqdm(total=len(points) * len(tiles), delay=2, leave=False, disable=hidden)
        with bar:
            for group in slices(len(points), several):
                for start, count in tiles:
                    total[group] += self._sums(points[group], start, count)
                    bar.update(group.stop - group.start)
        rows, columns = total.T / (self.count * self.size)
        numerator = np.array([self._numerator(*point) for point in points])
        return np.stack([(rows + columns) / 2 + numerator, numerator, rows], axis=1)

    def _tiles(self) -> list[tuple[int, int]]:
        """(first row, how many batches) that are moved at once."""
        several = max(1, BLOCK // (self.size * max(self.size, self.x.shape[1])))
        return [
            (part.start * self.size, part.stop - part.start) for part in slices(self.count, several)
        ]

    def _sums(self, points: Sequence[Point], start: int, count: int) -> NDArray[np.float64]:
        """For each point the sums over rows, and over columns, of log sum exp of the logits."""
        shape = (count, self.size)
        logs = self.delta.new_full((2, len(points), *shape), -torch.inf)
        here = slice(start, start + count * self.size)
        side = max(1, min(SIDE, 2 * BLOCK // self.x.shape[1]))
        for rows in slices(self.size, side):
            for columns in slices(self.size, side):
                products = self._products(start, count, rows, columns)
                before = None
                for place, (alpha, temperature) in enumerate(points):
                    if alpha != before:
                        scale_x, scale_y = (s[here].view(shape) for s in self._scales(alpha))
                        of_x = alpha * self.along_x[here].view(shape)[:, rows, None]
                        of_y = alpha * self.along_y[here].view(shape)[:, None, columns]
                        cosines = (products + of_x).sub_(of_y + alpha**2 * self.square)
                        cosines *= scale_x[:, rows, None]
                        cosines *= scale_y[:, None, columns]
                        before = alpha
                    logits = cosines / temperature
                    for dim, part in ((2, rows), (1, columns)):
                        sums = logs[2 - dim, place, :, part]
                        torch.logaddexp(sums, logits.logsumexp(dim), out=sums)
        return logs.sum(dim=(2, 3)).T.cpu().numpy()

    def _products(self, start: int, count: int, rows: slice, columns: slice) -> Tensor:
        """x_i . y_j of the batches from a row on, shape (count, rows, columns)."""
        key = (start, rows.start, columns.start)
        if key in self.kept:
            return self.kept[key]
        here = slice(start, start + count * self.size)
        a = self.x[here].unflatten(0, (count, self.size))[:, rows].double()
        b = self.y[here].unflatten(0, (count, self.size))[:, columns].double()
        found = a @ b.transpose(1, 2)
        if self.count * self.size**2 <= KEPT:
            self.kept[key] = found
        return found

    def _scales(self, alpha: float) -> tuple[Tensor, Tensor]:
        """One over the lengths of the moved rows, of x and of y."""
        moved = (
            self.squares_x - 2 * alpha * self.along_x + alpha**2 * self.square,
            self.squares_y + 2 * alpha * self.along_y + alpha**2 * self.square,
        )
        for name, squares in zip("xy", moved, strict=True):
            if squares.min() < ZERO:
                raise ValueError(
                    f"{name}: row {int(squares.argmin())} is zero after a shift by alpha = "
                    f"{alpha:g}; expected rows that keep a direction"
                )
        return moved[0].rsqrt_(), moved[1].rsqrt_()

    def _numerator(self, alpha: float, temperature: float) -> float:
        scale_x, scale_y = self._scales(alpha)
        own = self.own + alpha * (self.along_x - self.along_y) - alpha**2 * self.square
        used = slice(self.count * self.size)
        return -float((own * scale_x * scale_y)[used].mean()) / temperature
