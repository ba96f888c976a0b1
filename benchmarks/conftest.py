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
    lines = [
        "| function | package | textbook | time ratio | package memory | textbook memory "
        "| memory ratio |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for (function, version), ours in measured.items():
        theirs = measured.get((function, "textbook"))
        if version != "package" or theirs is None:
            continue
        seconds = ours.stats.min, theirs.stats.min
        mebibytes = ours.extra_info["peak_mib"], theirs.extra_info["peak_mib"]
        lines.append(
            f"| `{function}` | {1e3 * seconds[0]:,.0f} ms | {1e3 * seconds[1]:,.0f} ms "
            f"| {seconds[1] / seconds[0]:.1f}× | {mebibytes[0]:,.0f} MiB | {mebibytes[1]:,.0f} MiB "
            f"| {mebibytes[1] / max(mebibytes[0], 1):.0f}× |"
        )
    if len(lines) == 2:
        return
    table = "\n".join(lines)
    terminalreporter.section("package against textbook")
    terminalreporter.write_line(table)
    bare = measured.get(("uniformity", "bare product"))
    ours = measured.get(("uniformity", "package"))
    note = ""
    if bare and ours:
        note = (
            f"The bare blocked matrix product of the same {ours.extra_info['shape']} takes "
            f"{1e3 * bare.stats.min:,.0f} ms; `uniformity` takes "
            f"{ours.stats.min / bare.stats.min:.2f} times as long.\n"
        )
        terminalreporter.write_line(note)
    if config.getoption("--write-table"):
        shape = next(iter(measured.values())).extra_info["shape"]
        TABLE.write_text(
            f"{table}\n\n{note}\n{speed}\nInputs of shape {shape}, float32, seed 0; fastest round; "
            f"memory is the peak above the inputs. Measured on {datetime.date.today().isoformat()} "
            f"with PyTorch {torch.__version__}, {torch.get_num_threads()} threads on "
            f"{os.cpu_count()} cores, {platform.machine()}.\n"
        )
        terminalreporter.write_line(f"written to {TABLE}")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-table", action="store_true", help="store the table for the book's page on speed"
    )


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
