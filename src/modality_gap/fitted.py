"""What is fitted once and applied to new rows, in the manner of scikit-learn."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from . import storage
from .checks import check_matrix, check_pairs, check_unit


class Fitted:
    """Base of `closing.Method` and `ranking.Ranking`.

    The arguments of a class are its parameters. What is fitted are tensors, whose names end with
    an underscore, and `n_features_in_`.
    """

    needs_fit: ClassVar[bool] = True

    def __repr__(self) -> str:
        params = (f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({', '.join(params)})"

    def fit(self, x: Tensor, y: Tensor) -> Self:
        """Learn from pairs.

        Args:
            x, y: unit rows of images and of texts, shape (P, D), P >= 2; row i of x is paired with
                row i of y.

        Raises:
            ValueError: a row is not of unit length, shapes differ, or a parameter does not fit.
        """
        check_pairs(x, y)
        for name, value in self._learn(x.detach(), y.detach()).items():
            setattr(self, name, value)
        self.n_features_in_ = x.shape[1]
        return self

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Self:  # noqa: ANN401
        """Set parameters by name.

        Raises:
            ValueError: there is no such parameter.
        """
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                raise ValueError(f"{name}: {type(self).__name__} has the parameters {list(known)}")
            setattr(self, name, value)
        return self

    def save(self, path: Path | str) -> None:
        """Store parameters and what was fitted as safetensors, in one piece.

        Raises:
            NotFittedError: nothing was fitted.
            OSError: the file cannot be written; an old one is untouched.
        """
        self._check_fitted()
        state = {name: value for name, value in vars(self).items() if name.endswith("_")}
        tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
        numbers = {name: value for name, value in state.items() if name not in tensors}
        about = {"class": type(self).__name__, "params": self.get_params(), "fitted": numbers}
        storage.save(Path(path), tensors, about)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """What `save` stored, of this class or one below it.

        Raises:
            FileNotFoundError: there is no such file.
            DamagedFileError: it is cut short, altered, or was not written by `save`.
            ValueError: it holds another class.
        """
        tensors, about = storage.load(Path(path))
        found = next((each for each in _family(cls) if each.__name__ == about.get("class")), None)
        if found is None:
            raise ValueError(f"{path}: expected {cls.__name__}, got {about.get('class')!r}")
        loaded = found(**about["params"])
        for name, value in {**tensors, **about["fitted"]}.items():
            setattr(loaded, name, value)
        return loaded

    def _learn(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """The tensors that are fitted, by name."""
        return {}

    def _check_fitted(self) -> None:
        if self.needs_fit and not hasattr(self, "n_features_in_"):
            from sklearn.exceptions import NotFittedError

            raise NotFittedError(f"This {type(self).__name__} is not fitted yet: call fit(x, y).")

    def _check_rows(self, rows: Tensor, name: str) -> None:
        """Raise unless rows, at least one, are unit and as wide as those of the fit."""
        self._check_fitted()
        check_matrix(rows, name, min_rows=1)
        width = getattr(self, "n_features_in_", rows.shape[1])
        if rows.shape[1] != width:
            raise ValueError(f"{name}: expected {width} columns like the fit, got {rows.shape[1]}")
        check_unit(rows, name, min_rows=1)


def _family(cls: type[Fitted]) -> list[type[Any]]:
    return [cls, *(each for below in cls.__subclasses__() for each in _family(below))]


def like(value: Tensor, rows: Tensor) -> Tensor:
    """A fitted tensor in the type and on the device of new rows."""
    return value.to(dtype=rows.dtype, device=rows.device)


def varies(deviation: Tensor, dtype: torch.dtype) -> Tensor:
    """Where a standard deviation is more than rounding."""
    return deviation > torch.finfo(dtype).eps
