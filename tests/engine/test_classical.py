"""Masks without a model: they find what is there, stay inside their bounds, and never fall over."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

from engine.classical import MOST_PIXELS, cut_out, flood, snapped
from engine.document.boolean import iou
from engine.document.mask import EMPTY, Mask
from engine.media.picture import Rgb
from engine.prompt import Click


def scene(side: int, radius: int) -> tuple[Rgb, Mask]:
    """A grainy disc on a grainy ground."""
    rng = np.random.default_rng(3)
    plain = np.full((side, side, 3), (60, 70, 80), np.uint8)
    cv2.circle(plain, (side // 2, side // 2), radius, (190, 120, 60), -1)
    full = cv2.circle(np.zeros((side, side), np.uint8), (side // 2, side // 2), radius, 1, -1)
    return np.add(plain, rng.integers(0, 14, plain.shape), dtype=np.uint8, casting="unsafe"), Mask.from_full(
        full
    )


def test_that_the_flood_follows_colour_and_its_tolerance() -> None:
    pixels, disc = scene(120, 30)
    middle = Click(60.5, 60.5)
    assert iou(flood(pixels, [middle], 20), disc) > 0.99
    assert flood(pixels, [middle], 2).area < disc.area / 10
    assert flood(pixels, [middle], 200).area == 120 * 120
    both = flood(pixels, [middle, Click(5, 5)], 20)
    assert both.area > 0.95 * 120 * 120
    assert iou(flood(pixels, [middle, Click(5, 5), Click(5, 5, positive=False)], 20), disc) > 0.97


def test_that_a_flood_outside_the_picture_is_empty() -> None:
    pixels, _ = scene(40, 10)
    assert flood(pixels, [Click(-1, 5), Click(5, 40)], 20) == EMPTY


@pytest.mark.parametrize("side", [120, 1600])
def test_that_grabcut_finds_the_object_in_a_loose_box_whatever_its_size(side: int) -> None:
    pixels, disc = scene(side, side // 4)
    x0, y0, x1, y1 = disc.box_xyxy
    off = side / 24
    found = cut_out(pixels, (x0 - off, y0 - off, x1 + off, y1 + off))
    assert iou(found, disc) > 0.97
    assert side < 1000 or side * side > MOST_PIXELS, "the large one is shrunk"


def test_that_a_click_takes_its_place_out_of_a_cut() -> None:
    pixels, disc = scene(120, 30)
    box = (25.0, 25.0, 95.0, 95.0)
    whole = cut_out(pixels, box)
    assert whole.window(60, 60, 61, 61).all()
    cut = cut_out(pixels, box, [Click(60.5, 60.5, positive=False)])
    assert not cut.window(60, 60, 61, 61).any()
    assert iou(whole, disc) > 0.97


def test_that_an_outline_is_drawn_to_the_edge_near_it_and_no_farther() -> None:
    pixels, disc = scene(300, 90)
    rough = Mask.from_full(cv2.circle(np.zeros((300, 300), np.uint8), (154, 148), 90, 1, -1))
    better = snapped(pixels, rough)
    assert iou(rough, disc) < 0.95
    assert iou(better, disc) > 0.985
    lost = Mask.from_full(cv2.circle(np.zeros((300, 300), np.uint8), (150, 150), 40, 1, -1))
    kept = snapped(pixels, lost)
    x0, y0, x1, y1 = kept.box_xyxy
    assert min(x0, y0) >= 150 - 50
    assert max(x1, y1) <= 150 + 50


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 200, 3), (40, 40, 3)])
def test_that_a_picture_of_one_colour_or_few_pixels_is_no_fault(shape: tuple[int, int, int]) -> None:
    pixels = np.full(shape, 9, np.uint8)
    height, width, _ = shape
    whole = Mask.from_crop(0, 0, np.ones((height, width)))
    assert snapped(pixels, EMPTY) == EMPTY
    for box in ((0.0, 0.0, float(width), float(height)), (-50.0, -50.0, -10.0, -10.0), (0.2, 0.2, 0.4, 0.4)):
        found = cut_out(pixels, box, [Click(0.5, 0.5)])
        assert found.clipped(height, width) == found
    assert snapped(pixels, whole).area <= whole.area
    assert flood(pixels, [Click(0.5, 0.5)], 0) == whole


def test_that_a_large_object_takes_no_longer_than_its_window() -> None:
    pixels, disc = scene(3000, 900)
    began = time.process_time()
    snapped(pixels, disc)
    assert time.process_time() - began < 5
