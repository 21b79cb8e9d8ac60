"""Masks without a model: flood fill from clicks, GrabCut in a box, an outline drawn to the picture's edges.

numpy and OpenCV alone. GrabCut works on a window around its object, shrunk where that is large, so that its
time does not follow the picture. Sources: Rother, Kolmogorov and Blake, "GrabCut", SIGGRAPH 2004; OpenCV.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.document.mask import EMPTY, Mask
from engine.document.records import Box
from engine.media.picture import Rgb
from engine.prompt import Click

MOST_PIXELS = 160_000
"""Of a window in GrabCut; five rounds take about 0.2 s on one core then."""

_ROUNDS = 5
_MARGIN = 0.25
"""Around a box, shares of its sides: what GrabCut learns the background from."""
_DOT = 0.02
"""Radius of a click's own pixels, shares of the box's longer side."""


def flood(pixels: Rgb, clicks: Sequence[Click], tolerance: float) -> Mask:
    """What hangs together with the clicks and differs from them by no more than the tolerance.

    pixels: H x W x 3 uint8. tolerance: grey levels of each channel, 0..255. What negative clicks flood is
    taken away. EMPTY where no click lies in the picture.
    """
    height, width = pixels.shape[:2]
    image = pixels.copy()  # OpenCV wants it writable, and writes nothing
    off = (float(tolerance),) * 3
    flooded = {True: np.zeros((height, width), np.bool_), False: np.zeros((height, width), np.bool_)}
    for click in clicks:
        column, row = math.floor(click.x), math.floor(click.y)
        if not (0 <= column < width and 0 <= row < height):
            continue
        found = np.zeros((height + 2, width + 2), np.uint8)
        flags = 4 | cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY | (1 << 8)
        cv2.floodFill(image, found, (column, row), 0, off, off, flags)
        flooded[click.positive] |= found[1:-1, 1:-1] > 0
    return Mask.from_full(flooded[True] & ~flooded[False])


def cut_out(pixels: Rgb, box_xyxy: Box, clicks: Sequence[Click] = ()) -> Mask:
    """The object in a box by colour alone: GrabCut. pixels: H x W x 3 uint8; box and clicks: image pixels.

    EMPTY where box and picture share too little to tell object from ground.
    """
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = box_xyxy
    dx, dy = _MARGIN * (x1 - x0) + 2, _MARGIN * (y1 - y0) + 2
    window = Window(pixels, (x0 - dx, y0 - dy, x1 + dx, y1 + dy))
    if window.is_empty:
        return EMPTY
    said = np.full(window.shape, cv2.GC_BGD, np.uint8)
    left, top = window.to_window(max(x0, 0.0), max(y0, 0.0))
    right, bottom = window.to_window(min(x1, float(width)), min(y1, float(height)))
    said[round(top) : round(bottom), round(left) : round(right)] = cv2.GC_PR_FGD
    radius = max(1, round(_DOT * max(right - left, bottom - top)))
    for click in clicks:
        column, row = window.to_window(click.x, click.y)
        sure = cv2.GC_FGD if click.positive else cv2.GC_BGD
        cv2.circle(said, (int(column), int(row)), radius, int(sure), -1)
    return window.mask_of(grabcut(window.pixels, said, _ROUNDS).astype(np.float32))


def snapped(pixels: Rgb, mask: Mask) -> Mask:
    """The mask with its outline drawn to edges near by; far from it nothing changes.

    pixels: H x W x 3 uint8. Holes and parts are kept where they are wider than the reach.
    """
    if mask.is_empty:
        return mask
    reach = min(max(round(0.04 * math.sqrt(mask.area)), 2), 40)
    x0, y0, x1, y1 = mask.box_xyxy
    around = 3 * reach
    window = Window(pixels, (x0 - around, y0 - around, x1 + around, y1 + around))
    if window.is_empty:
        return mask
    inside = window.of_mask(mask)
    cells = max(1, round(reach * window.scale))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * cells + 1, 2 * cells + 1))
    said = np.where(inside > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    said[cv2.erode(inside, disc, borderValue=1) > 0] = cv2.GC_FGD
    said[cv2.dilate(inside, disc) == 0] = cv2.GC_BGD
    found = window.mask_of(grabcut(window.pixels, said, 2).astype(np.float32))
    return mask if found.is_empty else found


class Window:
    """A part of a picture, shrunk to at most so many pixels.

    pixels: H x W x 3 uint8. box: image pixels, clipped to the picture. size: height and width of the image
    whose pixels box and masks count; None: that of `pixels`, which may be a smaller copy of it.
    """

    def __init__(
        self, pixels: Rgb, box: Box, *, size: tuple[int, int] | None = None, most: int = MOST_PIXELS
    ) -> None:
        height, width = size or (pixels.shape[0], pixels.shape[1])
        x0, y0 = max(math.floor(box[0]), 0), max(math.floor(box[1]), 0)
        x1, y1 = min(math.ceil(box[2]), width), min(math.ceil(box[3]), height)
        self._corner, self._size = (x0, y0), (max(x1 - x0, 0), max(y1 - y0, 0))
        count = self._size[0] * self._size[1]
        self.scale = min(1.0, math.sqrt(most / count)) if count else 1.0
        down, across = pixels.shape[0] / height, pixels.shape[1] / width
        rows = slice(math.floor(y0 * down), math.ceil(y1 * down))
        part = pixels[rows, math.floor(x0 * across) : math.ceil(x1 * across)]
        is_as_wanted = self.is_empty or (self.scale == 1.0 and down == across == 1.0)
        self.pixels: Rgb = part if is_as_wanted else self._shrunk(part)

    @property
    def is_empty(self) -> bool:
        """Whether there is too little of the picture to look at."""
        return bool(self._size[0] < 3 or self._size[1] < 3)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of its pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def _shrunk(self, part: NDArray[np.uint8]) -> NDArray[np.uint8]:
        size = max(1, round(self._size[0] * self.scale)), max(1, round(self._size[1] * self.scale))
        return cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)

    def to_window(self, x: float, y: float) -> tuple[float, float]:
        """A point of the picture, in the window's pixels."""
        high, wide = self.shape
        return (
            min(max((x - self._corner[0]) * wide / self._size[0], 0.0), wide),
            min(max((y - self._corner[1]) * high / self._size[1], 0.0), high),
        )

    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where its columns and its rows have their middles, image pixels."""
        high, wide = self.shape
        across, down = self._size[0] / wide, self._size[1] / high
        return self._corner[0] + (np.arange(wide) + 0.5) * across, self._corner[1] + (
            np.arange(high) + 0.5
        ) * down  # fmt: skip

    def of_mask(self, mask: Mask) -> NDArray[np.uint8]:
        """A mask's pixels in the window: 1 where it is."""
        (x0, y0), (wide, high) = self._corner, self._size
        full = np.zeros((high, wide), np.uint8)
        part = mask.window(x0, y0, x0 + wide, y0 + high)
        top, left = max(mask.y - y0, 0), max(mask.x - x0, 0)
        full[top : top + part.shape[0], left : left + part.shape[1]] = part
        return full if self.scale == 1.0 else (self._shrunk(255 * full) > 127).astype(np.uint8)

    def mask_of(self, said: NDArray[np.float32], cutoff: float = 0.5) -> Mask:
        """The mask of the pixels that are said to be an object's by more than the cut-off, 0..1."""
        if (said.shape[1], said.shape[0]) != self._size:
            said = cv2.resize(said, self._size, interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)
        return Mask.from_crop(*self._corner, said > cutoff)


def grabcut(pixels: Rgb, said: NDArray[np.uint8], rounds: int) -> NDArray[np.bool_]:
    """GrabCut from what is said of the pixels; the same as before where there is too little to learn from."""
    is_object = (said == cv2.GC_FGD) | (said == cv2.GC_PR_FGD)
    before: NDArray[np.bool_] = is_object
    if min(np.count_nonzero(is_object), np.count_nonzero(~is_object)) < 10:
        return before
    ground, thing = np.zeros((1, 65)), np.zeros((1, 65))
    bgr = np.ascontiguousarray(pixels[..., ::-1])
    try:
        cv2.grabCut(bgr, said, (0, 0, 1, 1), ground, thing, rounds, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # one colour throughout: there is nothing to cut along
        return before
    after: NDArray[np.bool_] = (said == cv2.GC_FGD) | (said == cv2.GC_PR_FGD)
    return after
