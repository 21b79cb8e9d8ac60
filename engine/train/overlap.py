"""How much detections and truth have in common: the IoU that matching goes by. No torch here.

A matrix has a row for each detection; its columns are the true instances, then the image's ignore
regions. There a share is told in place of the IoU: of the detection's pixels, those inside the region.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.document.masks import EMPTY, Mask, intersect, iou
from engine.document.records import Instance
from engine.formats.labelled import LabelledImage

Overlaps = NDArray[np.float64]
"""detections x (instances + ignore regions), 0..1."""

LEAST_OVERLAP = 0.5
"""From which a detection can be of an instance; COCO's lowest threshold."""


def mask_overlaps(found: Sequence[Instance], true: Sequence[Instance], image: LabelledImage) -> Overlaps:
    """By mask, inside the image; an instance without one overlaps nothing."""
    rows, columns = masks_inside(found, image), masks_inside(true, image)
    regions = [region.mask.clipped(image.height, image.width) for region in image.ignore]
    overlaps = np.zeros((len(rows), len(columns) + len(regions)))
    for row, column in _meeting(rows, [*columns, *regions]):
        one = rows[row]
        if column < len(columns):
            overlaps[row, column] = iou(one, columns[column])
        else:
            overlaps[row, column] = intersect(one, regions[column - len(columns)]).area / one.area
    return overlaps


def box_overlaps(found: Sequence[Instance], true: Sequence[Instance], image: LabelledImage) -> Overlaps:
    """By box. Of an ignore region its pixels count, not its box: a frame around the picture is no picture."""
    rows, columns = _boxes([one.bounds_xyxy for one in found]), _boxes([one.bounds_xyxy for one in true])
    low = np.maximum(rows[:, None, :2], columns[None, :, :2])
    high = np.minimum(rows[:, None, 2:], columns[None, :, 2:])
    common = (high - low).clip(min=0).prod(axis=2)
    either = _areas(rows)[:, None] + _areas(columns)[None] - common
    by_box = np.divide(common, either, out=np.zeros_like(common), where=either > 0)
    shares = [[_share_inside(box, region.mask) for region in image.ignore] for box in rows]
    return np.hstack([by_box, np.array(shares).reshape(len(rows), len(image.ignore))])


def masks_inside(instances: Sequence[Instance], image: LabelledImage) -> list[Mask]:
    """The part of each mask inside the image; the empty mask where there is none."""
    masks = (one.mask if one.mask is not None else EMPTY for one in instances)
    return [mask.clipped(image.height, image.width) for mask in masks]


def _meeting(rows: Sequence[Mask], columns: Sequence[Mask]) -> NDArray[np.intp]:
    """Pairs (row, column), N x 2, of masks whose boxes share a pixel."""
    a, b = _boxes([mask.box_xyxy for mask in rows]), _boxes([mask.box_xyxy for mask in columns])
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    return np.argwhere((high > low).all(axis=2))


def _boxes(boxes: Sequence[tuple[float, float, float, float]]) -> NDArray[np.float64]:
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    areas: NDArray[np.float64] = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return areas


def _share_inside(box: NDArray[np.float64], region: Mask) -> float:
    """The share of a box's pixels that lie in the region."""
    x0, y0, x1, y1 = (round(float(edge)) for edge in box)
    pixels = (x1 - x0) * (y1 - y0)
    return np.count_nonzero(region.window(x0, y0, x1, y1)) / pixels if pixels > 0 else 0.0
