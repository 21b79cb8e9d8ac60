"""A picture at its own size, half, a quarter and so on, so that drawing costs what the screen shows.

The levels are built on a thread of their own; until one is there its pixels are picked from the
picture itself. Knows no widget.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from engine.errors import MediaError
from engine.media.picture import Rgb
from gui.pictures import Coming

Rgb32 = NDArray[np.uint8]
"""H x W x 4 uint8, blue green red 255: what Qt calls Format_RGB32."""

_Number = TypeVar("_Number", bound=np.generic)
_PAINTED_S = 0.03  # what is asked for is painted before anything else is begun
_LEAST_SIDE = 64  # a smaller level would not be cheaper to draw
_KEPT_PIXELS = 48_000_000  # up to here the picture itself is kept as RGB32 too, four bytes a pixel


class Scaled:
    """A picture at several scales: level k holds it at 1 / 2**k, its sides rounded up."""

    def __init__(self, height: int, width: int) -> None:
        self._height, self._width = height, width

    @property
    def depth(self) -> int:
        """The number of levels, the picture itself among them."""
        return max(1, (min(self._height, self._width) // _LEAST_SIDE).bit_length())

    def size_at(self, level: int) -> tuple[int, int]:
        """Height and width of a level."""
        return -(-self._height >> level), -(-self._width >> level)

    def level_for(self, scale: float) -> int:
        """The smallest level that need not be enlarged to be drawn at `scale` pixels an image pixel."""
        level = 0
        while level + 1 < self.depth and scale * 2 ** (level + 1) <= 1:
            level += 1
        return level

    def image(self, _level: int) -> QImage | None:
        """The whole level for Qt to draw from, where there is one."""
        return None

    def region(self, level: int, x0: int, y0: int, x1: int, y1: int) -> Rgb32:
        """Pixels of a level between edges inside it."""
        raise NotImplementedError


class Pyramid(Scaled):
    """A picture of 8 bits. Its levels come one by one."""

    def __init__(self, picture: Rgb | Coming) -> None:
        super().__init__(*picture.shape[:2])
        self._picture = picture
        self._levels: dict[int, Rgb32] = {}
        self._images: dict[int, QImage] = {}

    def put(self, level: int, pixels: Rgb32) -> None:
        """Take a level that was built."""
        self._levels[level] = pixels
        self._images[level] = image_over(pixels)

    def image(self, level: int) -> QImage | None:
        return self._images.get(level)

    def region(self, level: int, x0: int, y0: int, x1: int, y1: int) -> Rgb32:
        """A view of the level where it is built, else picked from the picture as it is there."""
        built = self._levels.get(level)
        if built is not None:
            return built[y0:y1, x0:x1]
        picture, finest = self._picture, 0
        if isinstance(picture, Coming):
            finest = picture.level if level >= picture.level else 0
            picture = picture.small if finest else picture.whole
        step = 1 << level - finest
        picked = picture[y0 * step : y1 * step : step, x0 * step : x1 * step : step]
        return rgb32(picked)


def image_over(pixels: Rgb32) -> QImage:
    """A QImage of the very memory of `pixels` (C-contiguous), which must outlive it."""
    height, width = pixels.shape[:2]
    return QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32)


def build(pixels: Rgb, depth: int, take: Callable[[int, Rgb32], bool]) -> None:
    """Build the levels of a picture; `take` gets each as it is ready and says whether to go on.

    The small ones come before the picture itself, since a picture is first seen whole.
    """
    small: NDArray[np.uint8] = pixels
    for level in range(1, depth):
        small = halved(small)
        if not take(level, rgb32(small)):
            return
    if pixels.shape[0] * pixels.shape[1] <= _KEPT_PIXELS:
        take(0, rgb32(pixels))


def halved(pixels: NDArray[_Number]) -> NDArray[_Number]:
    """The mean of each 2 x 2 pixels; of an odd last row or column, each second pixel.

    pixels: H x W or H x W x channels of a type that OpenCV can average.
    """
    height, width = pixels.shape[:2]
    even = pixels[: height // 2 * 2, : width // 2 * 2]
    size = (width // 2, height // 2)
    found: Any = even
    half = np.asarray(cv2.resize(found, size, interpolation=cv2.INTER_AREA), pixels.dtype)
    half = half.reshape(height // 2, width // 2, *pixels.shape[2:])  # OpenCV drops a single channel
    if (height % 2, width % 2) == (0, 0):
        return half
    whole = np.empty(((height + 1) // 2, (width + 1) // 2, *pixels.shape[2:]), pixels.dtype)
    whole[: height // 2, : width // 2] = half
    if height % 2:
        whole[-1] = pixels[-1, ::2]
    if width % 2:
        whole[:, -1] = pixels[::2, -1]
    return whole


def rgb32(pixels: Rgb) -> Rgb32:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGRA), dtype=np.uint8)


class PyramidBuilder(QObject):
    """Builds pyramids off the GUI thread, the last one asked for only. Lives on the GUI thread."""

    built = Signal(object)  # Pyramid: one more level of it is there
    _ready = Signal(object, int, object)

    def __init__(self) -> None:
        super().__init__()
        self._thread: threading.Thread | None = None
        self._wanted: Pyramid | None = None
        self._ready.connect(self._take)

    def start(self, picture: Rgb | Coming) -> Pyramid:
        """A pyramid that fills by and by; what was being built before is dropped."""
        pyramid = self._wanted = Pyramid(picture)
        before = self._thread

        def take(level: int, made: Rgb32) -> bool:
            self._ready.emit(pyramid, level, made)
            return self._wanted is pyramid

        def work() -> None:
            if before is not None:
                before.join()  # one after the other: they would only take each other's time
            time.sleep(_PAINTED_S)
            with suppress(MediaError):  # whoever showed it tells
                pixels = picture.whole if isinstance(picture, Coming) else picture
                if self._wanted is pyramid:
                    build(pixels, pyramid.depth, take)

        self._thread = threading.Thread(target=work, name="pyramid", daemon=True)
        self._thread.start()
        return pyramid

    def drop(self) -> None:
        """Build no more."""
        self._wanted = None

    def stop(self) -> None:
        """Build no more, and wait for the thread to see it."""
        self.drop()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _take(self, pyramid: Pyramid, level: int, made: Rgb32) -> None:
        if pyramid is self._wanted:
            pyramid.put(level, made)
            self.built.emit(pyramid)
