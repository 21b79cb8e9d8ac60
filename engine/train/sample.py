"""One training picture with its truth, and the geometry that moves both together.

A mask stays the bitmap that a person drew: resizing, flipping and cutting a picture move the box its
bitmap fills and never resample its pixels. Full-size masks are never built. No torch here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

Bitmap = NDArray[np.uint8]
"""h x w of 0 and 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """A mask's bitmap and the box it fills: x0, y0, x1, y1 in the picture's pixels, fractions allowed."""

    bitmap: Bitmap
    box_xyxy: tuple[float, float, float, float]

    def scaled(self, sx: float, sy: float) -> Crop:
        """The crop on a picture resized by these factors."""
        x0, y0, x1, y1 = self.box_xyxy
        return Crop(self.bitmap, (x0 * sx, y0 * sy, x1 * sx, y1 * sy))

    def mirrored(self, width: float) -> Crop:
        """The crop on a picture of this width seen in a mirror."""
        x0, y0, x1, y1 = self.box_xyxy
        return Crop(self.bitmap[:, ::-1], (width - x1, y0, width - x0, y1))


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A picture and its truth in the picture's own pixels.

    image: H x W x 3 uint8 RGB. boxes_xyxy: N x 4 float32. labels: N int64, from 1. crops: N, None for
    an object known by its box alone. ignore: masks that take no part in the loss.
    """

    image: NDArray[np.uint8]
    boxes_xyxy: NDArray[np.float32]
    labels: NDArray[np.int64]
    crops: tuple[Crop | None, ...]
    ignore: tuple[Crop, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the picture."""
        return self.image.shape[0], self.image.shape[1]


def resized(sample: Sample, height: int, width: int) -> Sample:
    """The sample at another size, resized as `engine.predict` resizes: bilinear, without averaging."""
    old_height, old_width = sample.shape
    if (old_height, old_width) == (height, width):
        return sample
    sx, sy = width / old_width, height / old_height
    return replace(
        sample,
        image=resize(sample.image, height, width, cv2.INTER_LINEAR),
        boxes_xyxy=sample.boxes_xyxy * np.array([sx, sy, sx, sy], np.float32),
        crops=tuple(crop and crop.scaled(sx, sy) for crop in sample.crops),
        ignore=tuple(crop.scaled(sx, sy) for crop in sample.ignore),
    )


def resize(pixels: NDArray[np.uint8], height: int, width: int, way: int) -> NDArray[np.uint8]:
    """uint8 pixels (H x W or H x W x 3) at another size, by one of OpenCV's interpolations."""
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=way), np.uint8)


def mirrored(sample: Sample) -> Sample:
    """The sample in a mirror: left and right change places."""
    width = sample.shape[1]
    boxes = sample.boxes_xyxy.copy()
    boxes[:, [0, 2]] = width - sample.boxes_xyxy[:, [2, 0]]
    return replace(
        sample,
        image=np.ascontiguousarray(sample.image[:, ::-1]),
        boxes_xyxy=boxes,
        crops=tuple(crop and crop.mirrored(width) for crop in sample.crops),
        ignore=tuple(crop.mirrored(width) for crop in sample.ignore),
    )


def ignored_pixels(sample: Sample) -> NDArray[np.int32] | None:
    """(H+1) x (W+1) sums of ignored pixels above and left of each corner; None where there are none."""
    if not sample.ignore:
        return None
    height, width = sample.shape
    covered = np.zeros((height, width), np.uint8)
    for crop in sample.ignore:
        for part, window in _on_grid(crop, height, width):
            covered[window] |= part
    return np.asarray(cv2.integral(covered), np.int32)


def _on_grid(crop: Crop, height: int, width: int) -> Iterator[tuple[Bitmap, tuple[slice, slice]]]:
    """The bitmap on whole pixels of the picture, with the place where it goes; nothing if outside."""
    x0, y0, x1, y1 = (round(edge) for edge in crop.box_xyxy)
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    if right <= left or bottom <= top:
        return
    whole = resize(np.ascontiguousarray(crop.bitmap), y1 - y0, x1 - x0, cv2.INTER_NEAREST)
    yield whole[top - y0 : bottom - y0, left - x0 : right - x0], (slice(top, bottom), slice(left, right))
