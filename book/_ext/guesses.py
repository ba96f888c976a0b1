"""Guess first: a directive that puts empty axes before a figure.

    ```{guess} fig-cone-depth
    Before you look: how does the mean cosine go on with depth?
    ```

The values come from the chapter: a cell that the page removes hands them over by
`modality_gap.book.guess.offer`. A script draws the axes and hides the figure until the reader has
guessed or skipped; without scripts, in print and in the notebook only the question stands there.
"""

from __future__ import annotations

import ast
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

KEY = "guess:"  # as in modality_gap.book.guess, whose import takes seconds
RECORD = "application/papermill.record/text/plain"

logger = logging.getLogger(__name__)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive and its node."""
    app.add_directive("guess", Guess)
    app.add_node(GuessNode, html=(visit, depart))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class GuessNode(nodes.General, nodes.Element):
    """A question, with the figure and the values that answer it."""


def visit(translator: Any, node: GuessNode) -> None:  # noqa: ANN401
    """Begin the element that the script finds."""
    data = {"data-figure": node["figure"], "data-guess": node["values"]}
    translator.body.append(translator.starttag(node, "div", **data))


def depart(translator: Any, node: GuessNode) -> None:  # noqa: ANN401
    """End it."""
    translator.body.append("</div>\n")


class Guess(SphinxDirective):
    """The question to a figure, which is the argument."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """The question; a warning if no cell offers the figure's values."""
        figure = self.arguments[0]
        page = self.env.app.book_pages.get(self.env.docname)
        outputs = [output for cell in page.outputs for output in cell] if page else []
        offered = {
            output.get("metadata", {}).get("scrapbook", {}).get("name"): output
            for output in outputs
        }
        content = self.parse_content_to_nodes()
        if not content:
            logger.warning("guess: ask something", location=self.get_location())
        if output := offered.get(KEY + figure):
            values = ast.literal_eval("".join(output["data"][RECORD]))
            return [GuessNode("", *content, classes=["guess"], figure=figure, values=values)]
        if outputs:
            what = "guess: no cell offers values of %s, by modality_gap.book.guess.offer"
            logger.warning(what, figure, location=self.get_location())
        return content
