"""A brush on a mask: an event costs what the brush covers, whatever the size of mask and image.

A gesture paints on a MaskCanvas, which copies only the tiles that the brush reaches; when it ends,
the canvas gives a Mask. A pixel is painted when its centre lies within the radius of the path.
Knows no pointer, no tool and no document.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.document.mask import Bitmap, Mask

_TILE = 256  # pixels a side: 64 KiB, copied in microseconds, and few of them under a usual brush

Rectangle = tuple[int, int, int, int]
"""x, y, width, height in image pixels."""


class MaskCanvas:
    """A mask being painted on, inside an image of that size. The mask itself is not changed."""

    def __init__(self, mask: Mask, *, height: int, width: int) -> None:
        self._mask = mask.clipped(height, width)
        self._height = height
        self._width = width
        self._tiles: dict[tuple[int, int], Bitmap] = {}

    def paint(self, points: ArrayLike, radius: float) -> Rectangle:
        """Set the pixels along a path; returns the rectangle in which pixels may have changed.

        points: K x 2 (x, y) or one (x, y), float, image pixels (the centre of pixel 0 is 0.5); K = 1 is a
        disc. radius: image pixels. Raises ValueError where a number is not finite, or radius not positive.
        """
        return self._stroke(points, radius, value=True)

    def erase(self, points: ArrayLike, radius: float) -> Rectangle:
        """Clear the pixels along a path: the counterpart of `paint`."""
        return self._stroke(points, radius, value=False)

    def pixels(self, x: int, y: int, width: int, height: int) -> Bitmap:
        """The pixels of a rectangle inside the image as they are now: height x width bool, a copy."""
        part = np.zeros((height, width), dtype=np.bool_)
        _paste(part, x, y, self._mask.x, self._mask.y, self._mask.bitmap)
        for row in range(y // _TILE, -(-(y + height) // _TILE)):
            for column in range(x // _TILE, -(-(x + width) // _TILE)):
                tile = self._tiles.get((row, column))
                if tile is not None:
                    _paste(part, x, y, column * _TILE, row * _TILE, tile)
        return part

    def to_mask(self) -> Mask:
        """The mask as painted: the very one it began as where no brush has reached. Costs its crop, once."""
        if not self._tiles:
            return self._mask
        x0, y0, x1, y1 = (int(edge) for edge in self._mask.box_xyxy)
        rows, columns = zip(*self._tiles, strict=True)
        left, top = min(columns) * _TILE, min(rows) * _TILE
        right, bottom = (max(columns) + 1) * _TILE, (max(rows) + 1) * _TILE
        if not self._mask.is_empty:
            left, top, right, bottom = min(left, x0), min(top, y0), max(right, x1), max(bottom, y1)
        bitmap = np.zeros((bottom - top, right - left), dtype=np.bool_)
        _paste(bitmap, left, top, self._mask.x, self._mask.y, self._mask.bitmap)
        for (row, column), tile in self._tiles.items():
            _paste(bitmap, left, top, column * _TILE, row * _TILE, tile)
        return Mask.from_crop(left, top, bitmap)

    def _stroke(self, points: ArrayLike, radius: float, *, value: bool) -> Rectangle:
        path = np.atleast_2d(np.asarray(points, dtype=np.float64))
        if path.ndim != 2 or path.shape[1] != 2 or not np.isfinite(path).all():
            raise ValueError("a brush's path is K x 2 finite coordinates")
        if not (math.isfinite(radius) and radius > 0):
            raise ValueError(f"a brush has a positive radius, not {radius}")
        x0, y0, x1, y1 = self._width, self._height, 0, 0
        for start, end in pairwise(path if len(path) > 1 else np.repeat(path, 2, axis=0)):
            top, left, right = _rows_of_stroke(start, end, radius, self._height, self._width)
            if left.size == 0:
                continue
            self._fill(top, left, right, value)
            x0, y0 = min(x0, int(left.min())), min(y0, top)
            x1, y1 = max(x1, int(right.max())), max(y1, top + len(left))
        return (x0, y0, x1 - x0, y1 - y0) if x1 > x0 else (0, 0, 0, 0)

    def _fill(self, top: int, left: NDArray[np.int64], right: NDArray[np.int64], value: bool) -> None:
        """Set columns left..right (exclusive) of the rows from `top` on."""
        for row, rows in _tile_spans(top, top + len(left)):
            starts = left[rows.start - top : rows.stop - top, None]
            ends = right[rows.start - top : rows.stop - top, None]
            for column, columns in _tile_spans(int(starts.min()), int(ends.max())):
                places = np.arange(columns.start, columns.stop)
                covered = (places >= starts) & (places < ends)
                tile = self._tile(row, column)
                inner = tile[
                    rows.start - row * _TILE : rows.stop - row * _TILE,
                    columns.start - column * _TILE : columns.stop - column * _TILE,
                ]
                inner[covered] = value

    def _tile(self, row: int, column: int) -> Bitmap:
        tile = self._tiles.get((row, column))
        if tile is None:
            tile = self._tiles[row, column] = np.zeros((_TILE, _TILE), dtype=np.bool_)
            _paste(tile, column * _TILE, row * _TILE, self._mask.x, self._mask.y, self._mask.bitmap)
        return tile


def paint_disc(mask: Mask, x: float, y: float, radius: float, *, height: int, width: int) -> Mask:
    """The mask with the pixels of a disc set, inside an image of that size."""
    return paint_stroke(mask, (x, y), radius, height=height, width=width)


def erase_disc(mask: Mask, x: float, y: float, radius: float, *, height: int, width: int) -> Mask:
    """The mask with the pixels of a disc cleared."""
    return erase_stroke(mask, (x, y), radius, height=height, width=width)


def paint_stroke(mask: Mask, points: ArrayLike, radius: float, *, height: int, width: int) -> Mask:
    """The mask with the pixels along a path set (`MaskCanvas.paint`). In a gesture, use a canvas instead."""
    canvas = MaskCanvas(mask, height=height, width=width)
    canvas.paint(points, radius)
    return canvas.to_mask()


def erase_stroke(mask: Mask, points: ArrayLike, radius: float, *, height: int, width: int) -> Mask:
    """The mask with the pixels along a path cleared (`MaskCanvas.erase`)."""
    canvas = MaskCanvas(mask, height=height, width=width)
    canvas.erase(points, radius)
    return canvas.to_mask()


def _rows_of_stroke(
    start: NDArray[np.float64], end: NDArray[np.float64], radius: float, height: int, width: int
) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    """The first row of a round-ended stroke, and the columns left..right (exclusive) it covers in each.

    The stroke is convex, so that every row of it is one run: from the least to the greatest place where
    the row's centre line meets the two discs or the two long sides between them.
    """
    (ax, ay), (bx, by) = start.tolist(), end.tolist()
    top = max(math.ceil(min(ay, by) - radius - 0.5), 0)
    bottom = min(math.floor(max(ay, by) + radius - 0.5) + 1, height)
    y = np.arange(top, max(bottom, top)) + 0.5
    left, right = np.full(y.shape, np.inf), np.full(y.shape, -np.inf)
    for px, py in ((ax, ay), (bx, by)):
        on_disc = np.abs(y - py) <= radius
        half = np.sqrt(np.maximum(radius**2 - (y - py) ** 2, 0))
        left = np.where(on_disc, np.minimum(left, px - half), left)
        right = np.where(on_disc, np.maximum(right, px + half), right)
    if ay != by:
        length = math.hypot(bx - ax, by - ay)
        nx, ny = (ay - by) / length * radius, (bx - ax) / length * radius
        for sx, sy in ((nx, ny), (-nx, -ny)):
            on_side = (y >= min(ay, by) + sy) & (y <= max(ay, by) + sy)
            x = ax + sx + (y - ay - sy) * ((bx - ax) / (by - ay))
            left = np.where(on_side, np.minimum(left, x), left)
            right = np.where(on_side, np.maximum(right, x), right)
    first = np.ceil(np.clip(left, 0, width) - 0.5).astype(np.int64)
    last = np.floor(np.clip(right, 0, width) - 0.5).astype(np.int64) + 1
    covered = np.flatnonzero(last > first)
    if covered.size == 0:
        return top, first[:0], last[:0]
    rows = slice(int(covered[0]), int(covered[-1]) + 1)
    return top + rows.start, first[rows], last[rows]


def _tile_spans(start: int, stop: int) -> Iterator[tuple[int, range]]:
    """The tiles that start..stop (exclusive) crosses on one axis, each with the places inside it."""
    for tile in range(start // _TILE, -(-stop // _TILE)):
        yield tile, range(max(start, tile * _TILE), min(stop, (tile + 1) * _TILE))


def _paste(target: Bitmap, x: int, y: int, at_x: int, at_y: int, pixels: Bitmap) -> None:
    """Copy `pixels`, whose first lies at (at_x, at_y), over what they share with `target`, at (x, y)."""
    x0, y0 = max(x, at_x), max(y, at_y)
    x1, y1 = (
        min(x + target.shape[1], at_x + pixels.shape[1]),
        min(y + target.shape[0], at_y + pixels.shape[0]),
    )
    if x1 > x0 and y1 > y0:
        target[y0 - y : y1 - y, x0 - x : x1 - x] = pixels[y0 - at_y : y1 - at_y, x0 - at_x : x1 - at_x]
