import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from modality_gap import results
from modality_gap.results import clip_gap

DATA = os.environ.get("MODALITY_GAP_DATA")


def test_stored_table_has_its_provenance() -> None:
    table, provenance = results.read("clip_gap")
    assert len(table) == 1000
    assert {"command", "source", "sha256", "date", "versions"} <= set(provenance)
    assert provenance["sha256"] == clip_gap.SHA256


def test_unknown_table_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no table 'clap_gap'; there are clip_gap"):
        results.read("clap_gap")


def test_written_table_is_read(tmp_path: Path) -> None:
    rows = [
        {"run": "0012345678901234", "among": "", "loss": results.as_text(1 / 3)},
        {"run": "12e4567890123456", "among": results.as_text(("size", "colour")), "probe": "0.5"},
    ]
    results.write(tmp_path / "new.csv", {"command": "make it", "note": "a: b"}, rows)
    table, provenance = results.read("new", tmp_path)
    assert list(table["run"]) == [row["run"] for row in rows]
    assert list(table["among"]) == ["", "size+colour"]
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


@pytest.mark.skipif(not DATA, reason="MODALITY_GAP_DATA names no folder with the published files")
def test_stored_table_is_what_the_published_file_gives() -> None:
    x, y = clip_gap.load(Path(str(DATA)))
    table, provenance = results.read("clip_gap")
    projected = clip_gap.project(x, y)
    for column in ("pc1", "pc2"):  # the sign of a component is arbitrary
        sign = 1 if (projected[column] * table[column]).sum() > 0 else -1
        projected[column] *= sign
    pd.testing.assert_frame_equal(projected, table, atol=2e-4, rtol=0)
    for name, value in clip_gap.measure(x, y).items():
        assert float(provenance[name]) == pytest.approx(value, abs=2e-6), name


def test_another_file_under_the_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / clip_gap.FILE
    path.parent.mkdir()
    path.write_bytes(b"not the published embeddings")
    with pytest.raises(ValueError, match="expected the published file with SHA-256"):
        clip_gap.load(tmp_path)


def test_missing_file_is_one_sentence_and_the_picture_needs_none(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "modality_gap.results.clip_gap"]
    environment = {k: v for k, v in os.environ.items() if k != "MODALITY_GAP_DATA"}
    missing = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert missing.returncode == 1
    assert missing.stderr.strip().endswith("give its folder with --data or in MODALITY_GAP_DATA.")
    picture = tmp_path / "picture.svg"
    subprocess.run([*command, "--picture", picture], check=True, env=environment)
    assert picture.stat().st_size > 10_000


def test_the_readme_shows_the_stored_picture() -> None:
    root = Path(__file__).parents[1]
    assert "book/_static/clip_gap.svg" in (root / "README.md").read_text()
    assert (root / "book/_static/clip_gap.svg").exists()
