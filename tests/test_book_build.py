"""The book's Sphinx extensions: their functions, and a small book built again and again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from execute_pages import Page
from small_book import FIGURE, ROOT, book_build, build, edit, executed, make

CONE = (
    """\
# A cone

See {numref}`fig-square` in {ref}`the section <section>`.

(section)=
## A section

```{code-cell} ipython3
from tqdm.auto import tqdm

for _ in tqdm(range(3)):
    pass
```

"""
    + FIGURE
)
GAP = """\
# A gap

```{code-cell} ipython3
from IPython.display import HTML
import modality_gap as mg
from modality_gap.book import ledger

ledger.record("fox")
HTML(f"<style>{mg.style()}</style><b>{mg.gap()}</b>")
```
"""
PACKAGE = {
    "__init__": "from .cone import cone\nfrom .figure import style\nfrom .gap import gap\n",
    "book/__init__": "",
    "book/claims": "CLAIMS = {'fox': 1}\n",
    "cone": "def cone(): pass\n",
    "figure": "from pathlib import Path\n\n"
    "def style(): return Path(__file__).with_name('figure.css').read_text()\n",
    "gap": "def gap(): return 'forty-two'\n",
    "book/ledger": "from .claims import CLAIMS\n\ndef record(name): return CLAIMS[name]\n",
}


def test_slim_keeps_what_is_drawn_and_what_is_named() -> None:
    svg = """<svg xmlns="http://www.w3.org/2000/svg">
      <!-- a note -->
      <metadata><date>today</date></metadata>
      <defs>
        <path id="glyph" d="M 1.23456 -7.5
                            L 3 4"/>
      </defs>
      <g id="axes_1"><use href="#glyph" x="9.8765" style="fill: none; stroke: #fff"/></g>
      <text>two
        words</text>
    </svg>
    """
    assert book_build.slim(svg) == (
        '<svg xmlns="http://www.w3.org/2000/svg"><defs><path id="glyph" d="M 1.23 -7.5 L 3 4"/>'
        '</defs><g><use href="#glyph" x="9.87" style="fill:none;stroke:#fff"/></g>'
        "<text>two words</text></svg>"
    )
    assert book_build.slim(book_build.slim(svg)) == book_build.slim(svg)


def test_darken_replaces_only_the_named_colors() -> None:
    svg = '<path style="fill: #FFFFFF; stroke: #24292f"/><use xlink:href="#fffffff"/> #0072b2'
    dark = book_build.darken(svg, {"#ffffff": "#14181e", "#24292f": "#ffffff"})
    expected = '<path style="fill: #14181e; stroke: #ffffff"/><use xlink:href="#fffffff"/> #0072b2'
    assert dark == expected


def test_dark_page_has_the_background_of_dark_figures() -> None:
    from modality_gap.book import plots

    css = (ROOT / "book" / "_static" / "book.css").read_text()
    assert f"--pst-color-background: {plots.DARK[plots.PAPER]};" in css


@pytest.fixture
def book(tmp_path: Path) -> Path:
    make(tmp_path, {"01_cone": CONE, "02_gap": GAP})
    package = tmp_path / "src" / "modality_gap"
    (package / "book").mkdir()
    for name, text in PACKAGE.items():
        (package / f"{name}.py").write_text(text)
    (package / "figure.css").write_text("b { color: #aa0000 }")
    (package / "book" / "claims.yaml").write_text("fox: 1")
    return tmp_path


def page_of(book: Path, name: str) -> str:
    return (book / "_build" / "html" / "notebooks" / f"{name}.html").read_text()


def title_of(book: Path, name: str) -> str:
    page = BeautifulSoup(page_of(book, name), "html.parser")
    return " ".join(page.select_one("article h1").get_text().split())


def test_small_book(book: Path) -> None:
    """Its pages; what of it runs again after which change; and a page without execution."""
    status, printed = build(book)
    assert status == 0, printed
    assert executed(printed) == ["notebooks/01_cone", "notebooks/02_gap"]
    check_cone(book)
    assert "forty-two" in page_of(book, "02_gap")

    status, printed = build(book)
    assert status == 0
    assert "0 added, 0 changed, 0 removed" in printed

    cone, gap = (book / "notebooks" / f"{name}.md" for name in ("01_cone", "02_gap"))
    package = book / "src" / "modality_gap"
    edit(cone, "See", "Now see")
    edit(cone, "A square.", "A square, here.")
    edit(cone, "A filled square.", "A filled, dark square.")
    edit(package / "book" / "claims.py", "1", "2")
    edit(package / "book" / "claims.yaml", "1", "2")
    edit(package / "cone.py", "pass", "return 1")
    edit(package / "figure.css", "#aa0000", "#00bb00")
    status, printed = build(book, BOOK_REPOSITORY_URL="https://github.com/owner/name")
    assert status == 0, printed
    assert executed(printed) == []
    text = page_of(book, "01_cone")
    assert "A square, here." in text
    assert 'alt="A filled, dark square."' in text
    assert "mybinder.org/v2/gh/owner/name/main?urlpath=lab/tree/workbook/01_cone.ipynb" in text
    assert 'href="https://github.com/owner/name/edit/main/notebooks/01_cone.md"' in text
    first = downloaded(book).cells[0]
    assert "modality-gap[lab] @ git+https://github.com/owner/name@main" in first.source
    assert "#00bb00" in page_of(book, "02_gap")
    assert "#aa0000" not in page_of(book, "02_gap")

    edit(package / "gap.py", "forty-two", "forty-three")
    status, printed = build(book)
    assert status == 0
    assert executed(printed) == ["notebooks/02_gap"]
    assert "forty-three" in page_of(book, "02_gap")

    edit(book / "_config.yml", "execute_notebooks: cache", 'execute_notebooks: "off"')
    edit(gap, "# A gap", "# The gap")
    edit(gap, "<b>", "<b>It is ")
    status, printed = build(book)
    assert status == 0, printed
    assert executed(printed) == []
    assert "The gap" in page_of(book, "02_gap")
    assert "forty-three" in page_of(book, "02_gap")


def check_cone(book: Path) -> None:
    """Numbers, figure and download of the page."""
    html = book / "_build" / "html"
    page = BeautifulSoup(page_of(book, "01_cone"), "html.parser")
    assert page.select_one("article h1").get_text().startswith("1. A cone")
    assert page.select_one("article h2").get_text().startswith("1.1. A section")
    assert page.find("a", href="#fig-square").get_text() == "Figure 1.1"
    assert page.select_one(".eqno").get_text().startswith("(1.1)")

    images = page.select("figure img")
    assert [image["class"] for image in images] == [["only-light"], ["only-dark"]]
    assert [image["alt"] for image in images] == ["A filled square."] * 2
    assert len(page.select("figcaption")) == 1
    light, dark = ((html / "notebooks" / image["src"]).read_text() for image in images)
    assert "#24292F" in light
    assert "#24292f" not in dark.lower()

    assert "widget" not in str(page)
    assert not page.select(".dropdown-launch-buttons, .btn-source-repository-button")
    assert not any(cell.get("outputs") for cell in downloaded(book).cells)


def downloaded(book: Path) -> nbformat.NotebookNode:
    """The first chapter as its page offers it."""
    page = BeautifulSoup(page_of(book, "01_cone"), "html.parser")
    link = page.select_one(".btn-download-notebook-button")["href"]
    return nbformat.read(book / "_build" / "html" / "notebooks" / link, as_version=4)


@pytest.mark.parametrize(("code", "follows"), [("ledger.record(1)", False), ("ledger.BY_ID", True)])
def test_claims_count_for_a_page_that_reads_them(book: Path, code: str, follows: bool) -> None:
    page = book / "notebooks" / "02_gap.md"
    edit(page, 'ledger.record("fox")', code)
    for name in ("claims.py", "claims.yaml"):
        before = Page.read(book, "notebooks/02_gap", book / "_build").key
        edit(book / "src" / "modality_gap" / "book" / name, "1", "2")
        after = Page.read(book, "notebooks/02_gap", book / "_build").key
        assert (before != after) == follows


def test_one_page_is_built_alone(book: Path) -> None:
    edit(book / "notebooks" / "02_gap.md", "# A gap\n", "# A gap\n\nAs {numref}`fig-square` has.\n")
    status, printed = build(book, BOOK_PAGE="notebooks/02_gap.md")
    assert status == 0, printed
    assert executed(printed) == ["notebooks/02_gap"]
    assert "forty-two" in page_of(book, "02_gap")
    assert "2. A gap" in title_of(book, "02_gap")

    status, printed = build(book)
    assert status == 0, printed
    assert executed(printed) == ["notebooks/01_cone"]
    assert 'href="01_cone.html#fig-square"' in page_of(book, "02_gap")

    edit(book / "notebooks" / "02_gap.md", "# A gap\n", "# A gap\n\nOf {term}`klip`.\n")
    edit(book / "notebooks" / "01_cone.md", "See", "See {term}`klip` and")
    status, printed = build(book, BOOK_PAGE="notebooks/02_gap")
    assert status == 1
    assert "02_gap.md" in printed.splitlines()[-1]
    assert "klip" in printed.splitlines()[-1]
    assert not any("01_cone.md" in line and "WARNING" in line for line in printed.splitlines())

    edit(book / "notebooks" / "02_gap.md", "{term}`klip`", "CLIP")
    status, printed = build(book)
    assert status == 1, "what the one page hid comes out"
    assert executed(printed) == []
    assert "klip" in printed.splitlines()[-1]
    assert "01_cone.md" in printed.splitlines()[-1]


def test_page_that_is_not_in_the_book(book: Path) -> None:
    status, printed = build(book, BOOK_PAGE="notebooks/03")
    assert status == 1
    assert "PAGE=notebooks/03 is none of book/intro, notebooks/01_cone" in printed


def test_failed_cell_is_the_last_line(tmp_path: Path) -> None:
    book = make(tmp_path, {"01_cone": CONE})
    edit(book / "notebooks" / "01_cone.md", "    pass\n", "    assert _ < 1, 'no'\n")
    command = [Path(sys.executable).with_name("jupyter-book"), "build", book, "-W", "-n"]
    failed = subprocess.run(
        [*command, "--keep-going"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    line = "FAILED: notebooks/01_cone.md, code cell 1 (line 20): AssertionError: no"
    assert failed.returncode == 1
    assert failed.stdout.rstrip().splitlines()[-1] == line
    # A second try must not pass because nothing changed since the first.
    status, printed = build(book)
    assert status == 1
    assert executed(printed) == ["notebooks/01_cone"]
    assert printed.splitlines()[-1] == line


def test_build_takes_what_the_tests_of_chapters_put_out(tmp_path: Path) -> None:
    wrong = "# A fault\n\n```{code-cell} ipython3\nassert False, 'no'\n```\n"
    book = make(tmp_path, {"01_cone": CONE, "02_fault": wrong})
    shutil.copy(ROOT / "conftest.py", book)
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", book, "-n", "0"]
    ran = subprocess.run(
        [*command, "--nbval-lax", "--nbval-current-env", "notebooks"],
        cwd=book,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert "1 failed, 2 passed" in ran.stdout
    assert "Cell 0: Cell execution caused an exception" in ran.stdout
    status, printed = build(book)
    assert status == 1
    assert executed(printed) == ["notebooks/02_fault"]
    check_cone(book)


def test_page_that_is_missing_fails_the_build(book: Path) -> None:
    (book / "notebooks" / "01_cone.md").unlink()
    status, printed = build(book)
    assert status == 1
    assert "FAILED: _toc.yml names notebooks/01_cone" in printed
