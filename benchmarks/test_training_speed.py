"""Samples per second of the book's training against a plain loop, in one run.

    make bench

Both train the default model with the default batch on one thread, without measuring on the way.
"""

from __future__ import annotations

from dataclasses import replace

import plain_loop
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from modality_gap.lab import mad
from modality_gap.lab.training import Config, Run

STEPS = 30
CONFIG = replace(Config(), steps=STEPS, device="cpu")


def train(config: Config, data: mad.Mad) -> None:
    run = Run(config, data)
    for _ in range(config.steps):
        run.train_step()


@pytest.mark.parametrize("version", ["training", "plain loop"])
def test_training_speed(version: str, benchmark: BenchmarkFixture) -> None:
    data = mad.load_mad()
    function = train if version == "training" else plain_loop.train
    benchmark.extra_info.update(
        function="samples per second", version=version, samples=STEPS * CONFIG.batch_size
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    benchmark.pedantic(function, args=(CONFIG, data), rounds=3, warmup_rounds=1)
    torch.set_num_threads(threads)
