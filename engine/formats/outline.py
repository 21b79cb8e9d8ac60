"""Masks as the polygons that label files hold, and back: with holes and parts, pixel for pixel.

A file's polygon is one ring without holes. A hole is joined to its outline, and a part to the next, by a cut
of no width: there and back along the same line. Under the even-odd rule at pixel centres, and under the COCO
API's own, such a ring gives exactly the mask's pixels. Knows no file format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from engine.document.masks import EMPTY, Mask, from_polygons, from_rle, to_polygons, union
from engine.document.polygons import Polygon
from engine.document.records import Instance
from engine.formats.checks import FlatRing

Rule: TypeAlias = Callable[[Sequence[FlatRing], int, int], Mask]
"""The mask of some rings on an image of that height and width."""

_Points: TypeAlias = NDArray[np.int64]


def coco_rule(rings: Sequence[FlatRing], height: int, width: int) -> Mask:
    """The union of the rings, each rasterised as the COCO API does (`maskApi.c`, rleFrPoly)."""
    counts = coco_counts(rings, height, width)
    return from_rle({"size": [height, width], "counts": counts}, height=height, width=width)


def coco_counts(rings: Sequence[FlatRing], height: int, width: int) -> bytes:
    """The compressed RLE counts of `coco_rule`'s mask."""
    # The stubs know whole numbers only; the library takes fractions, which COCO's polygons have.
    flat = cast(list[list[int]], [list(ring) for ring in rings])
    found = coco_mask.frPyObjects(flat, height, width)
    merged: Mapping[str, object] = {**(found[0] if len(found) == 1 else coco_mask.merge(found))}
    counts = merged["counts"]
    assert isinstance(counts, bytes)
    return counts


def centre_rule(rings: Sequence[FlatRing], height: int, width: int) -> Mask:
    """The union of the rings, each holding the pixels whose centres lie inside it, even-odd."""
    found = EMPTY
    for ring in rings:
        found = union(found, from_polygons([ring], height=height, width=width))
    return found


def untouched_rings(one: Instance, height: int, width: int, rule: Rule) -> tuple[FlatRing, ...]:
    """The rings that the instance was imported with, if the rule makes its very mask of them; else none."""
    if not one.rings or one.mask is None or any(len(ring) < 6 for ring in one.rings):
        return ()
    return one.rings if rule(one.rings, height, width) == one.mask else ()


def rings_of(one: Instance, height: int, width: int, rule: Rule) -> tuple[FlatRing, ...]:
    """One ring for each part of the mask, holes joined by cuts; as it was imported where it can."""
    assert one.mask is not None
    kept = untouched_rings(one, height, width, rule)
    return kept or tuple(flat(cut_open(part)) for part in to_polygons(one.mask.clipped(height, width)))


def one_ring_of(one: Instance, height: int, width: int, rule: Rule) -> FlatRing:
    """A single ring of the whole mask, parts and holes joined by cuts; as it was imported where it can."""
    assert one.mask is not None
    kept = untouched_rings(one, height, width, rule)
    if len(kept) == 1:
        return kept[0]
    rings = [cut_open(part) for part in to_polygons(one.mask.clipped(height, width))]
    if not rings:
        return ()
    joined = rings[0]
    for ring in rings[1:]:
        joined = _joined(joined, ring)
    return flat(joined)


def cut_open(polygon: Polygon) -> _Points:
    """N x 2: the outline of a part, with each of its holes joined to it by a cut."""
    outline = polygon.exterior
    for hole in polygon.holes:
        outline = _joined(outline, hole)
    return outline


def flat(points: _Points) -> FlatRing:
    """x, y, x, y ... of N x 2 points."""
    return tuple(float(value) for value in points.reshape(-1))


def _joined(outline: _Points, other: _Points) -> _Points:
    """Both rings as one: along the outline to the corner nearest the other, round that, and back."""
    here, there = _nearest(outline, other)
    round_it = np.concatenate((other[there:], other[: there + 1]))
    return np.concatenate((outline[: here + 1], round_it, outline[here:]))


def _nearest(one: _Points, other: _Points) -> tuple[int, int]:
    """The indices of two corners that lie close together: the nearest of a sample where there are many."""
    step, other_step = max(1, len(one) // 512), max(1, len(other) // 512)
    some, others = one[::step], other[::other_step]
    distances = np.abs(some[:, None, :] - others[None, :, :]).sum(axis=2)
    here, there = np.unravel_index(int(distances.argmin()), distances.shape)
    return int(here) * step, int(there) * other_step


def has_holes_or_parts(mask: Mask) -> bool:
    """Whether one plain outline is not enough for the mask."""
    polygons = to_polygons(mask)
    return len(polygons) > 1 or any(polygon.holes for polygon in polygons)
