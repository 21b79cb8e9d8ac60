"""Where things are: hit tests, boxes and shifts. Pure functions of numbers and records, no editor.

Coordinates are image pixels, x to the right and y down; boxes are x0, y0, x1, y1 with exclusive edges.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.document.mask import Mask
from engine.document.records import Box, Instance

Points: TypeAlias = NDArray[np.float64]
"""K x 2 (x, y)."""


# Instances


def bounds_of(*, instances: Sequence[Instance]) -> NDArray[np.float64]:
    """The boxes around instances: N x 4 (x0, y0, x1, y1), for `instances_at` and `instances_within`."""
    return np.array([_bounds(one) for one in instances], dtype=np.float64).reshape(-1, 4)


def instances_at(
    *, instances: Sequence[Instance], bounds: NDArray[np.float64], x: float, y: float, reach: float
) -> tuple[int, ...]:
    """Ids of the instances at a point, the one to take first at the head.

    instances: from the lowest to the topmost, `bounds` theirs. Those with a pixel under the point, or a
    bare box with its edge there, go first; then boxes that only enclose it, which would otherwise
    bury all they hold; where there are none, what comes within `reach`.
    """
    x0, y0, x1, y1 = bounds.T
    near = (x0 - reach <= x) & (x < x1 + reach) & (y0 - reach <= y) & (y < y1 + reach)
    hit: list[int] = []
    around: list[int] = []
    close: list[int] = []
    for index in np.flatnonzero(near)[::-1].tolist():
        one = instances[index]
        if one.mask is None:
            inside = _encloses(one.bounds_xyxy, x, y)
            on_edge = edge_distance(box=one.bounds_xyxy, x=x, y=y) <= reach
            (hit if on_edge else around if inside else close).append(one.id)
        elif touches(mask=one.mask, x=x, y=y, reach=0.0):
            hit.append(one.id)
        elif touches(mask=one.mask, x=x, y=y, reach=reach):
            close.append(one.id)
    return tuple(hit + around) or tuple(close)


def instances_within(
    *, instances: Sequence[Instance], bounds: NDArray[np.float64], box: Box
) -> tuple[int, ...]:
    """Ids of the instances that lie wholly inside a box, from the lowest to the topmost."""
    x0, y0, x1, y1 = bounds.T
    inside = (x0 >= box[0]) & (y0 >= box[1]) & (x1 <= box[2]) & (y1 <= box[3])
    return tuple(instances[index].id for index in np.flatnonzero(inside).tolist())


def touches(*, mask: Mask, x: float, y: float, reach: float) -> bool:
    """Whether the mask has the pixel at a point or, with a reach, one in the square that far around it."""
    left, top = math.floor(x - reach), math.floor(y - reach)
    return bool(mask.window(left, top, math.floor(x + reach) + 1, math.floor(y + reach) + 1).any())


def moved(*, instance: Instance, dx: int, dy: int) -> Instance:
    """The instance with its mask, box and keypoints shifted by whole pixels."""
    mask, box = instance.mask, instance.box_xyxy
    return replace(
        instance,
        mask=None if mask is None else shifted(mask=mask, dx=dx, dy=dy),
        box_xyxy=None if box is None else (box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy),
        keypoints=tuple(replace(point, x=point.x + dx, y=point.y + dy) for point in instance.keypoints),
        # An imported polygon stands for the pixels where they were.
        rings=instance.rings if dx == dy == 0 else (),
    )


def clipped(*, instance: Instance, height: int, width: int) -> Instance | None:
    """The instance as far as it lies inside an image of that size; None where nothing of it does."""
    box = instance.box_xyxy
    if box is not None:
        box = (max(box[0], 0.0), max(box[1], 0.0), min(box[2], float(width)), min(box[3], float(height)))
        if box[0] >= box[2] or box[1] >= box[3]:
            box = None
    if instance.mask is None:
        return None if box is None else replace(instance, box_xyxy=box)
    mask = instance.mask.clipped(height, width)
    if mask.is_empty:
        return None
    whole = mask is instance.mask
    return replace(instance, mask=mask, box_xyxy=box, rings=instance.rings if whole else ())


def shifted(*, mask: Mask, dx: int, dy: int) -> Mask:
    """The mask shifted by whole pixels; shares its bitmap."""
    return mask if mask.is_empty else Mask(mask.x + dx, mask.y + dy, mask.bitmap)


def _bounds(instance: Instance) -> Box:
    """Around all that is drawn of the instance: a predicted box may be narrower than its mask."""
    if instance.mask is None or instance.mask.is_empty:
        return instance.bounds_xyxy
    return joint_box(boxes=(instance.mask.box_xyxy, instance.bounds_xyxy))


# Boxes


def joint_box(*, boxes: Iterable[Box]) -> Box:
    """The box around boxes, of which there is one at least."""
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def box_between(*, start: tuple[float, float], end: tuple[float, float]) -> Box:
    """The box of which two points are opposite corners."""
    (ax, ay), (bx, by) = start, end
    return min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)


def box_ring(*, box: Box) -> Points:
    """The four corners of a box, clockwise from the upper left."""
    x0, y0, x1, y1 = box
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=np.float64)


def box_mask(*, box: Box, height: int, width: int) -> Mask:
    """The pixels of an image that a box covers, its edges rounded to the nearest pixel edge."""
    x0, x1 = (min(max(round(edge), 0), width) for edge in (box[0], box[2]))
    y0, y1 = (min(max(round(edge), 0), height) for edge in (box[1], box[3]))
    return Mask.from_crop(x0, y0, np.ones((max(y1 - y0, 0), max(x1 - x0, 0)), dtype=np.bool_))


def edge_distance(*, box: Box, x: float, y: float) -> float:
    """How far a point is from the outline of a box."""
    x0, y0, x1, y1 = box
    across, down = max(x0 - x, 0.0, x - x1), max(y0 - y, 0.0, y - y1)
    if across or down:
        return math.hypot(across, down)
    return min(x - x0, x1 - x, y - y0, y1 - y)


def handles_of(*, box: Box) -> Points:
    """Eight handles of a box: corners and middles of the sides, clockwise from the upper left."""
    x0, y0, x1, y1 = box
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return np.array([(x0, y0), (x, y0), (x1, y0), (x1, y), (x1, y1), (x, y1), (x0, y1), (x0, y)])


def resized(*, box: Box, handle: int, x: float, y: float, height: int, width: int) -> Box:
    """The box after one of its handles was dragged to a point; inside the image, one pixel a side at least.

    A corner or side dragged past the opposite one turns the box over.
    """
    x, y = min(max(x, 0.0), float(width)), min(max(y, 0.0), float(height))
    x0, y0, x1, y1 = box
    if handle in (0, 6, 7):
        x0 = x
    elif handle in (2, 3, 4):
        x1 = x
    if handle in (0, 1, 2):
        y0 = y
    elif handle in (4, 5, 6):
        y1 = y
    x0, x1 = _at_least_one(x0, x1, width)
    y0, y1 = _at_least_one(y0, y1, height)
    return x0, y0, x1, y1


def allowed_shift(*, box: Box, dx: float, dy: float, height: int, width: int) -> tuple[float, float]:
    """As much of a shift as leaves the box inside the image; a part that is outside may only come in."""
    x0, y0, x1, y1 = box
    return _limited(dx, -x0, width - x1), _limited(dy, -y0, height - y1)


def _limited(shift: float, lowest: float, highest: float) -> float:
    return min(max(shift, min(lowest, 0.0)), max(highest, 0.0))


def _at_least_one(first: float, last: float, length: int) -> tuple[float, float]:
    low, high = min(first, last), max(first, last)
    if high - low < 1.0:
        low = min(max(low, 0.0), max(length - 1.0, 0.0))
        high = low + 1.0
    return low, high


def _encloses(box: Box, x: float, y: float) -> bool:
    return box[0] <= x < box[2] and box[1] <= y < box[3]


# Points and lines


def nearest_point(*, points: Points, x: float, y: float, reach: float) -> int | None:
    """The index of the point nearest to (x, y), None where it is further than `reach`."""
    if len(points) == 0:
        return None
    distances = np.hypot(points[:, 0] - x, points[:, 1] - y)
    index = int(distances.argmin())
    return index if distances[index] <= reach else None


def nearest_edge(
    *, starts: Points, ends: Points, x: float, y: float, reach: float
) -> tuple[int, float, float] | None:
    """The edge nearest to (x, y) and the point on it that is nearest; None where it is beyond `reach`.

    starts, ends: E x 2, the two ends of each edge.
    """
    if len(starts) == 0:
        return None
    along = ends - starts
    to_point = np.array([x, y]) - starts
    lengths = np.maximum((along**2).sum(axis=1), 1e-12)
    feet = starts + np.clip((to_point * along).sum(axis=1) / lengths, 0.0, 1.0)[:, None] * along
    distances = np.hypot(feet[:, 0] - x, feet[:, 1] - y)
    index = int(distances.argmin())
    if distances[index] > reach:
        return None
    return index, float(feet[index, 0]), float(feet[index, 1])


def points_within(*, points: Points, box: Box) -> tuple[int, ...]:
    """Indices of the points inside a box, its edges included."""
    x0, y0, x1, y1 = box
    inside = (points[:, 0] >= x0) & (points[:, 0] <= x1) & (points[:, 1] >= y0) & (points[:, 1] <= y1)
    return tuple(np.flatnonzero(inside).tolist())
