"""From a written digit to its 24 shapes: thickness, swelling, fracture and size.

Every shape is a threshold on one distance field. The digit is enlarged and thinned to its medial
axis; the field holds the distance to that axis. Thickness is where the field is cut off, swelling
and size are where it is looked up, a fracture takes places out of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import medial_axis
from skimage.transform import warp

SEED = 0  # of the random places of swelling, cuts and small digits, and of the splits

# Lengths are in pixels of the finished image.
SIDE = 28
FINE = 4  # pixels of the drawing grid per pixel of the image
MARGIN = 1.0  # left free around the 8 x 8 digits
SURROUNDINGS = 2.0  # of the blur that says how bright a point's surroundings are; ink is brighter
HALF_WIDTHS = (1.0, 2.1, 0.45)  # of the strokes: medium, thick, thin
SWELLING_RADIUS = 7.5  # of the disc that a swelling reaches
SWELLING_POWER = 3.0  # what was at distance r of its centre moves to R (r / R)^(1 / power)
CUTS = 3  # how many a fracture has
CUT_WIDTH = 3.0  # along the stroke
SHRINK = 0.75  # size of a small digit relative to a large one
BLUR = 0.4  # standard deviation of the last one
SHAPES = 24  # thickness x swelling x fracture x size, the last running fastest

Array = NDArray[np.floating]

# Centres of the drawing grid's pixels, in pixels of the image: shape (2, 112, 112).
_GRID = ((np.indices((SIDE * FINE, SIDE * FINE)) + 0.5) / FINE).astype(np.float32)


@dataclass(frozen=True)
class Places:
    """Where a digit is changed, in pixels: drawn once, the same for all its shapes."""

    swelling: Array  # (2,)
    cuts: Array  # (cuts, 2)
    directions: Array  # (cuts, 2), unit vectors along the stroke
    corner: Array  # (2,), of the frame of the small digit


def draw_shapes(digit: Array, number: int) -> NDArray[np.uint8]:
    """All shapes of one digit.

    Args:
        digit: grey image in [0, 1], 8 x 8.
        number: of the digit; it decides the places, whatever was drawn before.

    Returns:
        Shape (24, 28, 28): thickness x swelling x fracture x size, the last running fastest.
    """
    skeleton = thin(digit)
    field = ndimage.distance_transform_edt(~skeleton).astype(np.float32) / FINE
    places = draw_places(skeleton, np.random.default_rng([SEED, number]))
    half_widths = np.array(HALF_WIDTHS, np.float32)
    ink = np.empty((3, 2, 2, 2, SIDE * FINE, SIDE * FINE), bool)
    grids: list[Array] = [_GRID, (_GRID - places.corner[:, None, None]) / SHRINK]
    for small, grid in enumerate(grids):
        cut = in_cuts(grid, places)
        for swollen, points in enumerate([grid, swell(grid, places.swelling)]):
            thick_enough = look_up(field, points) < half_widths[:, None, None]
            ink[:, swollen, 0, small] = thick_enough
            ink[:, swollen, 1, small] = thick_enough & ~cut
    return shrink(ink.reshape(SHAPES, SIDE * FINE, SIDE * FINE), BLUR)


def thin(digit: Array) -> NDArray[np.bool_]:
    """The medial axis of a digit on the drawing grid, shape (112, 112).

    Ink is what is brighter than its surroundings: one level for the whole image would close the
    small loops of an 8 or a 9.
    """
    margin = round(MARGIN * FINE)
    factor = (SIDE * FINE - 2 * margin) / len(digit)
    enlarged = ndimage.zoom(digit, factor, order=3, mode="grid-constant", grid_mode=True)
    enlarged /= enlarged.max()
    surroundings = ndimage.gaussian_filter(enlarged, SURROUNDINGS * FINE)
    return medial_axis(np.pad(enlarged > surroundings.clip(0.3, 0.9), margin), rng=0)


def draw_places(skeleton: NDArray[np.bool_], rng: np.random.Generator) -> Places:
    """Draw where the digit swells, where it is cut, and where it stands when it is small."""
    points = (np.argwhere(skeleton).astype(np.float32) + 0.5) / FINE
    centre = points[rng.integers(len(points))]
    room = ndimage.distance_transform_edt(~ends_and_forks(skeleton))[skeleton] / FINE
    room = np.minimum(room, np.linalg.norm(points - centre, axis=1) - SWELLING_RADIUS)
    cuts, directions = [], []
    for _ in range(CUTS):
        # Far enough from ends, forks, swelling and earlier cuts; where nothing is, the farthest.
        free = np.flatnonzero(room >= CUT_WIDTH)
        cut = points[rng.choice(free) if len(free) else room.argmax()]
        distance = np.linalg.norm(points - cut, axis=1)
        room = np.minimum(room, distance - CUT_WIDTH)
        near = points[distance < 2.5]
        cuts.append(cut)
        directions.append(np.linalg.eigh(np.cov(near.T) if len(near) > 1 else np.eye(2))[1][:, 1])
    return Places(
        swelling=centre,
        cuts=np.array(cuts, np.float32).reshape(-1, 2),
        directions=np.array(directions, np.float32).reshape(-1, 2),
        corner=rng.uniform(0, SIDE * (1 - SHRINK), 2).astype(np.float32),
    )


def ends_and_forks(skeleton: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Points of a skeleton where a walk around them meets one branch, or three and more."""
    padded = np.pad(skeleton, 1)
    around = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]
    height, width = skeleton.shape
    ring = np.stack([padded[i : i + height, j : j + width] for i, j in around])
    branches = (ring & ~np.roll(ring, 1, axis=0)).sum(axis=0)
    return skeleton & (branches != 2)


def swell(grid: Array, centre: Array) -> Array:
    """Where the swollen image looks up the field: inside the disc, nearer to its centre."""
    offset = grid - centre[:, None, None]
    relative = np.minimum(np.linalg.norm(offset, axis=0) / SWELLING_RADIUS, 1)
    return centre[:, None, None] + offset * relative ** (SWELLING_POWER - 1)


def in_cuts(grid: Array, places: Places) -> NDArray[np.bool_]:
    """Whether a point lies in one of the cuts, bars across the stroke."""
    inside = np.zeros(grid.shape[1:], bool)
    reach = max(HALF_WIDTHS) + 1
    for cut, (i, j) in zip(places.cuts, places.directions, strict=True):
        y, x = grid - cut[:, None, None]
        inside |= (np.abs(i * y + j * x) < CUT_WIDTH / 2) & (np.abs(i * x - j * y) < reach)
    return inside


def look_up(field: Array, points: Array) -> Array:
    """The field at points in pixels; far from any stroke where there is no field."""
    return warp(field, points * FINE - 0.5, order=1, cval=SIDE, preserve_range=True)


def shrink(ink: NDArray[np.bool_], blur: float) -> NDArray[np.uint8]:
    """From the drawing grid to pixels: the share of ink in each, after a blur."""
    shares = ink.reshape(-1, SIDE, FINE, SIDE, FINE).mean(axis=(2, 4), dtype=np.float32)
    blurred = ndimage.gaussian_filter(shares, blur, axes=(1, 2))
    return np.rint(255 * blurred).astype(np.uint8)
