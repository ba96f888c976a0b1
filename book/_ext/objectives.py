"""What a chapter teaches and needs, in a box of two lines, from the table objectives.yml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

TABLE = Path("book", "objectives.yml")

logger = logging.getLogger(__name__)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("objectives", Objectives)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Objectives(SphinxDirective):
    """The box of the chapter it stands in."""

    def run(self) -> list[nodes.Node]:
        """The box; a warning if the table has no such chapter."""
        path = Path(self.env.srcdir, TABLE)
        self.env.note_dependency(str(path))
        table = yaml.safe_load(path.read_text("utf-8")) if path.exists() else {}
        chapter = table.get(Path(self.env.docname).name)
        if not chapter or set(chapter) != {"can", "needs"}:
            what = "objectives: give %s what it can and needs, in %s"
            logger.warning(what, self.env.docname, TABLE, location=self.get_location())
            return []
        text = f"**After this chapter** you can {chapter['can']}."
        text += f"\n\n**You need** {chapter['needs']}."
        return [nodes.container("", *self.parse_text_to_nodes(text), classes=["objectives"])]
