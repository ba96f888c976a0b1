"""What screen readers stumble over is mended, and axe-core sees a fault where there is one."""

from __future__ import annotations

import pytest

from accessible import mended
from axe_faults import contrast_faults, rule_faults
from browser import chromium


@pytest.mark.parametrize(
    ("html", "said"),
    [
        ('<th class="a"></th><th>b</th>', '<td class="a"></td><th>b</th>'),
        ("<thead>\n<th>&nbsp;</th>", "<thead>\n<td>&nbsp;</td>"),
        (
            "<dl>\n<dd><em>x</em>,</dd>\n<dd>y</dd>\n</dl>",
            '<ul class="sig-params">\n<li><em>x</em>,</li>\n<li>y</li>\n</ul>',
        ),
        ("<dl>\n<dt>a</dt>\n<dd>b</dd>\n</dl>", "<dl>\n<dt>a</dt>\n<dd>b</dd>\n</dl>"),
    ],
)
def test_mends(html: str, said: str) -> None:
    assert mended(html) == said


def test_axe_sees_a_fault() -> None:
    with chromium() as browser:
        page = browser.new_page()
        page.set_content(
            "<html lang=en><title>t</title><button></button><p style='color: #aaa'>pale words"
        )
        seen: set[str] = set()
        assert [fault.split(":")[0] for fault in rule_faults(page)] == ["button-name"]
        assert [fault.split(":")[0] for fault in contrast_faults(page, seen)] == ["color-contrast"]
        assert contrast_faults(page, seen) == []
