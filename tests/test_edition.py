"""Pages as notebooks: what the converter makes of each part of a page, and an author's mistakes."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag

import edition
from edition_text import Markdown
from small_book import build, make

CONE = """\
# A cone

A {term}`cone`, by {cite:t}`liang2022mind`; see {numref}`fig-square`, {eq}`eq-equal` and
{ref}`ex-two`.

```{code-cell} ipython3
:tags: [setup]

one = 1
```

```{code-cell} ipython3
---
tags: [hide-input]
mystnb:
  figure:
    name: fig-square
    caption: A *square* of $a_1$.
  image:
    alt: A "filled" square.
---
from IPython.display import SVG

SVG('<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h9v9z" fill="#24292F"/></svg>')
```

```{code-cell} ipython3
:tags: [remove-cell]

hidden = one
```

## Of numbers

$$
a = b \\\\
+ c
$$ (eq-equal)

```{prf:theorem} Sums
:label: thm-sums

In it

$$
a < b
$$
```

```{note}
Look.
```

```{exercise} Two
:label: ex-two

Write `two(x)`.
```

```{solution-start} ex-two
:class: dropdown
```

One more.

```{code-cell} ipython3
:tags: [solution]

def two(x: int) -> int:
    \"\"\"One more.\"\"\"
    return x + one
```

```{code-cell} ipython3
:tags: [test]

assert two(1) == 2, "count on"
```

```{solution-end}
```

```{exercise} Design
:label: ex-design

Say how.
```

```{solution} ex-design
:class: dropdown

- This.
- And that.
```
"""
GLOSSARY = """\
# Glossary

```{glossary}
cone
    A "narrow" region at $\\tau$ {cite:p}`liang2022mind`.
```

```{bibliography}
```
"""


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("book")
    make(folder, {"01_cone": CONE}, {"glossary": GLOSSARY})
    status, printed = build(folder, BOOK_SITE_URL="https://site.example/")
    assert status == 0, printed
    return folder


def cells_of(book: Path) -> list[nbformat.NotebookNode]:
    path = book / "_build" / "html" / "edition" / "01_cone.ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert edition.leftovers(notebook) == []
    return notebook.cells


def test_text_reads_as_on_the_page(book: Path) -> None:
    text = "\n".join(cell.source for cell in cells_of(book) if cell.cell_type == "markdown")
    assert "# 1. A cone" in text
    definition = "A “narrow” region at τ [Liang et al., 2022]."
    assert f'<abbr title="{definition}">cone</abbr>' in text
    assert "Liang *et al.* [[2022](https://arxiv.org/abs/2203.02053)]" in text
    assert "[Figure 1.1](#1.-A-cone)" in text
    assert "[(1.1)](#1.1.-Of-numbers)" in text
    assert "**Figure 1.1.** A *square* of $a_1$." in text
    words = "<details><summary>The figure in words</summary>A &quot;filled&quot; square.</details>"
    assert words in text
    assert r"\tag{1.1} $$" in text
    assert "> **Theorem 1.1 (Sums)**" in text
    assert "> $$ a < b $$" in text
    assert "> **Note**" in text
    assert "### Exercise 1.1. Two" in text


def test_code_is_what_the_page_shows(book: Path) -> None:
    code = [cell for cell in cells_of(book) if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert not any("hidden" in cell.source for cell in code)
    (folded,) = (cell for cell in code if "SVG(" in cell.source)
    assert folded.metadata.jupyter.source_hidden
    assert "find_spec" in code[0].source
    assert code[1].source == "one = 1"
    assert code[1].metadata == {"modality_gap": {"role": "setup"}}


def test_an_exercise_waits_for_an_answer(book: Path) -> None:
    roles = {}
    for cell in cells_of(book):
        if tag := cell.metadata.get("modality_gap", {}).get("label"):
            roles[tag, cell.metadata.modality_gap.role] = cell
    of_two = [role for label, role in roles if label == "ex-two"]
    assert of_two == ["statement", "stub", "test", "solution"]
    names: dict[str, object] = {"one": 1}
    exec(roles["ex-two", "stub"].source, names)
    with pytest.raises(NotImplementedError):
        exec(roles["ex-two", "test"].source, names)
    names["two"] = lambda x: x
    with pytest.raises(AssertionError, match="count on"):
        exec(roles["ex-two", "test"].source, names)
    names["two"] = lambda x: x + 1
    exec(roles["ex-two", "test"].source, names)
    assert roles["ex-two", "test"].metadata.tags == ["raises-exception"]

    solution = roles["ex-two", "solution"].source
    assert solution.startswith("<details><summary>Solution</summary>")
    elsewhere = [cell.source for key, cell in roles.items() if key != ("ex-two", "solution")]
    assert "return x + one" in solution
    assert not any("x + one" in source for source in elsewhere)
    assert [role for label, role in roles if label == "ex-design"] == [
        "statement",
        "stub",
        "solution",
    ]


def test_a_book_without_solutions(tmp_path: Path) -> None:
    """Nothing of the built site has a line of one: pages, notebooks, search index."""
    make(tmp_path, {"01_cone": CONE}, {"glossary": GLOSSARY})
    status, printed = build(tmp_path, BOOK_SOLUTIONS="none")
    assert status == 0, printed
    written = [path for path in (tmp_path / "_build" / "html").rglob("*") if path.is_file()]
    texts = {path.name: path.read_bytes() for path in written}
    assert b"find_spec" in texts["01_cone.ipynb"]
    assert b"count on" in texts["01_cone.ipynb"], "the check stays"
    for name, text in texts.items():
        assert b"x + one" not in text, name
        assert b"And that" not in text, name
        assert b"hidden = one" not in text, name

    status, printed = build(tmp_path, BOOK_SOLUTIONS="some")
    assert status == 1
    assert "BOOK_SOLUTIONS is none or all, not some" in printed


def test_all_notebooks_come_as_one_archive(book: Path) -> None:
    with zipfile.ZipFile(book / "_build" / "html" / edition.ZIP) as archive:
        assert set(archive.namelist()) == {"README.md", "data/README.md", "01_cone.ipynb"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("one\n```\n\n## Of", "one = 1\n```\n\n## Of", "needs one, which"),
        (":tags: [test]\n\n", "", "needs one tag of"),
        ("Write `two(x)`", "Write it", "names in backticks nothing"),
        ("- This.\n- And that.", "This and that.", "neither a test nor a rubric"),
    ],
)
def test_a_mistake_of_an_author_fails_the_build(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in CONE
    make(tmp_path, {"01_cone": CONE.replace(old, new)}, {"glossary": GLOSSARY})
    status, printed = build(tmp_path)
    assert status == 1
    (last,) = {line for line in printed.splitlines() if "WARNING" in line}
    assert re.search(r"01_cone\.md(:|, line )\d+", last)
    assert said in last


@pytest.mark.parametrize(
    ("repository", "notebooks", "names"),
    [
        ("", "", []),
        ("https://github.com/owner/name", "", ["Binder"]),
        ("https://gitlab.com/owner/name", "", []),
        (
            "https://github.com/owner/name",
            "https://github.com/owner/name/blob/gh-pages/edition",
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
    links = edition.launch_links(config, "04_cone_effect")
    assert [name for name, _, _ in links] == names
    for name, _, url in links:
        assert f"{'workbook' if name == 'Binder' else 'edition'}/04_cone_effect.ipynb" in url


def converted(html: str) -> str:
    def link(element: Tag, text: str) -> str:
        return f"[{text}]({element['href']})"

    return Markdown(link).convert(str(BeautifulSoup(html, "html.parser"))).strip()


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ('<p>a<a class="headerlink" href="#a">#</a></p>', "a"),
        ('<span class="math">\\(a_1 &lt; b*c\\)</span>', "$a_1 < b*c$"),
        ("<p>a_b * c</p>", r"a\_b \* c"),
        ("<dl><dt><em>A</em></dt><dd><p>is b.</p></dd></dl>", "- *A*: is b."),
        ('<div class="highlight-none"><pre>a\n  b</pre></div>', "```python\na\n  b\n```"),
        ('<div class="highlight-console"><pre>$ make</pre></div>', "```console\n$ make\n```"),
        (
            '<div class="admonition"><p class="admonition-title">T</p><p>a</p><p>b</p></div>',
            "> **T**\n> \n> a\n> \n> b",
        ),
    ],
)
def test_markdown(html: str, markdown: str) -> None:
    assert converted(html) == markdown


@pytest.mark.parametrize("text", ["{term}`a`", "```{note}\na\n```", "<div>a</div>"])
def test_leftovers_are_found_below_their_heading(text: str) -> None:
    cells = [nbformat.v4.new_markdown_cell(each) for each in ("## 2.1. Of a", f"b\n\n{text}", "c")]
    (heading, beginning), *_ = edition.leftovers(nbformat.v4.new_notebook(cells=cells))
    assert text.startswith(beginning)
    assert edition.line_of(heading, "---\n# A\n\n## Of a\n\nb") == 4
    assert edition.line_of("Figure 2.1", "# A") == 1
