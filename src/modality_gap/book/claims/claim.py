"""One claim of a paper, and what its band is made of."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, ulp

WI = "wang2020understanding"
MG = "liang2022mind"
TE = "schrodi2025two"
PAPERS = {WI: "Wang & Isola (2020)", MG: "Liang et al. (2022)", TE: "Schrodi et al. (2025)"}

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One number of one claim.

    Attributes:
        id: unique; what a chapter gives to `ledger.record`.
        item: what belongs together, such as "MG Fig. 2b"; it heads a group of rows.
        paper: key in the book's list of references.
        where: figure, table, theorem or section of the paper.
        claim: the statement, in the book's words.
        quantity: which number is measured.
        stated: what the paper says of it.
        chapter: the chapter that measures or quotes it.
        figure: label of the figure that shows it ("fig-…"), of an equation ("eq-…"), or empty.
        band: for "reproduced"; both ends belong to it.
        direction: a condition that every direction value must meet, whatever the band says. It
            holds for the values themselves, unless `direction_quantity` names another number.
        direction_quantity: the other number, recorded beside the values.
        each: the band is for every value instead of their mean.
        over: what there is one value of, in the plural.

    A claim without a band and without a direction is only quoted.
    """

    id: str
    item: str
    paper: str
    where: str
    claim: str
    quantity: str
    stated: str
    chapter: str
    figure: str = ""
    band: Interval | None = None
    direction: Interval | None = None
    direction_quantity: str = ""
    each: bool = False
    over: str = "seeds"

    @property
    def quoted(self) -> bool:
        """Whether the claim is quoted and nothing was measured."""
        return self.band is None and self.direction is None


FALLS: Interval = (-1, -0.8)  # Spearman's rank correlation
RISES: Interval = (0.8, 1)
POSITIVE: Interval = (ulp(0), inf)
NEGATIVE: Interval = (-inf, -ulp(0))
EXACT: Interval = (0, 1e-12)  # float64
COLLAPSED: Interval = (0.95, 1.001)  # exp(uniformity), 1 at a single point


def near(value: float, width: float) -> Interval:
    """A band around a value, without the digits that rounding adds."""
    return round(value - width, 10), round(value + width, 10)
