"""Questions of multiple choice: on the page, in the notebook, on paper, and in the two files."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest
from bs4 import BeautifulSoup

import one_document
import questions
from browser import chromium
from small_book import build, make

SPREAD = r"""# Spread

```{code-cell} ipython3
:tags: [remove-cell]

from myst_nb import glue

glue("number", 0.25, display=False)
```

```{question}
Is $a_1 \ne b$ *here*?

- [ ] It is {glue:text}`number:.2f`: 50 % {of} a ~ b = c # d.
  - The square of $\tau$ is "not" so.
- [x] It is $\frac12$.
  - Because $x < y$.

    And so on.
- [ ] It is `code`.
  - See [nothing](https://example.org/?a=b).
```

```{question}
What else?

- [x] This.
  - So it is.
- [ ] That.
  - It is not.
```
"""
MORE = """# More

```{question}
Why?

- [ ] No reason.
  - There is one.
- [x] A reason.
  - There it is.
```
"""
WRONG = """# Wrong

```{question}
None is right.

- [ ] This.
  - No.
- [ ] That.
  - No.
```

```{question}
Two are right.

- [x] This.
  - Yes.
- [x] That.
  - Yes.
```

```{question}
One has no reason.

- [x] This.
  - Yes.
- [ ] That.
```

```{question}
One has no mark.

- [x] This.
  - Yes.
- That.
  - No.
```

```{question}
There is no list.
```

```{question}
- [x] There is no question.
  - Yes.
- [ ] That.
  - No.
```
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("book")
    make(folder, {"01_spread": SPREAD, "02_more": MORE})
    status, printed = build(folder)
    assert status == 0, printed
    return folder / "_build" / "html"


def page(site: Path) -> BeautifulSoup:
    return BeautifulSoup((site / "notebooks" / "01_spread.html").read_text("utf-8"), "html.parser")


def test_every_choice_says_why(site: Path) -> None:
    first, second = map(questions.read, page(site).select(".question"))
    assert (first.number, second.number) == ("1.1", "1.2")
    assert [choice.right for choice in first.choices] == [False, True, False]
    assert "0.25" in first.choices[0].text
    assert r"\(\frac12\)" in first.choices[1].text
    assert first.choices[1].why.startswith("<p><strong>Right. </strong>Because")
    assert first.choices[1].why.endswith("<p>And so on.</p>")
    assert first.choices[2].why.startswith("<p><strong>No. </strong>See")


def test_a_notebook_folds_the_answer(site: Path) -> None:
    notebook = nbformat.read(site / "edition" / "01_spread.ipynb", as_version=4)
    (cell,) = (cell for cell in notebook.cells if "Question 1.1" in cell.source)
    asked, _, answer = cell.source.partition("<details><summary>Answer</summary>\n\n")
    assert asked.startswith("**Question 1.1.**\n\nIs $a_1 \\ne b$ *here*?")
    assert "- **b.** It is $\\frac12$." in asked
    assert "Because" not in asked
    assert "- **b.** **Right.** Because $x < y$." in answer
    assert answer.endswith("\n\n</details>")


def test_answers_stand_at_the_end_of_the_pdf(site: Path) -> None:
    names = ["notebooks/01_spread", "notebooks/02_more"]
    text = one_document.assemble(site, names, site.parent, title="t", author="a", edition="e")
    document = BeautifulSoup(text, "html.parser")
    assert len(document.select(".question")) == 3
    for question in document.select(".question"):
        assert not question.find(string=re.compile(r"Right\."))
        answer = document.select_one("#solutions").find(
            id=question.select_one("a.page")["href"][1:]
        )
        assert len(answer.select("li")) == len(question.select("li"))
        assert answer.get_text().count("Right.") == 1


def read_gift(text: str) -> dict[str, tuple[str, list[tuple[bool, str, str]]]]:
    """The questions of a GIFT file by name: stem, and choices as (right, text, feedback)."""

    def plain(part: str) -> str:
        return re.sub(r"\\(.)", r"\1", part)

    found = {}
    for match in re.finditer(
        r"^::(.*?)::\[html\]((?:\\.|[^\\{}~=#:])*)\{\n((?:\\.|[^\\}])*)\}$", text, re.MULTILINE
    ):
        choices = [
            (sign == "=", plain(said), plain(why))
            for sign, said, why in re.findall(
                r"^([=~])((?:\\.|[^\\#~={}])*)#((?:\\.|[^\\#~={}])*)\n", match[3], re.MULTILINE
            )
        ]
        found[match[1]] = plain(match[2]), choices
    return found


def test_moodle_reads_the_questions_back(site: Path) -> None:
    text = (site / questions.GIFT).read_text("utf-8")
    assert re.findall(r"^\$CATEGORY: (.*)$", text, re.MULTILINE) == [
        "Mind the Modality Gap/Spread",
        "Mind the Modality Gap/More",
    ]
    found = read_gift(text)
    assert list(found) == ["Question 1.1", "Question 1.2", "Question 2.1"]
    stem, choices = found["Question 1.1"]
    assert stem == r"<p>Is \(a_1 \ne b\) <em>here</em>?</p>"
    assert [right for right, _, _ in choices] == [False, True, False]
    assert choices[0][1] == "It is 0.25: 50 % {of} a ~ b = c # d."
    why = r"<p><strong>No. </strong>The square of \(\tau\) is “not” so.</p>"
    assert choices[0][2] == why
    assert choices[1][2].endswith("<p>And so on.</p>")
    assert choices[2][1:] == (
        "It is <code>code</code>.",
        "<p><strong>No. </strong>See nothing.</p>",
    )


# What QTI 2.1 allows in an item, in this order; * any number.
IN_ITEM = "responseDeclaration outcomeDeclaration* itemBody responseProcessing modalFeedback*"


def read_qti(path: Path) -> Iterator[tuple[str, list[ElementTree.Element]]]:
    """Title and items of each test of a QTI 2.1 package, whose files and names must agree."""
    content = "{http://www.imsglobal.org/xsd/imscp_v1p1}"
    with zipfile.ZipFile(path) as archive:
        trees = {name: ElementTree.fromstring(archive.read(name)) for name in archive.namelist()}
    manifest = trees.pop("imsmanifest.xml")
    resources = {each.get("identifier"): each for each in manifest.iter(f"{content}resource")}
    assert {each.get("href") for each in resources.values()} == set(trees)
    for each in resources.values():
        assert [file.get("href") for file in each.iter(f"{content}file")] == [each.get("href")]
    for test in (tree for tree in trees.values() if tree.tag == f"{NAMES}assessmentTest"):
        references = list(test.iter(f"{NAMES}assessmentItemRef"))
        depends = resources[test.get("identifier")].iter(f"{content}dependency")
        assert [each.get("identifierref") for each in depends] == [
            each.get("identifier") for each in references
        ]
        items = [trees[each.get("href")] for each in references]
        assert [item.get("identifier") for item in items] == [
            each.get("identifier") for each in references
        ]
        for item in items:
            check_item(item)
        yield test.get("title"), items


NAMES = "{http://www.imsglobal.org/xsd/imsqti_v2p1}"


def check_item(item: ElementTree.Element) -> None:
    """What the schema, and an import, ask of an item with one choice."""
    assert item.tag == f"{NAMES}assessmentItem"
    assert set(item.keys()) == {"identifier", "title", "adaptive", "timeDependent"}
    order = " ".join(child.tag.removeprefix(NAMES) for child in item)
    pattern = re.sub(r"(\w+)(\*?) ?", r"(?:\1 )\2", IN_ITEM)
    assert re.fullmatch(pattern, f"{order} "), order
    choices = [each.get("identifier") for each in item.iter(f"{NAMES}simpleChoice")]
    feedback = [each.get("identifier") for each in item.iter(f"{NAMES}modalFeedback")]
    (right,) = item.findall(f"{NAMES}responseDeclaration/{NAMES}correctResponse/{NAMES}value")
    assert choices == feedback
    assert right.text in choices
    declared = {
        each.get("identifier")
        for kind in ("responseDeclaration", "outcomeDeclaration")
        for each in item.findall(f"{NAMES}{kind}")
    }
    for kind in ("variable", "correct", "setOutcomeValue"):
        assert {each.get("identifier") for each in item.iter(f"{NAMES}{kind}")} <= declared
    (interaction,) = item.iter(f"{NAMES}choiceInteraction")
    assert interaction.get("responseIdentifier") in declared


def test_canvas_reads_the_questions_back(site: Path) -> None:
    tests = dict(read_qti(site / questions.QTI))
    assert {title: len(items) for title, items in tests.items()} == {"Spread": 2, "More": 1}
    first = tests["Spread"][0]
    assert first.find(f".//{NAMES}value").text == "b"
    choices = ["".join(each.itertext()) for each in first.iter(f"{NAMES}simpleChoice")]
    assert choices[0] == "It is 0.25: 50 % {of} a ~ b = c # d."
    assert choices[1] == r"It is \(\frac12\)."
    feedback = [" ".join(each.itertext()) for each in first.iter(f"{NAMES}modalFeedback")]
    assert feedback[0].endswith("is “not” so.")


def test_mistakes_of_an_author_name_their_line(tmp_path: Path) -> None:
    make(tmp_path, {"01_wrong": WRONG})
    (tmp_path / "notebooks" / "01_wrong.md").write_text(WRONG)
    status, printed = build(tmp_path)
    assert status == 1
    last = sorted(
        {line for line in printed.splitlines() if "WARNING: question" in line},
        key=lambda line: int(re.search(r"\.md:(\d+)", line)[1]),
    )
    starts = [n for n, line in enumerate(WRONG.splitlines(), 1) if line == "```{question}"]
    lines = [int(re.search(r"01_wrong\.md:(\d+): WARNING", line)[1]) for line in last]
    assert lines == starts
    said = [
        "expected two or more choices, one of them right, [x]; 0 of 2 are",
        "expected two or more choices, one of them right, [x]; 2 of 2 are",
        "say why in a list of one item below the choice 'That.'",
        "a choice begins with [x] or [ ], this one does not: 'That.",
        "a question is a text and then a list of choices",
        "a question is a text and then a list of choices",
    ]
    for line, words in zip(last, said, strict=True):
        assert words in line


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_a_choice_opens_by_keyboard_and_paper_shows_all(site: Path, scripts: bool) -> None:
    with chromium() as browser:
        tab = browser.new_context(java_script_enabled=scripts).new_page()
        tab.goto((site / "notebooks" / "01_spread.html").as_uri())
        why = tab.get_by_text("And so on.")
        choice = tab.locator(".question summary").nth(1)
        assert not why.is_visible()
        choice.press("Enter")
        assert why.is_visible()
        choice.press("Enter")
        assert not why.is_visible()
        tab.emulate_media(media="print")
        assert why.is_visible()
