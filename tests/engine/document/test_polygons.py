"""Polygons on pixel edges give back their pixels; any rings give the pixels whose centres they hold."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.document.mask import EMPTY, Mask
from engine.document.polygons import Polygon, from_polygons, simplify, to_polygons
from engine.document.regions import parts
from tests.engine.document.strategies import masks, often, seldom, some_masks


def _filled(polygons: list[Polygon]) -> Mask:
    return from_polygons([ring for polygon in polygons for ring in polygon.rings])


def _mask(*rows: str) -> Mask:
    return Mask.from_full([[pixel == "#" for pixel in row] for row in rows])


def _simple_feature(polygons: list[Polygon]) -> shapely.MultiPolygon:
    return shapely.MultiPolygon([(polygon.exterior, list(polygon.holes)) for polygon in polygons])


@often
@given(masks(lowest=-9))
def test_that_a_mask_comes_back_from_its_polygons(mask: Mask) -> None:
    assert _filled(to_polygons(mask)) == mask


@often
@given(masks())
def test_that_each_part_is_a_polygon_with_its_own_holes(mask: Mask) -> None:
    assert [_filled([polygon]) for polygon in to_polygons(mask)] == parts(mask)


@often
@given(some_masks())
def test_that_polygons_are_valid_simple_features_of_the_masks_area(mask: Mask) -> None:
    polygons = to_polygons(mask)
    for polygon in polygons:
        assert shapely.is_valid(shapely.Polygon(polygon.exterior, list(polygon.holes)))
        assert shapely.LinearRing(polygon.exterior).is_ccw  # y runs down, so clockwise on the screen
        assert not any(shapely.LinearRing(hole).is_ccw for hole in polygon.holes)
    assert sum(polygon.area for polygon in _simple_feature(polygons).geoms) == mask.area


@often
@given(some_masks())
def test_that_a_ring_has_no_corner_that_is_none(mask: Mask) -> None:
    for polygon in to_polygons(mask):
        for ring in polygon.rings:
            steps = np.roll(ring, -1, axis=0) - ring
            is_level = steps[:, 1] == 0
            assert np.all((steps != 0).sum(axis=1) == 1)
            assert np.all(is_level != np.roll(is_level, 1))


@pytest.mark.parametrize(
    ("mask", "shape"),
    [
        (_mask("#"), [0]),
        (_mask("#.", ".#"), [0, 0]),
        (_mask(".#", "#."), [0, 0]),
        (_mask("###", "#.#", "###"), [1]),
        (_mask("####", "#.##", "##.#", "####"), [2]),
        (_mask("####", "##.#", "#.##", "####"), [2]),
        (_mask("###", "#.#", "##."), [1]),  # a ring closed by a corner alone
        (_mask("#####", "#...#", "#.#.#", "#...#", "#####"), [1, 0]),
        (_mask("##.#", "#..#"), [0, 0]),
    ],
)
def test_that_holes_parts_and_corners_are_told_apart(mask: Mask, shape: list[int]) -> None:
    polygons = to_polygons(mask)
    assert [len(polygon.holes) for polygon in polygons] == shape
    assert _filled(polygons) == mask


def test_that_a_pixel_is_a_square_on_its_edges() -> None:
    (polygon,) = to_polygons(Mask.from_crop(3, 5, np.ones((1, 1))))
    assert polygon.exterior.tolist() == [[3, 5], [4, 5], [4, 6], [3, 6]]


def test_that_the_empty_mask_has_no_polygon() -> None:
    assert to_polygons(EMPTY) == []
    assert from_polygons([]) == EMPTY
    assert from_polygons([[]]) == EMPTY


_places = st.integers(-600, 2000).map(lambda n: n / 100) | st.integers(-12, 40).map(lambda n: n / 2)
_rings = st.lists(st.tuples(_places, _places), min_size=1, max_size=8)


@often
@given(st.lists(_rings, min_size=1, max_size=3))
def test_that_the_pixels_are_those_whose_centres_are_inside_by_the_even_odd_rule(
    rings: list[list[tuple[float, float]]],
) -> None:
    mask = from_polygons(rings, height=14, width=14)
    full = mask.to_full(14, 14)
    edges = shapely.MultiLineString([[*ring, ring[0]] for ring in rings])
    for y in range(14):
        for x in range(14):
            if shapely.distance(shapely.Point(x + 0.5, y + 0.5), edges) < 1e-9:
                continue
            crossed = 0
            for ring in rings:
                for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], ring[0]], strict=True):
                    if (y0 <= y + 0.5) != (y1 <= y + 0.5):
                        crossed += x0 + (y + 0.5 - y0) / (y1 - y0) * (x1 - x0) < x + 0.5
            assert full[y, x] == crossed % 2


@often
@given(_rings)
def test_that_bounds_keep_exactly_the_pixels_inside_the_image(ring: list[tuple[float, float]]) -> None:
    assert from_polygons([ring], height=7, width=9) == from_polygons([ring]).clipped(7, 9)


@often
@given(_rings)
def test_that_a_flat_ring_a_turned_one_and_a_closed_one_are_the_same(ring: list[tuple[float, float]]) -> None:
    mask = from_polygons([ring])
    assert from_polygons([[number for point in ring for number in point]]) == mask
    assert from_polygons([ring[::-1]]) == mask
    assert from_polygons([[*ring, ring[0]]]) == mask


def test_that_shapes_sharing_an_edge_share_no_pixel_and_leave_none_out() -> None:
    slant = [(3.2, -1), (8.9, 11)]
    left = from_polygons([[(0, -1), slant[0], slant[1], (0, 11)]], height=10, width=10)
    right = from_polygons([[slant[0], (10, -1), (10, 11), slant[1]]], height=10, width=10)
    assert left.area + right.area == 100
    assert np.array_equal(left.to_full(10, 10), ~right.to_full(10, 10))


def test_that_an_edge_next_to_level_is_no_trouble() -> None:
    assert from_polygons([[(0.0, 0.0), (2.0, 1e-308), (2.0, 2.0), (0.0, 2.0)]]).area == 4


@pytest.mark.parametrize(
    ("ring", "why"),
    [
        ([(0, 0), (1, float("nan")), (1, 1)], "finite"),
        ([(0, 0), (1, float("inf")), (1, 1)], "finite"),
        ([(0, 0), (1e300, 0), (1, 1)], "far from any image"),
        ([0, 0, 1], "N x 2"),
        ([(0, 0, 0), (1, 1, 1)], "N x 2"),
        ([(0, 0), (1e9, 0), (1e9, 10)], "covers"),
        ([(0, 0), (1, 0), (1, 2e9)], "more rows"),
    ],
)
def test_that_a_hostile_ring_is_refused_with_a_reason(ring: list[object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        from_polygons([np.array(ring, dtype=np.float64)])


def test_that_a_ring_reaching_far_out_is_cut_off_by_the_image() -> None:
    ring = [(-1e9, -1e9), (1e9, -1e9), (1e9, 1e9), (-1e9, 1e9)]
    assert from_polygons([ring], height=3, width=4) == Mask.from_full(np.ones((3, 4)))


@seldom
@given(some_masks(), st.floats(0, 4))
def test_that_simplifying_keeps_parts_holes_and_the_distance(mask: Mask, tolerance: float) -> None:
    exact, simple = to_polygons(mask), simplify(mask, tolerance)
    assert [len(polygon.holes) for polygon in simple] == [len(polygon.holes) for polygon in exact]
    feature = _simple_feature(simple)
    assume(not feature.is_empty)
    assert shapely.is_valid(feature)
    for before, after in zip(exact, simple, strict=True):
        assert set(map(tuple, after.exterior.tolist())) <= set(map(tuple, before.exterior.tolist()))
        ring = shapely.LinearRing(after.exterior)
        assert all(ring.distance(shapely.Point(corner)) <= tolerance + 1e-9 for corner in before.exterior)


def test_that_simplifying_turns_stairs_into_a_slope() -> None:
    (polygon,) = simplify(Mask.from_full(np.tri(40)), 0.8)
    assert len(polygon.exterior) <= 6
    assert simplify(EMPTY, 1.0) == []
