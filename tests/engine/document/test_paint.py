"""A brush covers the pixels within its radius, copies no more than it reaches, and leaves the mask alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.document.mask import EMPTY, Mask
from engine.document.paint import MaskCanvas, erase_disc, erase_stroke, paint_disc, paint_stroke
from tests.engine.document.strategies import masks, often

Path = list[tuple[float, float]]

_places = st.floats(-10, 40, allow_nan=False, width=32) | st.integers(-2, 30).map(float)
_paths = st.lists(st.tuples(_places, _places), min_size=1, max_size=3)
_radii = st.floats(0.125, 15, width=32)


def _distance(path: Path, height: int, width: int) -> NDArray[np.float64]:
    """Of every pixel's centre from the path, worked out pixel by pixel."""
    y, x = np.mgrid[:height, :width] + 0.5
    nearest = np.full((height, width), np.inf)
    for (ax, ay), (bx, by) in zip(path, path[1:] or path, strict=False):
        along = np.zeros_like(x)
        if (length := math.hypot(bx - ax, by - ay)) > 1e-9:
            along = (((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length**2).clip(0, 1)
        nearest = np.minimum(nearest, np.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay)))
    return nearest


@often
@given(masks(), _paths, _radii, st.integers(1, 30), st.integers(1, 30))
def test_that_a_stroke_sets_or_clears_the_pixels_within_its_radius(
    mask: Mask, path: Path, radius: float, height: int, width: int
) -> None:
    before = mask.to_full(height, width)
    distance = _distance(path, height, width)
    sure = np.abs(distance - radius) > 1e-6
    painted = paint_stroke(mask, path, radius, height=height, width=width).to_full(height, width)
    erased = erase_stroke(mask, path, radius, height=height, width=width).to_full(height, width)
    assert np.array_equal(painted[sure], (before | (distance <= radius))[sure])
    assert np.array_equal(erased[sure], (before & (distance > radius))[sure])


@often
@given(masks(), st.lists(st.tuples(_paths, _radii, st.booleans()), max_size=4))
def test_that_a_canvas_shows_what_its_mask_will_be_and_where_it_changed(
    mask: Mask, strokes: list[tuple[Path, float, bool]]
) -> None:
    canvas = MaskCanvas(mask, height=30, width=25)
    for path, radius, adds in strokes:
        before = canvas.pixels(0, 0, 25, 30)
        x, y, width, height = (canvas.paint if adds else canvas.erase)(path, radius)
        changed = before ^ canvas.pixels(0, 0, 25, 30)
        changed[y : y + height, x : x + width] = False
        assert not changed.any()
    assert np.array_equal(canvas.to_mask().to_full(30, 25), canvas.pixels(0, 0, 25, 30))
    assert np.array_equal(canvas.pixels(3, 4, 9, 7), canvas.pixels(0, 0, 25, 30)[4:11, 3:12])


def test_that_a_stroke_crosses_tiles_without_a_seam() -> None:
    path = [(20.0, 30.0), (900.0, 700.0), (900.0, 20.0)]
    mask = paint_stroke(EMPTY, path, 9.0, height=800, width=1000)
    sure = np.abs((distance := _distance(path, 800, 1000)) - 9.0) > 1e-6
    assert np.array_equal(mask.to_full(800, 1000)[sure], (distance <= 9.0)[sure])


def test_that_a_brush_copies_only_what_it_reaches() -> None:
    canvas = MaskCanvas(Mask.from_full(np.ones((2000, 3000))), height=2000, width=3000)
    canvas.erase([(1000, 1000), (1010, 1000)], 20)
    copied = sum(tile.nbytes for tile in canvas._tiles.values())
    assert copied <= 4 * 256 * 256


def test_that_a_disc_is_a_path_of_one_point() -> None:
    disc = paint_disc(EMPTY, 5.5, 5.5, 1.0, height=20, width=20)
    assert disc == Mask.from_crop(4, 4, [[0, 1, 0], [1, 1, 1], [0, 1, 0]])
    assert erase_disc(disc, 5.5, 5.5, 1.0, height=20, width=20) == EMPTY


def test_that_a_brush_beside_the_image_changes_nothing() -> None:
    mask = Mask.from_full(np.ones((4, 4)))
    canvas = MaskCanvas(mask, height=4, width=4)
    for path in ([(-9, 2)], [(2, 99), (5, 99)], [(99, -3), (-99, -3)]):
        assert canvas.erase(path, 2.5) == (0, 0, 0, 0)
    assert canvas.to_mask() is mask


def test_that_the_mask_under_a_canvas_stays_as_it_was() -> None:
    mask = Mask.from_full(np.ones((4, 4)))
    MaskCanvas(mask, height=4, width=4).erase((2, 2), 2)
    assert mask.area == 16


@pytest.mark.parametrize(
    ("path", "radius", "why"),
    [
        ([(1, 1)], 0, "positive radius"),
        ([(1, 1)], float("nan"), "positive radius"),
        ([(1, float("inf"))], 1, "finite"),
        ([(1, 1, 1)], 1, "finite coordinates"),
    ],
)
def test_that_a_stroke_of_no_sense_is_refused(path: list[tuple[float, ...]], radius: float, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        MaskCanvas(EMPTY, height=4, width=4).paint(path, radius)
