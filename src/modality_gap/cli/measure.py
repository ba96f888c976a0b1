"""`modality-gap measure`."""

from __future__ import annotations

import argparse
import csv
import difflib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..embeddings import load_embeddings, open_pairs
from ..embeddings.formats import read_arrays
from ..embeddings.named import OWN, PUBLISHED
from ..report import NAMES, SAMPLE, Measured, measure

if TYPE_CHECKING:
    from argparse import _SubParsersAction

Column = dict[str, float]

HELP = """\
Every size of the gap, cosines of right and wrong pairs, alignment, uniformity, separability,
recall, hubs, and the temperature at which the loss would leave the gap as it is, with intervals for
95 % of such samples of pairs.

  modality-gap measure mine.safetensors                  two named arrays, or what embed wrote
  modality-gap measure images.npy texts.npy              a file for each side
  modality-gap measure stack.npy                         shape (2, N, D)
  modality-gap measure embeddings/                       img_emb/*.npy and text_emb/*.npy
  modality-gap measure --images a0.npy a1.npy --texts b0.npy b1.npy
  modality-gap measure coco.npz --owner owner.npy        several captions an image

Compare only what is comparable: numbers depend on the pairs, their number and the architecture, so
encode the same pairs with both models.
"""


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its arguments."""
    parser = commands.add_parser(
        "measure",
        help="the numbers of the book for your embeddings",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_files(parser)
    parser.add_argument(
        "--beside",
        nargs="*",
        default=["clip", "mini-clip-k3"],
        metavar="NAME",
        help="models to compare with, of the published and the book's own; default: clip "
        "mini-clip-k3; nothing after it: none",
    )
    parser.add_argument(
        "--sample",
        type=int,
        default=SAMPLE,
        help=f"images for what compares all with all, default {SAMPLE}; all of them: exact",
    )
    parser.add_argument("--seed", type=int, default=0, help="of samples and bootstrap, default 0")
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="a Dask scheduler that takes the pass"
    )
    parser.add_argument("--json", action="store_true", help="as JSON, for a program")
    parser.add_argument("--csv", action="store_true", help="as CSV, a row for each set")
    parser.set_defaults(run=run)


def add_files(parser: argparse.ArgumentParser) -> None:
    """The arguments that say where embeddings lie."""
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILES",
        help=".safetensors, .npz, .npy, .pt or .parquet with both sides, a folder of shards, or "
        "one file for each side; or a name, such as clip",
    )
    parser.add_argument(
        "--images", nargs="+", metavar="FILE", help="shards of the images, or the array's name"
    )
    parser.add_argument(
        "--texts", nargs="+", metavar="FILE", help="shards of the captions, or the array's name"
    )
    parser.add_argument("--owner", metavar="FILE", help="of each caption the row of its image")
    parser.add_argument("--normalize", action="store_true", help="make rows unit first")


def opened(chosen: argparse.Namespace) -> list[Any]:
    """What the arguments name: sets of both sides.

    Raises:
        ValueError: nothing is named.
    """
    files = [path.expanduser() for path in chosen.files]
    named: dict[str, Any] = {"owner": chosen.owner, "normalize": chosen.normalize}
    if chosen.images or chosen.texts:
        if len(files) == 1 and files[0].is_file():
            named |= {"images": _one(chosen.images), "texts": _one(chosen.texts)}
        else:
            named |= {"images": chosen.images, "texts": chosen.texts}
        return [open_pairs(files, **named)]
    if not files:
        raise ValueError("files: expected embeddings to measure; modality-gap measure --help")
    if len(files) == 2 and all(_one_sided(path) for path in files):
        return [open_pairs(files, **named)]
    return [_open(path, named) for path in files]


def run(chosen: argparse.Namespace) -> None:
    """Measure, and print in the wanted form."""
    client = _client(chosen.scheduler) if chosen.scheduler else None
    spread = None if client is None else spread_by(client)
    found = [
        measure(
            each,
            normalize=chosen.normalize,
            sample=chosen.sample,
            seed=chosen.seed,
            spread=spread,
        )
        for each in opened(chosen)
    ]
    if client is not None:
        client.close()
    if chosen.json:
        told = [each.to_dict() for each in found]
        print(json.dumps(told[0] if len(told) == 1 else told, indent=2, allow_nan=False))
    elif chosen.csv:
        _print_csv(found)
    else:
        _print_table(found, {name: beside(name) for name in chosen.beside})


def beside(name: str) -> Column:
    """A known model by the same names: stored for the published, measured now for the book's own.

    Raises:
        ValueError: no such name.
    """
    if name in PUBLISHED:
        from .. import results

        table, _ = results.read("published_measured")
        rows = table[(table["set"] == name) & table["value"].notna()]
        return dict(zip(rows["measure"], rows["value"].astype(float), strict=True))
    return dict(measure(load_embeddings(name)).values)


def spread_by(client: Any) -> Any:  # noqa: ANN401
    """A `map` over the workers of a Dask cluster, which repeats what a lost worker had."""

    def spread(function: Any, parts: Sequence[Any]) -> list[Any]:  # noqa: ANN401
        futures = client.map(function, parts, pure=False, retries=3)
        return list(client.gather(futures))

    return spread


def _client(address: str) -> Any:  # noqa: ANN401
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise ImportError("--scheduler needs Dask: pip install 'modality-gap[cluster]'") from None
    try:
        return Client(address, timeout="10s")
    except OSError as error:
        raise ValueError(f"--scheduler: {address} does not answer: {error}") from None


def _open(path: Path, named: dict[str, Any]) -> Any:  # noqa: ANN401
    known, name = [*OWN, *PUBLISHED], str(path)
    if not path.exists() and difflib.get_close_matches(name, known):
        return load_embeddings(name)  # which says which name is meant
    return open_pairs(path, **named)


def _one_sided(path: Path) -> bool:
    return path.is_file() and len(read_arrays(path)) == 1


def _one(names: Sequence[str] | None) -> str | None:
    return names[0] if names else None


def _print_csv(found: Sequence[Measured]) -> None:
    rows = []
    for each in found:
        row: dict[str, Any] = {
            key: value for key, value in each.to_dict().items() if key not in ("intervals", "notes")
        }
        for name, (low, high) in each.intervals.items():
            row |= {f"{name}_from": low, f"{name}_to": high}
        rows.append(row)
    writer = csv.DictWriter(sys.stdout, list(dict.fromkeys(key for row in rows for key in row)))
    writer.writeheader()
    writer.writerows(rows)


def _print_table(found: Sequence[Measured], others: dict[str, Column]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("measure")
    for each in found:
        table.add_column(each.name or "yours", justify="right")
        table.add_column("95 %")
    for name in others:
        table.add_column(name, justify="right", style="dim")
    table.add_column("meaning")
    for name, (meaning, *_) in NAMES.items():
        cells = []
        for each in found:
            value, ends = each.values.get(name), each.intervals.get(name)
            cells += [_digits(value), "" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"]
        cells += [_digits(column.get(name)) for column in others.values()]
        table.add_row(name, *cells, meaning)
    for each in found:
        console.print(each._title())
    console.print(table)
    for each in found:
        for note in each.notes:
            console.print(f"Note: {note}", soft_wrap=True)
    if others:
        console.print(
            "Beside it: other pairs, so compare with care; the same pairs, encoded by both models, "
            "compare them.",
            soft_wrap=True,
        )


def _digits(value: float | None) -> str:
    return "" if value is None or value != value else f"{value:.4f}"  # NaN: it does not exist
