"""A picture of more than 8 bits, seen through a window on its samples: made as the view needs it.

What of it is on the screen is looked up anew for each window, so a window can be dragged. Knows no widget.
"""

from __future__ import annotations

import cv2
import numpy as np

from engine.media.picture import Samples
from engine.media.tone import windowed
from gui.canvas.pyramid import Rgb32, Scaled, halved, rgb32

_OPENCV_AVERAGES = ("uint16", "int16", "float32", "float64")


def scales_of(samples: Samples) -> tuple[Samples, ...]:
    """The samples (H x W x 1 or 3) at their own size, half, a quarter and so on. Not for the GUI thread."""
    levels, small = [samples], samples
    if str(samples.dtype) not in _OPENCV_AVERAGES:
        small = samples.astype(np.float32 if samples.dtype.itemsize <= 2 else np.float64)
    for _ in range(1, Scaled(*samples.shape[:2]).depth):
        small = halved(small)
        levels.append(small)
    return tuple(levels)


class Lens(Scaled):
    """What of `levels` (see `scales_of`) is seen between two samples: black up to low, white from high on."""

    def __init__(self, levels: tuple[Samples, ...], low: float, high: float, gamma: float) -> None:
        super().__init__(*levels[0].shape[:2])
        self._levels, self._window = levels, (low, high, gamma)

    def region(self, level: int, x0: int, y0: int, x1: int, y1: int) -> Rgb32:
        shown = windowed(self._levels[level][y0:y1, x0:x1], *self._window)
        if shown.shape[2] == 1:
            grey = np.ascontiguousarray(shown[..., 0])
            return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGRA), np.uint8)
        return rgb32(shown)
