"""The notebooks of the built site, beside its pages; two of them run, and are answered."""

from __future__ import annotations

import ast
import re
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from answers import Answer, collect
from bs4 import BeautifulSoup, Tag
from IPython.core.inputtransformer2 import TransformerManager
from nbclient import NotebookClient
from nbformat import NotebookNode
from packaging.requirements import Requirement
from pyflakes import checker, messages

import edition
from built_site import CHAPTERS, HTML, NOTEBOOKS, parse

pytestmark = pytest.mark.usefixtures("site")

FOLDER = HTML / edition.EDITION


@cache
def notebook(name: str) -> NotebookNode:
    found = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    nbformat.validate(found)
    return found


def text_of(name: str) -> str:
    return "\n\n".join(c.source for c in notebook(name).cells if c.cell_type == "markdown")


def words(text: str) -> list[str]:
    """The words and numbers of a text, without formulas, tags and addresses."""
    formula = r"\$\$.*?\$\$|\$[^$]*\$|\\\(.*?\\\)|\\\[.*?\\\]"
    plain = re.sub(formula, " ", text, flags=re.DOTALL)
    plain = re.sub(r"<[^>]*>|\]\([^)\s]*\)", " ", plain)
    return re.findall(r"\w+", re.sub(r"\\?_", "", plain))


def prose(element: Tag) -> list[str]:
    """The words of a part of a page that a notebook has too."""
    element = BeautifulSoup(str(element), "html.parser")
    for part in element.select(".headerlink, .cell_output, .cell_input, script, style, pre"):
        part.decompose()
    return words(element.get_text())


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_a_notebook_says_what_its_page_says(page: str) -> None:
    name = Path(page).name
    assert edition.leftovers(notebook(name)) == []
    said = set(words(text_of(name)))
    article = parse(HTML / f"{page}.html").select_one("article.bd-article")
    paragraphs = article.select("p, li, figcaption, h1, h2, h3")
    assert len(paragraphs) > 10
    for paragraph in paragraphs:
        if not paragraph.find_parent(class_=["cell_output", "above-input"]):
            missing = [word for word in prose(paragraph) if word not in said]
            assert missing == [], paragraph.get_text()[:200]


@pytest.mark.parametrize("name", CHAPTERS)
def test_figures_keep_number_caption_and_words(name: str) -> None:
    page = parse(HTML / "notebooks" / f"{name}.html")
    captions = re.findall(
        r"^\*\*(Figure \d+\.\d+)\.\*\* (.*?)\n\n", text_of(name), re.MULTILINE | re.DOTALL
    )
    figures = page.select("article figure")
    assert [f"{number} " for number, _ in captions] == [
        figure.select_one(".caption-number").get_text() for figure in figures
    ]
    for figure, (_, caption) in zip(figures, captions, strict=True):
        assert words(caption) == prose(figure.select_one(".caption-text"))
    assert text_of(name).count("<summary>The figure in words</summary>") == len(figures)


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_links_within_and_between_notebooks_lead_to_a_heading(page: str) -> None:
    name = Path(page).name
    for file, heading in re.findall(r"\]\(([\w-]+\.ipynb)?(?:#([^)\s]+))?\)", text_of(name)):
        target = text_of(file.removesuffix(".ipynb")) if file else text_of(name)
        if heading:
            titles = re.findall(r"^#+ (.*)$", target, re.MULTILINE)
            named = [re.sub(r"[*`\\]", "", title).replace(" ", "-") for title in titles]
            assert unquote(heading) in named
    assert not re.search(r'<abbr title="">|<abbr title="[^"]*\\\\|\]\(\)', text_of(name))


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_every_name_is_bound(page: str) -> None:
    code = "\n".join(
        cell.source for cell in notebook(Path(page).name).cells if cell.cell_type == "code"
    )
    plain = TransformerManager().transform_cell(code)
    found = checker.Checker(ast.parse(plain), builtins={"get_ipython", "display"}).messages
    assert [str(each) for each in found if isinstance(each, messages.UndefinedName)] == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_solutions_stand_in_their_place_only(name: str) -> None:
    cells = notebook(name).cells
    roles = [cell.metadata.get("modality_gap", {}).get("role") for cell in cells]
    solutions = [c.source for c, role in zip(cells, roles, strict=True) if role == "solution"]
    assert len(solutions) >= 4
    asked = ("statement", "given", "stub", "test")
    others = "\n".join(c.source for c, role in zip(cells, roles, strict=True) if role in asked)
    for solution in solutions:
        assert solution.startswith("<details><summary>Solution</summary>")
        for block in re.findall(r"^```python\n(.*?)^```", solution, re.MULTILINE | re.DOTALL):
            body = [line for line in block.splitlines() if line.startswith("    return")]
            assert not any(line in others for line in body), name


# Run where nothing is installed but the package with its extra [lab]

WITHOUT = """\
from importlib.machinery import PathFinder

found = PathFinder.find_spec
PathFinder.find_spec = staticmethod(
    lambda name, path=None, target=None: None
    if name.partition(".")[0] in {names!r}
    else found(name, path, target)
)
"""


def needed(name: str, extra: str = "") -> set[str]:
    """The distributions that an installation of one brings with it."""
    found, todo = set(), [(name, extra)]
    while todo:
        name, extra = todo.pop()
        if (name, extra) in found:
            continue
        found.add((name, extra))
        try:
            lines = requires(name) or []
        except PackageNotFoundError:
            continue
        for line in lines:
            wanted = Requirement(line)
            if wanted.marker is None or any(
                wanted.marker.evaluate({"extra": option}) for option in {extra, ""}
            ):
                todo += [(wanted.name, option) for option in wanted.extras or {""}]
    return {re.sub(r"[-_.]+", "-", name).lower() for name, _ in found}


def beyond_the_extra() -> list[str]:
    """The modules here that an installation of the package with [lab] does not bring."""
    brought = needed("modality-gap", "lab") | {"pip", "setuptools"}
    return sorted(
        module
        for module, owners in packages_distributions().items()
        if not brought & {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners}
    )


@pytest.mark.parametrize("name", ["07_temperature", "10_closing_the_gap"])
def test_a_chapter_runs_with_the_extra_alone_and_checks_answers(name: str, tmp_path: Path) -> None:
    """Each exercise is answered wrongly, checked, answered rightly, and checked again."""
    names = beyond_the_extra()
    assert {"myst_nb", "jupytext", "sphinx"} <= set(names)
    ran = notebook(name).copy()
    cells, held = [], collect(Path(__file__).parents[1] / "notebooks" / f"{name}.md")
    for cell in ran.cells:
        cells.append(cell)
        tag = cell.metadata.get("modality_gap", {})
        if tag.get("role") == "stub" and cell.cell_type == "code":
            for kind in ("wrong", "right"):
                answer = next(a for a in held if (a.label, a.kind) == (tag.label, kind))
                checks = [
                    c.copy()
                    for c in ran.cells
                    if c.metadata.get("modality_gap", {}) == {"label": tag.label, "role": "test"}
                ]
                cells += [answered(answer), *(tell(check, kind) for check in checks)]
    ran.cells = [
        nbformat.v4.new_code_cell(WITHOUT.format(names=set(names))),
        *cells,
    ]
    NotebookClient(ran, timeout=600, resources={"metadata": {"path": tmp_path}}).execute()
    outcomes: dict[tuple[str, str], list[str]] = {}
    for cell in ran.cells:
        if kind := cell.metadata.get("answer"):
            said = [out.get("ename") or out.get("text", "").strip() for out in cell.outputs]
            outcomes.setdefault((cell.metadata.label, kind), []).extend(said)
    assert len(outcomes) == 6
    for (label, kind), said in outcomes.items():
        assert ("AssertionError" in said) == (kind == "wrong"), label
        assert (said == ["Right."]) == (kind == "right"), label


def answered(answer: Answer) -> NotebookNode:
    return nbformat.v4.new_code_cell(answer.code)


def tell(cell: NotebookNode, kind: str) -> NotebookNode:
    """A copy of a check, marked with what was answered."""
    copy = nbformat.v4.new_code_cell(cell.source, metadata={"tags": ["raises-exception"]})
    copy.metadata |= {"answer": kind, "label": cell.metadata.modality_gap.label}
    return copy
