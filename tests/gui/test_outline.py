"""An outline of few vertices loses no pixel where none of them is moved."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.document.mask import Mask
from engine.document.polygons import from_polygons, to_polygons
from gui.outline import Outline, redrawn
from tests.engine.document.strategies import often, seldom, some_masks

H = W = 200


def disc(radius: int = 60) -> Mask:
    return Mask.from_full(cv2.circle(np.zeros((H, W), np.uint8), (100, 100), radius, 1, -1))


@often
@given(some_masks())
def test_that_an_outline_gives_back_its_very_mask(mask: Mask) -> None:
    assert Outline.of(mask).to_mask(height=H, width=W) == mask


@seldom
@given(some_masks(), st.data())
def test_that_vertices_moved_and_moved_back_leave_the_mask(mask: Mask, data: st.DataObject) -> None:
    outline = Outline.of(mask)
    every = range(len(outline.points))
    assert outline.moved(every, 3, 4).moved(every, -3, -4).to_mask(height=H, width=W) == mask
    picked = data.draw(st.sets(st.sampled_from(every)))
    there = outline.moved(picked, 0, 0) if picked else outline
    assert np.array_equal(there.points, outline.points)


def test_that_the_whole_outline_moved_is_the_mask_moved() -> None:
    mask = disc()
    outline = Outline.of(mask)
    moved = outline.moved(range(len(outline.points)), 7, -9).to_mask(height=H, width=W)
    assert moved == Mask(mask.x + 7, mask.y - 9, mask.bitmap)


def test_that_a_round_mask_has_few_vertices_and_each_lies_on_its_edge() -> None:
    mask = disc()
    outline = Outline.of(mask)
    corners = {tuple(point) for ring in to_polygons(mask)[0].rings for point in ring.tolist()}
    assert 8 <= len(outline.points) <= 40 < len(corners)
    assert {tuple(point) for point in outline.points.tolist()} <= corners


def test_that_a_moved_vertex_changes_pixels_only_at_its_two_edges() -> None:
    mask = disc()
    outline = Outline.of(mask)
    count = len(outline.points)
    vertex = 5
    after = outline.moved({vertex}, 12, -8).to_mask(height=H, width=W)
    assert after != mask
    reached = np.concatenate(
        (outline.points[[vertex - 1, vertex, (vertex + 1) % count]], outline.points[[vertex]] + (12, -8))
    )
    hull = cv2.convexHull(reached.astype(np.float32)).astype(np.int32)
    near = cv2.dilate(cv2.fillPoly(np.zeros((H, W), np.uint8), [hull], 1), np.ones((9, 9), np.uint8))
    changed = after.to_full(H, W) ^ mask.to_full(H, W)
    assert changed.any()
    assert not (changed & (near == 0)).any()


def test_that_a_vertex_put_on_an_edge_is_numbered_after_it_and_taken_out_again() -> None:
    square = Mask.from_crop(10, 10, np.ones((20, 20)))
    outline = Outline.of(square)
    there = outline.inserted(3, *((outline.points[3] + outline.ends[3]) / 2))
    assert len(there.points) == 5
    assert there.to_mask(height=H, width=W) == square
    assert there.without({4}).to_mask(height=H, width=W) == square
    assert there.moved({4}, 0, 0).points[4].tolist() == ((outline.points[3] + outline.ends[3]) / 2).tolist()


def test_that_parts_and_holes_are_numbered_through_and_vanish_below_three_vertices() -> None:
    pixels = np.zeros((60, 100))
    pixels[10:50, 10:50] = pixels[10:50, 60:90] = 1
    pixels[20:30, 20:30] = 0
    mask = Mask.from_full(pixels)
    outline = Outline.of(mask)
    assert [len(ring.points) for ring in outline.rings] == [4, 4, 4]
    assert outline.ends[7].tolist() == outline.points[4].tolist()
    inner = {4, 5} if (outline.points[4:8].max() <= 30) else {8, 9}
    without_hole = outline.without(inner).to_mask(height=H, width=W)
    assert without_hole.area == 40 * 40 + 40 * 30
    assert outline.without(range(12)).to_mask(height=H, width=W).is_empty


def test_that_a_part_dragged_over_another_is_joined_to_it() -> None:
    pixels = np.zeros((30, 60))
    pixels[:20, :20] = pixels[:20, 30:50] = 1
    outline = Outline.of(Mask.from_full(pixels))
    joined = outline.moved(range(4, 8), -20, 0).to_mask(height=H, width=W)
    assert joined == Mask.from_full(np.ones((20, 30)))


def test_that_imported_rings_are_shown_as_they_came_and_keep_their_pixels_elsewhere() -> None:
    ring = np.array([(10.3, 10.2), (60.7, 12.4), (55.1, 50.9), (15.5, 45.5)])
    # As another rasteriser would have it: rounded outward.
    mask = Mask.from_full(cv2.fillPoly(np.zeros((H, W), np.uint8), [np.rint(ring).astype(np.int32)], 1))
    closed = (*ring.ravel().tolist(), *ring[0].tolist())
    outline = Outline.of(mask, [closed])
    assert outline.points.tolist() == ring.tolist()
    assert outline.to_mask(height=H, width=W) != mask
    assert redrawn(mask, outline, outline, height=H, width=W) == mask
    after = redrawn(mask, outline, outline.moved({1}, 20, 0), height=H, width=W)
    changed = after.to_full(H, W) ^ mask.to_full(H, W)
    assert changed[12:40, 62:75].any()
    # The edge from the third to the fourth vertex and the one after it are where they were.
    assert not changed[:, :40].any() or not changed[20:, :40].any()
    assert not changed[48:, :50].any()
    grown = from_polygons([outline.moved({1}, 20, 0).points], height=H, width=W)
    assert not (grown.to_full(H, W) & ~after.to_full(H, W))[14:45, 45:].any()


def test_that_a_moved_edge_of_an_imported_polygon_leaves_no_seam() -> None:
    square = np.array([(10, 10), (50, 10), (50, 50), (10, 50)], dtype=float)
    smaller = Mask.from_crop(11, 11, np.ones((38, 38)))  # a rasteriser that loses the border
    outline = Outline.of(smaller, [square.ravel().tolist()])
    after = redrawn(smaller, outline, outline.moved({1, 2}, 20, 0), height=H, width=W)
    assert after.to_full(H, W)[12:48, 12:69].all()


def test_that_a_mask_of_a_million_pixels_becomes_an_outline_of_at_most_hundreds_of_vertices() -> None:
    rng = np.random.default_rng(1)
    noise = cv2.GaussianBlur(rng.random((1000, 1000)).astype(np.float32), (0, 0), 25)
    mask = Mask.from_full(noise > np.median(noise))
    outline = Outline.of(mask)
    assert len(outline.points) < 1500
    assert outline.to_mask(height=1000, width=1000) == mask
