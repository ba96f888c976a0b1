"""Questions of multiple choice between the paragraphs, and as files for Moodle and Canvas.

A question is a list whose items begin with [x], the right choice, or [ ]; below each choice stands
a list of one item that says why. On the page every choice is a disclosure, so it works by keyboard
and without scripts. The notebook edition, the PDF and the two files are made of the page's HTML,
where numbers and formulas are in place.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from bs4 import BeautifulSoup, SoupStrainer, Tag
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

GIFT = "mind-the-modality-gap-questions.gift.txt"
QTI = "mind-the-modality-gap-questions-qti.zip"
MARK = re.compile(r"\[([ x])\]\s*")
SAID = {True: "Right. ", False: "No. "}


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive, its nodes, and the files."""
    app.add_directive("question", QuestionDirective)
    for node, tag in ((QuestionNode, "div"), (ChoiceNode, "details"), (TextNode, "summary")):
        app.add_node(node, html=element(tag))
    app.connect("doctree-resolved", number)
    app.connect("build-finished", write_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


# On the page


class QuestionNode(nodes.General, nodes.Element):
    """A question: blocks, then choices."""


class ChoiceNode(nodes.General, nodes.Element):
    """A choice: its text, then blocks that say why."""


class TextNode(nodes.General, nodes.TextElement):
    """The text of a choice."""


def element(tag: str) -> tuple[Any, Any]:
    """How a node is written as an HTML element."""

    def visit(translator: Any, node: nodes.Element) -> None:  # noqa: ANN401
        translator.body.append(translator.starttag(node, tag, **node.get("html", {})))

    def depart(translator: Any, node: nodes.Element) -> None:  # noqa: ANN401
        translator.body.append(f"</{tag}>\n")

    return visit, depart


class QuestionDirective(SphinxDirective):
    """A question with its choices."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """The question; nothing, and a warning with its line, if the author made a mistake."""
        parsed = self.parse_content_to_nodes()
        try:
            *stem, choices = parsed
            if not stem or not isinstance(choices, nodes.bullet_list):
                raise ValueError("a question is a text and then a list of choices")
            found = [choice(item) for item in choices]
            right = sum("right" in each["classes"] for each in found)
            if right != 1 or len(found) < 2:
                raise ValueError(
                    f"expected two or more choices, one of them right, [x]; "
                    f"{right} of {len(found)} are"
                )
        except ValueError as error:
            logger.warning("question: %s", error, location=self.get_location())
            return []
        return [QuestionNode("", *stem, *found, classes=["question"])]


def choice(item: nodes.list_item) -> ChoiceNode:
    """A choice of the list."""
    text = item.next_node(nodes.paragraph)
    mark = text and MARK.match(text.astext())
    if not mark or not isinstance(text[0], nodes.Text):
        raise ValueError(f"a choice begins with [x] or [ ], this one does not: {item.astext()!r}")
    words = text.astext()[mark.end() :]
    if [type(child) for child in item] != [nodes.paragraph, nodes.bullet_list] or len(item[1]) != 1:
        raise ValueError(f"say why in a list of one item below the choice {words!r}")
    right = mark[1] == "x"
    text[0] = nodes.Text(MARK.sub("", text[0], count=1))
    why = item[1][0]
    first = why.next_node(nodes.paragraph)
    first.insert(0, nodes.strong("", SAID[right]))
    classes = ["choice", *(["right"] if right else [])]
    return ChoiceNode("", TextNode("", "", *text), *why, classes=classes)


def number(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Number the questions of a page as its figures are."""
    chapter = app.env.toc_secnumbers.get(docname, {}).get("", ())[:1]
    for position, node in enumerate(doctree.findall(QuestionNode), start=1):
        name = f"Question {'.'.join(map(str, (*chapter, position)))}"
        node["html"] = {"role": "group", "aria-label": name}
        node.insert(0, nodes.paragraph("", name, classes=["question-number"]))


# Read from a page


@dataclass(frozen=True)
class Choice:
    """A choice as HTML: what it says, and why it is right or not."""

    text: str
    why: str
    right: bool


@dataclass(frozen=True)
class Question:
    """A question as HTML, and its number in the book."""

    number: str
    stem: str
    choices: list[Choice]


def read(element: Tag) -> Question:
    """A question of a page's HTML."""
    title = element.find(class_="question-number")
    details = element.find_all("details")
    stem = [tag for tag in element.find_all(True, recursive=False) if tag.name != "details"]
    return Question(
        title.get_text().removeprefix("Question "),
        "".join(str(tag) for tag in stem if tag is not title),
        [
            Choice(
                each.summary.decode_contents().strip(),
                "".join(str(tag) for tag in each.find_all(True, recursive=False)[1:]),
                "right" in each["class"],
            )
            for each in details
        ],
    )


def letters(question: Question) -> list[tuple[str, Choice]]:
    """The choices with their letters."""
    return list(zip("abcdefgh", question.choices, strict=False))


# Files for Moodle and Canvas


def write_files(app: Sphinx, exception: Exception | None) -> None:
    """Write the questions of all pages of the book beside them."""
    if exception or app.builder.name != "html":
        return
    chapters = []
    for page in (name.removesuffix(".md") for name in app.config.external_site_map):
        path = Path(app.builder.get_outfilename(page))
        text = path.read_text("utf-8") if path.exists() else ""
        if 'class="question"' in text:
            found = BeautifulSoup(text, "html.parser", parse_only=SoupStrainer(class_="question"))
            questions = [plain(read(tag)) for tag in found.find_all(class_="question")]
            chapters.append((app.env.titles[page].astext(), questions))
    if chapters:
        Path(app.outdir, GIFT).write_text("\n".join(gift(chapters)), "utf-8")
        with zipfile.ZipFile(Path(app.outdir, QTI), "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in qti(chapters):
                archive.writestr(name, text)


def plain(question: Question) -> Question:
    """Without links and the page's own classes; formulas stay as LaTeX in \\( \\)."""

    def clean(html: str) -> str:
        soup = BeautifulSoup(html, "html.parser")
        for tag in soup.select("a, span"):
            tag.unwrap()
        for tag in soup.find_all(True):
            tag.attrs = {}
        return " ".join(str(soup).split())

    choices = [Choice(clean(each.text), clean(each.why), each.right) for each in question.choices]
    return Question(question.number, clean(question.stem), choices)


def gift(chapters: list[tuple[str, list[Question]]]) -> Iterator[str]:
    """The lines of Moodle's GIFT file: a category for each chapter."""

    def safe(text: str) -> str:
        return re.sub(r"([\\~=#{}:])", r"\\\1", text)

    for title, questions in chapters:
        yield f"$CATEGORY: Mind the Modality Gap/{title.replace('/', '//')}\n"
        for question in questions:
            yield f"::Question {question.number}::[html]{safe(question.stem)}{{"
            for each in question.choices:
                yield f"{'=' if each.right else '~'}{safe(each.text)}#{safe(each.why)}"
            yield "}\n"


ITEM = """\
<?xml version="1.0" encoding="UTF-8"?>
<assessmentItem xmlns="http://www.imsglobal.org/xsd/imsqti_v2p1" identifier="{name}"
  title={title} adaptive="false" timeDependent="false">
<responseDeclaration identifier="RESPONSE" cardinality="single" baseType="identifier">
<correctResponse><value>{right}</value></correctResponse>
</responseDeclaration>
<outcomeDeclaration identifier="SCORE" cardinality="single" baseType="float">
<defaultValue><value>0</value></defaultValue>
</outcomeDeclaration>
<outcomeDeclaration identifier="FEEDBACK" cardinality="single" baseType="identifier"/>
<itemBody>
<div>{stem}</div>
<choiceInteraction responseIdentifier="RESPONSE" shuffle="true" maxChoices="1">
{choices}
</choiceInteraction>
</itemBody>
<responseProcessing>
<responseCondition>
<responseIf>
<match><variable identifier="RESPONSE"/><correct identifier="RESPONSE"/></match>
<setOutcomeValue identifier="SCORE"><baseValue baseType="float">1</baseValue></setOutcomeValue>
</responseIf>
</responseCondition>
<setOutcomeValue identifier="FEEDBACK"><variable identifier="RESPONSE"/></setOutcomeValue>
</responseProcessing>
{feedback}
</assessmentItem>
"""
TEST = """\
<?xml version="1.0" encoding="UTF-8"?>
<assessmentTest xmlns="http://www.imsglobal.org/xsd/imsqti_v2p1" identifier="{name}" title={title}>
<testPart identifier="part" navigationMode="nonlinear" submissionMode="individual">
<assessmentSection identifier="section" title={title} visible="true">
{items}
</assessmentSection>
</testPart>
</assessmentTest>
"""
MANIFEST = """\
<?xml version="1.0" encoding="UTF-8"?>
<manifest xmlns="http://www.imsglobal.org/xsd/imscp_v1p1" identifier="mind-the-modality-gap">
<metadata><schema>QTIv2.1 Package</schema><schemaversion>1.0.0</schemaversion></metadata>
<organizations/>
<resources>
{resources}
</resources>
</manifest>
"""


def qti(chapters: list[tuple[str, list[Question]]]) -> Iterator[tuple[str, str]]:
    """Name and text of the files of a QTI 2.1 package: a test for each chapter, and its items."""
    resources = []
    for at, (title, questions) in enumerate(chapters, start=1):
        name = f"chapter-{at}"
        items = {f"question-{each.number.replace('.', '-')}": each for each in questions}
        for item, question in items.items():
            yield f"{item}.xml", qti_item(item, question)
            resources.append(
                f'<resource identifier="{item}" type="imsqti_item_xmlv2p1" href="{item}.xml">'
                f'<file href="{item}.xml"/></resource>'
            )
        lines = [f'<assessmentItemRef identifier="{item}" href="{item}.xml"/>' for item in items]
        yield (
            f"{name}.xml",
            TEST.format(name=name, title=quoteattr(title), items="\n".join(lines)),
        )
        needs = "".join(f'<dependency identifierref="{item}"/>' for item in items)
        resources.append(
            f'<resource identifier="{name}" type="imsqti_test_xmlv2p1" href="{name}.xml">'
            f'<file href="{name}.xml"/>{needs}</resource>'
        )
    yield "imsmanifest.xml", MANIFEST.format(resources="\n".join(resources))


def qti_item(name: str, question: Question) -> str:
    """A question as an item of QTI 2.1."""
    choices = [
        f'<simpleChoice identifier="{letter}">{each.text}</simpleChoice>'
        for letter, each in letters(question)
    ]
    feedback = [
        f'<modalFeedback outcomeIdentifier="FEEDBACK" identifier="{letter}" showHide="show">'
        f"{each.why}</modalFeedback>"
        for letter, each in letters(question)
    ]
    (right,) = (letter for letter, each in letters(question) if each.right)
    return ITEM.format(
        name=escape(name),
        title=quoteattr(f"Question {question.number}"),
        right=right,
        stem=question.stem,
        choices="\n".join(choices),
        feedback="\n".join(feedback),
    )
