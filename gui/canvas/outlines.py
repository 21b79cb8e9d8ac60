"""Outlines of single masks as vector paths, made once for each mask."""

from __future__ import annotations

from collections import OrderedDict

from PySide6.QtCore import QPointF
from PySide6.QtGui import QPainterPath, QPolygonF

from engine.document.mask import Mask
from engine.document.masks import to_polygons

_KEPT = 256
_MOST_PIXELS = 4_000_000  # of a mask's box; tracing a larger one would be felt
_MOST_POINTS = 6_000  # drawing more at once would be felt


class Outlines:
    """A cache. Paths are in image pixels and run along the pixels' edges."""

    def __init__(self) -> None:
        self._paths: OrderedDict[int, tuple[Mask, QPainterPath | None]] = OrderedDict()

    def of(self, mask: Mask) -> QPainterPath | None:
        """The outline of a mask; None for one that is too intricate to draw as a vector."""
        kept = self._paths.get(id(mask))
        if kept is None:
            kept = self._paths[id(mask)] = (mask, _path(mask))
            if len(self._paths) > _KEPT:
                self._paths.popitem(last=False)
        self._paths.move_to_end(id(mask))
        return kept[1]


def _path(mask: Mask) -> QPainterPath | None:
    if mask.bitmap.size > _MOST_PIXELS:
        return None
    rings = [ring for polygon in to_polygons(mask) for ring in polygon.rings]
    if sum(len(ring) for ring in rings) > _MOST_POINTS:
        return None
    path = QPainterPath()
    for ring in rings:
        path.addPolygon(QPolygonF([QPointF(x, y) for x, y in ring.tolist()]))
        path.closeSubpath()
    return path
