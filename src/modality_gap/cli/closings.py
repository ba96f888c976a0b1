"""`modality-gap fit` and `apply`: ways to close the gap, and scores for lists of both kinds."""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .. import closing, ranking, storage
from ..door import Rows
from ..embeddings.formats import read_arrays
from ..fitted import Fitted
from ..sphere import normalize as made_unit
from .measure import add_files, opened

if TYPE_CHECKING:
    from argparse import _SubParsersAction

METHODS: dict[str, type[Fitted]] = {
    "centring": closing.Centring,
    "standardisation": closing.Standardisation,
    "whitening": closing.Whitening,
    "rotation": closing.Rotation,
    "fewer-dimensions": closing.FewerDimensions,
    "translation": closing.Translation,
    "one-sided": closing.OneSidedTranslation,
    "kinds": ranking.ZPerKind,
    "pseudo-positives": ranking.PseudoPositives,
    "inverted-softmax": ranking.InvertedSoftmax,
}
QUERIES = 500
FIT_HELP = f"""\
Fit a method on pairs and keep it: {", ".join(METHODS)}.

The first seven change embeddings. The last three change none: they make scores by which images and
texts can stand in one list, and are the better choice for that (chapter 10).

  modality-gap fit kinds pairs.safetensors --out kinds.safetensors
"""
APPLY_HELP = """\
Apply what fit has kept, to embeddings of any number.

A closing writes the changed embeddings:
  modality-gap apply centring.safetensors --images index.npy --out closed.safetensors
Scores write, for each query, the best of an index of images, of texts, or of both, as CSV with the
columns query, place, kind, row, score:
  modality-gap apply kinds.safetensors --queries q.npy --images i.npy --texts t.npy --top 10

Nothing is fitted again when the index grows: give the new files, too.
"""


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Both commands and their arguments."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser(
        "fit", help="fit a way to close the gap", description=FIT_HELP, formatter_class=raw
    )
    parser.add_argument("method", choices=list(METHODS), metavar="METHOD", help=", ".join(METHODS))
    add_files(parser)
    parser.add_argument("--out", type=Path, required=True, help="a .safetensors file")
    parser.set_defaults(run=fit)
    parser = commands.add_parser(
        "apply", help="apply what fit has kept", description=APPLY_HELP, formatter_class=raw
    )
    parser.add_argument("fitted", type=Path, help="what fit wrote")
    parser.add_argument("--images", nargs="+", metavar="FILE", help="embeddings of images")
    parser.add_argument("--texts", nargs="+", metavar="FILE", help="embeddings of texts")
    parser.add_argument(
        "--queries", nargs="+", metavar="FILE", help="embeddings that look for others"
    )
    parser.add_argument(
        "--of", choices=ranking.SIDES, default="text", help="what queries are: text"
    )
    parser.add_argument("--top", type=int, default=10, help="how many of each list, default 10")
    parser.add_argument("--normalize", action="store_true", help="make rows unit first")
    parser.add_argument("--out", type=Path, help=".safetensors of a closing; CSV of scores: stdout")
    parser.set_defaults(run=apply)


def fit(chosen: argparse.Namespace) -> None:
    """Fit on pairs; of several captions an image the first counts."""
    (both,) = opened(chosen)
    x, y, owner = (both.x, both.y, both.owner) if hasattr(both, "x") else _in_memory(both)
    if owner is not None:
        x = x[owner]
    method = METHODS[chosen.method]().fit(x, y)
    out = chosen.out.expanduser()
    storage.check_writable(out)
    method.save(out)
    print(f"{out}: {method}, fitted on {len(x):,} pairs of {x.shape[1]} dimensions")


def apply(chosen: argparse.Namespace) -> None:
    """Write changed embeddings, or the best of the lists."""
    method = Fitted.load(chosen.fitted.expanduser())
    sides = {
        name: _side(getattr(chosen, name), name, chosen.normalize) for name in ("images", "texts")
    }
    queries = _side(chosen.queries, "queries", chosen.normalize)
    if isinstance(method, ranking.Ranking):
        if queries is None:
            raise ValueError(
                f"--queries: {method} scores lists; name the embeddings that look for others"
            )
        _lists(method, queries, sides, chosen)
        return
    if not isinstance(method, closing.Method) or chosen.out is None:
        raise ValueError("--out: name the .safetensors file for the changed embeddings")
    given: dict[str, Any] = {"x": sides["images"], "y": sides["texts"]}
    changed: Any = method.transform(**given)
    parts = changed if isinstance(changed, tuple) else (changed,)
    names = [name for name, rows in given.items() if rows is not None]
    out = chosen.out.expanduser()
    storage.save(out, dict(zip(names, parts, strict=True)), {"method": repr(method)})
    print(f"{out}: {' and '.join(f'{len(rows):,}' for rows in parts)} rows of {', '.join(names)}")


def _lists(
    method: ranking.Ranking,
    queries: Tensor,
    sides: dict[str, Tensor | None],
    chosen: argparse.Namespace,
) -> None:
    images, texts = sides["images"], sides["texts"]
    count = 0 if images is None else len(images)
    with chosen.out.expanduser().open("w", newline="") if chosen.out else _Standard() as file:
        writer = csv.writer(file)
        writer.writerow(["query", "place", "kind", "row", "score"])
        for start in range(0, len(queries), QUERIES):
            scores = method.scores(queries[start : start + QUERIES], chosen.of, images, texts)
            best = scores.topk(min(chosen.top, scores.shape[1]))
            for number, rows in enumerate(best.indices.tolist(), start):
                values = best.values[number - start].tolist()
                for place, row in enumerate(rows):
                    kind = "image" if row < count else "text"
                    own = row - (kind == "text") * count
                    writer.writerow([number, place + 1, kind, own, f"{values[place]:.6g}"])


class _Standard:
    """Standard output that stays open."""

    def __enter__(self) -> Any:  # noqa: ANN401
        return sys.stdout

    def __exit__(self, *_: object) -> None:
        sys.stdout.flush()


def _side(files: list[str] | None, name: str, normalize: bool) -> Tensor | None:
    if not files:
        return None
    parts = [part for file in files for part in read_arrays(Path(file).expanduser()).values()]
    found = [Rows([part], name, normalize, min_rows=1) for part in parts]
    return made_unit(torch.cat([rows.read(0, len(rows)) for rows in found]))


def _in_memory(both: Any) -> tuple[Tensor, Tensor, Tensor | None]:  # noqa: ANN401
    # Half precision is not unit to the last digit.
    return (
        made_unit(both.images.read(0, len(both.images))),
        made_unit(both.captions.read(0, len(both.captions))),
        both.owner,
    )
