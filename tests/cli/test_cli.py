"""The command, in this process: what it prints, what it writes, and how it refuses."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from PIL import Image

import modality_gap as mg
from helpers import unit_rows
from modality_gap import cli, closing, ranking
from modality_gap.cli import embed, measure

X, Y = unit_rows(60, 8, 1), mg.normalize(unit_rows(60, 8, 1) + unit_rows(60, 8, 2))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    np.save(tmp_path / "raw.npy", 3 * X)
    np.save(tmp_path / "few.npy", X[:30])
    safetensors.torch.save_file({"images": X, "texts": Y}, tmp_path / "mine.safetensors")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(arguments) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(arguments) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("modality-gap: ")
    assert told.err.count("\n") == 1
    return told.err


def test_measures_as_json(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = mg.measure(X, Y)
    told = json.loads(call(capsys, "measure", "x.npy", "y.npy", "--json"))
    assert told["name"] == "x.npy, y.npy"
    for key in expected.values:
        assert told[key] == pytest.approx(expected.to_dict()[key], abs=1e-9), key
    for others in (["mine.safetensors"], ["--images", "x.npy", "--texts", "y.npy"]):
        again = json.loads(call(capsys, "measure", *others, "--json"))
        assert again["rmg"] == pytest.approx(expected["rmg"], abs=1e-12)
    both = json.loads(call(capsys, "measure", "mine.safetensors", "mini-clip-k0", "--json"))
    assert [each["name"] for each in both] == ["mine.safetensors", "mini-clip-k0"]


def test_measures_as_csv_and_as_a_table(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = csv.DictReader(io.StringIO(call(capsys, "measure", "mine.safetensors", "--csv")))
    assert float(row["l2m"]) == pytest.approx(mg.measure(X, Y)["l2m"], abs=1e-12)
    assert float(row["l2m_from"]) < float(row["l2m"]) < float(row["l2m_to"])
    shown = call(capsys, "measure", "mine.safetensors", "--beside", "clip")
    assert "60 pairs in 8 dimensions" in shown
    line = next(line for line in shown.splitlines() if line.startswith("l2m "))
    assert f"{mg.measure(X, Y)['l2m']:.4f}" in line
    assert "0.8514" in line  # of the published CLIP, stored with the book


def test_rows_are_made_unit_on_request_only(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refused(capsys, "measure", "raw.npy", "y.npy")
    assert "images: row 0 of raw.npy has length 3; expected a unit row; --normalize makes" in told
    found = json.loads(call(capsys, "measure", "raw.npy", "y.npy", "--normalize", "--json"))
    assert found["l2m"] == pytest.approx(mg.measure(X, Y)["l2m"], abs=1e-12)


def test_several_captions_an_image(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savetxt("owner.txt", np.arange(60) // 2, fmt="%d")
    given = ("measure", "few.npy", "y.npy", "--owner", "owner.txt", "--json")
    found = json.loads(call(capsys, *given))
    expected = mg.measure(X[:30], Y, np.arange(60) // 2)
    assert (found["images"], found["captions"]) == (30, 60)
    assert found["recall_1_image_to_text"] == expected["recall_1_image_to_text"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["measure"], "expected embeddings to measure; modality-gap measure --help"),
        (["measure", "none.npy"], "none.npy: there is no such file"),
        (["measure", "clipp"], "did you mean 'clip'?"),
        (["measure", "x.npy"], "expected two arrays"),
        (
            ["measure", "few.npy", "y.npy"],
            "repeat_interleave(2); a file of such numbers is named by",
        ),
        (["measure", "mine.safetensors", "--beside", "clipp"], "did you mean 'clip'?"),
        (
            ["measure", "mine.safetensors", "--sample", "1"],
            "sample: expected a whole number from 2",
        ),
        (["report", "mine.safetensors", "--out", "x.npy/r.html"], "x.npy"),
        (["fit", "kinds", "x.npy", "--out", "k.safetensors"], "expected two arrays"),
        (["apply", "mine.safetensors", "--images", "x.npy"], "mine.safetensors is damaged"),
        (["apply", "none.safetensors"], "none.safetensors: No such file"),
        (
            ["embed", "ViT-B-32", "--pairs", "none.csv", "--out", "m.safetensors"],
            "no file or folder",
        ),
    ],
)
def test_a_refusal_is_one_sentence(
    arguments: list[str], message: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(files.iterdir())
    assert message in refused(capsys, *arguments)
    assert sorted(files.iterdir()) == before


def test_what_is_not_understood_ends_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["mesure"], [], ["fit", "closing", "x.npy", "--out", "y"]):
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        assert caught.value.code == 2
    assert "usage: modality-gap" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["measure", "embed", "report", "fit", "apply"])
def test_help_teaches(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([command, "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert f"  modality-gap {command} " in shown  # an example


def test_an_interruption_is_no_traceback(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> None:  # noqa: ANN401
        raise KeyboardInterrupt

    monkeypatch.setattr(measure, "measure", stop)
    assert cli.main(["measure", "mine.safetensors"]) == 130
    assert capsys.readouterr().err == "modality-gap: interrupted\n"


def test_closings_are_fitted_and_applied(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(capsys, "fit", "centring", "mine.safetensors", "--out", "c.safetensors")
    call(
        capsys,
        "apply",
        "c.safetensors",
        "--images",
        "x.npy",
        "--texts",
        "y.npy",
        "--out",
        "o.safetensors",
    )
    expected = closing.Centring().fit(X, Y).transform(X, Y)
    torch.testing.assert_close(
        (*mg.load_embeddings("o.safetensors"),), expected, rtol=0, atol=1e-12
    )


def test_half_precision_is_fitted_and_applied(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, rows in (("x", X), ("y", Y)):
        np.save(f"{name}16.npy", rows.half())
    for method in ("centring", "kinds"):
        call(capsys, "fit", method, "x16.npy", "y16.npy", "--out", f"{method}.safetensors")
    given = ["apply", "centring.safetensors", "--images", "x16.npy", "--texts", "y16.npy"]
    call(capsys, *given, "--out", "o.safetensors")
    expected = closing.Centring().fit(X, Y).transform(X, Y)
    torch.testing.assert_close((*mg.load_embeddings("o.safetensors"),), expected, rtol=0, atol=5e-3)
    call(capsys, "apply", "kinds.safetensors", "--queries", "y16.npy", "--images", "x16.npy")


def test_scores_of_a_growing_index(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(capsys, "fit", "kinds", "mine.safetensors", "--out", "k.safetensors")
    np.save("q.npy", Y[:3])
    np.save("more.npy", X[50:])
    np.save("less.npy", X[:50])
    given = ["apply", "k.safetensors", "--queries", "q.npy", "--texts", "y.npy", "--top", "4"]
    rows = list(
        csv.DictReader(io.StringIO(call(capsys, *given, "--images", "less.npy", "more.npy")))
    )
    scores = ranking.ZPerKind().fit(X, Y).scores(Y[:3], "text", X, Y)
    assert len(rows) == 12
    for number in range(3):
        own = [row for row in rows if row["query"] == str(number)]
        best = scores[number].topk(4)
        assert [float(row["score"]) for row in own] == pytest.approx(best.values.tolist(), rel=1e-5)
        places = [int(row["row"]) + 60 * (row["kind"] == "text") for row in own]
        assert places == best.indices.tolist()


def test_the_report_is_one_file_that_asks_for_nothing(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["report", "mine.safetensors", "--out", "r.html", "--beside", "clip"]
    call(capsys, *given, "--book", "https://book.example/")
    page = Path("r.html").read_text("utf-8")
    assert page.count("<svg") == 4
    assert page.count("<title>") == 5
    assert "src=" not in page
    assert "<script" not in page
    assert 'href="https://book.example/notebooks/10_closing_the_gap.html"' in page
    assert f"{mg.measure(X, Y)['rmg']:.3f}" in page


@pytest.mark.parametrize("width", [1, 8])
def test_a_report_of_what_is_degenerate(
    width: int, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both sides the same, and a line instead of a plane."""
    np.save("flat.npy", torch.nn.functional.pad(X[:, :width].sign(), (0, 8 - width)) / width**0.5)
    np.save("one.npy", X[:, :1].sign())
    name = "one.npy" if width == 1 else "flat.npy"
    call(capsys, "report", name, name, "--out", "r.html", "--beside")
    assert "nan" not in Path("r.html").read_text("utf-8").split("<h2>Sizes")[0]


def test_a_home_is_found(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(files))
    monkeypatch.setenv("USERPROFILE", str(files))
    told = json.loads(call(capsys, "measure", "~/x.npy", "~/y.npy", "--json"))
    assert told["images"] == 60
    call(capsys, "fit", "centring", "~/mine.safetensors", "--out", "~/c.safetensors")
    assert (files / "c.safetensors").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_shell_completes_commands_options_and_files(
    shell: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--print-completion", shell])
    assert caught.value.code == 0
    script = capsys.readouterr().out
    for word in ("measure", "embed", "report", "--normalize", "--pairs", "centring"):
        assert word in script
    if shell == "bash" and (bash := shutil.which("bash")):
        script += textwrap.dedent("""
            COMP_WORDS=(modality-gap measure mine.sa); COMP_CWORD=2
            _shtab_modality_gap
            echo "${COMPREPLY[@]}"
        """)
        run = subprocess.run([bash], input=script, text=True, capture_output=True, cwd=files)
        assert run.stdout.strip() == "mine.safetensors"


@pytest.mark.parametrize("form", ["report", "fit", "apply"])
def test_a_full_disk_is_one_sentence_and_loses_nothing(
    form: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A limit on the size of files stands for the disk: writing fails as the system has it."""
    resource = pytest.importorskip("resource")
    call(capsys, "fit", "centring", "mine.safetensors", "--out", "c.safetensors")
    out = "o.html" if form == "report" else "o.safetensors"
    Path(out).write_text("old")
    given = {
        "report": ["report", "mine.safetensors", "--beside"],
        "fit": ["fit", "whitening", "mine.safetensors"],
        "apply": ["apply", "c.safetensors", "--images", "x.npy"],
    }[form]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        told = refused(capsys, *given, "--out", out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.strerror(errno.EFBIG) in told
    assert Path(out).read_text() == "old"
    assert [path for path in files.iterdir() if path.name.startswith((".", f"{out}."))] == []


# --- pairs to embed -------------------------------------------------------------------------------


def test_pairs_come_as_tables_folders_and_archives(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, lines in (("a", "one\n\ntwo\n"), ("b", "three")):
        Image.new("RGB", (4, 4)).save(photos / f"{name}.png")
        (photos / f"{name}.txt").write_text(lines)
    (photos / "alone.txt").write_text("no image")
    table = pd.DataFrame({"image": ["photos/a.png", "photos/a.png", "photos/b.png"]})
    table["caption"] = ["one", "two", "three"]
    table.to_csv(tmp_path / "pairs.csv", index=False)
    table.to_parquet(tmp_path / "pairs.parquet")
    with tarfile.open(tmp_path / "pairs.tar", "w") as tar:
        for path in sorted(photos.iterdir()):
            tar.add(path, f"../../{path.name}")  # whose names lead elsewhere
    for place in (
        photos,
        tmp_path / "pairs.csv",
        tmp_path / "pairs.parquet",
        tmp_path / "pairs.tar",
    ):
        with embed.read_pairs(place) as (images, captions, owner):
            assert captions == ["one", "two", "three"]
            assert owner == [0, 0, 1]
            assert [image.is_file() for image in images] == [True, True]
    assert not (tmp_path.parent / "a.png").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("pairs.csv", "a,b\n1,2\n", "expected a column of image paths.*there are a, b"),
        ("pairs.tar", "no archive", "it is cut short or no .tar file"),
        ("photos/a.txt", "a", "there is no image with a .txt of its name"),
    ],
)
def test_pairs_that_cannot_be(name: str, content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    place = path.parent if "photos" in name else path
    with pytest.raises(ValueError, match=message), embed.read_pairs(place):
        pass


# --- as a program ---------------------------------------------------------------------------------


def test_the_module_is_the_same_command() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "modality_gap", "measure", "none.npy"],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1
    assert run.stderr == "modality-gap: none.npy: there is no such file\n"
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"modality-gap": "modality_gap.cli:main"}


def test_measuring_needs_no_extra(files: Path) -> None:
    """What only `pip install .` brings: neither open_clip nor matplotlib."""
    code = (
        "import sys\n"
        "absent = ('open_clip', 'matplotlib', 'torchmetrics', 'PIL', 'umap')\n"
        "sys.modules.update(dict.fromkeys(absent))\n"
        "from modality_gap import cli\n"
        "sys.exit(cli.main(['measure', 'mine.safetensors', '--beside', 'clip']))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    assert "l2m" in run.stdout
