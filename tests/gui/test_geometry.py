"""Shifts, boxes and hit tests as numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.document.mask import Mask
from engine.document.records import Box, Instance
from gui import geometry
from tests.engine.document.strategies import often, some_masks

HEIGHT, WIDTH = 60, 90
_across, _down = st.floats(0, WIDTH), st.floats(0, HEIGHT)
_shifts = st.floats(-500, 500)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    """Boxes inside the image."""
    x0, x1 = sorted((draw(_across), draw(_across)))
    y0, y1 = sorted((draw(_down), draw(_down)))
    return x0, y0, x1, y1


@often
@given(boxes(), _shifts, _shifts)
def test_that_an_allowed_shift_leaves_the_box_inside_and_goes_no_further_than_asked(
    box: Box, dx: float, dy: float
) -> None:
    right, down = geometry.allowed_shift(box=box, dx=dx, dy=dy, height=HEIGHT, width=WIDTH)
    assert box[0] + right >= -1e-9
    assert box[2] + right <= WIDTH + 1e-9
    assert box[1] + down >= -1e-9
    assert box[3] + down <= HEIGHT + 1e-9
    assert abs(right) <= abs(dx)
    assert abs(down) <= abs(dy)
    assert right * dx >= 0
    assert down * dy >= 0


def test_that_a_box_outside_the_image_may_come_in_but_not_go_on() -> None:
    box = (-10.0, 5.0, 20.0, 20.0)
    assert geometry.allowed_shift(box=box, dx=-5, dy=0, height=HEIGHT, width=WIDTH) == (0.0, 0.0)
    assert geometry.allowed_shift(box=box, dx=15, dy=0, height=HEIGHT, width=WIDTH) == (15.0, 0.0)


@often
@given(boxes(), st.integers(0, 7), _shifts, _shifts)
def test_that_a_resized_box_stays_inside_with_a_pixel_a_side(
    box: Box, handle: int, x: float, y: float
) -> None:
    x0, y0, x1, y1 = geometry.resized(box=box, handle=handle, x=x, y=y, height=HEIGHT, width=WIDTH)
    assert 0 <= x0 <= x1 - 1 + 1e-9 <= WIDTH
    assert 0 <= y0 <= y1 - 1 + 1e-9 <= HEIGHT
    assert x1 <= WIDTH
    assert y1 <= HEIGHT


@often
@given(some_masks(), st.integers(-12, 12), st.integers(-12, 12), st.integers(1, 12), st.integers(1, 12))
def test_that_what_is_clipped_is_what_the_image_shows_of_it(
    mask: Mask, dx: int, dy: int, height: int, width: int
) -> None:
    moved = geometry.moved(instance=Instance(1, 1, mask=mask), dx=dx, dy=dy)
    assert moved.mask is not None
    found = geometry.clipped(instance=moved, height=height, width=width)
    full = moved.mask.to_full(height, width)
    assert (found is None) == (not full.any())
    if found is not None:
        assert found.mask == Mask.from_full(full)


@often
@given(some_masks(), st.floats(-3, 20), st.floats(-3, 20), st.floats(0, 4))
def test_that_a_mask_is_touched_where_a_pixel_lies_in_the_square_around_the_point(
    mask: Mask, x: float, y: float, reach: float
) -> None:
    rows, columns = np.nonzero(mask.bitmap)
    left, top = columns + mask.x, rows + mask.y
    inside = (np.floor(x - reach) <= left) & (left <= np.floor(x + reach))
    inside &= (np.floor(y - reach) <= top) & (top <= np.floor(y + reach))
    assert geometry.touches(mask=mask, x=x, y=y, reach=reach) == bool(inside.any())


def test_that_the_nearest_edge_gives_the_foot_on_it() -> None:
    ring = geometry.box_ring(box=(0.0, 0.0, 10.0, 10.0))
    ends = np.roll(ring, -1, axis=0)
    assert geometry.nearest_edge(starts=ring, ends=ends, x=4, y=-1, reach=2) == (0, 4.0, 0.0)
    assert geometry.nearest_edge(starts=ring, ends=ends, x=-1, y=-1, reach=1) is None
    assert geometry.nearest_point(points=ring, x=9, y=9, reach=2) == 2
    assert geometry.nearest_point(points=ring[:0], x=9, y=9, reach=2) is None
