import runpy
import sys
from pathlib import Path

import pandas as pd
import pytest

import modality_gap as mg
from helpers import unit_rows
from modality_gap import results
from modality_gap.book import published
from modality_gap.embeddings.named import PUBLISHED
from modality_gap.experiments import published as experiment


def test_without_the_files_the_stored_table_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "available_embeddings", lambda: dict.fromkeys(PUBLISHED, False))
    stored = results.read("published_sizes")[0]
    pd.testing.assert_frame_equal(published.table("sizes"), stored)
    assert "is stored with the book" in published.origin("sizes", "minima")


def test_with_the_files_they_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = unit_rows(20, 4), unit_rows(20, 4, 1)
    monkeypatch.setattr(published, "available_embeddings", lambda: dict.fromkeys(PUBLISHED, True))
    monkeypatch.setattr(experiment, "load_embeddings", lambda name: (x, y))
    table = published.table("sizes")
    assert list(table.set) == list(PUBLISHED)
    assert table.l2m.to_list() == [mg.l2m(x, y).item()] * len(PUBLISHED)
    assert "measured anew" in published.origin("sizes")


def test_the_command_draws_the_stored_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = tmp_path / "picture.svg"
    monkeypatch.setattr(sys, "argv", ["published", str(picture)])
    monkeypatch.delitem(sys.modules, published.__name__)  # else runpy warns
    runpy.run_module(published.__name__, run_name="__main__")
    assert picture.stat().st_size > 10_000


def test_the_readme_shows_the_stored_picture() -> None:
    root = Path(__file__).parents[2]
    assert "book/_static/clip_gap.svg" in (root / "README.md").read_text()
    assert (root / "book/_static/clip_gap.svg").exists()
