"""One pass over shards on disk, against reading them, and what it takes of memory.

    make bench ARGUMENTS="-k streaming"

MODALITY_GAP_STREAM_ROWS sets how many rows of 512 numbers are written first, both sides together;
4,000,000 by default, 8 GB in float32.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
from pathlib import Path

import numpy as np
import pytest

from modality_gap.embeddings import open_pairs
from modality_gap.moments import sum_up

ROWS = int(os.environ.get("MODALITY_GAP_STREAM_ROWS", 4_000_000))
SHARD, WIDTH = 250_000, 512
LIMIT_MIB = 1024


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("shards")
    rng = np.random.default_rng(0)
    for side in ("img_emb", "text_emb"):
        (place / side).mkdir()
        for number, start in enumerate(range(0, ROWS // 2, SHARD)):
            rows = rng.standard_normal((min(SHARD, ROWS // 2 - start), WIDTH), np.float32)
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            np.save(place / side / f"{side}_{number}.npy", rows)
    return place


def read(folder: Path) -> float:
    return float(sum(np.load(path, mmap_mode="r").sum() for path in sorted(folder.rglob("*.npy"))))


def stream(folder: Path) -> tuple[float, float]:
    """Seconds, and MiB at the peak."""
    pairs = open_pairs(folder)
    start = time.perf_counter()
    sum_up(pairs.images, pairs.captions)
    seconds = time.perf_counter() - start
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_streaming(folder: Path) -> None:
    read(folder)  # both find the files where the system keeps them
    start = time.perf_counter()
    read(folder)
    plain = time.perf_counter() - start
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        seconds, peak = pool.apply(stream, (folder,))
    speed = plain / seconds
    print(
        f"\n{ROWS:,} rows: {seconds:.1f} s and {peak:,.0f} MiB; reading alone {plain:.1f} s, so "
        f"{speed:.0%} of its speed"
    )
    assert peak < LIMIT_MIB
