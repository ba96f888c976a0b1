"""Widgets that also run on a page without a kernel: one JavaScript module, two hosts.

In JupyterLab anywidget hosts the module. On a page of the book some twenty lines of inline script
do, `host.js`; the page needs no widget manager, and nothing from elsewhere.
"""

from __future__ import annotations

import base64
import html
import json
import os
from pathlib import Path
from typing import Any

import anywidget

FOLDER = Path(__file__).parent
# The environment variable that is set where only the page's version is wanted: in the book's build.
STATIC = "MODALITY_GAP_STATIC"


def read(name: str) -> str:
    """A file of this folder."""
    return (FOLDER / name).read_text("utf-8")


class PageWidget(anywidget.AnyWidget):
    """An anywidget whose output is also a piece of HTML that runs alone.

    A subclass gives `_esm` and `_css`, synced traits that JSON can hold, and `still`.
    """

    def still(self) -> tuple[bytes, str]:
        """A picture of the present state as a PNG file, and its alternative text."""
        raise NotImplementedError

    def open(self) -> None:
        """Connect to the front end, unless only the page is wanted."""
        if STATIC not in os.environ:
            super().open()

    def page(self) -> str:
        """The figure as HTML: a still picture, and what takes its place where scripts run."""
        inherited = {*anywidget.AnyWidget.class_trait_names(), "_esm", "_css", "_anywidget_id"}
        state = {name: getattr(self, name) for name in self.keys if name not in inherited}
        picture, description = self.still()
        source = "data:image/png;base64," + base64.b64encode(picture).decode()
        return (
            '<div class="explore">\n'
            f"<style>\n{read('host.css')}{self._css}</style>\n"
            f'<img class="explore-still" src="{source}" alt="{html.escape(description)}">\n'
            '<div class="explore-live"></div>\n'
            f'<script type="text/plain">\n{in_script(str(self._esm))}</script>\n'
            f'<script type="application/json">{json_in_script(state)}</script>\n'
            f"<script>\n{in_script(read('host.js'))}</script>\n"
            "</div>\n"
        )

    def _repr_mimebundle_(self, **options: Any) -> Any:  # noqa: ANN401 (as in the base class)
        if STATIC in os.environ:
            return {"text/html": self.page(), "text/plain": repr(self)}, {}
        bundle = super()._repr_mimebundle_(**options)
        if bundle is not None:
            bundle[0]["text/html"] = self.page()
        return bundle


def in_script(code: str) -> str:
    r"""JavaScript that cannot end the element it stands in: `</` in its strings becomes `<\/`."""
    return code.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def json_in_script(state: dict[str, Any]) -> str:
    """JSON that cannot end the element it stands in."""
    return json.dumps(state, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
