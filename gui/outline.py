"""A mask's outline as few vertices that a person can move, without losing a pixel where none is moved.

Between two vertices lies a straight edge on the screen, but behind it the mask's exact outline, until
one of the two is moved. Knows no editor and no tool.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import cv2
import numpy as np

from engine.document.boolean import intersect, subtract, symmetric_difference, union
from engine.document.mask import EMPTY, Mask
from engine.document.polygons import from_polygons, simplify, to_polygons
from gui.geometry import Points, joint_box

_MARGIN = 2
"""Pixels by which an imported polygon's own rasteriser may disagree with ours along an edge."""


@dataclass(frozen=True, slots=True, eq=False)
class Ring:
    """A closed line. behind: for each vertex, the points of the mask's outline between it and the next one;
    none where the edge is straight. group: rings of one group make one shape by the even-odd rule.
    """

    points: Points
    behind: tuple[Points, ...]
    group: int

    @property
    def exact(self) -> Points:
        """The vertices with what lies behind the edges."""
        if not any(len(between) for between in self.behind):
            return self.points
        pieces: list[Points] = []
        for point, between in zip(self.points, self.behind, strict=True):
            pieces += [point[None], between]
        return np.concatenate(pieces)


_Change: TypeAlias = Callable[[Ring, set[int]], Ring | None]
"""What becomes of a ring some of whose vertices (counted in it) are picked; None where it is gone."""


@dataclass(frozen=True, eq=False)
class Outline:
    """The rings of an instance. Its vertices are numbered through all rings, and so are its edges: edge i
    goes from vertex i to the next one of its ring.
    """

    rings: tuple[Ring, ...]

    @classmethod
    def of(cls, mask: Mask, imported: Sequence[Sequence[float]] = ()) -> Outline:
        """The outline of a mask: the imported rings where there are some, else few of its own corners."""
        rings = [_closed_once(np.array(ring, dtype=np.float64).reshape(-1, 2)) for ring in imported]
        rings = [ring for ring in rings if len(ring) >= 3]
        if rings:
            return cls(tuple(_straight(ring, group) for group, ring in enumerate(rings)))
        return cls(tuple(_simplified(mask)))

    @cached_property
    def points(self) -> Points:
        """Every vertex: V x 2."""
        return np.concatenate([ring.points for ring in self.rings]) if self.rings else np.empty((0, 2))

    @cached_property
    def ends(self) -> Points:
        """Where each edge ends: V x 2; it begins at the vertex of its number."""
        if not self.rings:
            return np.empty((0, 2))
        return np.concatenate([np.roll(ring.points, -1, axis=0) for ring in self.rings])

    def moved(self, vertices: Collection[int], dx: float, dy: float) -> Outline:
        """With some vertices shifted; edges between two of them take what lies behind them along."""
        shift = np.array([dx, dy])

        def change(ring: Ring, picked: set[int]) -> Ring:
            points = ring.points.copy()
            points[list(picked)] += shift
            behind = list(ring.behind)
            for index in range(len(points)):
                both = (index in picked) + ((index + 1) % len(points) in picked)
                behind[index] = (behind[index], np.empty((0, 2)), behind[index] + shift)[both]
            return Ring(points, tuple(behind), ring.group)

        return self._changed(vertices, change)

    def inserted(self, edge: int, x: float, y: float) -> Outline:
        """With a vertex put on an edge; its number is `edge` + 1."""

        def change(ring: Ring, picked: set[int]) -> Ring:
            (index,) = picked
            points = np.insert(ring.points, index + 1, (x, y), axis=0)
            nothing = np.empty((0, 2))
            behind = (*ring.behind[:index], nothing, nothing, *ring.behind[index + 1 :])
            return Ring(points, behind, ring.group)

        return self._changed((edge,), change)

    def without(self, vertices: Collection[int]) -> Outline:
        """With some vertices taken out; a ring that has fewer than three left is gone."""

        def change(ring: Ring, picked: set[int]) -> Ring | None:
            count = len(ring.points)
            kept = [index for index in range(count) if index not in picked]
            if len(kept) < 3:
                return None
            nothing = np.empty((0, 2))
            behind = tuple(nothing if (index + 1) % count in picked else ring.behind[index] for index in kept)
            return Ring(ring.points[kept], behind, ring.group)

        return self._changed(vertices, change)

    def to_mask(self, *, height: int, width: int) -> Mask:
        """The pixels inside, of an image of that size: a union of groups."""
        groups: dict[int, list[Points]] = {}
        for ring in self.rings:
            groups.setdefault(ring.group, []).append(ring.exact)
        shapes = [from_polygons(rings, height=height, width=width) for rings in groups.values()]
        shapes = [shape for shape in shapes if not shape.is_empty]
        if len(shapes) <= 1:
            return shapes[0] if shapes else EMPTY
        x0, y0, x1, y1 = (int(edge) for edge in joint_box(boxes=[shape.box_xyxy for shape in shapes]))
        # On one sheet: as many unions in turn as there are parts would each cost as much as the whole.
        sheet = np.zeros((y1 - y0, x1 - x0), dtype=np.bool_)
        for shape in shapes:
            x, y, wide, high = shape.bbox_xywh
            sheet[y - y0 : y - y0 + high, x - x0 : x - x0 + wide] |= shape.bitmap
        return Mask.from_crop(x0, y0, sheet)

    def _changed(self, vertices: Collection[int], change: _Change) -> Outline:
        rings: list[Ring] = []
        first = 0
        for ring in self.rings:
            picked = {vertex - first for vertex in vertices if first <= vertex < first + len(ring.points)}
            first += len(ring.points)
            new = change(ring, picked) if picked else ring
            if new is not None:
                rings.append(new)
        return Outline(tuple(rings))


def redrawn(mask: Mask, before: Outline, after: Outline, *, height: int, width: int) -> Mask:
    """The mask after its outline was changed: what the change reaches is drawn anew, the rest is kept.

    Where `before` gives back the very mask, as any outline does that is not imported, this is the
    mask of `after`.
    """
    old, new = before.to_mask(height=height, width=width), after.to_mask(height=height, width=width)
    if old == mask:
        return new
    reached = _grown(symmetric_difference(old, new), _MARGIN)
    return union(subtract(mask, reached), intersect(new, reached)).clipped(height, width)


def _grown(mask: Mask, margin: int) -> Mask:
    if mask.is_empty:
        return mask
    pixels = np.pad(mask.bitmap.view(np.uint8), margin)
    kernel = np.ones((2 * margin + 1, 2 * margin + 1), dtype=np.uint8)
    return Mask.from_crop(mask.x - margin, mask.y - margin, cv2.dilate(pixels, kernel))


def _closed_once(ring: Points) -> Points:
    return ring[:-1] if len(ring) > 1 and np.array_equal(ring[0], ring[-1]) else ring


def _straight(points: Points, group: int) -> Ring:
    return Ring(points, (np.empty((0, 2)),) * len(points), group)


def _simplified(mask: Mask) -> Iterable[Ring]:
    """Rings whose vertices are a few of the mask's corners, with the others behind the edges."""
    # On the screen a large outline is seen from further away, and a person wants no thousand handles.
    tolerance = max(1.2, math.hypot(*mask.bitmap.shape) / 400)
    exact = to_polygons(mask)
    for group, (whole, few) in enumerate(zip(exact, simplify(mask, tolerance), strict=True)):
        for ring, corners in zip(whole.rings, few.rings, strict=True):
            yield _with_behind(ring.astype(np.float64), corners.astype(np.float64), group)


def _with_behind(exact: Points, few: Points, group: int) -> Ring:
    """The ring of `few` corners, each of which is one of `exact`, with those between two of them."""
    place = {(x, y): index for index, (x, y) in enumerate(exact.tolist())}
    order = sorted(place[x, y] for x, y in few.tolist())
    doubled = np.concatenate((exact, exact))
    following = [*order[1:], order[0] + len(exact)]
    behind = tuple(doubled[here + 1 : there] for here, there in zip(order, following, strict=True))
    return Ring(exact[order], behind, group)
