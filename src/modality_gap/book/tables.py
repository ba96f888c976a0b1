"""Tables on a page: numbers written alike, and one table that is too wide for a plain one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import groupby

import pandas as pd

from .numbers import MINUS

MARKS = {
    1: '<span role="img" aria-label="better" title="better">▲</span>',
    -1: '<span role="img" aria-label="worse" title="worse">▼</span>',
    0: "",
}
LOOK = """<style>
.marked {overflow-x: auto}
.marked table {border-collapse: collapse; font-size: .74rem; margin: 0}
.bd-article .marked table.dataframe :is(td, th) {padding: .15em .4em; text-align: right;
  white-space: nowrap}
.bd-article .marked table.dataframe thead th {white-space: normal; vertical-align: bottom;
  line-height: 1.15; max-width: 5em}
.bd-article .marked table.dataframe tbody th {text-align: left; font-weight: 400;
  position: sticky; left: 0; max-width: 8.5em; white-space: normal; line-height: 1.15;
  background: var(--pst-color-background, var(--jp-layout-color0, Canvas))}
.bd-article .marked table.dataframe tr.set th {font-weight: 700; padding-top: .9em;
  max-width: none}
.marked small {display: block; opacity: .8}
</style>"""


def written(table: pd.DataFrame, form: str) -> pd.DataFrame:
    """Every number as text, with a minus sign for a hyphen.

    Args:
        table: of numbers.
        form: how Python is to write one, such as ".2f".
    """
    return table.map(lambda value: format(value, form).replace("-", MINUS))


def marked(
    blocks: Mapping[str, Mapping[str, pd.DataFrame]],
    columns: Mapping[str, tuple[str, str]],
    verdict: Callable[[pd.DataFrame, pd.DataFrame, str], int],
) -> str:
    """HTML of means and standard deviations, marked where they are better or worse.

    Args:
        blocks: by heading, rows by name. A row is a table with a line for each seed; the first row
            of a block is what the block's other rows are compared with.
        columns: by name in the rows' tables, each with its heading and the group that it belongs
            to; neighbours of one group stand below one heading. A row may lack a column.
        verdict: of a row, the first row of its block and a column: 1 better, -1 worse, 0 neither.

    Returns:
        A table that scrolls within its frame, with its own style. Headings and names are HTML.
    """

    def cell(own: pd.DataFrame, first: pd.DataFrame, column: str) -> str:
        if column not in own:
            return "<td>–</td>"
        mark = "" if own is first else MARKS[verdict(own, first, column)]
        mean, deviation = (f"{value:.3f}" for value in (own[column].mean(), own[column].std()))
        deviation = deviation.removeprefix("0")
        return f"<td>{mean.removeprefix('0')}{mark}<small>±{deviation}</small></td>"

    names = [group for _, group in columns.values()]
    groups = [(name, len(list(same))) for name, same in groupby(names)]
    head = "".join(f'<th colspan="{size}" scope="colgroup">{name}</th>' for name, size in groups)
    under = "".join(f'<th scope="col">{heading}</th>' for heading, _ in columns.values())
    body = ""
    for heading, rows in blocks.items():
        body += f'<tr class="set"><th colspan="5">{heading}</th></tr>'
        first = next(iter(rows.values()))
        for name, own in rows.items():
            cells = "".join(cell(own, first, column) for column in columns)
            body += f'<tr><th scope="row">{name}</th>{cells}</tr>'
    return (
        f'{LOOK}<div class="marked" tabindex="0"><table class="dataframe"><thead>'
        f"<tr><th></th>{head}</tr><tr><th></th>{under}</tr></thead><tbody>{body}</tbody>"
        "</table></div>"
    )
