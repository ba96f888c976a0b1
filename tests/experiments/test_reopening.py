"""One model whose captions say less, and then all again: short legs."""

from __future__ import annotations

import pytest

from modality_gap.experiments import reopening
from modality_gap.experiments.reopening import Reopening, Rows, run


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    monkeypatch.setattr(reopening, "LEG", 2)
    monkeypatch.setattr(reopening, "EARLY", 1)
    return {"steps": 2, "batch_size": 32}


def of_leg(rows: Rows, leg: str) -> Rows:
    return [row for row in rows if row["leg"] == leg]


def test_legs_follow_each_other_and_a_frozen_temperature_stays(short: dict[str, int]) -> None:
    rows = run(Reopening(then_k=1, **short))
    assert [row["step"] for row in rows] == [0, 1, 2, 2, 3, 4, 4, 5, 6]
    first, there, back = (of_leg(rows, leg) for leg in ("first", "there", "back"))
    assert first[0]["measured_temperature"] != first[-1]["measured_temperature"]
    assert {row["measured_temperature"] for row in there + back} == {
        first[-1]["measured_temperature"]
    }
    # Other captions for the same images, by the same model.
    assert there[0]["l2m_full"] == first[-1]["l2m_full"]
    assert there[0]["l2m"] != first[-1]["l2m"]
    assert back[0]["l2m_full"] == there[-1]["l2m_full"]


def test_the_control_goes_on_with_what_it_had(short: dict[str, int]) -> None:
    first, there = (
        of_leg(run(Reopening(then_k=5, then_frozen=False, **short)), leg)
        for leg in ("first", "there")
    )
    same = set(there[0]) - {"leg", "step", "train_loss"}
    assert {name: first[-1][name] for name in same} == {name: there[0][name] for name in same}
    assert there[0]["measured_temperature"] != there[-1]["measured_temperature"]


def test_runs_of_a_seed_have_the_first_leg_in_common(
    short: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = []
    train = reopening._train

    def noted(config: Reopening, leg: str, *rest: object) -> object:
        trained.append(leg)
        return train(config, leg, *rest)

    monkeypatch.setattr(reopening, "_train", noted)
    both = [run(Reopening(then_k=k, seed=7, **short)) for k in (0, 5)]
    assert trained == ["first", "there", "back", "there", "back"]
    assert of_leg(both[0], "first") == of_leg(both[1], "first")
