"""A small book, made in a folder and built again and again within the process of the test."""

from __future__ import annotations

import shutil
from pathlib import Path
from unittest import mock

from click.testing import CliRunner
from jupyter_book.cli.main import main
from sphinx.config import Config

import book_build

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


def make(folder: Path, chapters: dict[str, str], pages: dict[str, str] | None = None) -> Path:
    """Write the book's sources: an intro, numbered chapters, and further pages in `book`."""
    sources = ("_config.yml", "book/_ext", "book/_static", "book/references.bib")
    for name in (*sources, "pyproject.toml", "CITATION.cff"):
        target = folder / name
        target.parent.mkdir(exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, target)
    numbered = ", ".join(f"{{file: notebooks/{name}}}" for name in chapters)
    parts = [f"{{caption: Chapters, numbered: 2, chapters: [{numbered}]}}"]
    parts += [f"{{caption: End, chapters: [{{file: book/{name}}}]}}" for name in pages or {}]
    (folder / "_toc.yml").write_text(
        f"{{format: jb-book, root: book/intro, parts: [{', '.join(parts)}]}}"
    )
    texts = {f"book/{name}": text for name, text in {"intro": "# Intro\n", **(pages or {})}.items()}
    texts |= {f"notebooks/{name}": HEADER + text for name, text in chapters.items()}
    (folder / "notebooks").mkdir()
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text)
    (folder / "src" / "modality_gap").mkdir(parents=True)
    return folder


def build(book: Path, **variables: str) -> tuple[int, str]:
    """Build it as `make book` does, without its PDF: the exit status, and what was printed."""
    # Kernels import the book's own package, if it has one.
    variables = {"MODALITY_GAP_BROWSER": "none", "PYTHONPATH": str(book / "src")} | variables
    # The theme adds to the default itself: every build of this process would write all pages.
    Config.config_values["templates_path"].default.clear()
    with mock.patch.object(book_build.atexit, "register") as register:
        result = CliRunner().invoke(
            main, ["build", str(book), "-W", "-n", "--keep-going"], env=variables
        )
    last = [call.args[1] for call in register.call_args_list if call.args[0] is print]
    return result.exit_code, result.output + "".join(last)


def executed(printed: str) -> list[str]:
    """The pages that a build has executed."""
    return sorted(line.split()[1] for line in printed.splitlines() if line.startswith("executed n"))


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text that must be there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
