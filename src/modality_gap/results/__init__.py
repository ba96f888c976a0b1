"""Stored results: small text tables, each with the provenance of its runs; reader and writer.

A table is a file NAME.csv: header lines "# name: value", then comma-separated rows. The header
names the version of the format and the checksum of the rows, so that a number changed by hand is
noticed.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from .. import storage

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Path(__file__).parent
FORMAT = "2"


def read(name: str, folder: Path | None = None) -> tuple[pd.DataFrame, dict[str, str]]:
    """A stored table and its provenance.

    Args:
        name: of the table, such as "published_sizes" or a sweep's, such as "imbalance".
        folder: that holds it; the package's own results if None.

    Returns:
        The table, and what its header says: command, source, versions and the like. A sweep's
        table has a row per run and measured step, "closing" one per method as well.

    Raises:
        ValueError: there is no table of that name, and the message lists those there are; it is of
            another format version; or its rows do not fit its checksum.
    """
    import pandas as pd  # takes half a second

    folder = FOLDER if folder is None else folder
    path = folder / f"{name}.csv"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.csv"))) or "none"
        raise ValueError(f"name: there is no table {name!r}; there are {known}")
    header, body = _parse(path)
    _check(path, header, body)
    # A key of hexadecimal digits may look like a number.
    table = pd.read_csv(io.StringIO(body), dtype={"run": str, "drawn_from": str})
    if "drawn_from" in table:
        table["drawn_from"] = table["drawn_from"].fillna("")
    return table, header


def read_tensors(name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Stored tensors by name, and what is known of them: models such as "mini_clip_k3".

    Raises:
        ValueError: the file is damaged, or of another format version.
    """
    path = FOLDER / f"{name}.safetensors"
    tensors, about = storage.load(path)
    _check_format(path, about.pop("format", "1"), about["command"])
    return tensors, about


def write_tensors(path: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Store tensors that `read_tensors` reads; name a "command" that makes them anew."""
    storage.save(path, tensors, {"format": FORMAT, **about})


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a stored table as they stand in the file; ValueError as in `read`."""
    header, body = _parse(path)
    _check(path, header, body)
    return list(csv.DictReader(io.StringIO(body)))


def write(path: Path, about: dict[str, str], rows: Sequence[dict[str, str]]) -> None:
    """Store a table in one piece.

    Args:
        path: of the file, NAME.csv.
        about: what the header says besides format version and checksum; name it a "command".
        rows: their columns in order of first appearance; a cell that a row lacks is left empty.

    Raises:
        OSError: it cannot be stored; the old file is untouched.
    """
    columns = list(dict.fromkeys(column for row in rows for column in row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    body = buffer.getvalue()
    header = {"format": FORMAT, **about, "sha256": _checksum(body)}
    comments = "".join(f"# {name}: {value}\n" for name, value in header.items())
    storage.write(path, (comments + body).encode())


def as_text(value: object) -> str:
    """A cell: floats to six significant digits, words joined by "+", nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple):
        return "+".join(map(str, value))
    return str(value)


def _parse(path: Path) -> tuple[dict[str, str], str]:
    """Header and rows of a file, unchecked."""
    # What is not text will fail the checksum.
    lines = path.read_text("utf-8", errors="replace").splitlines(keepends=True)
    size = next((i for i, line in enumerate(lines) if not line.startswith("# ")), len(lines))
    header = [line[2:].rstrip("\n").partition(": ") for line in lines[:size]]
    return {name: value for name, _, value in header}, "".join(lines[size:])


def _check(path: Path, header: dict[str, str], body: str) -> None:
    """Raise ValueError unless the format is today's and the rows fit their checksum."""
    command = header.get("command", f"python -m modality_gap.experiments --only {path.stem}")
    if path.parent != FOLDER:
        command += f" --out {path.parent}"
    _check_format(path, header.get("format", "unknown"), command)
    if header.get("sha256") != _checksum(body):
        raise ValueError(
            f"{path}: the rows do not fit their checksum: the file is damaged or a number was "
            f"changed by hand; {_remake(command)}"
        )


def _check_format(path: Path, version: str, command: str) -> None:
    if version != FORMAT:
        raise ValueError(
            f"{path}: format version {version}; this package reads version {FORMAT}, whose columns "
            f"have other names; {_remake(command)}"
        )


def _remake(command: str) -> str:
    return f"to make it anew, move it away and run: {command}"


def _checksum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
