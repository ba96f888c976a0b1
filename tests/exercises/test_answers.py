"""Every right answer passes, every wrong one fails by an assertion; enough of both are held."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from answers import CHAPTERS, Answer, collect, exercise, outcome, outcomes, read, variants

from modality_gap.lab.training import use_threads

HELD = [answer for chapter in CHAPTERS for answer in collect(chapter)]


def named(answer: Answer) -> str:
    return f"{answer.label}: {answer.kind}, {answer.title}"


@pytest.mark.parametrize("answer", HELD, ids=named)
def test_a_right_answer_passes_and_a_wrong_one_fails(answer: Answer) -> None:
    error = outcome(answer)
    if answer.kind == "right":
        assert error == "", f"a right answer is refused: {error}"
    else:
        assert error, "a wrong answer passes"
        assert error.startswith("AssertionError: "), f"it crashes instead: {error}"


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_the_solution_passes_in_every_variant_and_the_stub_does_not(chapter: Path) -> None:
    for item in read(chapter).exercises:
        if cells := item.of("solution"):
            solution = "\n".join(cell.source for cell in cells)
            right = Answer(chapter, item.label, "right", "solution", solution)
            for variant in variants(item):
                told = f"{item.label}, variant {variant}"
                assert outcome(right, variant, seed=variant) == "", told
            assert outcome(right._replace(code=item.stub)), f"{item.label}: the stub passes"


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_enough_answers_are_held(chapter: Path) -> None:
    held = Counter((answer.label, answer.kind) for answer in collect(chapter))
    for item in read(chapter).exercises:
        if item.of("test"):
            assert held[item.label, "right"] >= 2, item.label
            assert held[item.label, "wrong"] >= 3, item.label
    for label, _ in held:
        exercise(chapter, label)  # no answer to an exercise that is gone


@pytest.mark.timeout(300)  # what forks a process with two threads waits for ever
def test_an_answer_is_judged_after_two_threads_have_worked() -> None:
    work = "import torch\n\ntorch.randn(1000, 1000).exp()\n"
    held = next(answer for answer in HELD if answer.label == "ex-gap-recall")
    with use_threads(2):
        exec(work)
        error = outcome(held._replace(code=work + held.code))
    assert (error == "") == (held.kind == "right")


FIRST = "next(x for x in [*a, *k.values()] if isinstance(x, torch.Tensor))"
NOTHING = {
    "not a number": "float('nan')",
    "a half": "0.5",
    "one": "torch.tensor(1.0)",
    "infinite": "float('inf')",
    "None": "None",
    "true": "True",
    "text": "''",
    "an empty list": "[]",
    "no elements": "torch.empty(0)",
    "no elements, of any shape": "torch.empty(0, 1, 1)",
    "zeros": f"torch.zeros_like({FIRST})",
    "ones": f"torch.ones_like({FIRST})",
    "the first argument": "[*a, *k.values()][0]",
    "the second argument": "[*a, *k.values()][1]",
}


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_an_answer_that_says_nothing_earns_no_point(chapter: Path) -> None:
    passed = []
    for item in read(chapter).exercises:
        functions = [name for name in item.answers if f"def {name}(" in item.stub]
        for title, value in NOTHING.items() if item.of("solution") else ():
            lines = [f"def {name}(*a, **k): return {value}" for name in functions]
            alone = "float('nan')" if "*a" in value else value
            lines += [f"{name} = {alone}" for name in item.answers if name not in functions]
            code = "\n".join(["import torch", *lines])
            errors = outcomes(Answer(chapter, item.label, "wrong", title, code))
            passed += [f"{item.label}: {title}"] if "" in errors else []
    assert passed == []
