"""The claims of three papers that the book touches, and the band for each of our numbers.

The list behind `ledger`. A band is what our number must fall into for the claim to count as
reproduced. It follows from the statement and from what a finite sample allows; where neither
fixes a width, it is a margin of our own. Where the papers state a direction in
words, the number is one that says whether the direction holds, and the band is the side on which
it does.
"""

from .alignment_uniformity import WANG_ISOLA
from .claim import MG, PAPERS, TE, WI, Claim, Interval
from .gap import LIANG_GAP
from .information import SCHRODI
from .moving import LIANG_MOVED

__all__ = ["CLAIMS", "MG", "PAPERS", "TE", "WI", "Claim", "Interval"]

CLAIMS: tuple[Claim, ...] = (*WANG_ISOLA, *LIANG_GAP, *LIANG_MOVED, *SCHRODI)
