"""Mends of the HTML of a page that a screen reader would stumble over.

- A header of a table that says nothing is a plain cell.
- The parameters of a signature over several lines are a list, not definitions without terms.
- The list of works has items.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

EMPTY_HEADER = re.compile(r"<th(\s[^>]*)?>((?:\s|&nbsp;|&#160;|<p>\s*</p>)*)</th>")
PARAMETERS = re.compile(r"<dl>\n((?:<dd>.*</dd>\n)+)</dl>")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the step with Sphinx."""
    app.connect("html-page-context", mend, priority=400)  # before others read the body
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def mend(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Mend the body of a page."""
    if "body" in context:
        context["body"] = mended(context["body"])


def mended(body: str) -> str:
    """The HTML, with its tables and lists as a screen reader needs them."""
    body = EMPTY_HEADER.sub(r"<td\1>\2</td>", body)
    body = PARAMETERS.sub(as_list, body)
    return body.replace('role="doc-biblioentry"', 'role="listitem"')


def as_list(match: re.Match[str]) -> str:
    """The parameters of a signature as a list."""
    items = match[1].replace("<dd>", "<li>").replace("</dd>", "</li>")
    return f'<ul class="sig-params">\n{items}</ul>'
