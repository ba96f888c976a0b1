"""Sums over rows and over pairs of rows, made in blocks: bounded memory at any N and D.

The gradients are written by hand and made in the same blocks, because autograd keeps what every
block needs until the backward pass. They cannot be differentiated once more.
"""

# ruff: noqa: D102

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd import Function

# What a Function keeps for its gradient; torch does not type it.
Context: TypeAlias = Any
Backward: TypeAlias = Callable[..., Any]
# Numbers of a block of rows, which is converted to float64: 8 MiB.
ROW_NUMBERS = 2**20
# Rows and columns of a block of pairs: 16 MiB in float32.
SIDE = 2048


def _once(backward: Backward) -> Backward:
    """A gradient that refuses to be differentiated again; autograd would take it as constant."""

    @functools.wraps(backward)
    def checked(ctx: Context, *by: Tensor) -> Any:  # noqa: ANN401
        if torch.is_grad_enabled():
            raise RuntimeError(
                "this gradient is made in blocks and cannot be differentiated again; "
                "leave out create_graph, or write the formula down for a small batch"
            )
        return backward(ctx, *by)

    return checked


def slices(count: int, size: int) -> Iterator[slice]:
    """The places from 0 to `count`, at most `size` at a time."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def row_slices(x: Tensor) -> Iterator[slice]:
    """The rows of x, as many at a time as hold ROW_NUMBERS."""
    return slices(len(x), max(1, ROW_NUMBERS // x.shape[1]))


def products(
    x: Tensor, y: Tensor, upper: bool = False
) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
    """Yield (rows, columns, x[rows] @ y[columns].T, spare): blocks of at most SIDE x SIDE.

    Every block lies in the memory of the one before, and so does `spare`, another of its shape: a
    consumer writes on both, and nothing that it keeps stands between freed blocks on the heap.
    To be called without gradients.

    Args:
        x, y: shapes (N, D) and (M, D).
        upper: only blocks on the diagonal and to its right.
    """
    memory = x.new_empty(2, min(SIDE, len(x)) * min(SIDE, len(y)))
    for rows in slices(len(x), SIDE):
        for columns in slices(len(y), SIDE):
            if upper and columns.start < rows.start:
                continue
            a, b = x[rows], y[columns]
            block, spare = memory[:, : len(a) * len(b)].view(2, len(a), len(b)).unbind()
            yield rows, columns, torch.mm(a, b.T, out=block), spare


class UnitRows(Function):
    """Rows divided by their lengths."""

    @staticmethod
    def forward(ctx: Context, x: Tensor) -> Tensor:
        unit, lengths = torch.empty_like(x), x.new_empty(len(x), 1)
        for part in row_slices(x):
            # Dividing by the largest entry first keeps the squares from overflowing or vanishing.
            largest = x[part].abs().amax(dim=1, keepdim=True)
            torch.div(x[part], largest, out=unit[part])
            length = torch.linalg.vector_norm(unit[part], dim=1, keepdim=True)
            unit[part] /= length
            lengths[part] = length.mul_(largest)
        ctx.save_for_backward(unit, lengths)
        return unit

    @staticmethod
    @_once
    def backward(ctx: Context, by_unit: Tensor) -> Tensor:
        unit, lengths = ctx.saved_tensors
        gradient = torch.empty_like(unit)
        for part in row_slices(unit):
            along = (by_unit[part] * unit[part]).sum(dim=1, keepdim=True)
            torch.addcmul(by_unit[part], along, unit[part], value=-1, out=gradient[part])
            gradient[part] /= lengths[part]
        return gradient


class RowSums(Function):
    """Sum of the rows, shape (D,), and sum of their squared lengths, in float64."""

    @staticmethod
    def forward(ctx: Context, x: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x)
        total = x.new_zeros(x.shape[1], dtype=torch.float64)
        squares = x.new_zeros((), dtype=torch.float64)
        for part in row_slices(x):
            rows = x[part].double()
            total += rows.sum(dim=0)
            squares += rows.flatten() @ rows.flatten()
        return total, squares

    @staticmethod
    @_once
    def backward(ctx: Context, by_total: Tensor, by_squares: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return ((2 * by_squares).to(x.dtype) * x).add_(by_total.to(x.dtype))


class ClassSquares(Function):
    """Sum of the rows' squared lengths; then, for each way to divide them into classes, the same of
    the classes' sums. In float64.

    `places` holds a way in each row: the classes of the N rows, as numbers from 0 on.
    """

    @staticmethod
    def forward(ctx: Context, x: Tensor, places: Tensor) -> Tensor:
        sums = x.new_zeros(len(places), int(places.max()) + 1, x.shape[1], dtype=torch.float64)
        squares = x.new_zeros(1, dtype=torch.float64)
        for part in row_slices(x):
            rows = x[part].double()
            squares += rows.flatten() @ rows.flatten()
            for of_way, place in zip(sums, places, strict=True):
                of_way.index_add_(0, place[part], rows)
        ctx.save_for_backward(x, places, sums)
        return torch.cat([squares, sums.square().sum(dim=(1, 2))])

    @staticmethod
    @_once
    def backward(ctx: Context, by_squares: Tensor) -> tuple[Tensor, None]:
        x, places, sums = ctx.saved_tensors
        slopes = 2 * by_squares[1:, None, None] * sums
        gradient = (2 * by_squares[0]).to(x.dtype) * x
        for part in row_slices(x):
            for of_way, place in zip(slopes, places, strict=True):
                gradient[part] += of_way[place[part]]
        return gradient, None


class PairSums(Function):
    """`RowSums` of x and of y, and sum of the inner products x_i . y_i, in float64."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        ctx.save_for_backward(x, y)
        own = x.new_zeros((), dtype=torch.float64)
        for part in row_slices(x):
            own += x[part].double().flatten() @ y[part].double().flatten()
        return *RowSums.apply(x), *RowSums.apply(y), own

    @staticmethod
    @_once
    def backward(ctx: Context, *by: Tensor) -> tuple[Tensor | None, ...]:
        x, y = ctx.saved_tensors
        by_own = float(by[4])
        gradients = [
            ((2 * by_squares).to(x.dtype) * a).add_(by_total.to(x.dtype)).add_(b, alpha=by_own)
            if wanted
            else None
            for wanted, a, b, by_total, by_squares in zip(
                ctx.needs_input_grad, (x, y), (y, x), by[:4:2], by[1:4:2], strict=True
            )
        ]
        return tuple(gradients)


class Distances(Function):
    """Sum of ||x_i - y_i||^alpha, in float64; where a pair coincides its gradient is 0."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, y: Tensor, alpha: float) -> Tensor:
        ctx.save_for_backward(x, y)
        ctx.alpha = alpha
        total = x.new_zeros((), dtype=torch.float64)
        for part in row_slices(x):
            difference = x[part].double() - y[part].double()
            total += torch.linalg.vector_norm(difference, dim=1).pow_(alpha).sum()
        return total

    @staticmethod
    @_once
    def backward(ctx: Context, by_total: Tensor) -> tuple[Tensor | None, ...]:
        x, y = ctx.saved_tensors
        by_x, by_y = (
            torch.empty_like(x) if wanted else None for wanted in ctx.needs_input_grad[:2]
        )
        for part in row_slices(x):
            difference = x[part].double() - y[part].double()
            length = torch.linalg.vector_norm(difference, dim=1, keepdim=True)
            slope = by_total * ctx.alpha * length.pow(ctx.alpha - 2)
            difference *= slope.masked_fill_(length == 0, 0)
            if by_x is not None:
                by_x[part] = difference
            if by_y is not None:
                by_y[part] = -difference
        return by_x, by_y, None


class LogPotential(Function):
    """log of the sum over pairs i < j of exp(-t ||x_i - x_j||^2), in float64."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, t: float) -> Tensor:
        parts = []
        for rows, columns, block, _ in products(x, x, upper=True):
            if block.numel() == 1 and rows == columns:
                continue  # a last block of one row has no pair of its own
            exponents = _exponents(x, t, rows, columns, block)
            largest = exponents.max()
            part = float(exponents.sub_(largest).exp_().sum().double().log() + largest)
            parts.append(part - math.log(2) if rows == columns else part)
        total = torch.tensor(parts, dtype=torch.float64, device=x.device).logsumexp(dim=0)
        ctx.save_for_backward(x, total)
        ctx.t = t
        return total

    @staticmethod
    @_once
    def backward(ctx: Context, by_total: Tensor) -> tuple[Tensor, None]:
        x, total = ctx.saved_tensors
        gradient, weights = torch.zeros_like(x), x.new_zeros(len(x))
        for rows, columns, block, _ in products(x, x, upper=True):
            share = _exponents(x, ctx.t, rows, columns, block).sub_(total.to(x.dtype)).exp_()
            gradient[rows].addmm_(share, x[columns])
            weights[rows] += share.sum(dim=1)
            if rows != columns:  # on the diagonal the block holds each pair in both orders
                gradient[columns].addmm_(share.T, x[rows])
                weights[columns] += share.sum(dim=0)
        gradient.addcmul_(weights[:, None], x, value=-1)
        return gradient.mul_((2 * ctx.t * by_total).to(x.dtype)), None


def _exponents(x: Tensor, t: float, rows: slice, columns: slice, block: Tensor) -> Tensor:
    """-t ||x_i - x_j||^2 in place of the products x_i . x_j; -inf for a row with itself."""
    squares = [torch.linalg.vector_norm(x[part], dim=1).square_() for part in (rows, columns)]
    block.mul_(2).sub_(squares[0][:, None]).sub_(squares[1]).mul_(t)
    return block.fill_diagonal_(-torch.inf) if rows == columns else block


class Contrast(Function):
    """What InfoNCE is made of, for logits x_i . y_j / tau.

    The mean of the inner products x_i . y_i, in float64; the mean over rows, and over columns, of
    log sum exp of the logits.
    """

    @staticmethod
    def forward(
        ctx: Context, x: Tensor, y: Tensor, temperature: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        by_row, by_column = (x.new_full((len(rows),), -torch.inf) for rows in (x, y))
        for rows, columns, logits, spare in products(x, y):
            logits.div_(float(temperature))
            for dim, sums, part in ((1, by_row, rows), (0, by_column, columns)):
                largest = logits.amax(dim, keepdim=True)
                terms = torch.sub(logits, largest, out=spare).exp_()
                found = terms.sum(dim).log_().add_(largest.squeeze(dim))
                sums[part] = torch.logaddexp(sums[part], found)
        ctx.save_for_backward(x, y, temperature, by_row, by_column)
        own = x.new_zeros((), dtype=torch.float64)
        for part in row_slices(x):
            own += x[part].double().flatten() @ y[part].double().flatten()
        return own / len(x), by_row.mean(), by_column.mean()

    @staticmethod
    @_once
    def backward(
        ctx: Context, by_own: Tensor, by_rows: Tensor, by_columns: Tensor
    ) -> tuple[Tensor | None, ...]:
        x, y, temperature, by_row, by_column = ctx.saved_tensors

        def weigh(rows: slice, columns: slice, logits: Tensor, slopes: Tensor) -> None:
            torch.sub(logits, by_column[columns], out=slopes).exp_().mul_(by_columns / len(y))
            softmax = logits.sub(by_row[rows, None]).exp_()
            slopes.add_(softmax.mul_(by_rows / len(x)))

        by_x, by_y, by_temperature = _through_logits(x, y, temperature, ctx.needs_input_grad, weigh)
        for gradient, other in ((by_x, y), (by_y, x)):
            if gradient is not None:
                gradient.add_(other, alpha=float(by_own) / len(x))
        return by_x, by_y, by_temperature


class Entropy(Function):
    """Mean over rows of the entropy of the softmax of the logits x_i . y_j / tau."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, y: Tensor, temperature: Tensor) -> Tensor:
        # Of each row: the largest logit z so far, sum exp(z_j - z) and sum (z_j - z) exp(z_j - z).
        largest = x.new_full((len(x),), -torch.inf)
        total, moment = x.new_zeros(len(x)), x.new_zeros(len(x))
        for rows, columns, logits, spare in products(x, y):
            logits.div_(float(temperature))
            now = torch.maximum(largest[rows], logits.amax(dim=1))
            if columns.start:  # there is a sum that refers to another z
                back = largest[rows] - now
                moment[rows] = back.exp() * (moment[rows] + back * total[rows])
                total[rows] *= back.exp()
            terms = torch.exp(logits.sub_(now[:, None]), out=spare)
            total[rows] += terms.sum(dim=1)
            moment[rows] += terms.mul_(logits).sum(dim=1)
            largest[rows] = now
        entropy = total.log() - moment / total
        ctx.save_for_backward(x, y, temperature, largest + total.log(), entropy)
        return entropy.mean()

    @staticmethod
    @_once
    def backward(ctx: Context, by_entropy: Tensor) -> tuple[Tensor | None, ...]:
        x, y, temperature, by_row, entropy = ctx.saved_tensors

        def weigh(rows: slice, columns: slice, logits: Tensor, slopes: Tensor) -> None:
            log_p = torch.sub(logits, by_row[rows, None], out=slopes)
            p = log_p.exp()
            log_p.add_(entropy[rows, None]).mul_(p).mul_(-by_entropy / len(x))

        return _through_logits(x, y, temperature, ctx.needs_input_grad, weigh)


def _through_logits(
    x: Tensor,
    y: Tensor,
    temperature: Tensor,
    wanted: tuple[bool, ...],
    weigh: Callable[[slice, slice, Tensor, Tensor], None],
) -> tuple[Tensor | None, ...]:
    """Gradients in x, y and temperature; `weigh` writes those in the logits of a block."""
    tau = float(temperature)
    by_x = torch.zeros_like(x) if wanted[0] else None
    by_y = torch.zeros_like(y) if wanted[1] else None
    by_temperature = torch.zeros_like(temperature) if wanted[2] else None
    for rows, columns, logits, slopes in products(x, y):
        weigh(rows, columns, logits.div_(tau), slopes)
        if by_x is not None:
            by_x[rows].addmm_(slopes, y[columns], alpha=1 / tau)
        if by_y is not None:
            by_y[columns].addmm_(slopes.T, x[rows], alpha=1 / tau)
        if by_temperature is not None:
            by_temperature -= float(slopes.flatten() @ logits.flatten()) / tau
    return by_x, by_y, by_temperature
