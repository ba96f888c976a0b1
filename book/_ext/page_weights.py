"""The small models that figures load when a reader asks for them: one script each, for all pages.

A script, because no page that is opened from the file system may fetch anything else. They are
made of the stored models when a page has a figure that needs them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

USES = "// A small CLIP that runs in the page"  # how the code of a figure begins that needs them


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the step with Sphinx."""
    app.connect("build-finished", write_models)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_models(app: Sphinx, exception: Exception | None) -> None:
    """Write the models beside the pages, unless they are there and newer than what makes them."""
    pages = Path(app.outdir, "notebooks").glob("*.html")
    if (
        exception
        or app.builder.name != "html"
        or not any(USES in page.read_text("utf-8") for page in pages)
    ):
        return
    from modality_gap import results  # takes seconds
    from modality_gap.book.explore import weights

    folder = Path(app.outdir, "_static", "mini_clip")
    folder.mkdir(exist_ok=True)
    for k in weights.KS:
        script = folder / f"k{k}.js"
        sources = [results.FOLDER / f"mini_clip_k{k}.safetensors", Path(weights.__file__)]
        newest = max(source.stat().st_mtime for source in sources)
        if not script.exists() or script.stat().st_mtime < newest:
            script.write_text(weights.script(k), "utf-8")
