"""Masks joined, cut and compared as sets of pixels, at the cost of their crops."""

from __future__ import annotations

import numpy as np

from engine.document.mask import EMPTY, Mask


def union(a: Mask, b: Mask) -> Mask:
    """The pixels of either."""
    if a.is_empty or b.is_empty:
        return b if a.is_empty else a
    return _combined(a, b, np.logical_or)


def symmetric_difference(a: Mask, b: Mask) -> Mask:
    """The pixels of one of the two alone: the patch that makes either mask of the other."""
    if a.is_empty or b.is_empty:
        return b if a.is_empty else a
    return _combined(a, b, np.logical_xor)


def subtract(a: Mask, b: Mask) -> Mask:
    """The pixels of `a` that are not in `b`."""
    x0, y0, x1, y1 = _overlap(a, b)
    if x1 <= x0 or y1 <= y0:
        return a
    bitmap = a.bitmap.copy()
    bitmap[y0 - a.y : y1 - a.y, x0 - a.x : x1 - a.x] &= ~b.window(x0, y0, x1, y1)
    return Mask.from_crop(a.x, a.y, bitmap)


def intersect(a: Mask, b: Mask) -> Mask:
    """The pixels of both."""
    x0, y0, x1, y1 = _overlap(a, b)
    if x1 <= x0 or y1 <= y0:
        return EMPTY
    return Mask.from_crop(x0, y0, a.window(x0, y0, x1, y1) & b.window(x0, y0, x1, y1))


def iou(a: Mask, b: Mask) -> float:
    """Intersection over union, 0..1; 0 where both are empty."""
    x0, y0, x1, y1 = _overlap(a, b)
    if x1 <= x0 or y1 <= y0:
        return 0.0
    common = int(np.count_nonzero(a.window(x0, y0, x1, y1) & b.window(x0, y0, x1, y1)))
    return common / (a.area + b.area - common)


def _overlap(a: Mask, b: Mask) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the rectangle that both crops share; without a pixel where they do not meet."""
    (ax, ay, aw, ah), (bx, by, bw, bh) = a.bbox_xywh, b.bbox_xywh
    return max(ax, bx), max(ay, by), min(ax + aw, bx + bw), min(ay + ah, by + bh)


def _combined(a: Mask, b: Mask, operation: np.ufunc) -> Mask:
    """The operation on a rectangle around both of two masks, neither of them empty."""
    (ax, ay, aw, ah), (bx, by, bw, bh) = a.bbox_xywh, b.bbox_xywh
    x, y = min(ax, bx), min(ay, by)
    bitmap = np.zeros((max(ay + ah, by + bh) - y, max(ax + aw, bx + bw) - x), dtype=np.bool_)
    bitmap[ay - y : ay - y + ah, ax - x : ax - x + aw] = a.bitmap
    part = bitmap[by - y : by - y + bh, bx - x : bx - x + bw]
    operation(part, b.bitmap, out=part)
    return Mask.from_crop(x, y, bitmap)
