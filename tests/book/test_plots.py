import re
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import to_rgb

from modality_gap.book import explore, plots


def contrast(one: str, other: str) -> float:
    """Contrast ratio of the Web Content Accessibility Guidelines 2.1."""

    def luminance(color: str) -> float:
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_and_data_are_legible_on_both_pages() -> None:
    dark_page = plots.DARK[plots.PAPER]
    assert contrast(plots.INK, plots.PAPER) > 7
    assert contrast(plots.DARK[plots.INK], dark_page) > 7
    for color in (plots.IMAGE, plots.TEXT):
        assert contrast(color, plots.PAPER) > 3
        assert contrast(color, dark_page) > 3


def test_images_are_blue_and_texts_are_orange_everywhere() -> None:
    """In the figure with sliders, too, which has its own copy."""
    assert (plots.IMAGE, plots.TEXT) == ("#0072B2", "#D55E00")
    style = (Path(explore.__file__).parent / "moving_gap.css").read_text("utf-8")
    for name, color in (("mg-image", plots.IMAGE), ("mg-text", plots.TEXT)):
        rule = re.search(rf":is\(\.{name}, [^)]*\) {{\s*fill: (#\w+);", style)
        assert rule
        assert rule[1].upper() == color


def test_style_uses_the_colours_that_the_dark_page_replaces() -> None:
    with mpl.rc_context():
        plots.use_style()
        for key in ("text.color", "axes.labelcolor", "xtick.color", "axes.edgecolor"):
            assert mpl.rcParams[key] in plots.DARK
        assert mpl.rcParams["figure.facecolor"] in plots.DARK
        plt.plot([0, 1])
        plt.close()


def test_ordered_colours_are_distinct() -> None:
    assert len(set(plots.ordered(7))) == 7
    with pytest.raises(ValueError, match="-1"):
        plots.ordered(-1)
