"""Outlines of single masks as polygons, made once for each mask and each octave of zoom."""

from __future__ import annotations

import math
from collections import OrderedDict

import cv2
import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtGui import QPolygonF

from engine.document.mask import Mask
from engine.document.masks import to_polygons
from engine.document.polygons import Ring

_KEPT = 256  # masks
_MOST_PIXELS = 4_000_000  # of a mask's box; tracing a larger one would be felt
_EXACT = 2.0  # device pixels an image pixel, from which on every step of an outline is drawn


class Outlines:
    """A cache. Rings are in image pixels; from far they leave out what no pixel of the screen would show."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, tuple[Mask, list[Ring], dict[float, list[QPolygonF]]]] = OrderedDict()

    def length(self, mask: Mask) -> int:
        """The corners of a mask's outline; more than any limit where it is too large to be traced."""
        if mask.bitmap.size > _MOST_PIXELS:
            return 1 << 30
        return sum(len(ring) for ring in self._of(mask)[1])

    def rings(self, mask: Mask, scale: float) -> list[QPolygonF]:
        """The outline of a mask for that many device pixels an image pixel."""
        _, rings, made = self._of(mask)
        tolerance = 0.0 if scale >= _EXACT else 0.8 / 2 ** math.ceil(math.log2(scale))
        if tolerance not in made:
            made[tolerance] = [_polygon(ring, tolerance) for ring in rings]
        return made[tolerance]

    def _of(self, mask: Mask) -> tuple[Mask, list[Ring], dict[float, list[QPolygonF]]]:
        found = self._kept.get(id(mask))  # the mask is kept too, so that its id stays its own
        if found is None:
            rings = [ring for polygon in to_polygons(mask) for ring in polygon.rings]
            found = self._kept[id(mask)] = (mask, rings, {})
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(id(mask))
        return found


def _polygon(ring: Ring, tolerance: float) -> QPolygonF:
    if tolerance:
        fewer = cv2.approxPolyDP(ring.astype(np.int32), tolerance, closed=True).reshape(-1, 2)
        ring = fewer.astype(np.int64) if len(fewer) > 2 else ring
    return QPolygonF([QPointF(x, y) for x, y in ring.tolist()])
