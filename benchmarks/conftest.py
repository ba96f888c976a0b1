"""Collects the benchmark's times and peak memories and prints them as ratios."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path
from typing import Any

import pytest
import torch

TABLE = Path(__file__).parents[1] / "book" / "benchmark_table.md"


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    measured = {
        (entry.extra_info["function"], entry.extra_info["version"]): entry
        for entry in config._benchmarksession.benchmarks
        if "version" in entry.extra_info
    }
    speed = compare_training(measured)
    if speed:
        terminalreporter.section("training")
        terminalreporter.write_line(speed)
    for said in properties(terminalreporter, "coursework"):
        terminalreporter.section("coursework")
        terminalreporter.write_line(said)
    lines = [
        "| function | N | package | instead | time ratio | over the limit | package memory "
        "| instead |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for (function, version), ours in measured.items():
        theirs, limit = (measured.get((function, other)) for other in ("instead", "limit"))
        if version != "package" or theirs is None:
            continue
        seconds = ours.stats.min, theirs.stats.min
        over = f"{seconds[0] / limit.stats.min:.2f}×" if limit else ""
        lines.append(
            f"| `{function}` | {ours.extra_info['rows']:,} | {1e3 * seconds[0]:,.0f} ms "
            f"| {1e3 * seconds[1]:,.0f} ms | {seconds[1] / seconds[0]:.1f}× | {over} "
            f"| {ours.extra_info['peak_mib']:,.0f} MiB | {theirs.extra_info['peak_mib']:,.0f} MiB |"
        )
    if len(lines) == 2:
        return
    table = "\n".join(lines)
    memory = properties(terminalreporter, "memory")
    note = f"Peak above inputs and gradients: {'; '.join(memory)}.\n" if memory else ""
    terminalreporter.section("package against what one would run instead")
    terminalreporter.write_line(f"{table}\n\n{note}")
    if config.getoption("--write-table"):
        TABLE.write_text(
            f"{table}\n\n{note}\n{speed}\nRows of 512 numbers, float32, seed 0; fastest of three "
            "rounds; memory is the peak above the inputs. Measured on "
            f"{datetime.date.today().isoformat()} with PyTorch {torch.__version__}, "
            f"{torch.get_num_threads()} threads on {os.cpu_count()} cores, {platform.machine()}.\n"
        )
        terminalreporter.write_line(f"written to {TABLE}")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-table", action="store_true", help="store the table for the book's page on speed"
    )


def properties(terminalreporter: pytest.TerminalReporter, wanted: str) -> list[str]:
    """What tests have recorded under a name."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    recorded = [
        item for report in reports if report.when == "call" for item in report.user_properties
    ]
    return [value for name, value in recorded if name == wanted]


def compare_training(measured: dict[tuple[str, str], Any]) -> str:
    """Samples per second of the package's training and of the plain loop, in a sentence."""
    trained = [measured.get(("samples per second", name)) for name in ("training", "plain loop")]
    if not all(trained):
        return ""
    ours, theirs = (entry.extra_info["samples"] / entry.stats.min for entry in trained)
    return (
        f"{{func}}`modality_gap.lab.training.train` takes {ours:,.0f} samples per second on one "
        "thread. The same model in a plain loop, with open_clip's transform and a PyTorch "
        f"DataLoader, takes {theirs:,.0f}: {ours / theirs:.1f} times fewer.\n"
    )
