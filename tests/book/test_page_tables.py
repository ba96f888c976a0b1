"""Tables on a page."""

from __future__ import annotations

import re

import pandas as pd

from modality_gap.book import tables


def test_numbers_are_written_with_a_minus_sign() -> None:
    table = pd.DataFrame({"a": [0.5, -0.25]}, index=["x-y", "z"])
    shown = tables.written(table, "+.1f")
    assert list(shown.a) == ["+0.5", "−0.2"]
    assert list(shown.index) == ["x-y", "z"]


def test_rows_are_compared_with_the_first_of_their_block() -> None:
    nothing = pd.DataFrame({"a": [0.25, 0.75], "b": [1.0, 1.0]})
    better = pd.DataFrame({"a": [0.5, 1.0]})
    compared = []

    def verdict(own: pd.DataFrame, first: pd.DataFrame, column: str) -> int:
        compared.append((own is better, first is nothing, column))
        return 1

    html = tables.marked(
        {"block": {"nothing": nothing, "better": better}},
        {"a": ("A", "one"), "b": ("B", "two")},
        verdict,
    )
    assert compared == [(True, True, "a")]
    first, second = re.findall(r'<tr><th scope="row">.*?</tr>', html)
    assert re.findall(r"<td>(.*?)</td>", first) == [
        ".500<small>±.354</small>",
        "1.000<small>±.000</small>",
    ]
    assert re.findall(r"<td>(.*?)</td>", second) == [
        f".750{tables.MARKS[1]}<small>±.354</small>",
        "–",
    ]


def test_neighbours_of_one_group_share_a_heading() -> None:
    row = pd.DataFrame({name: [0.0, 0.0] for name in "abc"})
    columns = {"a": ("A", "one"), "b": ("B", "one"), "c": ("C", "two")}
    html = tables.marked({"block": {"row": row}}, columns, lambda *_: 0)
    assert re.findall(r'colspan="(\d)" scope="colgroup">(\w+)', html) == [
        ("2", "one"),
        ("1", "two"),
    ]
    assert re.findall(r'scope="col">(\w+)', html) == ["A", "B", "C"]
