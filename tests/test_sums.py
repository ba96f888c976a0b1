"""Memory is bounded, forward and backward: every tensor that is made is seen by its size."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import modality_gap as mg
from helpers import unit_rows
from modality_gap import landscape, sums

Function = Callable[[Tensor, Tensor], Any]
PAIRWISE: dict[str, Function] = {
    "uniformity": lambda x, y: mg.uniformity(x),
    "info_nce": lambda x, y: mg.info_nce(x, y, 0.1),
    "info_nce_terms": lambda x, y: sum(mg.info_nce_terms(x, y, 0.1)),
    "softmax_entropy": lambda x, y: mg.softmax_entropy(x, y, 0.1),
}
ROWWISE: dict[str, Function] = {
    "normalize": lambda x, y: mg.normalize(x),
    "alignment": mg.alignment,
    "mean_cosine": lambda x, y: mg.mean_cosine(x),
    "paired_cosine": mg.paired_cosine,
    "l2m": mg.l2m,
    "l2i": mg.l2i,
    "rmg": mg.rmg,
    "gap_share": lambda x, y: mg.gap_share(x, y)[0],
    "similarity_difference": lambda x, y: mg.similarity_difference(x, torch.arange(len(x)) % 3),
    "moad": lambda x, y: mg.moad(
        x, torch.arange(len(x)) % 3, torch.arange(len(x))[:, None] % torch.tensor([2, 3])
    ),
}


class Watch(TorchDispatchMode):
    """Counts the bytes of all storages that are made, while they are alive."""

    def __init__(self, *inputs: Tensor) -> None:
        super().__init__()
        self.seen = weakref.WeakValueDictionary(
            {id(x.untyped_storage()): x.untyped_storage() for x in inputs}
        )
        self.alive = self.peak = 0

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self.watch(tensor.untyped_storage())
        return made

    def watch(self, storage: torch.UntypedStorage) -> None:
        if id(storage) in self.seen:
            return
        self.seen[id(storage)] = storage
        self.alive += storage.nbytes()
        self.peak = max(self.peak, self.alive)
        weakref.finalize(storage, self.forget, storage.nbytes())

    def forget(self, size: int) -> None:
        self.alive -= size


def peak(function: Function, n: int, d: int, dtype: torch.dtype, backward: bool) -> int:
    """Most bytes alive at once beyond the inputs, their gradients and what is returned."""
    x, y = (unit_rows(n, d, seed, dtype).requires_grad_(backward) for seed in (0, 1))
    with Watch(x, y) as watch:
        value = function(x, y)
        if backward:
            value.sum().backward()
    own = [x.grad, y.grad, value if isinstance(value, Tensor) else None]
    return watch.peak - sum(t.nbytes for t in own if t is not None)


def cases(functions: dict[str, Function]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("function", functions.values(), ids=functions.keys())


DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def test_the_watch_sees_what_is_kept() -> None:
    x = torch.ones(1000)
    with Watch(x) as watch:
        kept = [x[:500] * 2 for _ in range(3)]
        kept.clear()
        x.view(10, 100).add_(1)
    assert (watch.peak, watch.alive) == (3 * 2000, 0)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said of 256 x 256 holds of 2048 x 2048, and takes a hundredth of the time."""
    assert sums.SIDE**2 * 8 <= 2**25
    assert sums.ROW_NUMBERS * 8 <= 2**23
    assert landscape.BLOCK * 8 <= 2**23
    assert landscape.KEPT * 8 <= 2**25
    assert landscape.SIDE**2 <= landscape.BLOCK
    monkeypatch.setattr(sums, "SIDE", 256)
    monkeypatch.setattr(sums, "ROW_NUMBERS", 2**14)
    monkeypatch.setattr(landscape, "SIDE", 128)
    monkeypatch.setattr(landscape, "BLOCK", 2**14)
    monkeypatch.setattr(landscape, "KEPT", 2**16)


@DTYPES
@pytest.mark.parametrize("backward", [False, True])
@cases(PAIRWISE)
def test_of_all_pairs_a_few_blocks_are_alive(
    function: Function, backward: bool, dtype: torch.dtype
) -> None:
    """The matrix would be fifteen blocks, and half of it, as uniformity visits it, eight."""
    assert peak(function, 1000, 4, dtype, backward) < 3.5 * sums.SIDE**2 * dtype.itemsize


@DTYPES
def test_retrieval_keeps_a_few_blocks(dtype: torch.dtype) -> None:
    assert peak(mg.recall_at_k, 1000, 4, dtype, False) < 3.5 * sums.SIDE**2 * dtype.itemsize


@DTYPES
@pytest.mark.parametrize("batch_size", [None, 500, 50])
def test_a_landscape_keeps_a_few_blocks(batch_size: int | None, dtype: torch.dtype) -> None:
    def function(x: Tensor, y: Tensor) -> None:
        mg.loss_landscape(x, y, [0, 0.2, 0.4], [0.1, 1], batch_size)

    assert peak(function, 1000, 4, dtype, False) < 8 * (2 * landscape.KEPT + 8 * landscape.BLOCK)
    assert 4 * landscape.KEPT < 1000**2


@DTYPES
@pytest.mark.parametrize("backward", [False, True])
@cases(ROWWISE)
def test_of_all_rows_a_few_blocks_are_alive(
    function: Function, backward: bool, dtype: torch.dtype
) -> None:
    """However long a row is; a copy would be sixteen blocks, or eight in float32."""
    assert peak(function, 512, 512, dtype, backward) < 4.5 * 8 * sums.ROW_NUMBERS


@DTYPES
@pytest.mark.parametrize("backward", [False, True])
@cases(PAIRWISE)
def test_long_rows_are_not_copied(function: Function, backward: bool, dtype: torch.dtype) -> None:
    assert peak(function, 100, 4096, dtype, backward) < 4.5 * 8 * sums.ROW_NUMBERS


@pytest.mark.parametrize("function", [mg.uniformity, mg.mean_cosine])
def test_a_second_derivative_is_refused(function: Callable[[Tensor], Tensor]) -> None:
    x = unit_rows(5, 3).requires_grad_()
    with pytest.raises(RuntimeError, match="cannot be differentiated again"):
        torch.autograd.grad(function(x), x, create_graph=True)
