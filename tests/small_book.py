"""A small book with one chapter, made in a folder and built again and again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEADER = """\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# A cone

"""
FIGURE = """\
```{code-cell} ipython3
---
mystnb:
  figure:
    name: fig-square
    caption: A square.
  image:
    alt: A filled square.
---
from IPython.display import SVG

SVG('<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h9v9z" fill="#24292F"/></svg>')
```

$$
a = b
$$ (eq-equal)
"""


def make(folder: Path, chapter: str, pages: dict[str, str] | None = None) -> Path:
    """Write the book's sources: an intro, chapter 4, and further pages by their name in `book`."""
    for name in ("_config.yml", "book/_ext", "book/_static", "book/references.bib"):
        target = folder / name
        target.parent.mkdir(exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, target)
    parts = ["{caption: Chapters, numbered: 2, chapters: [{file: notebooks/04_cone}]}"]
    parts += [f"{{caption: End, chapters: [{{file: book/{name}}}]}}" for name in pages or {}]
    (folder / "_toc.yml").write_text(
        f"{{format: jb-book, root: book/intro, parts: [{', '.join(parts)}]}}"
    )
    for name, text in {"intro": "# Intro\n", **(pages or {})}.items():
        (folder / "book" / f"{name}.md").write_text(text)
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / "04_cone.md").write_text(chapter)
    (folder / "src" / "modality_gap").mkdir(parents=True)
    return folder


def build(book: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Build it as `make book` does, without its PDF."""
    command = [Path(sys.executable).with_name("jupyter-book"), "build", ".", "-W", "-n"]
    return subprocess.run(
        [*command, "--keep-going"],
        cwd=book,
        env=os.environ | {"MODALITY_GAP_BROWSER": "none"} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text that must be there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
