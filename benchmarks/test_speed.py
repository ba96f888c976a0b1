"""Time and peak memory of the package against what a user would run instead, in one run.

    make bench

A process of its own reports the peak memory of each above the inputs; then pytest-benchmark times
it here.
"""

from __future__ import annotations

import ctypes
import multiprocessing
from collections.abc import Callable, Iterator
from multiprocessing.pool import Pool
from pathlib import Path

import instead
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

import modality_gap as mg

N, D = 10_000, 512
PACKAGE: dict[str, Callable[[Tensor, Tensor], object]] = {
    "mean_cosine": lambda x, y: mg.mean_cosine(x),
    "l2m": mg.l2m,
    "l2i": mg.l2i,
    "rmg": mg.rmg,
    "alignment": mg.alignment,
    "uniformity": lambda x, y: mg.uniformity(x),
    "recall_at_k": mg.recall_at_k,
    "recall_by_torchmetrics": mg.recall_at_k,
    "info_nce": lambda x, y: mg.info_nce(x, y, 0.05),
    "softmax_entropy": lambda x, y: mg.softmax_entropy(x, y, 0.05),
    "moad": lambda x, y: mg.moad(x, *instead.factors(len(x))),
    "modality_separability": mg.modality_separability,
    "loss_landscape": lambda x, y: mg.loss_landscape(
        x, y, instead.ALPHAS, instead.TEMPERATURES, instead.BATCH
    ),
}
# Elsewhere N. torchmetrics takes a query at a time; the landscape is that of the published files.
ROWS = {"recall_by_torchmetrics": 2_000, "modality_separability": 1_000, "loss_landscape": 500}
BIG = 80_000
LIMIT_MIB = 300


def pairs(n: int, backward: bool = False) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, D, generator=generator)
    y = torch.randn(n, D, generator=generator).mul_(0.5).add_(x)
    x, y = mg.normalize(x.add_(0.5)), mg.normalize(y.sub_(0.5))
    return x.requires_grad_(backward), y.requires_grad_(backward)


def find(function: str, version: str) -> Callable[[Tensor, Tensor], object]:
    if version == "limit":
        return instead.LIMITS[function]
    return PACKAGE[function] if version == "package" else getattr(instead, function)


def peak_mib(function: str, version: str, n: int, backward: bool = False) -> float:
    """Peak memory above inputs and gradients, read off the kernel's high-water mark (Linux)."""
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")

    def call(x: Tensor, y: Tensor) -> None:
        value = find(function, version)(x, y)
        if backward:
            value.backward()

    def read(field: str) -> float:
        line = next(line for line in status.read_text().splitlines() if line.startswith(field))
        return float(line.split()[1]) / 1024

    call(*pairs(100, backward))  # loads what is loaded on first use
    x, y = pairs(n, backward)
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = read("VmRSS")
    call(x, y)
    gradients = sum(a.grad.nbytes for a in (x, y) if a.grad is not None) / 2**20
    return max(0.0, read("VmHWM") - before - gradients)


@pytest.fixture(scope="module")
def process() -> Iterator[Pool]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        yield pool


@pytest.mark.parametrize("version", ["package", "instead"])
@pytest.mark.parametrize("function", PACKAGE)
def test_speed(function: str, version: str, benchmark: BenchmarkFixture, process: Pool) -> None:
    run(function, version, benchmark, process)


@pytest.mark.parametrize("function", instead.LIMITS)
def test_limit(function: str, benchmark: BenchmarkFixture, process: Pool) -> None:
    run(function, "limit", benchmark, process)


def run(function: str, version: str, benchmark: BenchmarkFixture, process: Pool) -> None:
    n = ROWS.get(function, N)
    benchmark.extra_info.update(
        function=function,
        version=version,
        rows=n,
        peak_mib=process.apply(peak_mib, (function, version, n)),
    )
    call, data = find(function, version), pairs(n)
    benchmark.pedantic(call, args=data, rounds=3, warmup_rounds=0 if function == "moad" else 1)


@pytest.mark.parametrize(
    ("function", "n", "backward"),
    [
        ("uniformity", BIG, False),
        ("uniformity", BIG, True),
        ("recall_at_k", BIG, False),
        ("info_nce", BIG, False),
        ("info_nce", BIG // 2, True),
    ],
)
def test_memory_is_bounded(
    function: str, n: int, backward: bool, record_property: Callable[[str, object], None]
) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        peak = pool.apply(peak_mib, (function, "package", n, backward))
    way = "forward and backward" if backward else "forward"
    record_property("memory", f"`{function}` of {n:,} rows, {way}: {peak:,.0f} MiB")
    assert peak < LIMIT_MIB
