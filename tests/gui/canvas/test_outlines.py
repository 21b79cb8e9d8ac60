"""Outlines of the selected: exact from near, and from far as near as the screen can show."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtGui import QPolygonF

from engine.document.mask import Mask
from engine.document.masks import from_polygons
from gui.canvas.outlines import Outlines


def disc(radius: int) -> Mask:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    inner = (radius // 3) ** 2
    return Mask.from_crop(7, 9, (x * x + y * y <= radius * radius) & (x * x + y * y > inner))


def mask_of(rings: list[QPolygonF]) -> Mask:
    corners = [[ring.at(index) for index in range(ring.size())] for ring in rings]
    return from_polygons([[(at.x(), at.y()) for at in ring] for ring in corners])


def test_that_from_near_an_outline_is_the_mask_s_own_with_its_holes() -> None:
    assert mask_of(Outlines().rings(disc(40), 8.0)) == disc(40)


@pytest.mark.parametrize("scale", [0.1, 0.4, 0.7, 1.0])
def test_that_from_far_it_has_fewer_corners_and_is_off_by_less_than_a_pixel_of_the_screen(
    scale: float,
) -> None:
    mask, outlines = disc(300), Outlines()
    rings = outlines.rings(mask, scale)
    assert sum(ring.size() for ring in rings) < outlines.length(mask) / 2
    off = mask_of(rings).to_full(700, 700) ^ mask.to_full(700, 700)
    rim = outlines.length(mask)  # an outline's corners are about as many as the pixels along it
    assert np.count_nonzero(off) <= rim * 0.75 / scale


def test_that_an_outline_is_made_once_and_a_huge_one_is_not_traced() -> None:
    outlines, mask = Outlines(), disc(40)
    assert outlines.rings(mask, 1.0) is outlines.rings(mask, 0.9)
    huge = Mask.from_crop(0, 0, np.ones((2001, 2000)))
    assert outlines.length(huge) > 1_000_000
