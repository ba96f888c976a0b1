"""JupyterLab for authors: a chapter that is opened and saved unchanged is the same file.

jupyter lab --config book/_ext/edit_config.py notebooks

As a script it brings chapters into that layout: python book/_ext/edit_config.py notebooks/*.md
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import jupytext.myst
import yaml
from jupytext.config import load_jupytext_config
from jupytext.myst import CompactDumper


def in_lines(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """A text as the chapters have it: a block where it has lines of its own, else in one line."""
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


class ChapterDumper(CompactDumper):
    """Jupytext's way to write options of cells, without breaking lines."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
        """As the class above."""
        super().__init__(*arguments, **{**options, "width": 10**6})


ChapterDumper.add_representer(str, in_lines)


def layout(path: Path) -> str:
    """What JupyterLab writes when a chapter is opened and saved."""
    config = load_jupytext_config(__file__)
    return jupytext.writes(jupytext.read(path, config=config), fmt="md:myst", config=config)


jupytext.myst.CompactDumper = ChapterDumper

if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(layout(Path(name)), "utf-8")
