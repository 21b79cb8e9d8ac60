"""A mask's parts, holes and outline as regions: what joins, what it encloses, how rough it is.

Pixels of a mask are joined by their edges (4-connected), pixels of the background by their corners
too, as everywhere in this project (`engine.document.polygons`).
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from engine.document.mask import Mask


def parts(mask: Mask) -> list[Mask]:
    """The mask's connected parts, in the order of their first pixels; none for the empty mask."""
    if mask.is_empty:
        return []
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.bitmap.view(np.uint8), connectivity=4)
    if count == 2:
        return [mask]
    found = []
    for label in range(1, count):
        x, y, width, height = (int(value) for value in stats[label, :4])
        bitmap = labels[y : y + height, x : x + width] == label
        found.append(Mask.from_crop(mask.x + x, mask.y + y, bitmap))
    return sorted(found, key=lambda part: (part.y, part.x + int(part.bitmap[0].argmax())))


def fill_holes(mask: Mask) -> Mask:
    """The mask with every hole filled: all background that it cuts off from the outside."""
    if mask.is_empty:
        return mask
    pixels = np.pad(mask.bitmap.view(np.uint8), 1)
    cv2.floodFill(pixels, None, (0, 0), (2,), flags=8)
    return Mask.from_crop(mask.x, mask.y, pixels[1:-1, 1:-1] != 2)


def smooth(mask: Mask, radius: float) -> Mask:
    """The mask with a calmer outline: what a Gaussian blur of sigma `radius` pixels keeps above a half.

    Bumps, gaps and parts much smaller than the radius go; a straight edge stays where it is. May be
    empty. Raises ValueError unless `radius` is positive and finite.
    """
    if not (math.isfinite(radius) and radius > 0):
        raise ValueError(f"a mask is smoothed with a positive radius, not {radius}")
    if mask.is_empty:
        return mask
    reach = math.ceil(3 * radius)
    # Beyond its crop a mask has no pixel, so the blur reaches past the border of an image like any other.
    pixels = np.pad(mask.bitmap.astype(np.float32), reach)
    side = 2 * reach + 1
    blurred = cv2.GaussianBlur(pixels, (side, side), radius, borderType=cv2.BORDER_CONSTANT)
    return Mask.from_crop(mask.x - reach, mask.y - reach, blurred > 0.5)
