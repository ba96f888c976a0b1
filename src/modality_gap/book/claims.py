"""The claims that the book touches: the table `claims.yaml`, loaded and checked.

    python -m modality_gap.book.claims > src/modality_gap/book/claims.sha256

renews the digests, one for each claim. A test compares them with the table, so that a band that was
widened shows in two files of a diff.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Hashable, Iterable, Iterator
from dataclasses import MISSING, dataclass, fields
from functools import cache
from itertools import permutations
from math import factorial, floor, inf, ulp
from pathlib import Path
from typing import Any

import yaml

try:
    from yaml import CSafeLoader as SafeLoader  # ten times as fast
except ImportError:  # built without libyaml
    from yaml import SafeLoader

FILE = Path(__file__).with_name("claims.yaml")
DIGESTS = FILE.with_suffix(".sha256")

Interval = tuple[float, float]
POSITIVE: Interval = (ulp(0), inf)
NEGATIVE: Interval = (-inf, -ulp(0))
SIDES = {"above 0": POSITIVE, "below 0": NEGATIVE}

NUMBERS = "numbers of the papers"
DIRECTIONS = "directions of the papers"
OWN = "our own references and identities"
KINDS = (NUMBERS, DIRECTIONS, OWN)
SOURCES = {  # what there is where no number is printed
    "in words": DIRECTIONS,
    "in a picture": DIRECTIONS,
    "closed form": OWN,
    "theorem": OWN,
    "our reference": OWN,
    "setting": OWN,
}
ORIGINS = (
    "the paper",
    "a closed form",
    "us, before the first result",
    "us, with the first result",
    "us, after the first result",
)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One number of one claim.

    Attributes:
        id: unique; what a chapter gives to `ledger.record`.
        item: what belongs together, such as "MG Fig. 2b".
        paper: key in the book's list of references.
        where: figure, table, theorem or section of the paper.
        claim: the statement, in the book's words; with `where` it heads a group of rows.
        quantity: which number is measured.
        stated: the numbers that the paper prints of it, or one of `SOURCES` if it prints none.
        chapter: the chapter that measures or quotes it.
        figure: label of the figure that shows it ("fig-…"), of an equation ("eq-…"), or empty.
        band: what our number must fall into; both ends belong to it.
        band_from: who says so, one of `ORIGINS`; empty if nothing is measured.
        direction: beside the band of a printed number, a condition that every direction value must
            meet, whatever the band says. It holds for the values themselves, unless
            `direction_quantity` names another number.
        direction_quantity: the other number, recorded beside the values.
        each: the band is for every value instead of their mean.
        over: what there is one value of, in the plural.
        chosen_after: the row was picked, out of a wider one, when its results had been seen.
        second_hand: known from a published reading of the paper; we could not open it ourselves.

    A claim without a band is only quoted.

    Raises:
        ValueError: fields that contradict each other.
    """

    id: str
    item: str
    paper: str
    where: str
    claim: str
    quantity: str
    stated: tuple[float, ...] | str
    chapter: str
    figure: str = ""
    band: Interval | None = None
    band_from: str = ""
    direction: Interval | None = None
    direction_quantity: str = ""
    each: bool = False
    over: str = "seeds"
    chosen_after: bool = False
    second_hand: bool = False

    def __post_init__(self) -> None:
        """Refuse fields that contradict each other."""
        if not isinstance(self.stated, tuple) and self.stated not in list(SOURCES):
            known = ", ".join(SOURCES)
            raise ValueError(f"stated: expected printed numbers or {known}, got {self.stated!r}")
        if self.stated == ():
            raise ValueError(f"stated: without a number it is one of {', '.join(SOURCES)}")
        if self.quoted and self.kind == OWN:
            raise ValueError("band is missing; what is our own is measured")
        if self.quoted != (self.band_from == "") or self.band_from not in ("", *ORIGINS):
            raise ValueError(f"band_from: a band comes from {', '.join(ORIGINS)}; no band, nothing")
        if self.direction and (self.quoted or self.kind != NUMBERS):
            raise ValueError("direction: stands beside the band of a printed number only")
        if self.direction_quantity and not self.direction:
            raise ValueError("direction is missing; direction_quantity names what it is asked of")

    @property
    def quoted(self) -> bool:
        """Whether the claim is quoted and nothing was measured."""
        return self.band is None

    @property
    def kind(self) -> str:
        """Its class, one of `KINDS`: it follows from what the paper prints."""
        return SOURCES[self.stated] if isinstance(self.stated, str) else NUMBERS


@cache
def rank_level(count: int) -> float:
    """The rank correlation from which on the book speaks of an order of so many values.

    The least Spearman's ρ that at most one in twenty of all orders reaches (one-sided, exact, no
    ties), rounded down to three decimals.

    Args:
        count: from 4 to 8.

    Raises:
        ValueError: fewer values reach no such level; of more there are too many orders to count.
    """
    if not 4 <= count <= 8:
        raise ValueError(f"count: expected 4 to 8 values, got {count}")
    orders = permutations(range(count))
    distances = sorted(sum((i - j) ** 2 for i, j in enumerate(order)) for order in orders)
    allowed = factorial(count) // 20
    largest = max(d for d in distances[:allowed] if d < distances[allowed])
    return floor(1000 * (1 - 6 * largest / (count**3 - count))) / 1000


def load(
    file: Path, papers: Container[str] | None = None, chapters: Container[str] | None = None
) -> tuple[dict[str, str], tuple[Claim, ...]]:
    """The table: papers by their key, and the claims in the order in which they stand.

    Args:
        file: as its first lines describe it.
        papers: keys in the list of references; None: any will do.
        chapters: names of chapters; None: any will do.

    Raises:
        ValueError: something is unknown, missing, there twice or of the wrong kind. The message
            says the file, the id (or paper) and what to do.
    """
    with file.open(encoding="utf-8") as stream:
        try:
            table = yaml.load(stream, _Loader)
        except yaml.YAMLError as error:  # which names the file and the line
            raise ValueError(f"This is no table of claims: {error}") from None
    names: dict[str, str] = {}
    claims: dict[str, Claim] = {}
    for paper, shared, groups in _opened(file, table.items(), "claims", list):
        if "name" not in shared:
            raise ValueError(f"{file.name}: {paper}: name is missing; add one such as Fox (2020)")
        names[paper] = shared.pop("name")
        numbered = ((f"{paper}, claim {n}", group) for n, group in enumerate(groups, 1))
        for _, said, numbers in _opened(file, numbered, "numbers", dict):
            for id, own in numbers.items():
                try:
                    if id in claims:
                        raise ValueError("is there twice; give each number an id of its own")
                    if not isinstance(own, dict):
                        raise ValueError(f"expected fields in braces, got {own!r}")
                    if papers is not None and paper not in papers:
                        raise ValueError(f"{paper!r} is no paper of the list of references; add it")
                    claims[id] = claim = _claim(shared | said | own | {"id": id, "paper": paper})
                    if chapters is not None and claim.chapter not in chapters:
                        raise ValueError(f"no chapter {claim.chapter!r}; name one of notebooks/")
                except ValueError as error:
                    raise ValueError(f"{file.name}: {id}: {error}") from None
    return names, tuple(claims.values())


def digest(claim: Claim) -> str:
    """Sixteen hexadecimal digits of what a verdict rests on."""
    decides = (claim.quantity, claim.stated, claim.band, claim.band_from, claim.each)
    text = repr((*decides, claim.direction, claim.direction_quantity))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def digests(claims: tuple[Claim, ...]) -> str:
    """A line for each claim: digest and id."""
    return "".join(f"{digest(claim)}  {claim.id}\n" for claim in claims)


def _opened(
    file: Path, blocks: Iterable[tuple[str, object]], inner: str, kind: type
) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """(name, what holds for all of the block, what it holds) of each block."""
    for name, block in blocks:
        if not isinstance(block, dict) or not block.get(inner):
            raise ValueError(f"{file.name}: {name}: expected fields, and {inner!r} with some in it")
        if not isinstance(block[inner], kind):
            form = "'- item: …' for each" if kind is list else "'id: {…}' for each"
            raise ValueError(f"{file.name}: {name}: {inner}: expected {form}")
        yield name, {key: value for key, value in block.items() if key != inner}, block[inner]


def _claim(said: dict[str, Any]) -> Claim:
    """A claim of its fields, whose names and kinds are checked."""
    known = {field.name: field for field in fields(Claim)}
    if unknown := sorted(said.keys() - known):
        raise ValueError(f"no field {unknown[0]!r}; rename it to one of {', '.join(known)}")
    for name, field in known.items():
        if name not in said and field.default is MISSING:
            raise ValueError(f"{name} is missing; add it here or to the claim")
        value = said.get(name)
        if name in ("band", "direction"):
            said[name] = _interval(name, value)
        elif name == "stated" and isinstance(value, list):
            if not all(isinstance(number, int | float) for number in value):
                raise ValueError(f"stated: expected numbers without quotes, got {value!r}")
            said[name] = tuple(map(float, value))
        elif name == "stated":
            pass  # a claim knows its sources
        elif name in said and type(value).__name__ != field.type:
            raise ValueError(f"{name}: expected {field.type}, got {value!r}; a text in quotes?")
    return Claim(**said)


def _interval(name: str, said: object) -> Interval | None:
    """An interval as the table writes it."""
    match said:
        case None:
            return None
        case str() if said in SIDES:
            return SIDES[said]
        case str() if match := re.fullmatch("(falls|rises) over ([4-8])", said):
            level = rank_level(int(match[2]))
            return (-1, -level) if match[1] == "falls" else (level, 1)
        case [int() | float() as low, int() | float() as high] if low <= high:
            return low, high
    raise ValueError(
        f"{name}: expected [low, high] with low <= high, 'above 0', 'below 0', 'falls over 6' or "
        f"'rises over 6', got {said!r} (powers of ten have a point: 1.0e-6)"
    )


class _Loader(SafeLoader):  # type: ignore[misc]
    """YAML in which no key stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """The mapping; an error where a later value would silently replace an earlier one."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                problem = f"{key.value!r} is there twice; take one out"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


PAPERS, CLAIMS = load(FILE)

if __name__ == "__main__":
    print(digests(CLAIMS), end="")
