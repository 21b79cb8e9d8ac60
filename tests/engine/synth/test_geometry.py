"""Rays meet solids where the solids are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.synth.geometry import (
    BORE,
    Coil,
    Cone,
    Convex,
    Ellipsoid,
    Floats,
    Plane,
    Rays,
    Surface,
    Thread,
    prism,
    slab,
)


def rays(origins: list[tuple[float, float, float]], towards: list[tuple[float, float, float]]) -> Rays:
    directions = np.array(towards, dtype=np.float64)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return Rays(np.array(origins, dtype=np.float32).T.copy(), directions.T.astype(np.float32).copy())


def outside_by(surface: Surface, points: Floats) -> Floats:
    """How far (mm) points are outside of a body, negative inside: told from its definition alone."""
    x, y, z = points.astype(np.float64)
    match surface:
        case Plane():
            value = np.array(surface.normal_xyz) @ points.astype(np.float64) - surface.distance
        case Cone():
            value = np.hypot(x, y) - (surface.radius + surface.slope * z)
        case Ellipsoid():
            lengthwise = (z - surface.z) * surface.radius / surface.height
            value = np.sqrt(x**2 + y**2 + lengthwise**2) - surface.radius
        case _:
            raise AssertionError(surface)
    return np.asarray(value, dtype=np.float32)


BODIES: dict[str, tuple[Surface, ...]] = {
    "bolt head": (Cone(4.5, slope=1.73), *prism(6, 4.8, 0.0, 4.0)),
    "countersunk head": (Cone(5.0, slope=-1.0), *slab(0.0, 3.0), Cone(4.6, slope=1.0)),
    "pan head": (Ellipsoid(5.3, 3.3, z=3.1), *slab(0.4, 3.1), Cone(5.0)),
    "tip": (Cone(4.0, slope=-0.3), *slab(1.0, 9.0)),
    "block": (*slab(0.0, 2.0), Plane((1, 0, 0), 3), Plane((-1, 0, 0), 3), Plane((0, 0.8, 0.6), 2)),
}

coordinate = st.floats(-6, 6, allow_nan=False, width=32)


@pytest.mark.parametrize("name", BODIES)
@given(aim=st.tuples(coordinate, coordinate, coordinate), start=st.tuples(coordinate, coordinate, coordinate))
@settings(max_examples=150, deadline=None)
def test_that_a_ray_stops_at_the_first_point_that_is_inside_a_body(
    name: str, aim: tuple[float, float, float], start: tuple[float, float, float]
) -> None:
    surfaces = BODIES[name]
    origin = np.array(start) * 5 + np.array([0, 0, 30])
    towards = np.array(aim) - origin
    if np.linalg.norm(towards) < 1:
        return
    ray = rays([tuple(origin)], [tuple(towards)])
    distance, which = Convex(surfaces).hit(ray)
    steps = np.linspace(0, 90, 9001, dtype=np.float32)
    walked = ray.at(steps)
    depth = np.max([outside_by(s, walked) for s in surfaces], axis=0)
    inside = np.flatnonzero(depth < -0.03)
    if inside.size:
        assert distance[0] <= steps[inside[0]] + 0.01
    if np.isfinite(distance[0]):
        met = ray.at(distance)
        assert abs(outside_by(surfaces[which[0]], met)[0]) < 0.02
        assert max(outside_by(s, met)[0] for s in surfaces) < 0.02
        assert not np.any(depth[steps < distance[0] - 0.02] < -0.03)


@pytest.mark.parametrize("name", BODIES)
def test_that_normals_are_of_unit_length_and_face_the_ray(name: str) -> None:
    rng = np.random.default_rng(3)
    origins = rng.uniform(-4, 4, (400, 3)) + np.array([0, 0, 25])
    targets = rng.uniform(-4, 4, (400, 3)) * (1, 1, 0.3)
    cast = rays([tuple(o) for o in origins], [tuple(t) for t in targets - origins])
    body = Convex(BODIES[name])
    distance, which = body.hit(cast)
    hit = np.isfinite(distance)
    assert hit.sum() > 100
    seen = cast.take(hit)
    normals, openness = body.surface(seen.at(distance[hit]), which[hit])
    np.testing.assert_allclose(np.linalg.norm(normals, axis=0), 1, atol=1e-4)
    assert ((normals * seen.directions).sum(axis=0) < 1e-3).all()
    assert ((openness >= 0) & (openness <= 1)).all()


def test_that_a_bore_lets_rays_through_and_shows_its_wall() -> None:
    nut = Convex(surfaces=(Cone(10.0), *slab(0.0, 6.0)), bore=4.0)
    down, aslant = (0.0, 0.0, -1.0), (0.6, 0.0, -0.8)
    distance, which = nut.hit(
        rays([(0, 0, 20), (7, 0, 20), (3.9, 0, 20), (0, 0, 8)], [down, down, down, aslant])
    )
    assert distance[0] == math.inf
    assert distance[1] == pytest.approx(14)
    assert distance[2] == math.inf
    assert which[3] == BORE
    assert distance[3] == pytest.approx(4.0 / 0.6, abs=1e-3)


def test_that_a_thread_s_outline_lies_between_its_root_and_its_crest() -> None:
    shank = Convex(surfaces=(Cone(4.0), *slab(0.0, 40.0)), thread=Thread(pitch=2.0, depth=0.5))
    heights = np.linspace(5, 35, 301)
    found = []
    for aside in np.linspace(3.0, 4.2, 49):
        cast = rays([(float(aside), -20.0, float(z)) for z in heights], [(0.0, 1.0, 0.0)] * heights.size)
        found.append(np.isfinite(shank.hit(cast)[0]))
    widths = np.linspace(3.0, 4.2, 49)[np.array(found).sum(axis=0) - 1]
    assert widths.max() == pytest.approx(4.0, abs=0.06)
    assert widths.min() < 3.75
    assert widths.min() > 3.4


def test_that_a_spring_can_be_seen_through_between_its_turns() -> None:
    coil = Coil(radius=5.0, wire=0.6, pitch=4.0, length=40.0)
    heights = np.linspace(8, 32, 200)
    cast = rays([(0.0, -20.0, float(z)) for z in heights], [(0.0, 1.0, 0.0)] * heights.size)
    distance, which = coil.hit(cast)
    hit = np.isfinite(distance)
    # Two walls, each closed for 2 * 0.6 of every 4 mm, half a turn apart: they never line up.
    assert hit.mean() == pytest.approx(0.6, abs=0.05)
    assert set(which[hit]) == {0, 1}
    np.testing.assert_allclose(distance[hit & (which == 0)], 20 - 5.6, atol=1e-3)


def test_that_a_miss_beside_a_body_stays_a_miss_in_another_frame() -> None:
    turned = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=np.float32)
    offset = np.array([10, 0, 0], dtype=np.float32)
    bar = Convex(BODIES["block"])
    cast = rays([(10, 2.5, 9), (10, -2.5, 9), (6.5, 0, 9)], [(0, 0, -1)] * 3)
    distance, _ = bar.hit(cast.seen_from(turned, offset))
    assert np.isfinite(distance).tolist() == [True, True, False]
