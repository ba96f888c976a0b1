"""What comes in by the door: taken as it is, or refused with what repairs it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch

import modality_gap as mg
from helpers import unit_rows
from modality_gap.door import as_tensor

X, Y = unit_rows(40, 6, 1).numpy(), unit_rows(40, 6, 2).numpy()
EXPECTED = mg.measure(X, Y).values


@pytest.mark.parametrize(
    ("form", "tolerance"),
    [
        (np.asfortranarray, 0),
        (lambda a: a.astype(">f8"), 0),
        (lambda a: a.astype(">f4"), 1e-6),
        (lambda a: a.astype(">f2"), 1e-3),
        (lambda a: a.astype(np.longdouble), 0),
        (lambda a: np.repeat(a, 2, axis=0)[::2], 0),
        (lambda a: a[::-1][::-1], 0),
        (lambda a: a.tolist(), 0),
        (list, 0),
        (lambda a: list(torch.from_numpy(a)), 0),
        (pd.DataFrame, 0),
        (lambda a: torch.nn.Parameter(torch.from_numpy(a)), 0),
        (lambda a: torch.from_numpy(a).bfloat16(), 1e-2),
        (np.ma.array, 0),  # nothing of it is masked
    ],
)
def test_what_holds_the_same_numbers_is_measured_alike(form: Any, tolerance: float) -> None:  # noqa: ANN401
    found = mg.measure(form(X), form(Y)).values
    for name in ("l2m", "l2i", "rmg", "paired_cosine", "alignment"):
        assert found[name] == pytest.approx(EXPECTED[name], abs=tolerance + 1e-12), name


FRAME = pd.DataFrame(X, columns=[*"abcdef"])
OBJECTS = np.empty(40, dtype=object)
OBJECTS[:] = [*X]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (X.astype(complex), "expected real numbers, got torch.complex128"),
        (X > 0, "got torch.bool; if these are embeddings"),
        ((X * 127).astype(np.int8), "got torch.int8; .*undo the scale and offset"),
        (X.astype(str), r"got ndarray of <U\d+$"),
        (X.astype(object), r"got ndarray of object; .astype\(float\) makes numbers"),
        (OBJECTS, r"got ndarray of object; np.stack\(list\(...\)\)"),
        (pd.Series([*X]), r"np.stack\(list\(...\)\)"),
        (FRAME.assign(caption="one"), r"leave out caption: images.drop\(columns=\['caption'\]\)"),
        (FRAME.assign(id=range(40)), "leave out id: "),  # which would be a dimension
        (np.ma.array(X, mask=np.eye(40, 6) > 0), "some entries are masked"),
        (scipy.sparse.csr_array(X), r".toarray\(\) makes it"),
        (torch.from_numpy(X).to_sparse(), r".to_dense\(\) makes it"),
        (torch.empty(40, 6, device="meta"), "on the meta device and holds no numbers"),
        ("x.npy", "mg.open_pairs opens files"),
        (None, "expected numbers of shape .*, got NoneType of object$"),
        ({"images": X}, "got dict of object$"),
        ((row for row in X), "got generator of object$"),
        (X[:0], "expected at least 2 row"),
        (X[:1], "one vector is no cloud"),
        (X[:, None], r"images\[:, 0\] drops the axis"),
        (10 * X, "has length 10; .*normalize=True"),
        (torch.from_numpy(X).to(torch.float8_e4m3fn), "has length .*normalize=True"),
    ],
)
def test_what_is_refused_carries_what_repairs_it(value: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=message) as caught:
        mg.measure(value, Y)
    assert str(caught.value).startswith("images: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "repaired"),
    [
        (X.astype(object), lambda a: a.astype(float)),
        (OBJECTS, lambda a: np.stack([*a])),
        (FRAME.assign(id=range(40)), lambda a: a.drop(columns=["id"])),
        (scipy.sparse.csr_array(X), lambda a: a.toarray()),
        (torch.from_numpy(X).to_sparse(), lambda a: a.to_dense()),
    ],
)
def test_what_a_refusal_says_gives_the_right_number(value: Any, repaired: Any) -> None:  # noqa: ANN401
    assert mg.measure(repaired(value), Y)["l2m"] == pytest.approx(EXPECTED["l2m"], abs=1e-12)


def test_rows_that_lie_on_their_side_are_not_made_unit() -> None:
    for form in (X.T, np.ascontiguousarray(X.T)):
        with pytest.raises(ValueError, match=r"is this \(D, N\)\? Then images.T"):
            mg.measure(form, Y.T)
        with pytest.raises(ValueError, match=r"all columns are unit, and the rows are not"):
            mg.measure(form, Y.T, normalize=True)
    turned = torch.linalg.qr(torch.randn(8, 8, dtype=torch.float64)).Q  # rows are unit, too
    assert mg.measure(turned, turned, normalize=True)["l2i"] == 0


def test_eight_bits_are_taken_when_rows_are_made_unit() -> None:
    few = torch.from_numpy(X).to(torch.float8_e4m3fn)
    found = mg.measure(few, torch.from_numpy(Y), normalize=True)
    assert found["l2m"] == pytest.approx(EXPECTED["l2m"], abs=0.05)
    assert as_tensor(few, "x").dtype == torch.float32


def test_owners_are_made_whole_only_where_they_are() -> None:
    whole = np.arange(40.0)
    with pytest.raises(ValueError, match=r"row of its image; .astype\(int\)"):
        mg.measure(X, Y, owner=whole)
    with pytest.raises(ValueError, match=r"row of its image$"):
        mg.measure(X, Y, owner=whole / 3)


def test_owners_in_any_order() -> None:
    owner = np.repeat(np.arange(40), 5)
    captions = mg.normalize(torch.from_numpy(np.repeat(Y, 5, 0)) + 0.1 * unit_rows(200, 6, 3))
    order = torch.randperm(200, generator=torch.Generator().manual_seed(0))
    found = mg.measure(X, captions, owner)
    turned = mg.measure(X, captions[order], owner[order.numpy()])
    cosine = torch.from_numpy(X) @ captions.T
    best = torch.from_numpy(owner)[cosine.argmax(dim=1)] == torch.arange(40)
    assert found["recall_1_image_to_text"] == pytest.approx(best.double().mean().item())
    for name, value in found.values.items():
        if "separability" not in name and "temperature" not in name:  # of the first captions
            assert turned[name] == pytest.approx(value, abs=1e-9), name
