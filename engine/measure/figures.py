"""What can be measured of one mask: sizes, shape, place, brightness. Pure; lengths in pixels.

Definitions are those of scikit-image's `regionprops`, so that figures from here and from there can stand in
one table. Costs as much as the mask's crop, never as much as the image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.document.mask import Mask

Grey = NDArray[np.float32]
"""H x W float32: brightness in the file's own range."""

_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
_AROUND = np.array([[10, 2, 10], [2, 1, 2], [10, 2, 10]], np.float32)


def _weights() -> NDArray[np.float64]:
    """Length of a border pixel by how many straight and diagonal border neighbours it has."""
    weights = np.zeros(50)
    weights[[5, 7, 15, 17, 25, 27]] = 1
    weights[[21, 33]] = math.sqrt(2)
    weights[[13, 23]] = (1 + math.sqrt(2)) / 2
    return weights


_WEIGHTS = _weights()


@dataclass(frozen=True, slots=True)
class Figures:
    """One instance in pixels. NaN for what it does not have.

    area: pixels. perimeter: length of the line through the border pixels, holes included (Benkrid and
    Crookes, 2000). length, width: axes of the ellipse with the same second moments. orientation: of the
    long axis, degrees counter-clockwise from the horizontal, 0 <= a < 180. circularity: 4 pi area /
    perimeter^2, 1 for a disc, at most 1. centroid: x, y of the mean pixel; pixel centres are whole numbers.
    mean_intensity: in the file's own range.
    """

    area: float
    perimeter: float
    length: float
    width: float
    orientation: float
    circularity: float
    centroid_x: float
    centroid_y: float
    mean_intensity: float = math.nan


NOTHING = Figures(*[math.nan] * 8)


def measure(mask: Mask, grey: Grey | None = None) -> Figures:
    """Measure a mask, and its brightness where a picture is given. What leaves the picture has none."""
    if mask.is_empty:
        return NOTHING
    bitmap = mask.bitmap
    ys, xs = np.nonzero(bitmap)
    area = len(ys)
    y, x = float(ys.mean()), float(xs.mean())
    length, width, orientation = _axes(ys.astype(np.float64) - y, xs.astype(np.float64) - x)
    around = _perimeter(bitmap)
    circularity = min(4 * math.pi * area / around**2, 1.0) if around > 0 else math.nan
    brightness = math.nan if grey is None else _brightness(mask, grey)
    return Figures(area, around, length, width, orientation, circularity, mask.x + x, mask.y + y, brightness)


def _axes(dy: NDArray[np.float64], dx: NDArray[np.float64]) -> tuple[float, float, float]:
    """Long and short axis and the direction of the long one."""
    xx, yy, xy = float((dx * dx).mean()), float((dy * dy).mean()), float((dx * dy).mean())
    middle, spread = (xx + yy) / 2, math.hypot((xx - yy) / 2, xy)
    # Rows grow downwards: the sign makes the angle counter-clockwise as it is seen.
    angle = math.degrees(0.5 * math.atan2(-2 * xy, xx - yy)) % 180
    return 4 * math.sqrt(middle + spread), 4 * math.sqrt(max(middle - spread, 0.0)), angle


def _perimeter(bitmap: NDArray[np.bool_]) -> float:
    padded = np.pad(bitmap, 2).astype(np.uint8)
    border = padded - cv2.erode(padded, _CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    kinds = cv2.filter2D(border.astype(np.float32), -1, _AROUND, borderType=cv2.BORDER_CONSTANT)
    counts = np.bincount(kinds.astype(np.int64).ravel(), minlength=50)
    return float(counts[:50] @ _WEIGHTS)


def _brightness(mask: Mask, grey: Grey) -> float:
    inside = mask.clipped(*grey.shape[:2])
    if inside.is_empty:
        return math.nan
    height, width = inside.bitmap.shape
    crop = grey[inside.y : inside.y + height, inside.x : inside.x + width]
    return float(crop[inside.bitmap].mean(dtype=np.float64))
