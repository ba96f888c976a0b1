"""Interactive figures, for JupyterLab and for the book's pages.

Every figure is one ES module: the kit (`kit.js`), what it shares with others (`clip.js`,
`globe.js`), its own code. They are put together as text and import nothing, so that the same module
runs in JupyterLab, from a server and from the file system.

Why the kit, and not D3's modules: what the figures need of D3 (scale, axis, drag, shape, and the
modules that these need) is 13 files of 128 kB, and the whole of it 280 kB, against 10 kB of kit. A
page from the file system can share them as scripts; the widget in JupyterLab cannot, and would
carry them in each figure. They would replace about 60 lines here, scales, round ticks and axes:
D3's drag knows no keys, its axes have no words for a screen reader, and sliders, choices, panels
with a reading, and the hosting would stay ours. A figure that needs contours, maps or forces should
ask again.
"""

from .clip_by_hand import ClipByHand, clip_by_hand
from .cone import Cone, cone
from .moving_gap import MovingGap, moving_gap
from .one_list import OneList, one_list
from .pull_push import PullPush, pull_push
from .race import Race, race
from .two_cones import TwoCones, two_cones
from .what_fits import WhatFits, what_fits
from .what_moves import WhatMoves, what_moves

__all__ = [
    "ClipByHand",
    "Cone",
    "MovingGap",
    "OneList",
    "PullPush",
    "Race",
    "TwoCones",
    "WhatFits",
    "WhatMoves",
    "clip_by_hand",
    "cone",
    "moving_gap",
    "one_list",
    "pull_push",
    "race",
    "two_cones",
    "what_fits",
    "what_moves",
]
