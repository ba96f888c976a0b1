"""Executes the pages that are notebooks, several at once, and keeps what they put out.

A page is executed again when its code changed, or a file of the package that the code reaches
(see `imports`). Left out is what the output only shows, and what is judged after all pages have
run: text, captions, styles and scripts of figures, and the claims of the ledger.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import re
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import myst_nb.sphinx_
from IPython.core.inputtransformer2 import TransformerManager
from myst_nb.core.execute.base import NotebookClientBase
from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode, from_dict
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ConfigError
from sphinx.util import logging

import imports

logger = logging.getLogger(__name__)

PACKAGE = Path("src", "modality_gap")
# A page depends on the claims if its cells read them.
READS_CLAIMS = re.compile(r"\bledger\.(BY_ID|CLAIMS|verdict)\b")
SHOWN = (".css", ".js")  # go into the output as they are, and are replaced there
KERNELS = min(4, os.cpu_count() or 1)  # at once; each takes a core and up to a gigabyte

# IPython's configuration of the kernels.
KERNEL_CONFIG = """\
# Otherwise every kernel warns that it listens on the local machine unencrypted.
c.IPKernelApp.log_level = "ERROR"
# In a notebook tqdm.auto heeds no TQDM_DISABLE, and its widgets load scripts from elsewhere.
c.InteractiveShellApp.exec_lines = [
    "import tqdm, tqdm.auto; tqdm.auto.tqdm, tqdm.auto.trange = tqdm.tqdm, tqdm.trange; del tqdm"
]
"""


def kernel_environment(build: Path) -> dict[str, str]:
    """The environment of a kernel: ours, with nothing of the user's own settings of Jupyter.

    Args:
        build: folder for the settings that stand in their place.
    """
    profile = build / ".ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(KERNEL_CONFIG)
    threads = os.environ.get("OMP_NUM_THREADS", "1")
    return {
        # Beside other work, kernels with a thread for each core spend their time waiting. Numba,
        # which UMAP runs on, sets the number for PyTorch as well.
        "OMP_NUM_THREADS": threads,
        "NUMBA_NUM_THREADS": threads,
        **os.environ,
        "IPYTHONDIR": str(profile.parent),
        "MPLCONFIGDIR": str(build / ".matplotlib"),
        "TQDM_DISABLE": "1",
        # Interactive figures as HTML that runs alone: no kernel connection, no widget manager.
        "MODALITY_GAP_STATIC": "1",
    }


@dataclass
class Page:
    """A page that is a notebook, and the file that keeps what its cells have put out."""

    root: Path  # of the book
    name: str  # such as notebooks/04_cone
    notebook: NotebookNode
    store: Path
    failure: str = ""  # where it failed in this build, and how
    outputs: list[list[dict[str, Any]]] = field(default_factory=list)  # of each code cell

    @classmethod
    def read(cls, root: Path, name: str, build: Path) -> Page | None:
        """The page of that name; None if it holds no code."""
        text = (root / f"{name}.md").read_text("utf-8")
        if not is_myst_markdown_notebook(text):
            return None
        config = MdParserConfig(enable_extensions={"colon_fence", "dollarmath"})
        notebook = read_myst_markdown_notebook(text, config, add_source_map=True)
        page = cls(root, name, notebook, build / ".executed" / f"{name}.json")
        page.outputs = page.stored.get("outputs", [])
        return page

    @cached_property
    def code(self) -> list[NotebookNode]:
        """The cells with code."""
        return [cell for cell in self.notebook.cells if cell.cell_type == "code"]

    @cached_property
    def stored(self) -> dict[str, Any]:
        """What the file holds."""
        return json.loads(self.store.read_text("utf-8")) if self.store.exists() else {}

    @cached_property
    def reached(self) -> list[Path]:
        """The files of the package that the code depends on, data in the same folders included."""
        package = self.root / PACKAGE
        python = TransformerManager().transform_cell  # without %magic
        code = "\n".join(python(cell.source) for cell in self.code)
        apart = [] if READS_CLAIMS.search(code) else list((package / "book").glob("claims.*"))
        modules = imports.reach(code, package, frozenset(apart))
        beside = {path for module in modules for path in module.parent.iterdir() if path.is_file()}
        data = {path for path in beside.difference(apart) if path.suffix != ".py"}
        return sorted(modules | data)

    @cached_property
    def key(self) -> str:
        """What the outputs follow from: while it stays, the page is not executed again."""
        tags = {"raises-exception", "skip-execution"}
        cells = [
            (cell.source, sorted(tags.intersection(cell.metadata.get("tags", []))))
            for cell in self.code
        ]
        return digest(repr(cells), *(path for path in self.reached if path.suffix not in SHOWN))

    @cached_property
    def assets(self) -> dict[str, str]:
        """Name and text of the files that the outputs show."""
        shown = [path for path in self.reached if path.suffix in SHOWN]
        return {path.relative_to(self.root).as_posix(): path.read_text("utf-8") for path in shown}

    @property
    def state(self) -> str:
        """What the page on the site follows from, beside its text."""
        return digest(self.key, repr(self.assets))

    @property
    def current(self) -> bool:
        """Whether it need not be executed."""
        return self.stored.get("key") == self.key

    def execute(self, environment: dict[str, str], timeout: float) -> None:
        """Run the cells, and keep what they put out if none fails."""
        at = 0

        def note(cell: NotebookNode, cell_index: int) -> None:
            nonlocal at
            at = cell_index

        start = time.monotonic()
        folder = str((self.root / self.name).parent)
        client = NotebookClient(
            self.notebook,
            timeout=timeout,
            resources={"metadata": {"path": folder}},
            on_cell_start=note,
        )
        try:
            client.execute(env=environment)
        except CellExecutionError as error:
            what = f"{error.ename}: {error.evalue}"
        except CellTimeoutError:
            what = f"took longer than {timeout:g} s"
        except DeadKernelError:
            what = "the kernel died"
        else:
            what = ""
        self.outputs = [cell.outputs for cell in self.code]
        if what:
            line = self.notebook.metadata.source_map[at] + 1
            number = self.code.index(self.notebook.cells[at]) + 1
            self.failure = f"{self.name}.md, code cell {number} (line {line}): {what}"
        else:
            self.keep(time.monotonic() - start)

    def keep(self, seconds: float) -> None:
        """Store the outputs, for this build and later ones."""
        entry = {
            "key": self.key,
            "seconds": seconds,
            "assets": self.assets,
            "outputs": self.outputs,
        }
        self.store.parent.mkdir(parents=True, exist_ok=True)
        part = self.store.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(entry), "utf-8")
        part.replace(self.store)
        self.stored = entry

    def fill(self, notebook: NotebookNode) -> None:
        """Put the outputs into the code cells of a notebook; none if they belong to other cells."""
        text = json.dumps(self.outputs)
        for name, old in self.stored.get("assets", {}).items():
            if old.strip():
                new = self.assets.get(name, old)
                text = text.replace(json.dumps(old)[1:-1], json.dumps(new)[1:-1])
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        outputs = from_dict(json.loads(text))
        if len(outputs) == len(cells):
            for number, (cell, found) in enumerate(zip(cells, outputs, strict=True), start=1):
                cell.outputs, cell.execution_count = found, number
        notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}


def digest(*parts: str | Path) -> str:
    """Hash of texts and of the contents of files."""
    contents = (part.read_bytes() if isinstance(part, Path) else part.encode() for part in parts)
    each = [hashlib.sha256(content).hexdigest() for content in contents]
    return hashlib.sha256("".join(each).encode()).hexdigest()


def execute(pages: Iterable[Page], build: Path, timeout: float) -> Iterator[Page]:
    """Execute pages, those that took longest the last time first; yields each when it is done."""
    todo: queue.SimpleQueue[Page] = queue.SimpleQueue()
    done: queue.SimpleQueue[Page | BaseException] = queue.SimpleQueue()
    environment = kernel_environment(build)

    def work() -> None:
        while True:
            page = todo.get()
            try:
                page.execute(environment, timeout)
            except BaseException as error:  # raised where it is waited for
                done.put(error)
            else:
                done.put(page)

    pages = sorted(pages, key=lambda page: (-page.stored.get("seconds", 1e9), -len(page.code)))
    for page in pages:
        todo.put(page)
    # Kernels are processes of their own. A daemon does not keep Ctrl-C waiting for a chapter.
    for _ in range(min(KERNELS, len(pages))):
        threading.Thread(target=work, daemon=True).start()
    for _ in pages:
        page = done.get()
        if isinstance(page, BaseException):
            raise page
        yield page


# Steps of the build


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the steps with Sphinx."""
    # Name of the only page to execute: the others show what they last put out, or nothing.
    app.add_config_value("book_page", os.environ.get("BOOK_PAGE", "").removesuffix(".md"), "")
    app.connect("builder-inited", check_page)
    app.connect("env-get-outdated", read_pages)
    app.connect("env-before-read-docs", execute_pages)
    myst_nb.sphinx_.create_client = lambda notebook, source, config, log, read_fmt=None: Outputs(
        notebook, Path(source), config, log, app=app
    )
    return {"parallel_read_safe": False, "parallel_write_safe": True}


def check_page(app: Sphinx) -> None:
    """Refuse the name of a page that is not in the book."""
    pages = [name.removesuffix(".md") for name in app.config.external_site_map]
    if app.config.book_page and app.config.book_page not in pages:
        raise ConfigError(f"PAGE={app.config.book_page} is none of {', '.join(pages)}")


def read_pages(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Find the notebooks; ask for those to be read whose outputs on the site are not current."""
    build = Path(app.outdir).parent
    found = ((name, Page.read(Path(app.srcdir), name, build)) for name in env.found_docs)
    app.book_pages = {name: page for name, page in found if page}
    if not hasattr(env, "shown_states"):
        env.shown_states = {}
    return [
        name
        for name, page in app.book_pages.items()
        if env.shown_states.get(name) != page.state and app.config.book_page in ("", name)
    ]


def execute_pages(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Execute what is about to be read and is not current."""
    only, off = app.config.book_page, app.config.nb_execution_mode == "off"
    pages = [page for name in docnames if (page := app.book_pages.get(name))]
    stale = [page for page in pages if not page.current and not off and only in ("", page.name)]
    if stale:
        logger.info("executing %s", ", ".join(page.name for page in stale))
    start = time.monotonic()
    done = execute(stale, Path(app.outdir).parent, app.config.nb_execution_timeout)
    for number, page in enumerate(done, start=1):
        how = "failed" if page.failure else f"{page.stored['seconds']:.0f} s"
        logger.info("executed %s (%d of %d): %s", page.name, number, len(stale), how)
    if stale:
        logger.info("executed all in %.0f s", time.monotonic() - start)
    for page in pages:  # what failed, or was read while others lacked their figures, is read again
        right = page.current and not page.failure and not only
        env.shown_states[page.name] = page.state if right else ""


class Outputs(NotebookClientBase):
    """Gives MyST-NB the outputs, when it reads a page."""

    def start_client(self) -> None:
        """Fill the notebook."""
        app = self._kwargs["app"]
        app.book_pages[app.env.docname].fill(self.notebook)
