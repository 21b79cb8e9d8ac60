"""One mask: the pixels of an object as a bitmap cropped to them, and where that crop lies.

Everything here costs as much as the crop, never as much as the image. Knows no file format, no
polygon and no brush (`engine.document.masks` brings those together).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Bitmap = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Pixels of one object; equal and hashed by value.

    x, y: column and row of the crop's first pixel, image pixels; they may be negative, since a shape
    may leave the image (`clipped` brings it back).
    bitmap: h x w bool, C-contiguous, read-only and tight: its first and last row and column all hold a
    pixel, so that two masks of the same pixels are the same mask. The empty mask has x = y = 0 and
    shape (0, 0).
    Raises ValueError for any other bitmap; `from_crop` makes a right one of any array.
    """

    x: int
    y: int
    bitmap: Bitmap

    def __post_init__(self) -> None:
        bitmap = self.bitmap
        if bitmap.dtype != np.bool_ or bitmap.ndim != 2:
            raise ValueError(f"a mask's bitmap is h x w bool, not {bitmap.dtype} of shape {bitmap.shape}")
        if not bitmap.flags.c_contiguous or bitmap.flags.writeable:
            raise ValueError("a mask's bitmap is C-contiguous and read-only; use Mask.from_crop")
        if bitmap.size == 0:
            if bitmap.shape != (0, 0) or self.x != 0 or self.y != 0:
                raise ValueError("the empty mask has shape (0, 0) at x = y = 0; use Mask.from_crop")
        elif not all(map(np.count_nonzero, (bitmap[0], bitmap[-1], bitmap[:, 0], bitmap[:, -1]))):
            raise ValueError("a mask's bitmap has no empty row or column at its border; use Mask.from_crop")

    @classmethod
    def from_crop(cls, x: int, y: int, array: ArrayLike) -> Mask:
        """The mask of the non-zero pixels of `array` (h x w, any number type), whose first pixel is (x, y).

        Copies; the empty border is cut off. Raises ValueError unless `array` has two dimensions.
        """
        pixels = np.asarray(array)
        if pixels.ndim != 2:
            raise ValueError(f"a mask is made of an h x w array, not of shape {pixels.shape}")
        if pixels.dtype != np.bool_:
            pixels = pixels != 0
        left, top, right, bottom = _extent(pixels)
        if right <= left:
            return EMPTY
        bitmap = pixels[top:bottom, left:right].copy(order="C")
        bitmap.flags.writeable = False
        return cls(int(x) + left, int(y) + top, bitmap)

    @classmethod
    def from_full(cls, array: ArrayLike) -> Mask:
        """The mask of the non-zero pixels of a whole image (H x W, any number type). Copies the crop only."""
        return cls.from_crop(0, 0, array)

    @property
    def is_empty(self) -> bool:
        """True for the mask without a pixel."""
        return self.bitmap.size == 0

    @property
    def area(self) -> int:
        """Count of pixels."""
        return int(np.count_nonzero(self.bitmap))

    @property
    def bbox_xywh(self) -> tuple[int, int, int, int]:
        """x, y, width and height of the crop in image pixels; all 0 for the empty mask."""
        height, width = self.bitmap.shape
        return self.x, self.y, width, height

    @property
    def box_xyxy(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 in image pixels; x1 and y1 are exclusive edges. All 0 for the empty mask."""
        height, width = self.bitmap.shape
        return float(self.x), float(self.y), float(self.x + width), float(self.y + height)

    def to_full(self, height: int, width: int) -> Bitmap:
        """The whole image as H x W bool, writable; pixels outside the image are left out."""
        full = np.zeros((height, width), dtype=np.bool_)
        inside = self.clipped(height, width)
        rows, columns = inside.bitmap.shape
        full[inside.y : inside.y + rows, inside.x : inside.x + columns] = inside.bitmap
        return full

    def clipped(self, height: int, width: int) -> Mask:
        """The part inside an image of that size: this very mask where all of it is."""
        x, y, w, h = self.bbox_xywh
        if x >= 0 and y >= 0 and x + w <= width and y + h <= height:
            return self
        return Mask.from_crop(max(x, 0), max(y, 0), self.window(0, 0, width, height))

    def window(self, x0: int, y0: int, x1: int, y1: int) -> Bitmap:
        """The crop's pixels inside the rectangle (exclusive edges, image pixels): a read-only view.

        Its first pixel is (max(x, x0), max(y, y0)); it has no pixel where the two do not meet.
        """
        top, left = max(y0 - self.y, 0), max(x0 - self.x, 0)
        return self.bitmap[top : max(y1 - self.y, top), left : max(x1 - self.x, left)]

    def checksum(self) -> int:
        """CRC-32 of the place and the pixels: the same on every machine and in every run."""
        place = np.array([self.x, self.y, *self.bitmap.shape], dtype="<i8")
        return zlib.crc32(self.bitmap.data, zlib.crc32(place.data))

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Mask):
            return NotImplemented
        return (
            self.x == other.x
            and self.y == other.y
            and self.bitmap.shape == other.bitmap.shape
            and bool(np.array_equal(self.bitmap, other.bitmap))
        )

    def __hash__(self) -> int:
        return self.checksum()

    def __repr__(self) -> str:
        height, width = self.bitmap.shape
        return f"Mask(x={self.x}, y={self.y}, {width} x {height}, {self.area} pixels)"


def _extent(pixels: Bitmap) -> tuple[int, int, int, int]:
    """left, top, right, bottom (exclusive) of the set pixels; zeros where there are none."""
    if pixels.size == 0:
        return 0, 0, 0, 0
    left, top, width, height = cv2.boundingRect(pixels.view(np.uint8))
    return left, top, left + width, top + height


def _empty() -> Mask:
    bitmap = np.zeros((0, 0), dtype=np.bool_)
    bitmap.flags.writeable = False
    return Mask(0, 0, bitmap)


EMPTY = _empty()
"""The mask without a pixel."""
