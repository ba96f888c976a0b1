"""Time and peak memory of the package against the textbook, in one run.

    make bench

Each function first runs in a process of its own, which reports its peak memory above the inputs;
then pytest-benchmark times it here.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest
import textbook
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

import modality_gap as mg

N, D = 10_000, 512
PACKAGE: dict[str, Callable[[Tensor, Tensor], object]] = {
    "mean_cosine": lambda x, y: mg.mean_cosine(x),
    "l2m": mg.l2m,
    "rmg": mg.rmg,
    "uniformity": lambda x, y: mg.uniformity(x),
    "recall_at_k": mg.recall_at_k,
    "info_nce": lambda x, y: mg.info_nce(x, y, 0.05),
    "softmax_entropy": lambda x, y: mg.softmax_entropy(x, y, 0.05),
    "moad": lambda x, y: mg.moad(x, *textbook.factors(len(x))),
}
ROWS = {"moad": 20_000}  # elsewhere N


def bare_product(x: Tensor, y: Tensor) -> None:
    """All N^2 inner products, in the blocks that uniformity uses, thrown away."""
    for rows in x.split(mg.sphere.PAIR_ROWS):
        for columns in x.split(mg.sphere.PAIR_ROWS):
            rows @ columns.T


def pairs(n: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, D, generator=generator)
    y = x + 0.5 * torch.randn(n, D, generator=generator)
    return mg.normalize(x + 0.5), mg.normalize(y - 0.5)


def find(function: str, version: str) -> Callable[[Tensor, Tensor], object]:
    if version == "bare product":
        return bare_product
    return PACKAGE[function] if version == "package" else getattr(textbook, function)


def peak_mib(function: str, version: str, n: int) -> float:
    """Peak memory above the inputs, read off the kernel's high-water mark (Linux)."""
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    x, y = pairs(n)
    find(function, version)(x[:64], y[:64])  # loads what is loaded on first use
    Path("/proc/self/clear_refs").write_text("5")

    def read(field: str) -> float:
        line = next(line for line in status.read_text().splitlines() if line.startswith(field))
        return float(line.split()[1]) / 1024

    before = read("VmRSS")
    find(function, version)(x, y)
    return max(0.0, read("VmHWM") - before)


def peak_in_own_process(function: str, version: str, n: int) -> float:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(peak_mib, (function, version, n))


@pytest.mark.parametrize("version", ["package", "textbook"])
@pytest.mark.parametrize("function", PACKAGE)
def test_speed(function: str, version: str, benchmark: BenchmarkFixture) -> None:
    run(function, version, benchmark)


def test_bare_product(benchmark: BenchmarkFixture) -> None:
    run("uniformity", "bare product", benchmark)


def run(function: str, version: str, benchmark: BenchmarkFixture) -> None:
    n = ROWS.get(function, N)
    benchmark.extra_info.update(
        function=function if n == N else f"{function}, N = {n:,}",
        version=version,
        shape=f"({N:,}, {D})",
        peak_mib=peak_in_own_process(function, version, n),
    )
    benchmark.pedantic(find(function, version), args=pairs(n), rounds=3, warmup_rounds=1)


@pytest.mark.parametrize("function", ["uniformity", "recall_at_k", "info_nce"])
def test_memory_is_bounded(function: str) -> None:
    assert peak_in_own_process(function, "package", 50_000) < 1024
