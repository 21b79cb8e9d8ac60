"""Brightness, contrast and gamma as one table of 256 numbers, put on what is visible only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gui.editor import Sight

Table = NDArray[np.uint8]


def table_of(sight: Sight) -> Table | None:
    """256 uint8, what each value of a channel becomes; None where nothing is adjusted.

    Contrast turns the line round middle grey (-1 is flat, 1 is very steep), brightness lifts it,
    gamma bends it.
    """
    if (sight.brightness, sight.contrast, sight.gamma) == (0.0, 0.0, 1.0):
        return None
    value = np.arange(256) / 255
    slope = np.tan((min(sight.contrast, 0.99) + 1) * np.pi / 4)
    value = (value - 0.5) * slope + 0.5 + sight.brightness
    value = np.clip(value, 0, 1) ** (1 / sight.gamma)
    return np.asarray(np.round(value * 255), dtype=np.uint8)
