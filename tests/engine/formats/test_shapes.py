"""Ellipses and turned boxes become the pixels that whoever drew them saw."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.document.masks import EMPTY
from engine.formats.shapes import ellipse, turned_box


def test_that_an_ellipse_lies_where_it_was_drawn_and_has_its_area() -> None:
    mask = ellipse(50, 40, 20, 10, 100, 80)
    assert mask.bbox_xywh == (30, 30, 40, 20)
    assert mask.area == pytest.approx(math.pi * 20 * 10, rel=0.02)


def test_that_an_ellipse_turns_clockwise_as_seen() -> None:
    assert ellipse(50, 40, 20, 10, 100, 80, turned=90) == ellipse(50, 40, 10, 20, 100, 80)
    turned = ellipse(50, 40, 20, 4, 100, 80, turned=45).to_full(80, 100)
    assert turned[50, 60], "to the right and down, where y grows"
    assert not turned[30, 60]


@given(st.floats(-20, 50), st.floats(-20, 50), st.floats(0.5, 40), st.floats(0.5, 40), st.floats(-360, 360))
def test_that_an_ellipse_holds_the_pixels_whose_centres_lie_in_it_and_no_other(
    x: float, y: float, radius_x: float, radius_y: float, turned: float
) -> None:
    found = ellipse(x, y, radius_x, radius_y, 32, 24, turned).to_full(24, 32)
    rows, columns = np.mgrid[:24, :32] + 0.5
    turn = np.exp(-1j * math.radians(turned))
    own = ((columns - x) + 1j * (rows - y)) * turn
    distance = (own.real / radius_x) ** 2 + (own.imag / radius_y) ** 2
    is_clear = np.abs(distance - 1) > 1e-6  # of rounding
    assert np.array_equal(found[is_clear], (distance <= 1)[is_clear])


@pytest.mark.parametrize(("x", "radius"), [(50, 0), (50, -3), (500, 20), (-500, 20)])
def test_that_nothing_or_what_lies_outside_is_empty(x: float, radius: float) -> None:
    assert ellipse(x, 40, radius, 10, 100, 80) == EMPTY
    assert ellipse(x, 40, 10 if radius > 0 else radius, 0, 100, 80) == EMPTY


def test_that_a_box_turns_clockwise_around_its_point() -> None:
    assert turned_box(10, 20, 30, 40, 90, (10, 20)) == pytest.approx((10, 20, 10, 40, -10, 40, -10, 20))
    assert turned_box(10, 20, 30, 40, 0, (3, 4)) == pytest.approx((10, 20, 30, 20, 30, 40, 10, 40))
