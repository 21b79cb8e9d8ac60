"""Masks as sets of pixels and as regions, against the same on whole images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from scipy import ndimage

from engine.document.boolean import intersect, iou, subtract, symmetric_difference, union
from engine.document.mask import EMPTY, Bitmap, Mask
from engine.document.regions import fill_holes, parts, smooth
from tests.engine.document.strategies import masks, often

_SIDE = 24


def _whole(mask: Mask) -> Bitmap:
    return mask.to_full(_SIDE, _SIDE)


@often
@given(masks(), masks())
def test_that_masks_combine_as_sets_of_pixels(a: Mask, b: Mask) -> None:
    assert np.array_equal(_whole(union(a, b)), _whole(a) | _whole(b))
    assert np.array_equal(_whole(subtract(a, b)), _whole(a) & ~_whole(b))
    assert np.array_equal(_whole(intersect(a, b)), _whole(a) & _whole(b))
    assert np.array_equal(_whole(symmetric_difference(a, b)), _whole(a) ^ _whole(b))


@often
@given(masks(), masks())
def test_that_iou_is_common_pixels_over_all_pixels(a: Mask, b: Mask) -> None:
    common, either = (_whole(a) & _whole(b)).sum(), (_whole(a) | _whole(b)).sum()
    assert iou(a, b) == (common / either if either else 0.0)


@often
@given(masks(), masks())
def test_that_a_patch_makes_either_mask_of_the_other(old: Mask, new: Mask) -> None:
    patch = symmetric_difference(old, new)
    assert symmetric_difference(old, patch) == new
    assert symmetric_difference(new, patch) == old


@often
@given(masks())
def test_that_parts_join_by_edges_alone_and_make_up_the_mask(mask: Mask) -> None:
    found = parts(mask)
    labels, count = ndimage.label(_whole(mask))
    assert [_whole(part).tolist() for part in found] == [(labels == n).tolist() for n in range(1, count + 1)]


@often
@given(masks())
def test_that_filled_is_all_that_the_outside_cannot_reach(mask: Mask) -> None:
    outside = np.pad(~_whole(mask), 1, constant_values=True)
    labels, _ = ndimage.label(outside, structure=np.ones((3, 3)))
    assert np.array_equal(_whole(fill_holes(mask)), labels[1:-1, 1:-1] != labels[0, 0])


def test_that_smoothing_calms_the_outline_and_keeps_straight_edges() -> None:
    box = np.zeros((60, 60), dtype=np.bool_)
    box[10:50, 10:50] = True
    rough = box.copy()
    rough[30, 50:53] = True  # a hair
    rough[9, 30] = True  # a bump
    rough[20:22, 20:22] = False  # a pinhole
    rough[0, 0] = True  # dust
    smoothed = smooth(Mask.from_full(rough), 2.0)
    assert smoothed == smooth(Mask.from_full(box), 2.0)
    edges = smoothed.to_full(60, 60)[20:40, 20:40]
    assert edges.all()
    assert smoothed.bbox_xywh == (10, 10, 40, 40)


def test_that_smoothing_goes_past_the_crop_where_pixels_crowd() -> None:
    gap = np.ones((40, 41), dtype=np.bool_)
    gap[:, 20] = False
    assert smooth(Mask.from_full(gap), 2.0).to_full(40, 41)[10:30, 20].all()


def test_that_the_empty_mask_stays_empty() -> None:
    assert parts(EMPTY) == []
    assert fill_holes(EMPTY) == EMPTY
    assert smooth(EMPTY, 1.0) == EMPTY
    assert smooth(Mask.from_full([[1]]), 3.0) == EMPTY
    assert iou(EMPTY, EMPTY) == 0.0


@pytest.mark.parametrize("radius", [0.0, -1.0, float("nan"), float("inf")])
def test_that_a_smoothing_radius_of_no_sense_is_refused(radius: float) -> None:
    with pytest.raises(ValueError, match="positive radius"):
        smooth(EMPTY, radius)
