"""The book's Sphinx extension: its functions, and a small book built again and again."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from bs4 import BeautifulSoup

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import book_build  # noqa: E402
from small_book import FIGURE, HEADER, build, edit, make  # noqa: E402

CHAPTER = (
    HEADER
    + """\
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


def test_hash_follows_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    before = book_build.source_hash(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("compiled")
    assert book_build.source_hash(tmp_path) == before
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    renamed = book_build.source_hash(tmp_path)
    (tmp_path / "b.py").write_text("2")
    assert len({before, renamed, book_build.source_hash(tmp_path)}) == 3


def test_darken_replaces_only_the_named_colors() -> None:
    svg = '<path style="fill: #FFFFFF; stroke: #24292f"/><use xlink:href="#fffffff"/> #0072b2'
    dark = book_build.darken(svg, {"#ffffff": "#14181e", "#24292f": "#ffffff"})
    expected = '<path style="fill: #14181e; stroke: #ffffff"/><use xlink:href="#fffffff"/> #0072b2'
    assert dark == expected


def test_dark_page_has_the_background_of_dark_figures() -> None:
    from modality_gap.book import plots

    css = (ROOT / "book" / "_static" / "book.css").read_text()
    assert f"--pst-color-background: {plots.DARK[plots.PAPER]};" in css


@pytest.mark.parametrize(
    ("repository", "notebooks", "names"),
    [
        ("", "", []),
        ("https://github.com/owner/name", "", ["Binder"]),
        ("https://gitlab.com/owner/name", "", []),
        (
            "https://github.com/owner/name",
            "https://github.com/owner/name/blob/gh-pages/_sources",
            ["Binder", "Colab"],
        ),
    ],
)
def test_launch_links_only_where_they_work(
    repository: str, notebooks: str, names: list[str]
) -> None:
    config = SimpleNamespace(
        book_repository_url=repository, book_repository_branch="main", book_notebooks_url=notebooks
    )
    links = book_build.launch_links(config, "notebooks/04_cone_effect")
    assert [name for name, _, _ in links] == names
    for name, _, url in links:
        assert f"notebooks/04_cone_effect.{'md' if name == 'Binder' else 'ipynb'}" in url


@pytest.fixture
def book(tmp_path: Path) -> Path:
    make(tmp_path, CHAPTER)
    (tmp_path / "src" / "modality_gap" / "gap.py").write_text("")
    return tmp_path


def test_small_book(book: Path) -> None:
    built = build(book)
    assert built.returncode == 0, built.stdout
    assert built.stdout.count("Executed notebook") == 1
    assert "_build/html/index.html" in built.stdout

    html = book / "_build" / "html"
    page = BeautifulSoup((html / "notebooks" / "04_cone.html").read_text(), "html.parser")
    assert page.select_one("article h1").get_text().startswith("4. A cone")
    assert page.select_one("article h2").get_text().startswith("4.1. A section")
    assert page.find("a", href="#fig-square").get_text() == "Figure 4.1"
    assert page.select_one(".eqno").get_text().startswith("(4.1)")
    assert page.select_one("nav.bd-links a.current, nav .current > a").get_text().startswith("4.")

    images = page.select("figure img")
    assert [image["class"] for image in images] == [["only-light"], ["only-dark"]]
    assert [image["alt"] for image in images] == ["A filled square."] * 2
    assert len(page.select("figcaption")) == 1
    light, dark = ((html / "notebooks" / image["src"]).read_text() for image in images)
    assert "#24292F" in light
    assert "#24292f" not in dark.lower()

    assert "widget" not in str(page)
    assert not page.select(".dropdown-launch-buttons, .btn-source-repository-button")
    download = page.select_one(".btn-download-notebook-button")["href"]
    notebook = nbformat.read(html / "notebooks" / download, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)

    unchanged = build(book)
    assert unchanged.returncode == 0
    assert "0 added, 0 changed, 0 removed" in unchanged.stdout

    edit(book / "notebooks" / "04_cone.md", "See", "Now see")
    prose = build(book)
    assert prose.returncode == 0
    assert "0 added, 1 changed, 0 removed" in prose.stdout
    assert "Executed notebook" not in prose.stdout

    edit(book / "src" / "modality_gap" / "gap.py", "", "GAP = 1\n")
    package = build(book, BOOK_REPOSITORY_URL="https://github.com/owner/name")
    assert package.returncode == 0
    assert package.stdout.count("Executed notebook") == 1
    assert len(list((book / "_build" / ".jupyter_cache").iterdir())) == 1
    text = (html / "notebooks" / "04_cone.html").read_text()
    assert "mybinder.org/v2/gh/owner/name/main?urlpath=lab/tree/notebooks/04_cone.md" in text
    assert 'href="https://github.com/owner/name/edit/main/notebooks/04_cone.md"' in text
    first = nbformat.read(html / "notebooks" / download, as_version=4).cells[0]
    assert "modality-gap @ git+https://github.com/owner/name@main" in first.source

    edit(book / "notebooks" / "04_cone.md", "    pass\n", "    assert _ < 1, 'no'\n")
    for _ in range(2):  # a second try must not pass because nothing changed since the first
        failed = build(book)
        assert failed.returncode == 1
        last = failed.stdout.strip().splitlines()[-1]
        assert last == ("FAILED: notebooks/04_cone.md, code cell 1 (line 20): AssertionError: no")


def test_page_that_is_missing_fails_the_build(book: Path) -> None:
    (book / "notebooks" / "04_cone.md").unlink()
    built = build(book)
    assert built.returncode == 1
    assert "FAILED: _toc.yml names notebooks/04_cone" in built.stdout
