"""Two towers that see identical pictures."""

from __future__ import annotations

import pytest

from modality_gap.experiments import same_pictures
from modality_gap.experiments.same_pictures import Pictures, run

SHORT = {"steps": 2, "batch_size": 32}


def test_twin_towers_have_no_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(same_pictures, "SECOND", 0)
    for row in run(Pictures(**SHORT)):
        assert row["l2m"] < 1e-6
        assert row["alignment"] < 1e-12
        assert row["recall_1"] > 0.99  # two images may be the same
        assert row["separability"] == 0.5


def test_two_seeds_make_a_gap_and_temperatures_do_as_told() -> None:
    rows = run(Pictures(temperature=0.05, learn_temperature=False, dimensions=16, **SHORT))
    assert rows[0]["l2m"] > 0.5
    assert rows[0]["separability"] > 0.95
    assert [row["step"] for row in rows] == [0, 2]
    assert [row["measured_temperature"] for row in rows] == pytest.approx([0.05, 0.05])
    learned = run(Pictures(**SHORT), stop=0)
    assert [row["step"] for row in learned] == [0]
    assert learned[0]["measured_temperature"] == pytest.approx(0.07)
