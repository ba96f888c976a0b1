"""Copies the notebook edition to where a reader works, and never over what the reader has changed.

python book/_ext/workbook.py _build/html/edition workbook
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

HANDED_OUT = ".handed_out.json"  # what each file was when it was copied


def hand_out(edition: Path, workbook: Path) -> list[str]:
    """Copy what is new; put a newer edition of what the reader has changed beside it.

    Args:
        edition: folder with the notebooks of the build.
        workbook: the reader's folder; made if it is not there.

    Returns:
        One sentence for each notebook that was put beside a changed one.

    Raises:
        FileNotFoundError: there is no edition.
        OSError: the folder cannot be written.
    """
    notebooks = sorted(edition.glob("*.ipynb"))
    if not notebooks:
        raise FileNotFoundError(f"There are no notebooks in {edition}. Type: make book")
    workbook.mkdir(parents=True, exist_ok=True)
    record = workbook / HANDED_OUT
    handed_out = json.loads(record.read_text()) if record.exists() else {}
    said = []
    for source in notebooks:
        new, target = digest(source), workbook / source.name
        if not target.exists() or digest(target) == handed_out.get(source.name):
            copy(source, target)
        elif new not in (handed_out.get(source.name), digest(target)):
            target = workbook / f"{source.stem}.new.ipynb"
            copy(source, target)
            said.append(f"You have changed {source.name}: its newer edition is {target.name}.")
        handed_out[source.name] = new
    record.write_text(json.dumps(handed_out, indent=1))
    return said


def copy(source: Path, target: Path) -> None:
    """Copy a file: whole, or not at all."""
    part = target.with_suffix(".part")
    shutil.copyfile(source, part)
    part.replace(target)


def digest(path: Path) -> str:
    """Hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    try:
        print("\n".join(hand_out(Path(sys.argv[1]), Path(sys.argv[2]))))
    except OSError as error:
        sys.exit(f"The notebooks cannot be copied to {sys.argv[2]}: {error}")
