"""Shapes that several formats have besides polygons, as masks: ellipses and turned boxes. Pure geometry."""

from __future__ import annotations

import math

import numpy as np

from engine.document.masks import EMPTY, Mask
from engine.formats.checks import FlatRing


def ellipse(
    x: float, y: float, radius_x: float, radius_y: float, width: int, height: int, turned: float = 0.0
) -> Mask:
    """The pixels whose centres lie in an ellipse around (x, y); turned: degrees clockwise as seen."""
    if radius_x <= 0 or radius_y <= 0:
        return EMPTY
    reach = max(radius_x, radius_y)
    left, top = max(math.floor(x - reach), 0), max(math.floor(y - reach), 0)
    right, bottom = min(math.ceil(x + reach) + 1, width), min(math.ceil(y + reach) + 1, height)
    if right <= left or bottom <= top:
        return EMPTY
    across = (np.arange(left, right) + 0.5 - x)[None, :]
    down = (np.arange(top, bottom) + 0.5 - y)[:, None]
    cosine, sine = math.cos(math.radians(turned)), math.sin(math.radians(turned))
    along, beside = across * cosine + down * sine, down * cosine - across * sine
    return Mask.from_crop(left, top, (along / radius_x) ** 2 + (beside / radius_y) ** 2 <= 1)


def turned_box(
    x0: float, y0: float, x1: float, y1: float, degrees: float, around: tuple[float, float]
) -> FlatRing:
    """The corners of a box turned clockwise, as seen, around a point."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    points: list[float] = []
    for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1)):
        dx, dy = x - around[0], y - around[1]
        points += (around[0] + dx * cosine - dy * sine, around[1] + dx * sine + dy * cosine)
    return tuple(points)
