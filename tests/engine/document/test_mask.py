"""A mask is its pixels: tight, frozen, compared by value."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.document.mask import EMPTY, Bitmap, Mask
from tests.engine.document.strategies import bitmaps, masks, often


@often
@given(bitmaps())
def test_that_a_whole_image_comes_back_from_its_crop(full: Bitmap) -> None:
    mask = Mask.from_full(full)
    assert np.array_equal(mask.to_full(*full.shape), full)
    assert mask.area == int(full.sum())
    assert mask.is_empty == (not full.any())


@often
@given(bitmaps())
def test_that_a_crop_is_tight_contiguous_and_read_only(full: Bitmap) -> None:
    bitmap = Mask.from_full(full).bitmap
    assert bitmap.flags.c_contiguous
    assert not bitmap.flags.writeable
    if bitmap.size:
        assert bitmap[0].any()
        assert bitmap[-1].any()
        assert bitmap[:, 0].any()
        assert bitmap[:, -1].any()


@often
@given(bitmaps(), st.integers(0, 3), st.integers(0, 3))
def test_that_masks_of_the_same_pixels_are_equal_however_they_were_cropped(
    full: Bitmap, x: int, y: int
) -> None:
    moved = np.pad(full, ((y, 2), (x, 1)))
    one, other = Mask.from_crop(-x, -y, moved), Mask.from_full(full)
    assert one == other
    assert hash(one) == hash(other)


@often
@given(masks(), masks())
def test_that_masks_differ_where_a_pixel_does(one: Mask, other: Mask) -> None:
    assert (one == other) == np.array_equal(one.to_full(20, 20), other.to_full(20, 20))
    assert one != "something else"


@often
@given(masks(lowest=-12), st.integers(1, 9), st.integers(1, 9))
def test_that_clipping_keeps_what_lies_inside_the_image(mask: Mask, height: int, width: int) -> None:
    big = np.zeros((40, 40), dtype=np.bool_)
    x, y, w, h = mask.bbox_xywh
    big[y + 15 : y + 15 + h, x + 15 : x + 15 + w] = mask.bitmap
    inside = big[15 : 15 + height, 15 : 15 + width]
    assert np.array_equal(mask.to_full(height, width), inside)
    assert mask.clipped(height, width) == Mask.from_full(inside)


def test_that_a_mask_inside_the_image_is_clipped_to_itself() -> None:
    mask = Mask.from_crop(1, 1, np.ones((2, 2)))
    assert mask.clipped(3, 3) is mask
    assert mask.clipped(3, 2) is not mask


def test_that_a_box_has_exclusive_edges() -> None:
    mask = Mask.from_crop(3, 5, np.pad(np.ones((2, 4)), 1))
    assert mask.bbox_xywh == (4, 6, 4, 2)
    assert mask.box_xyxy == (4.0, 6.0, 8.0, 8.0)
    assert EMPTY.box_xyxy == (0.0, 0.0, 0.0, 0.0)


def test_that_any_number_but_zero_is_a_pixel() -> None:
    assert Mask.from_full(np.array([[0.0, -0.5], [255.0, 0.0]])) == Mask.from_full(
        [[False, True], [True, False]]
    )


def test_that_a_mask_does_not_follow_the_array_it_was_made_of() -> None:
    full = np.ones((3, 3), dtype=np.bool_)
    mask = Mask.from_full(full)
    full[:] = False
    assert mask.area == 9


def test_that_a_mask_cannot_be_changed() -> None:
    mask = Mask.from_full(np.ones((2, 2)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        mask.x = 3  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        mask.bitmap[0, 0] = False


@pytest.mark.parametrize(
    ("bitmap", "why"),
    [
        (np.ones((2, 2), dtype=np.uint8), "bool"),
        (np.ones((2, 2, 1), dtype=np.bool_), "h x w"),
        (np.zeros((2, 2), dtype=np.bool_), "empty row"),
        (np.array([[True], [False]]), "empty row"),
        (np.array([[False, True]]), "empty row"),
        (np.zeros((0, 3), dtype=np.bool_), "empty mask"),
        (np.ones((4, 4), dtype=np.bool_)[:, ::2], "contiguous"),
    ],
)
def test_that_a_wrong_bitmap_is_refused(bitmap: Bitmap, why: str) -> None:
    bitmap.flags.writeable = False
    with pytest.raises(ValueError, match=why):
        Mask(0, 0, bitmap)


def test_that_a_writable_bitmap_is_refused() -> None:
    with pytest.raises(ValueError, match="read-only"):
        Mask(0, 0, np.ones((2, 2), dtype=np.bool_))


def test_that_the_empty_mask_has_one_place() -> None:
    with pytest.raises(ValueError, match="empty mask"):
        Mask(1, 0, EMPTY.bitmap)
    assert Mask.from_crop(7, 7, np.zeros((3, 0))) == EMPTY
    assert Mask.from_crop(7, 7, np.zeros((3, 2))) == EMPTY
