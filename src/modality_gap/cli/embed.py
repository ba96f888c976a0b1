"""`modality-gap embed`: pairs of images and captions through any open_clip model, resumable."""

from __future__ import annotations

import argparse
import contextlib
import csv
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..embeddings import encode_in_parts

if TYPE_CHECKING:
    from argparse import _SubParsersAction

IMAGE_COLUMNS = (
    "image",
    "images",
    "path",
    "filepath",
    "file",
    "file_name",
    "filename",
    "image_path",
)
TEXT_COLUMNS = ("caption", "captions", "text", "texts", "title", "txt")
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")

HELP = """\
Embed pairs with a model of open_clip and keep them in a file that measure, report, fit and
mg.load_embeddings read. Pairs are

  a .csv or .parquet file with a column of image paths and one of captions,
  a folder of images, each with a .txt of its name, a caption in each line, or
  a .tar as webdataset has it, of images and .txt files.

An image that comes several times, or has several lines, has several captions. What is done is kept
in OUT.parts until all is; the same command goes on from there.

  modality-gap embed ViT-B-32 --pretrained openai --pairs pairs.csv --out mine.safetensors
  modality-gap embed hf-hub:OWNER/MODEL --pairs photos/ --out mine.safetensors

Weights that come from OpenAI were trained with another activation; their own tags take care of it,
and for a checkpoint file of theirs name the model with -quickgelu.
"""


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its arguments."""
    parser = commands.add_parser(
        "embed",
        help="embed images and captions with an open_clip model",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="of open_clip, hf-hub:OWNER/MODEL or local-dir:FOLDER")
    parser.add_argument("--pairs", type=Path, required=True, help=".csv, .parquet, folder or .tar")
    parser.add_argument("--out", type=Path, required=True, help="a .safetensors file")
    parser.add_argument("--pretrained", metavar="TAG", help="open_clip's tag, or a checkpoint file")
    parser.add_argument("--batch-size", type=int, default=32, help="default 32")
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> None:
    """Embed, and say what is there."""
    with read_pairs(chosen.pairs.expanduser()) as (images, captions, owner):
        made = encode_in_parts(
            chosen.model,
            images,
            captions,
            owner=owner,
            pretrained=chosen.pretrained,
            out=chosen.out,
            batch_size=chosen.batch_size,
        )
    print(
        f"{chosen.out}: {len(made.x):,} images and {len(made.y):,} captions by {made.model}. "
        f"Next: modality-gap measure {chosen.out}"
    )


@contextlib.contextmanager
def read_pairs(place: Path) -> Iterator[tuple[list[Path], list[str], list[int] | None]]:
    """Image files, captions, and of each caption the row of its image; None: one for each.

    Raises:
        ValueError: there are no pairs, or a table has no columns of them.
        FileNotFoundError: there is no such file.
    """
    if place.is_dir():
        yield _of_folder(place)
    elif not place.is_file():
        raise FileNotFoundError(f"--pairs: there is no file or folder {place}")
    elif place.suffix == ".tar":
        with tempfile.TemporaryDirectory() as folder:
            _unpack(place, Path(folder))
            yield _of_folder(Path(folder))
    else:
        yield _of_table(place)


def _of_table(place: Path) -> tuple[list[Path], list[str], list[int] | None]:
    if place.suffix == ".parquet":
        import pandas as pd

        table = pd.read_parquet(place)
        columns, rows = list(map(str, table.columns)), table.astype(object).to_dict("records")
    else:
        with place.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), list(reader.fieldnames or [])
    image, text = (
        next((name for name in columns if name.lower() in known), None)
        for known in (IMAGE_COLUMNS, TEXT_COLUMNS)
    )
    if image is None or text is None:
        raise ValueError(
            f"{place}: expected a column of image paths, such as image, and one of captions, such "
            f"as caption; there are {', '.join(columns) or 'none'}"
        )
    paths = [str(row[image]) for row in rows]
    # A path is meant from the table's folder, as it is written there.
    places = [
        p if (p := Path(each).expanduser()).is_absolute() else place.parent / p for each in paths
    ]
    return _grouped(places, [str(row[text]) for row in rows])


def _of_folder(folder: Path) -> tuple[list[Path], list[str], list[int] | None]:
    images, captions = [], []
    for path in sorted(folder.rglob("*")):
        beside = path.with_suffix(".txt")
        if path.suffix.lower() in PICTURES and beside.is_file():
            lines = [line.strip() for line in beside.read_text("utf-8").splitlines()]
            for line in filter(None, lines):
                images.append(path)
                captions.append(line)
    if not images:
        raise ValueError(f"{folder}: there is no image with a .txt of its name beside it")
    return _grouped(images, captions)


def _grouped(
    images: Sequence[Path], captions: list[str]
) -> tuple[list[Path], list[str], list[int] | None]:
    """Each image once, with the owner of each caption where one has several."""
    rows: dict[Path, int] = {}
    owner = [rows.setdefault(image, len(rows)) for image in images]
    return list(rows), captions, None if len(rows) == len(images) else owner


def _unpack(archive: Path, folder: Path) -> None:
    """Images and texts of a tar, under names of our own: what it calls them is not trusted."""
    stems: dict[str, int] = {}
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                folder_name, _, name = member.name.rpartition("/")
                stem, _, ending = name.partition(".")
                ending = "." + ending.lower()
                source = tar.extractfile(member) if member.isfile() else None
                if source is not None and ending in (*PICTURES, ".txt"):
                    number = stems.setdefault(f"{folder_name}/{stem}", len(stems))
                    with (folder / f"{number:09}{ending}").open("wb") as file:
                        shutil.copyfileobj(source, file)
    except tarfile.TarError as error:
        raise ValueError(f"{archive}: it is cut short or no .tar file ({error})") from error
