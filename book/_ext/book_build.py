"""The book's own build steps, as a Sphinx extension.

- The cache of executed chapters follows the state of `src/`, not only of the chapter.
- A chapter keeps the number in its file name, on the page, in the sidebar and in its figures.
- Every SVG figure gets a second version for the dark page.
- Every chapter can be downloaded as a notebook; Binder, Colab and repository buttons appear only
  when the build is told where the repository is.
- A failed cell, a missing page, or any warning makes the build end with an error, every time.
"""

from __future__ import annotations

import atexit
import copy
import hashlib
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors.toctree import TocTreeCollector
from sphinx.transforms import SphinxTransform

CHAPTER = re.compile(r"notebooks/(\d\d)_\w+")

# Where the repository is, if the build is told:
#   BOOK_REPOSITORY_URL     for example https://github.com/owner/name; repository and Binder buttons
#   BOOK_REPOSITORY_BRANCH  main if not given
#   BOOK_NOTEBOOKS_URL      folder with the built notebooks on GitHub, for the Colab button. Colab
#                           opens .ipynb files only, and the repository holds none; a branch that
#                           the site is published from has them, for example
#                           https://github.com/owner/name/blob/gh-pages/_sources
SETTINGS = {
    "book_repository_url": ("BOOK_REPOSITORY_URL", ""),
    "book_repository_branch": ("BOOK_REPOSITORY_BRANCH", "main"),
    "book_notebooks_url": ("BOOK_NOTEBOOKS_URL", ""),
}


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the steps with Sphinx."""
    for name, (variable, default) in SETTINGS.items():
        app.add_config_value(name, os.environ.get(variable, default), "html")
    app.connect("config-inited", set_kernel_environment)
    app.connect("config-inited", set_execution_cache)
    app.connect("config-inited", set_repository)
    # Sphinx numbers sections and figures at this event, with the default priority of 500.
    app.connect("env-get-updated", restore_running_numbers, priority=400)
    app.connect("env-get-updated", number_chapters, priority=600)
    app.add_transform(DarkFigures)
    app.connect("html-page-context", add_notebook_buttons)
    app.connect("build-finished", check_build)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


# Execution


# IPython's configuration of the kernels that execute the chapters.
KERNEL_CONFIG = """\
# Otherwise every kernel warns that it listens on the local machine unencrypted.
c.IPKernelApp.log_level = "ERROR"
# In a notebook tqdm.auto heeds no TQDM_DISABLE, and its widgets load scripts from elsewhere.
c.InteractiveShellApp.exec_lines = [
    "import tqdm, tqdm.auto; tqdm.auto.tqdm, tqdm.auto.trange = tqdm.tqdm, tqdm.trange; del tqdm"
]
"""


def set_kernel_environment(app: Sphinx, config: Config) -> None:
    """Set what the kernels inherit: no progress bars, and nothing of the user's own settings."""
    profile = Path(app.outdir).parent / ".ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(KERNEL_CONFIG)
    os.environ["IPYTHONDIR"] = str(profile.parent)
    os.environ["MPLCONFIGDIR"] = str(Path(app.outdir).parent / ".matplotlib")
    os.environ["TQDM_DISABLE"] = "1"
    # Interactive figures as HTML that runs alone: no kernel connection, no widget manager.
    os.environ["MODALITY_GAP_STATIC"] = "1"


def source_hash(folder: Path) -> str:
    """Hash of the names and contents of the files in a folder, without Python's own caches."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(folder).as_posix()}\n{content}\n".encode())
    return digest.hexdigest()[:16]


def set_execution_cache(app: Sphinx, config: Config) -> None:
    """Put the cache of executed chapters in a folder named after the state of `src/`.

    MyST-NB looks a chapter up by its code cells alone. With a new path it finds nothing and
    executes again; and as the path is part of the configuration, Sphinx reads the pages again.
    """
    state = source_hash(Path(app.srcdir) / "src" / "modality_gap")
    config.nb_execution_cache_path = str(Path(app.outdir).parent / ".jupyter_cache" / state)


# Chapter numbers


def restore_running_numbers(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Let Sphinx compare its running numbers with those of the last build, not with ours."""
    if hasattr(env, "running_numbers"):
        env.toc_secnumbers, env.toc_fignumbers = env.running_numbers
    return []


def number_chapters(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Replace the running number of a chapter by the one in its file name.

    Figures, equations, theorems and exercises take their first number from here too.
    """
    env.running_numbers = copy.deepcopy((env.toc_secnumbers, env.toc_fignumbers))
    for docname, numbers in env.toc_secnumbers.items():
        if chapter := CHAPTER.fullmatch(docname):
            first = int(chapter[1])
            for anchor, number in numbers.items():
                numbers[anchor] = (first, *number[1:]) if number else number
            for entry in [env.titles[docname], *env.tocs[docname].findall(nodes.reference)]:
                if entry.get("secnumber"):
                    entry["secnumber"] = [first, *entry["secnumber"][1:]]
    TocTreeCollector().assign_figure_numbers(env)
    return []


# Figures for the dark page


def darken(svg: str, colors: dict[str, str]) -> str:
    """Replace colours, written as #rrggbb, in the text of an SVG file."""
    dark = {light.lower(): color for light, color in colors.items()}
    pattern = re.compile("|".join(re.escape(light) + r"(?![0-9a-f])" for light in dark), re.I)
    return pattern.sub(lambda match: dark[match[0].lower()], svg)


def round_paths(svg: str) -> str:
    """Cut the coordinates of an SVG's paths to hundredths of a point: a fifth of its weight."""
    return re.sub(r'(?<= d=")[^"]+', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), svg)


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
            from modality_gap.book.plots import (
                DARK,  # imports PyTorch: only where a figure needs it
            )

            dark_path = drawn / f"{path.stem}.dark.svg"
            svg = round_paths(darken(path.read_text("utf-8"), DARK))
            # Sphinx reads a page again when a file it shows is newer than the page.
            if not dark_path.exists() or dark_path.read_text("utf-8") != svg:
                drawn.mkdir(parents=True, exist_ok=True)
                dark_path.write_text(svg, "utf-8")
            dark = image.deepcopy()
            dark["uri"] = "/" + Path(os.path.relpath(dark_path, self.env.srcdir)).as_posix()
            image["classes"].append("only-light")
            dark["classes"].append("only-dark")
            # The theme hides a caption beside a hidden image; an element around the pair keeps
            # them apart.
            pair = nodes.inline(classes=["figure-pair"])
            image.parent.replace(image, pair)
            pair += [image, dark]


# Downloads and buttons


def add_notebook_buttons(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object
) -> None:
    """Offer a notebook page as .ipynb without outputs and, if the repository is known, online."""
    if "kernelspec" not in app.env.metadata[pagename]:
        return
    target = Path(app.outdir, "_sources", pagename + ".ipynb")
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(as_notebook(Path(app.env.doc2path(pagename)), app.config), target)
    context["ipynb_source"] = pagename + ".ipynb"  # the theme's download menu looks here
    buttons = [
        {"type": "link", "text": name, "tooltip": f"Open in {name}", "icon": icon, "url": url}
        for name, icon, url in launch_links(app.config, pagename)
    ]
    if buttons:
        menu = {"type": "group", "tooltip": "Run this page", "icon": "fas fa-rocket"}
        context["header_buttons"].append({**menu, "buttons": buttons, "label": "launch-buttons"})


def as_notebook(page: Path, config: Config) -> nbformat.NotebookNode:
    """A page as a notebook; its first cell installs the package if the repository is known."""
    notebook = jupytext.read(page)
    if config.book_repository_url:
        source = f"git+{config.book_repository_url}@{config.book_repository_branch}"
        install = f'%pip install --quiet myst-nb "modality-gap @ {source}"'
        notebook.cells.insert(0, nbformat.v4.new_code_cell(install))
    return notebook


def launch_links(config: Config, page: str) -> list[tuple[str, str, str]]:
    """(name, icon, address) of the services that can run a page of a published repository."""
    links = []
    repository = re.fullmatch(r"https://github\.com/([^/]+/[^/]+)", config.book_repository_url)
    if repository:
        url = (
            f"https://mybinder.org/v2/gh/{repository[1]}/{config.book_repository_branch}"
            f"?urlpath=lab/tree/{page}.md"
        )
        links.append(("Binder", "_static/images/logo_binder.svg", url))
    notebooks = re.fullmatch(r"https://github\.com/(.+)", config.book_notebooks_url)
    if notebooks:
        url = f"https://colab.research.google.com/github/{notebooks[1]}/{page}.ipynb"
        links.append(("Colab", "_static/images/logo_colab.png", url))
    return links


def set_repository(app: Sphinx, config: Config) -> None:
    """Switch on the theme's repository buttons if the build is told where the repository is."""
    config.book_repository_url = config.book_repository_url.rstrip("/").removesuffix(".git")
    if config.book_repository_url:
        config.html_theme_options |= {
            "repository_url": config.book_repository_url,
            "repository_branch": config.book_repository_branch,
            "use_repository_button": True,
            "use_edit_page_button": True,
        }


# The end of the build


def check_build(app: Sphinx, exception: Exception | None) -> None:
    """Turn failed cells and missing pages into errors that nobody can overlook."""
    if exception is not None:  # such as a kernel that died
        page = app.env.temp_data.get("docname") if app.env else None
        problems = [f"FAILED: {page}, {type(exception).__name__}: {exception}"] if page else []
    else:
        problems = failed_cells(app) + missing_pages(app)
    if problems or app._warncount:
        # Sphinx does not repeat a warning for a page it has not read again: read all next time.
        Path(app.doctreedir, "environment.pickle").unlink(missing_ok=True)
    if problems:
        app.statuscode = 1
        # Printed when Python ends, so that it stands below everything else.
        atexit.register(print, "\n" + "\n".join(problems), file=sys.stderr)
    if problems or exception:
        return
    cache = Path(app.config.nb_execution_cache_path)
    for old in cache.parent.iterdir():
        if old != cache:
            shutil.rmtree(old) if old.is_dir() else old.unlink()


def failed_cells(app: Sphinx) -> list[str]:
    """One sentence for every chapter with a failed cell: file, number of the cell, exception."""
    problems = []
    for docname, data in NbMetadataCollector.get_doc_data(app.env).items():
        result = data.get("exec_data")
        if result and not result["succeeded"]:
            path = Path(app.env.doc2path(docname)).relative_to(app.srcdir).as_posix()
            executed = Path(app.env.mystnb_config.output_folder, docname + ".ipynb")
            cell = describe_failure(json.loads(executed.read_text("utf-8")))
            if result["error"] == "CellTimeoutError":
                limit = app.config.nb_execution_timeout
                cell = cell.replace("KeyboardInterrupt: ", f"took longer than {limit} s")
            problems.append(f"FAILED: {path}, {cell}")
    return problems


def describe_failure(notebook: dict[str, Any]) -> str:
    """Where an executed notebook failed, and how."""
    lines = notebook["metadata"].get("source_map", [])
    code = [(i, cell) for i, cell in enumerate(notebook["cells"]) if cell["cell_type"] == "code"]
    for number, (i, cell) in enumerate(code, start=1):
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                where = f" (line {lines[i] + 1})" if lines else ""
                return f"code cell {number}{where}: {output['ename']}: {output['evalue']}"
    return "no cell reports an error"


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
