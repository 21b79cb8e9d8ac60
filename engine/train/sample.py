"""One training picture with its truth, and the geometry that moves both together.

A mask stays the bitmap that a person drew: resizing, flipping and cutting a picture move the box its
bitmap fills and never resample its pixels. Full-size masks are never built. No torch here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Bitmap = NDArray[np.uint8]
"""h x w of 0 and 1."""


LEAST_SEEN = 0.2
"""Share of an object's box that must be inside a window for it to count as one."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """A mask's bitmap and the box it fills: x0, y0, x1, y1 in the picture's pixels, fractions allowed."""

    bitmap: Bitmap
    box_xyxy: Box

    def scaled(self, sx: float, sy: float) -> Crop:
        """The crop on a picture resized by these factors."""
        x0, y0, x1, y1 = self.box_xyxy
        return Crop(self.bitmap, (x0 * sx, y0 * sy, x1 * sx, y1 * sy))

    def shifted(self, dx: float, dy: float) -> Crop:
        """The crop moved right and down."""
        x0, y0, x1, y1 = self.box_xyxy
        return Crop(self.bitmap, (x0 + dx, y0 + dy, x1 + dx, y1 + dy))

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


class Samples(Protocol):
    """Samples by index."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Sample: ...


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


def cut(sample: Sample, x: int, y: int, width: int, height: int) -> Sample:
    """The part of the sample under a window, which must lie inside the picture.

    What sticks out of the window is cut off with it: an object's box becomes that of its visible
    pixels. An object of which little is left becomes ignored pixels: it is neither itself nor background.
    """
    kept, boxes, crops = list[int](), list[Box](), list[Crop | None]()
    ignore = [crop.shifted(-x, -y) for crop in sample.ignore]
    for index, (box, crop) in enumerate(zip(sample.boxes_xyxy, sample.crops, strict=True)):
        # An object known by its box alone is cut as if it filled it.
        whole = crop or Crop(np.ones((1, 1), np.uint8), _as_box(box))
        seen = _seen_through(whole, x, y, width, height)
        if seen is None:
            continue
        x0, y0, x1, y1 = seen.box_xyxy
        inside = max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))
        share = _area(inside) / _area(whole.box_xyxy)
        if share < LEAST_SEEN:
            ignore.append(seen)
            continue
        kept.append(index)
        boxes.append(inside)
        crops.append(seen if crop else None)
    return Sample(
        np.ascontiguousarray(sample.image[y : y + height, x : x + width]),
        np.array(boxes, np.float32).reshape(-1, 4),
        sample.labels[kept],
        tuple(crops),
        tuple(ignore),
    )


def _as_box(edges: NDArray[np.float32]) -> Box:
    x0, y0, x1, y1 = (float(edge) for edge in edges)
    return x0, y0, x1, y1


def _area(box: Box) -> float:
    x0, y0, x1, y1 = box
    return max(x1 - x0, 0.0) * max(y1 - y0, 0.0)


def _seen_through(crop: Crop, x: int, y: int, width: int, height: int) -> Crop | None:
    """The smallest part of the bitmap that holds what a window shows of it, in the window's pixels."""
    x0, y0, x1, y1 = crop.box_xyxy
    rows, columns = crop.bitmap.shape
    sx, sy = (x1 - x0) / columns, (y1 - y0) / rows
    left, right = max(math.floor((x - x0) / sx), 0), min(math.ceil((x + width - x0) / sx), columns)
    top, bottom = max(math.floor((y - y0) / sy), 0), min(math.ceil((y + height - y0) / sy), rows)
    part = crop.bitmap[top : max(bottom, top), left : max(right, left)]
    filled_rows, filled_columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    if not len(filled_rows):
        return None
    first_row, last_row = int(filled_rows[0]), int(filled_rows[-1]) + 1
    first_column, last_column = int(filled_columns[0]), int(filled_columns[-1]) + 1
    box = (
        x0 + (left + first_column) * sx - x,
        y0 + (top + first_row) * sy - y,
        x0 + (left + last_column) * sx - x,
        y0 + (top + last_row) * sy - y,
    )
    return Crop(part[first_row:last_row, first_column:last_column], box)


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
