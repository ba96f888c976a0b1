"""The metric of a training loop: over batches, and across processes, what all pairs give."""

from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

import modality_gap as mg
from helpers import unit_rows

STEP = "l2m", "rmg", "l2i", "paired_cosine", "mismatched_cosine", "cosine_image", "cosine_text"


def pairs(n: int = 50) -> tuple[Tensor, Tensor]:
    x = unit_rows(n, 6, 1)
    return mg.normalize(x + 0.5), mg.normalize(x + unit_rows(n, 6, 2))


def check(found: dict[str, Tensor], x: Tensor, y: Tensor) -> None:
    expected = mg.measure(x, y)
    assert set(found) == set(STEP)
    for name, value in found.items():
        assert value.item() == pytest.approx(expected[name], abs=1e-12), name


@pytest.mark.parametrize("size", [1, 7, 50])
def test_batches_add_up(size: int) -> None:
    x, y = pairs()
    metric = mg.GapMetric()
    for a, b in zip(x.split(size), (3 * y).split(size), strict=True):
        metric.update(a.clone().requires_grad_(), b)
    check(metric.compute(), x, y)
    metric.reset()
    metric.update(x[:9], y[:9])
    check(metric.compute(), x[:9], y[:9])
    check(pickle.loads(pickle.dumps(metric)).compute(), x[:9], y[:9])


def test_half_precision_is_added_in_double() -> None:
    x, y = (rows.half() for rows in pairs())
    metric = mg.GapMetric()
    metric.update(x, y)
    check_half = mg.measure(x, y, normalize=True)
    assert metric.compute()["l2m"].item() == pytest.approx(check_half["l2m"], abs=1e-7)


def test_what_cannot_be_added() -> None:
    x, y = pairs()
    metric = mg.GapMetric(normalize=False)
    with pytest.raises(ValueError, match="expected two of one shape"):
        metric.update(x, y[:3])
    with pytest.raises(ValueError, match="y: row 0 has length 2"):
        metric.update(x, 2 * y)
    with pytest.warns(UserWarning, match="before"), pytest.raises(ValueError, match="got 0"):
        mg.GapMetric().compute()


def work(rank: int, address: str, queue: multiprocessing.Queue) -> None:
    """Half of the pairs, unevenly dealt."""
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    x, y = pairs()
    metric = mg.GapMetric()
    mine = slice(0, 13) if rank == 0 else slice(13, 50)
    for a, b in zip(x[mine].split(5), y[mine].split(5), strict=True):
        metric.update(a, b)
    queue.put({name: value.item() for name, value in metric.compute().items()})
    torch.distributed.destroy_process_group()


def test_two_processes_add_theirs(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    address = f"file://{tmp_path / 'meeting'}"
    workers = [context.Process(target=work, args=(rank, address, queue)) for rank in range(2)]
    for worker in workers:
        worker.start()
    found = [queue.get(timeout=300) for _ in workers]
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert found[0] == found[1]
    check(
        {name: torch.tensor(value, dtype=torch.float64) for name, value in found[0].items()},
        *pairs(),
    )


def test_without_torchmetrics_there_is_one_sentence() -> None:
    code = (
        "import sys; sys.modules['torchmetrics'] = None\nimport modality_gap as mg\n"
        "try: mg.GapMetric\nexcept ImportError as e: print(e)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (
        "modality_gap.GapMetric needs torchmetrics: pip install 'modality-gap[metrics]'"
        in run.stdout
    )
