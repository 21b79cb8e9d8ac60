"""Figures of a mask equal those of scikit-image, whatever its shape and wherever it lies."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from skimage.measure import regionprops

from engine.document.mask import EMPTY, Mask
from engine.measure.figures import measure

CANVAS = (60, 80)


def compare(bitmap: NDArray[np.bool_], x: int = 7, y: int = 11) -> None:
    mask = Mask.from_crop(x, y, bitmap)
    full = mask.to_full(*CANVAS)
    grey = np.random.default_rng(3).normal(1000, 300, CANVAS).astype(np.float32)
    (oracle,) = regionprops(  # type: ignore[no-untyped-call]
        full.astype(np.uint8), intensity_image=grey
    )
    found = measure(mask, grey)
    assert found.area == oracle.area
    assert found.perimeter == pytest.approx(oracle.perimeter, rel=1e-9, abs=1e-9)
    assert found.length == pytest.approx(oracle.axis_major_length, rel=1e-6, abs=1e-6)
    # The oracle rounds small eigenvalues to nothing.
    assert found.width == pytest.approx(oracle.axis_minor_length, rel=1e-6, abs=1e-5)
    assert (found.centroid_y, found.centroid_x) == pytest.approx(oracle.centroid)
    assert found.mean_intensity == pytest.approx(oracle.intensity_mean, rel=1e-5)
    if oracle.axis_major_length - oracle.axis_minor_length > 1e-6:
        # Theirs is from the vertical axis, ours from the horizontal one.
        expected = (math.degrees(oracle.orientation) + 90) % 180
        apart = abs(found.orientation - expected)
        assert min(apart, 180 - apart) < 1e-4


@given(arrays.arrays(np.bool_, st.tuples(st.integers(1, 14), st.integers(1, 14))).filter(lambda a: a.any()))
def test_that_any_shape_is_measured_as_by_regionprops(bitmap: NDArray[np.bool_]) -> None:
    compare(bitmap)


def test_that_a_slanted_ellipse_with_a_hole_is_measured_as_by_regionprops() -> None:
    y, x = np.mgrid[-20:21, -30:31]
    angle = math.radians(30)
    along, across = x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)
    shape = (along / 25) ** 2 + (across / 10) ** 2 <= 1
    compare(shape)
    assert measure(Mask.from_crop(0, 0, shape)).orientation == pytest.approx(30, abs=1)
    shape[18:23, 28:33] = False
    compare(shape)


def test_that_a_bar_points_where_it_is_seen_to_point() -> None:
    rising = np.eye(20, dtype=np.bool_)[::-1]  # from the lower left to the upper right
    assert measure(Mask.from_crop(0, 0, rising)).orientation == pytest.approx(45)
    assert measure(Mask.from_crop(0, 0, np.ones((2, 30), np.bool_))).orientation == pytest.approx(0)
    assert measure(Mask.from_crop(0, 0, np.ones((30, 2), np.bool_))).orientation == pytest.approx(90)


def test_that_a_disc_is_rounder_than_a_square_and_a_square_than_a_bar() -> None:
    y, x = np.mgrid[-20:21, -20:21]
    disc = measure(Mask.from_crop(0, 0, x * x + y * y <= 400)).circularity
    square = measure(Mask.from_crop(0, 0, np.ones((41, 41), np.bool_))).circularity
    bar = measure(Mask.from_crop(0, 0, np.ones((4, 80), np.bool_))).circularity
    assert 1 >= disc > 0.9 > square > 0.7 > bar > 0


def test_that_what_cannot_be_measured_is_not_a_number() -> None:
    assert math.isnan(measure(EMPTY).area)
    dot = measure(Mask.from_crop(3, 4, [[1]]))
    assert (dot.area, dot.perimeter, dot.centroid_x, dot.centroid_y) == (1, 0, 3, 4)
    assert math.isnan(dot.circularity)
    outside = Mask.from_crop(-5, -5, np.ones((3, 3)))
    assert math.isnan(measure(outside, np.zeros((10, 10), np.float32)).mean_intensity)


def test_that_only_what_lies_in_the_picture_has_brightness() -> None:
    grey = np.full((10, 10), 7, np.float32)
    assert measure(Mask.from_crop(-2, 4, np.ones((3, 5))), grey).mean_intensity == 7
