"""Boundary IoU: how well outlines agree, which the IoU of large masks hardly tells.

Cheng et al., "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation", CVPR 2021, with the
numbers of its COCO API: a mask's boundary is its pixels within 2 % of the picture's diagonal of an edge, and
two instances overlap as little as their masks or their boundaries do. Made on crops: the whole picture,
as that API decodes it for each mask, takes 100 ms a mask at 12 megapixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np

from engine.document.masks import Mask, iou
from engine.document.records import Instance
from engine.formats.labelled import LabelledImage
from engine.train.overlap import LEAST_OVERLAP, Overlaps, mask_overlaps, masks_inside

WIDTH = 0.02
"""Of a boundary, in shares of the picture's diagonal."""


def boundary(mask: Mask, *, height: int, width: int) -> Mask:
    """The pixels of a mask near its edge; on a picture of that size, whose border is an edge too."""
    if mask.is_empty:
        return mask
    reach = max(1, round(WIDTH * math.hypot(height, width)))
    padded = cv2.copyMakeBorder(mask.bitmap.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(0.0,))
    inner = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=reach)[1:-1, 1:-1]
    return Mask.from_crop(mask.x, mask.y, mask.bitmap & (inner == 0))


def boundary_overlaps(found: Sequence[Instance], true: Sequence[Instance], image: LabelledImage) -> Overlaps:
    """As `mask_overlaps`, the lesser of mask and boundary IoU; ignore regions count by their pixels.

    Where the mask's is below LEAST_OVERLAP, which matches nothing, no boundary is made: the mask's stays.
    """
    overlaps = mask_overlaps(found, true, image)
    rows, columns = masks_inside(found, image), masks_inside(true, image)

    @cache
    def of_found(row: int) -> Mask:
        return boundary(rows[row], height=image.height, width=image.width)

    @cache
    def of_true(column: int) -> Mask:
        return boundary(columns[column], height=image.height, width=image.width)

    for row, column in np.argwhere(overlaps[:, : len(true)] >= LEAST_OVERLAP):
        by_boundary = iou(of_found(row), of_true(column))
        overlaps[row, column] = min(overlaps[row, column], by_boundary)
    return overlaps
