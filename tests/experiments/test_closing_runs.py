import pytest

from modality_gap.closing import METHODS
from modality_gap.experiments.closing_runs import run
from modality_gap.lab.training import Config, train


def test_a_run_is_trained_and_judged_after_every_method() -> None:
    config = Config(steps=2)
    rows = run(config)
    assert [row["after"] for row in rows] == list(METHODS)
    assert {row["step"] for row in rows} == {2}
    assert all(row.keys() == rows[0].keys() for row in rows)
    # Unchanged, the model is what training measures.
    plain = train(config, progress=False).rows[-1]
    for name in plain.keys() & rows[0].keys():
        assert rows[0][name] == pytest.approx(plain[name], abs=1e-3), name
    assert {
        "l2m",
        "rmg",
        "measured_temperature",
        "accuracy_digit",
        "attribute_accuracy",
    } <= plain.keys()
    assert run(Config(steps=400), stop=10) == []
