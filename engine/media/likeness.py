"""What a picture looks like in 32 bytes, so that near-duplicates are found: copies, bursts, resized ones.

A difference hash (Krawetz, "Kind of Like That", 2013) of 16 x 16 steps: each bit says whether the picture
grows brighter from one cell to the next. Light, contrast, size and compression hardly change it.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 16
BYTES = SIDE * SIDE // 8

ALIKE = 45
"""Bits of 256 that may differ: over photographs of streets, nuclei and rendered trays two pictures of
different things differ in 83 or more, one and its copy at half the size or as a JPEG of quality 60 in up
to 41."""


def likeness(image: NDArray[np.uint8]) -> bytes:
    """The hash of a picture, H x W x 3 uint8."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    cells = cv2.resize(grey.astype(np.float32), (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA)
    return np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes()


def distances(one: bytes, others: Sequence[bytes]) -> NDArray[np.int64]:
    """In how many of the 256 bits each of N others differs: N int64."""
    table = np.frombuffer(b"".join(others), np.uint8).reshape(len(others), BYTES)
    differing = np.bitwise_count(table ^ np.frombuffer(one, np.uint8))
    total: NDArray[np.int64] = differing.sum(axis=1, dtype=np.int64)
    return total
