"""The book's own build steps, as a Sphinx extension.

- Every SVG figure gets a second version for the dark page.
- Repository buttons appear only when the build is told where the repository is.
- A failed cell, a missing page, or any warning makes the build end with an error, every time, and
  stands in its last lines.
"""

from __future__ import annotations

import atexit
import os
import re
import sys
from collections import Counter
from logging import Filter, LogRecord, getLogger
from pathlib import Path
from typing import IO, Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.transforms import SphinxTransform
from sphinx.util.logging import (
    NAMESPACE,
    SafeEncodingWriter,
    WarningLogRecordTranslator,
    WarningStreamHandler,
)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the steps with Sphinx."""
    collect_warnings(app)
    app.connect("config-inited", set_repository)
    app.add_transform(DarkFigures)
    app.connect("build-finished", check_build)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


# Figures for the dark page


def darken(svg: str, colors: dict[str, str]) -> str:
    """Replace colours, written as #rrggbb, in the text of an SVG file."""
    dark = {light.lower(): color for light, color in colors.items()}
    pattern = re.compile("|".join(re.escape(light) + r"(?![0-9a-f])" for light in dark), re.I)
    return pattern.sub(lambda match: dark[match[0].lower()], svg)


def slim(svg: str) -> str:
    """An SVG that draws the same, a third lighter: paths and places to hundredths of a point.

    What draws nothing is left out: comments, metadata, line breaks, and names that nothing uses.
    """
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"\s*\n\s*", "\n", svg).replace(">\n<", "><").replace("\n", " ").strip()
    names = Counter(re.findall(r"[\w.:-]+", svg))
    svg = re.sub(r' id="([\w.:-]+)"', lambda name: name[0] if names[name[1]] > 1 else "", svg)
    svg = re.sub(r'(?<= style=")[^"]+', lambda style: re.sub("([:;]) ", r"\1", style[0]), svg)
    return re.sub(r'(?<= [dxy]=")[^"]+', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), svg)


def same(path: Path, text: str) -> bool:
    """Whether a file holds that text."""
    return path.exists() and path.read_text("utf-8") == text


class DarkFigures(SphinxTransform):
    """Put beside every SVG a copy in the colours of the dark page.

    The theme shows one of the two. The other is not displayed, so screen readers skip it.
    """

    default_priority = 500

    def apply(self, **kwargs: object) -> None:
        """Replace each image by an element that holds the pair."""
        drawn = Path(self.env.mystnb_config.output_folder)
        for image in list(self.document.findall(nodes.image)):
            path = Path(self.env.relfn2path(image["uri"])[1])
            if path.suffix != ".svg" or not path.is_file():
                continue
            from modality_gap.book.plots import DARK  # takes seconds: only where a figure needs it

            dark_path = drawn / f"{path.stem}.dark.svg"
            light = slim(path.read_text("utf-8"))
            drawn.mkdir(parents=True, exist_ok=True)
            for target, svg in ((path, light), (dark_path, darken(light, DARK))):
                # Sphinx reads a page again when a file it shows is newer than the page.
                if target.is_relative_to(drawn) and not same(target, svg):
                    target.write_text(svg, "utf-8")
            dark = image.deepcopy()
            dark["uri"] = "/" + Path(os.path.relpath(dark_path, self.env.srcdir)).as_posix()
            image["classes"].append("only-light")
            dark["classes"].append("only-dark")
            # The theme hides a caption beside a hidden image; an element around the pair keeps
            # them apart.
            pair = nodes.inline(classes=["figure-pair"])
            image.parent.replace(image, pair)
            pair += [image, dark]


def set_repository(app: Sphinx, config: Config) -> None:
    """Switch on the theme's repository buttons if the build is told where the repository is."""
    config.book_repository_url = config.book_repository_url.removesuffix(".git")
    if config.book_repository_url:
        config.html_theme_options |= {
            "repository_url": config.book_repository_url,
            "repository_branch": config.book_repository_branch,
            "use_repository_button": True,
            "use_edit_page_button": True,
        }


# The end of the build


class Repeated(SafeEncodingWriter):
    """A stream of warnings that remembers what was written."""

    def __init__(self, stream: IO[str]) -> None:
        """Write to that stream."""
        super().__init__(stream)
        self.written: list[str] = []

    def write(self, data: str) -> None:
        """Write, and remember."""
        super().write(data)
        self.written.append(data.rstrip())


class OnlyFrom(Filter):
    """Lets the warnings of one page pass: the others may show old outputs, or none."""

    def __init__(self, app: Sphinx) -> None:
        """Let the page of `app.config.book_page` pass."""
        super().__init__()
        self.app = app

    def filter(self, record: LogRecord) -> bool:
        """Whether the warning is about the page, and not about a figure that another page lacks."""
        here = f"/{self.app.config.book_page}.md:" in f"{getattr(record, 'location', '')}:"
        bare = any(not page.outputs for page in self.app.book_pages.values())
        return here and not (bare and getattr(record, "subtype", "") in ("ref", "numref"))


def collect_warnings(app: Sphinx) -> None:
    """Keep all warnings, for the last lines of the build."""
    (handler,) = (h for h in getLogger(NAMESPACE).handlers if isinstance(h, WarningStreamHandler))
    handler.setStream(Repeated(handler.stream))
    app.book_warnings = handler.stream.written
    if app.config.book_page:
        # Before Sphinx counts them.
        handler.filters[:0] = [WarningLogRecordTranslator(app), OnlyFrom(app)]


def check_build(app: Sphinx, exception: Exception | None) -> None:
    """Turn failed cells and missing pages into errors, and say last what was wrong."""
    pages = getattr(app, "book_pages", {}).values()
    problems = [f"FAILED: {page.failure}" for page in pages if page.failure]
    if exception is None:
        problems += missing_pages(app)
    if problems or app._warncount:
        # Sphinx does not repeat a warning for a page it has not read again: read all next time.
        Path(app.doctreedir, "environment.pickle").unlink(missing_ok=True)
    if problems:
        app.statuscode = 1
    if lines := app.book_warnings + problems:
        # Printed when Python ends, so that it stands below everything else.
        atexit.register(print, "\n" + "\n".join(lines), file=sys.stderr)


def missing_pages(app: Sphinx) -> list[str]:
    """One sentence for every page of _toc.yml that was not written."""
    if app.builder.name != "html":
        return []
    pages = [name.removesuffix(".md") for name in app.config.external_site_map]
    return [
        f"FAILED: _toc.yml names {page}, but the build made no page of it"
        for page in pages
        if not Path(app.builder.get_outfilename(page)).is_file()
    ]
