"""One pass over shards on disk, against reading them, and what it takes of memory.

    make bench ARGUMENTS="-k streaming"
    MODALITY_GAP_STREAM_ROWS=4000000 make bench ARGUMENTS="-k streaming"

MODALITY_GAP_STREAM_ROWS sets how many rows of 512 numbers are written first, both sides together:
4 million are 8 GB in float32. The pass takes as many threads as there are cores, the reading one.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modality_gap.embeddings import open_pairs
from modality_gap.moments import sum_up

ROWS = int(os.environ.get("MODALITY_GAP_STREAM_ROWS", 200_000))
SHARD, WIDTH = 250_000, 512
LIMIT_MIB = 1024
ROUNDS = 3


@pytest.fixture(params=["float32", "float16"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for side in ("img_emb", "text_emb"):
        (tmp_path / side).mkdir()
        for number, start in enumerate(range(0, ROWS // 2, SHARD)):
            rows = rng.standard_normal((min(SHARD, ROWS // 2 - start), WIDTH), np.float32)
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            np.save(tmp_path / side / f"{side}_{number}.npy", rows.astype(request.param))
    return tmp_path


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the wall and of processors, of the fastest of several rounds."""
    found = []
    for _ in range(ROUNDS):
        wall, processors = time.perf_counter(), time.process_time()
        work()
        found.append((time.perf_counter() - wall, time.process_time() - processors))
    return min(found)


def read(folder: Path) -> float:
    return float(sum(np.load(path, mmap_mode="r").sum() for path in sorted(folder.rglob("*.npy"))))


def stream(folder: Path) -> tuple[float, float, float]:
    """Seconds on the wall and of processors, and MiB at the peak."""
    pairs = open_pairs(folder)
    seconds = timed(lambda: sum_up(pairs.images, pairs.captions))
    # Not getrusage, whose peak a process that was started inherits. Linux only.
    peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert peak
    return *seconds, int(peak[1]) / 1024


def test_streaming(folder: Path, request: pytest.FixtureRequest) -> None:
    plain, plain_processors = timed(lambda: read(folder))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        seconds, processors, peak = pool.apply(stream, (folder,))
    print(
        f"\n{ROWS:,} rows, {request.node.callspec.id}: {seconds:.2f} s of {processors:.2f} s of "
        f"processors, {peak:,.0f} MiB; reading alone {plain:.2f} s of {plain_processors:.2f}: "
        f"{plain / seconds:.0%} of its speed, {plain_processors / processors:.0%} by processors"
    )
    assert peak < LIMIT_MIB
