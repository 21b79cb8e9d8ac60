"""Copy-paste: what is laid on covers pixels and masks alike, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.train.paste import pasted
from engine.train.sample import Crop, Sample, ignored_pixels

SIDE = 80


def a_sample(shade: int, *boxes: tuple[float, float, float, float], label: int = 1) -> Sample:
    """A grey picture with a box-filling object in a shade of its own at each box."""
    image = np.full((SIDE, SIDE, 3), 10, np.uint8)
    crops = []
    for x0, y0, x1, y1 in boxes:
        image[round(y0) : round(y1), round(x0) : round(x1)] = shade
        crops.append(Crop(np.ones((round(y1 - y0), round(x1 - x0)), np.uint8), (x0, y0, x1, y1)))
    return Sample(
        image,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), label, np.int64),
        tuple(crops),
    )


def drawn(sample: Sample) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """How many objects lie on each pixel."""
    count = np.zeros(sample.shape, np.int64)
    for crop in sample.crops:
        assert crop is not None
        x0, y0, x1, y1 = (round(edge) for edge in crop.box_xyxy)
        count[y0:y1, x0:x1] += crop.bitmap
    return count


@pytest.mark.parametrize("seed", range(30))
def test_that_pixels_and_masks_agree_after_pasting(seed: int) -> None:
    base, other = a_sample(100, (10, 10, 40, 40), (50, 45, 70, 75)), a_sample(250, (20, 30, 36, 52), label=2)
    made = pasted(base, other, np.random.default_rng(seed), 3)
    assert made.labels.tolist().count(2) == 1
    lying_on = drawn(made)
    assert lying_on.max() == 1  # what is covered belongs to what covers it
    new = made.crops[made.labels.tolist().index(2)]
    assert new is not None
    x0, y0, x1, y1 = (round(edge) for edge in new.box_xyxy)
    inner = made.image[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1]
    assert (inner == 250).all()
    outside = np.ones(made.shape, bool)
    outside[y0:y1, x0:x1] = False
    assert np.array_equal(made.image[outside], base.image[outside])
    for box, crop in zip(made.boxes_xyxy, made.crops, strict=True):
        assert crop is not None
        assert tuple(box) == crop.box_xyxy


def test_that_an_object_covered_almost_wholly_becomes_ignored_pixels() -> None:
    base, other = a_sample(100, (30, 30, 34, 34)), a_sample(250, (20, 20, 55, 55), label=2)
    became = set()
    for seed in range(60):
        made = pasted(base, other, np.random.default_rng(seed), 1)
        left = 1 in made.labels.tolist()
        ignored = ignored_pixels(made)
        became.add((left, ignored is not None and bool(ignored[-1, -1])))
        if not left and made.ignore:
            assert made.ignore[0].bitmap.sum() < 0.3 * 16
    assert {(True, False), (False, False), (False, True)} >= became
    assert (False, False) in became  # nothing of it was left


def test_that_the_picture_pasted_from_and_on_are_left_as_they_were() -> None:
    base, other = a_sample(100, (10, 10, 40, 40)), a_sample(250, (20, 30, 36, 52))
    before = base.image.copy(), other.image.copy()
    for seed in range(10):
        pasted(base, other, np.random.default_rng(seed), 3)
    assert np.array_equal(base.image, before[0])
    assert np.array_equal(other.image, before[1])


def test_that_nothing_is_pasted_where_it_is_not_known_what_would_be_covered() -> None:
    base, other = a_sample(100, (10, 10, 40, 40)), a_sample(250, (20, 30, 36, 52))
    boxed = replace(base, crops=(None,))
    assert pasted(boxed, other, np.random.default_rng(0), 3) is boxed
    assert pasted(base, replace(other, crops=(None,)), np.random.default_rng(0), 3) is base
    huge = a_sample(250, (5, 5, 75, 75))
    assert pasted(base, huge, np.random.default_rng(0), 3) is base


def test_that_crops_between_pixels_stay_where_they_are_when_nothing_covers_them() -> None:
    crop = Crop(np.ones((3, 3), np.uint8), (2.4, 2.4, 4.1, 4.1))
    base = replace(
        a_sample(100),
        boxes_xyxy=np.array([crop.box_xyxy], np.float32),
        labels=np.ones(1, np.int64),
        crops=(crop,),
    )
    other = a_sample(250, (60, 60, 70, 70), label=2)
    for seed in range(20):
        made = pasted(base, other, np.random.default_rng(seed), 1)
        x0, y0 = made.boxes_xyxy[-1][:2]
        if x0 > 6 or y0 > 6:
            assert made.crops[0] is crop
