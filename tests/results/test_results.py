from pathlib import Path

import pytest

from modality_gap import results


def test_unknown_table_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no table 'imbalanced'; there are closing, duplicates, "):
        results.read("imbalanced")


def test_written_table_is_read(tmp_path: Path) -> None:
    rows = [
        {"run": "0012345678901234", "drawn_from": "", "loss": results.as_text(1 / 3)},
        {
            "run": "12e4567890123456",
            "drawn_from": results.as_text(("size", "colour")),
            "probe": "0.5",
        },
    ]
    results.write(tmp_path / "new.csv", {"command": "make it", "note": "a: b"}, rows)
    table, provenance = results.read("new", tmp_path)
    assert list(table["run"]) == [row["run"] for row in rows]
    assert list(table["drawn_from"]) == ["", "size+colour"]
    assert table["loss"][0] == 0.333333
    assert list(table["probe"].isna()) == [True, False]
    assert list(provenance) == ["format", "command", "note", "sha256"]
    assert provenance["note"] == "a: b"
    with pytest.raises(ValueError, match=r"no table .old.; there are new$"):
        results.read("old", tmp_path)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *(
            (None, ""),
            (True, "True"),
            (3, "3"),
            ("soft", "soft"),
            (("digit", "size"), "digit+size"),
        ),
        *((0.1, "0.1"), (1234567.0, "1.23457e+06"), (float("nan"), "nan"), (float("inf"), "inf")),
    ],
)
def test_cells(value: object, text: str) -> None:
    assert results.as_text(value) == text


@pytest.mark.parametrize("kept", [0, 5, 60, 200])
def test_a_file_cut_short_is_refused_with_the_command_that_makes_it(
    kept: int, tmp_path: Path
) -> None:
    path = tmp_path / "new.csv"
    results.write(path, {"command": "make it"}, [{"step": str(i)} for i in range(100)])
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"new\.csv: .*; to make it anew, move it away and run: "):
        results.read("new", tmp_path)
