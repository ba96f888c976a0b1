from pathlib import Path

import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import modality_gap as mg
from helpers import unit_rows
from modality_gap import closing, ranking
from modality_gap.fitted import Fitted
from modality_gap.storage import DamagedFileError

EVERY = pytest.mark.parametrize(
    "made",
    [
        *(kind() for kind in closing.METHODS.values()),
        closing.Translation(alpha=0.3),
        closing.Whitening(),
        closing.OneSidedTranslation("image", directions=3),
        ranking.Cosines(),
        ranking.ZPerKind(),
        ranking.ZPerQuery(),
        ranking.PseudoPositives(),
        ranking.InvertedSoftmax(beta=7.0),
    ],
    ids=repr,
)


def pairs(n: int = 30) -> tuple[torch.Tensor, torch.Tensor]:
    x = unit_rows(n, 8)
    x[:, 0] += 1
    return mg.normalize(x), mg.normalize(x + unit_rows(n, 8, 1))


def used(fitted: Fitted) -> torch.Tensor:
    """What comes out for rows that were in no fit."""
    x, y = unit_rows(6, 8, 2), unit_rows(4, 8, 3)
    if isinstance(fitted, closing.Method):
        return torch.cat(fitted.transform(x, y))
    assert isinstance(fitted, ranking.Ranking)
    return torch.cat([fitted.scores(x, "image", x, y), fitted.scores(y, "text", x, y)])


@EVERY
def test_a_stored_one_is_the_same(made: Fitted, tmp_path: Path) -> None:
    made = clone(made).fit(*pairs())
    made.save(tmp_path / "folder" / "made.safetensors")
    base = closing.Method if isinstance(made, closing.Method) else ranking.Ranking
    for kind in (type(made), base, Fitted):
        loaded = kind.load(tmp_path / "folder" / "made.safetensors")
        assert type(loaded) is type(made)
        assert loaded.get_params() == made.get_params()
        assert torch.equal(used(loaded), used(made))


@EVERY
def test_scikit_learns_clone_knows_the_parameters_and_nothing_fitted(made: Fitted) -> None:
    fitted = clone(made).fit(*pairs())
    assert fitted.n_features_in_ == 8
    again = clone(fitted)
    assert again.get_params() == made.get_params()
    assert not hasattr(again, "n_features_in_")
    assert {name for name in vars(fitted) if name not in made.get_params()} == {
        name for name in vars(fitted) if name.endswith("_")
    }


@EVERY
def test_without_a_fit(made: Fitted, tmp_path: Path) -> None:
    made = clone(made)
    if not made.needs_fit:
        assert torch.equal(used(made), used(clone(made).fit(*pairs())))
        return
    for call in (lambda: used(made), lambda: made.save(tmp_path / "made")):
        with pytest.raises(NotFittedError, match=f"^This {type(made).__name__} is not fitted yet"):
            call()
    assert list(tmp_path.iterdir()) == []


def test_a_fit_keeps_no_graph() -> None:
    x, y = pairs()
    method = closing.Centring().fit(x.requires_grad_(), y)
    assert not method.mean_x_.requires_grad


def test_parameters_are_set_by_name() -> None:
    method = closing.Translation()
    assert repr(method.set_params(alpha=0.2)) == "Translation(alpha=0.2)"
    with pytest.raises(ValueError, match=r"^beta: Translation has the parameters \['alpha'\]"):
        method.set_params(beta=1)


def test_a_file_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "made"
    closing.Centring().fit(*pairs()).save(path)
    for kind in (ranking.Ranking, closing.Rotation, closing.Standardisation):
        with pytest.raises(ValueError, match=f"made: expected {kind.__name__}, got 'Centring'"):
            kind.load(path)
    payload = bytearray(path.read_bytes())
    payload[-1] ^= 1
    path.write_bytes(payload)
    with pytest.raises(DamagedFileError):
        closing.Centring.load(path)
