"""Polygons of a mask on its pixel edges, and the mask of any rings: exact, where contours are not.

Foreground pixels are joined by their edges (4-connected): two that meet at a corner alone are two
parts. Points lie on the corners of pixels, x to the right and y down, image pixels, so that a ring of
whole numbers gives back its very pixels. Knows no image and no file format.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.document.mask import EMPTY, Mask
from engine.document.rle import fill_runs

Ring = NDArray[np.int64]

_MAX_CROP = 1 << 31
"""Pixels of the largest mask made of rings that no image bounds."""

_MAX_CROSSINGS = 1 << 26
"""Rows that all edges of some rings may cross together: half a gigabyte of each number kept of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Polygon:
    """One part of a mask: N x 2 int64 corners (x, y), the first not repeated at the end.

    The exterior runs clockwise as seen on the screen, holes the other way. No ring crosses or touches
    itself; rings of one polygon may touch in points, as in OGC simple features.
    """

    exterior: Ring
    holes: tuple[Ring, ...] = ()

    @property
    def rings(self) -> tuple[Ring, ...]:
        """The exterior, then the holes."""
        return (self.exterior, *self.holes)


@dataclass(frozen=True, slots=True)
class _Cracks:
    """The horizontal stretches of a mask's outline, each from corner to corner, pixels on the right.

    tails, heads: S x 2 int64 corners in the crop. below: S bool, whether the pixels lie below it.
    following: S, the stretch that the outline takes next, after a vertical one.
    """

    tails: Ring
    heads: Ring
    below: NDArray[np.bool_]
    following: NDArray[np.intp]


def to_polygons(mask: Mask) -> list[Polygon]:
    """The polygons of a mask, one for each part, in the order of their first pixels.

    `from_polygons` of all their rings is the same mask, pixel for pixel.
    """
    if mask.is_empty:
        return []
    cracks = _cracks_of(mask)
    exteriors: list[tuple[int, Ring]] = []
    holes: list[tuple[int, Ring]] = []
    for stretches in _cycles(cracks.following):
        corners = np.empty((2 * len(stretches), 2), dtype=np.int64)
        corners[0::2], corners[1::2] = cracks.tails[stretches], cracks.heads[stretches]
        for ring in _without_touching(corners):
            (exteriors if _is_clockwise(ring) else holes).append((stretches[0], ring))
    origin = np.array([mask.x, mask.y])
    if not holes or len(exteriors) == 1:
        shared = tuple(ring + origin for _, ring in holes)
        return [Polygon(ring + origin, shared) for _, ring in exteriors]
    _, labels = cv2.connectedComponents(mask.bitmap.view(np.uint8), connectivity=4)

    def part_of(stretch: int) -> int:
        x, y = np.minimum(cracks.tails[stretch], cracks.heads[stretch])
        return int(labels[y if cracks.below[stretch] else y - 1, x])

    of_part: dict[int, list[Ring]] = {}
    for stretch, ring in holes:
        of_part.setdefault(part_of(stretch), []).append(ring + origin)
    return [Polygon(ring + origin, tuple(of_part.get(part_of(stretch), ()))) for stretch, ring in exteriors]


def from_polygons(rings: Iterable[ArrayLike], *, height: int | None = None, width: int | None = None) -> Mask:
    """The mask of the pixels whose centres lie inside the rings, by the even-odd rule over all of them.

    rings: each N x 2, or flat x, y, x, y as in COCO, any numbers, image pixels; closed by itself. A hole
    is a ring inside another. (COCO's several polygons of one object are their union: `union` of each.)
    A centre on an edge belongs to the pixel's right or lower neighbourhood, so that two shapes sharing
    an edge share no pixel and leave none out.
    height, width: of the image, whose pixels alone are kept. Raises ValueError for coordinates that are not
    finite or not in pairs, and for a mask of more than 2**31 pixels.
    """
    edges = [_edges_of(ring) for ring in rings]
    if not edges:
        return EMPTY
    rows, columns = _crossings(np.concatenate(edges), height)
    if rows.size == 0:
        return EMPTY
    if width is not None:
        columns = np.clip(columns, 0, width)
    top, left = int(rows.min()), int(columns.min())
    high, wide = int(rows.max()) + 1 - top, int(columns.max()) - left
    if high * wide > _MAX_CROP:
        raise ValueError(f"the polygon covers {wide} x {high} pixels, more than any mask holds")
    # Every row has an even number of crossings, so all of them in order pair up into runs.
    boundaries = np.sort((rows - top) * wide + columns - left)
    return Mask.from_crop(left, top, fill_runs(boundaries, high * wide).reshape(high, wide))


def simplify(mask: Mask, tolerance: float) -> list[Polygon]:
    """Polygons of few corners, for a person to edit, no further than `tolerance` pixels from the mask's own.

    Corners are taken away, never moved or added; parts and holes stay as many as they are, and no ring
    crosses another. (Douglas-Peucker with topology kept, GEOS.) About 0.8 turns stairs into slopes; the
    mask they stand for is `from_polygons` of their rings.
    """
    import shapely  # only where a person edits a polygon; it takes longer to import than all the rest

    polygons = to_polygons(mask)
    whole = shapely.MultiPolygon([(polygon.exterior, list(polygon.holes)) for polygon in polygons])
    simpler = shapely.simplify(whole, tolerance, preserve_topology=True)
    return [
        Polygon(_corners_of(part.exterior.coords), tuple(_corners_of(hole.coords) for hole in part.interiors))
        for part in shapely.get_parts(simpler)
    ]


def _corners_of(coordinates: Iterable[Sequence[float]]) -> Ring:
    return np.array(list(coordinates)[:-1], dtype=np.int64)


def _cracks_of(mask: Mask) -> _Cracks:
    """Corners pair up along each row into horizontal stretches, and along each column into vertical ones."""
    height, width = mask.bitmap.shape
    pixels = np.zeros((height + 2, width + 2), dtype=np.uint8)
    pixels[1:-1, 1:-1] = mask.bitmap
    upright = pixels[:, 1:] ^ pixels[:, :-1]  # cracks between a pixel and the one on its left
    turns = upright[1:] ^ upright[:-1]
    meets = upright[1:] & upright[:-1] & (pixels[1:, :-1] ^ pixels[:-1, :-1])  # two pixels at a corner alone
    found = np.flatnonzero((turns | meets).view(np.bool_))
    double = meets.reshape(-1)[found]
    # Where two pixels meet, two corners lie in one point: the first ends the stretch on its left.
    nodes = np.repeat(found, 1 + double.astype(np.intp))
    rows, columns = np.divmod(nodes, width + 1)
    upper = np.zeros(len(nodes), dtype=np.int64)
    first = np.flatnonzero(np.append(nodes[1:] == nodes[:-1], False))
    # The first of the two belongs to the pixel on the left, so it is the upper one where that is above.
    on_left_above = pixels[rows[first], columns[first]].astype(np.int64)
    upper[first], upper[first + 1] = 1 - on_left_above, on_left_above
    order = np.lexsort((upper, rows, columns))
    partner = np.empty(len(nodes), dtype=np.intp)
    partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]

    below = pixels[rows[0::2] + 1, columns[0::2] + 1].astype(np.bool_)
    left = np.arange(0, len(nodes), 2)
    tails, heads = np.where(below, left, left + 1), np.where(below, left + 1, left)
    corners = np.stack((columns, rows), axis=1).astype(np.int64)
    return _Cracks(corners[tails], corners[heads], below, partner[heads] // 2)


def _cycles(following: NDArray[np.intp]) -> list[list[int]]:
    """The cycles of a permutation, each from its least member, in that order."""
    after: list[int] = following.tolist()
    seen = bytearray(len(after))
    cycles = []
    for start in range(len(after)):
        if seen[start]:
            continue
        cycle = []
        here = start
        while not seen[here]:
            seen[here] = 1
            cycle.append(here)
            here = after[here]
        cycles.append(cycle)
    return cycles


def _without_touching(corners: Ring) -> list[Ring]:
    """The ring cut into loops wherever it comes back to a point, so that each is simple."""
    if len(corners) < 8 or len(np.unique(corners[:, 0] << 32 | corners[:, 1])) == len(corners):
        return [corners]
    loops: list[Ring] = []
    path: list[int] = []
    place: dict[tuple[int, int], int] = {}
    points: list[tuple[int, int]] = [(x, y) for x, y in corners.tolist()]
    for index, point in enumerate(points):
        if point in place:
            start = place[point]
            loops.append(corners[path[start:]])
            for member in path[start:]:
                del place[points[member]]
            del path[start:]
        place[point] = len(path)
        path.append(index)
    loops.append(corners[path])
    return loops


def _is_clockwise(ring: Ring) -> bool:
    """Whether the ring runs clockwise as seen on the screen (y down): its signed area is positive."""
    x, y = ring[:, 0], ring[:, 1]
    return bool(x[:-1] @ y[1:] - x[1:] @ y[:-1] + x[-1] * y[0] - x[0] * y[-1] > 0)


def _edges_of(ring: ArrayLike) -> NDArray[np.float64]:
    """E x 4 (x0, y0, x1, y1) of a closed ring, each edge from its upper to its lower end."""
    points = np.asarray(ring, dtype=np.float64)
    if points.ndim == 1 and points.size % 2 == 0:
        points = points.reshape(-1, 2)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"a ring is N x 2 coordinates, not of shape {points.shape}")
    if not np.isfinite(points).all() or np.abs(points).max(initial=0) > 1 << 31:
        raise ValueError("a ring has a coordinate that is not finite, or is far from any image")
    after = np.roll(points, -1, axis=0)
    downward = points[:, 1:] <= after[:, 1:]
    return np.hstack((np.where(downward, points, after), np.where(downward, after, points)))


def _crossings(edges: NDArray[np.float64], height: int | None) -> tuple[Ring, Ring]:
    """Where edges (E x 4) cross the rows through pixel centres: the row, and the first column right of it."""
    x0, y0, x1, y1 = edges.T
    first, last = np.ceil(y0 - 0.5).astype(np.int64), np.ceil(y1 - 0.5).astype(np.int64)
    if height is not None:
        first, last = np.clip(first, 0, height), np.clip(last, 0, height)
    count = last - first
    if count.sum() > _MAX_CROSSINGS:
        raise ValueError("the polygon's edges cross more rows of pixels than any mask needs")
    edge = np.repeat(np.arange(len(edges)), count)
    rows = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    along = (rows + 0.5 - y0[edge]) / (y1 - y0)[edge]  # 0..1; an edge that crosses no row is not among them
    columns = np.ceil(x0[edge] + along * (x1 - x0)[edge] - 0.5).astype(np.int64)
    return rows, columns
