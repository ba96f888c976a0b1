import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.measure import label
from skimage.metrics import structural_similarity
from sklearn.datasets import load_digits
from torch import Tensor

from modality_gap.lab import mad
from modality_gap.lab.mad import shapes

DIGITS = load_digits().images / 16


@pytest.fixture(scope="module")
def grey(data: mad.Mad) -> Tensor:
    """(200 digits, thickness, swelling, fracture, size, 28, 28)."""
    return data.shapes[:200].unflatten(1, (3, 2, 2, 2))


def draw(digit: NDArray[np.floating], number: int = 0) -> NDArray[np.uint8]:
    return shapes.draw_shapes(digit.astype(np.float32), number).reshape(3, 2, 2, 2, 28, 28)


def places_of(digit: NDArray[np.floating], number: int = 0) -> shapes.Places:
    skeleton = shapes.thin(digit.astype(np.float32))
    return shapes.draw_places(skeleton, np.random.default_rng([shapes.SEED, number]))


def test_a_digit_depends_on_its_number_only(data: mad.Mad, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not on the process that drew it, nor on the digits drawn before it."""
    for number in (3, 77, 1796):
        assert (draw(DIGITS[number], number) == grey_of(data, number)).all()
        assert (draw(DIGITS[number], number + 1) != grey_of(data, number)).any()
    monkeypatch.setattr(shapes, "SEED", 1)
    assert (draw(DIGITS[3], 3) != grey_of(data, 3)).any()


def grey_of(data: mad.Mad, number: int) -> NDArray[np.uint8]:
    return data.shapes[number].unflatten(0, (3, 2, 2, 2)).numpy()


def test_a_thicker_stroke_has_more_ink(grey: Tensor) -> None:
    medium, thick, thin = grey.float().sum((-1, -2)).unbind(1)
    assert (thick > medium).all()
    assert (medium > thin).all()
    for inner, outer in ((2, 0), (0, 1)):  # and holds the thinner one
        assert (grey[:, inner] <= grey[:, outer]).all()


def test_thickness_is_the_half_width_of_a_straight_stroke(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shapes, "MARGIN", 0.0)
    digit = np.zeros((28, 28))
    digit[:, 12:16] = 1
    drawn = draw(digit)
    ink = drawn[:, 0, 0, 0, 10:18].astype(float).sum(axis=-1) / 255
    # On the drawing grid, four to the pixel: the axis, and on both sides what is nearer than that.
    # The middle of an even number of columns is one or the other, hence up to one more.
    expected = np.array([[2 * math.ceil(4 * width) - 1] for width in (1.0, 2.1, 0.45)])
    assert (4 * ink - expected >= -0.05).all()
    assert (4 * ink - expected <= 1.05).all()


def test_swelling_adds_ink_inside_its_disc_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "BLUR", 0.0)
    for index in range(8):
        drawn, places = draw(DIGITS[index], index), places_of(DIGITS[index], index)
        points = np.indices((28, 28)) + 0.5
        away = (
            np.linalg.norm(points - places.swelling[:, None, None], axis=0)
            > shapes.SWELLING_RADIUS + 0.71
        )
        before, after = drawn[:, 0, :, 0].astype(float), drawn[:, 1, :, 0].astype(float)
        assert (before == after)[..., away].all()
        assert (after.sum((-1, -2)) > before.sum((-1, -2)))[:, 0].all()


def test_swelling_moves_points_as_its_formula_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "SWELLING_RADIUS", 8.0)
    centre = np.array([10.0, 10.0])
    grid = np.array([[10.0, 10.0, 10.0], [10.0, 14.0, 19.0]])[:, None]
    looked_up = shapes.swell(grid, centre)[:, 0]
    assert looked_up[0] == pytest.approx([10, 10, 10])
    assert looked_up[1] == pytest.approx([10, 10 + 8 * (4 / 8) ** 3, 19])


def test_fracture_only_removes_ink_and_breaks_the_stroke(grey: Tensor) -> None:
    whole, broken = grey[:, :, 0, 0, 0], grey[:, :, 0, 1, 0]
    assert (broken <= whole).all()
    assert (broken.float().sum((-1, -2)) < whole.float().sum((-1, -2))).all()
    pieces = [
        [int(label(image > 127).max()) for image in both[:, 0].numpy()] for both in (whole, broken)
    ]
    assert np.mean(np.array(pieces[1]) > np.array(pieces[0])) > 0.9


def test_a_small_digit_is_three_quarters_as_large_and_inside_the_frame(grey: Tensor) -> None:
    large, small = grey[:, 0, 0, 0, 0], grey[:, 0, 0, 0, 1]
    ratios = extents(small) / extents(large)
    assert ratios.mean() == pytest.approx(0.75, abs=0.03)
    assert (extents(small) <= 21 + 2).all()
    corners = torch.stack([(image > 60).nonzero().min(0).values for image in small]).float()
    assert (corners.std(0) > 1).all()  # it does not always stand in the same place


def extents(images: Tensor) -> Tensor:
    """Height and width of the ink, shape (n, 2)."""
    ink = [(image > 60).nonzero() for image in images]
    return torch.stack([(i.max(0).values - i.min(0).values + 1).float() for i in ink])


def test_a_small_digit_is_the_large_one_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for both, shrinking by half and looking at every other pixel is the same."""
    for name, value in {"SHRINK": 0.5, "BLUR": 0.0, "MARGIN": 3.0}.items():
        monkeypatch.setattr(shapes, name, value)
    drawn, places = draw(DIGITS[3]) / 255, places_of(DIGITS[3])
    large = drawn[1, 0, 0, 0].reshape(14, 2, 14, 2).mean(axis=(1, 3))
    i, j = np.rint(places.corner).astype(int)
    small = drawn[1, 0, 0, 1][i : i + 14, j : j + 14]
    assert structural_similarity(large, small, data_range=1.0, win_size=7) > 0.8
    assert drawn[1, 0, 0, 1].sum() == pytest.approx(large.sum(), rel=0.05)


def test_nothing_to_cut_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "CUTS", 0)
    drawn = draw(DIGITS[0])
    assert (drawn[:, :, 0] == drawn[:, :, 1]).all()
