"""Things that lie about and are not labelled: coins, chips of wood, paper, pens, cables, keys."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np

from engine.synth.geometry import Cone, Convex, Ellipsoid, Floats, Plane, prism, rotation_about, slab
from engine.synth.materials import Material, matte, metal, plastic, print_lines, wood_grain
from engine.synth.parts import Part, Piece, revolved_hull
from engine.synth.reliefs import Rings


def box_hull(x: float, y: float, low: float, high: float) -> Floats:
    """The corners of a box (3 x 8) with these half sides across and this bottom and top."""
    corners = itertools.product((-x, x), (-y, y), (low, high))
    return np.array(list(corners), dtype=np.float32).T.copy()


def coin(rng: np.random.Generator) -> Part:
    """A disc like a washer, without its hole."""
    radius, thick = rng.uniform(8, 12.5), rng.uniform(1.5, 2.2)
    body = Convex(
        surfaces=(Cone(radius), *slab(0.0, thick), Cone(radius + thick - 0.25, slope=-1.0)),
        relief=Rings(radius * 0.86),
        relief_on=2,
    )
    finish = metal(str(rng.choice(("copper", "brass", "stainless"))), rng)
    outline = ((0.0, radius), (thick, radius))
    return Part("", (Piece(body, finish),), outline, revolved_hull(outline), lies_along=False)


def wood_chip(rng: np.random.Generator) -> Part:
    """A splinter: a flat block with corners cut at random."""
    x, y, thick = rng.uniform(6, 20), rng.uniform(2, 6), rng.uniform(1, 4)
    cuts = []
    for _ in range(4):
        angle = rng.uniform(0, 2 * math.pi)
        nx, ny = math.cos(angle), math.sin(angle)
        reach = abs(nx) * x + abs(ny) * y
        cuts.append(Plane((nx, ny, rng.uniform(-0.2, 0.4)), reach * rng.uniform(0.65, 0.9)))
    walls = (Plane((1, 0, 0), x), Plane((-1, 0, 0), x), Plane((0, 1, 0), y), Plane((0, -1, 0), y))
    body = Convex(surfaces=(*walls, *slab(0.0, thick), *cuts))
    shade = rng.uniform(0.6, 1.2)
    finish = matte((0.56 * shade, 0.36 * shade, 0.19 * shade), pattern=wood_grain(rng))
    outline = ((0.0, y), (thick, y))
    return Part("", (Piece(body, finish),), outline, box_hull(x, y, 0, thick), lies_along=False)


def paper(rng: np.random.Generator) -> Part:
    """A printed slip."""
    x, y = rng.uniform(14, 32), rng.uniform(9, 22)
    walls = (Plane((1, 0, 0), x), Plane((-1, 0, 0), x), Plane((0, 1, 0), y), Plane((0, -1, 0), y))
    body = Convex(surfaces=(*walls, *slab(0.0, 0.25)))
    tint = rng.uniform(0.75, 0.88)
    yellow = rng.uniform(0.4, 1.0) if rng.random() < 0.3 else 0.97
    finish = matte((tint, tint * 0.98, tint * yellow), pattern=print_lines(rng))
    outline = ((0.0, y), (0.25, y))
    return Part("", (Piece(body, finish),), outline, box_hull(x, y, 0, 0.25), lies_along=False)


def pen(rng: np.random.Generator) -> Part:
    """A ball-point pen or a pencil."""
    length = rng.uniform(90, 130)
    body_rgb = tuple(float(v) for v in rng.uniform(0.01, 0.6, 3))
    barrel_finish = plastic((body_rgb[0], body_rgb[1], body_rgb[2]))
    radius = rng.uniform(3.4, 4.6)
    if rng.random() < 0.5:
        barrel = Convex(surfaces=prism(6, radius * 0.9, 0.0, length))
        bare = Convex(surfaces=(Cone(radius * 0.95 + length * 0.22, slope=-0.22), *slab(length, length + 19)))
        lead = Convex(
            surfaces=(Cone(0.9 + (length + 15) * 0.22, slope=-0.22), *slab(length + 14.5, length + 18.5))
        )
        wood = matte((0.6, 0.4, 0.22), pattern=wood_grain(rng))
        pieces: tuple[Piece, ...] = (
            Piece(barrel, barrel_finish),
            Piece(bare, wood),
            Piece(lead, plastic((0.02, 0.02, 0.02))),
        )
        end = length + 18.5
    else:
        barrel = Convex(surfaces=(Cone(radius), *slab(0.0, length)))
        nose = Convex(surfaces=(Cone(radius + length * 0.3, slope=-0.3), *slab(length, length + 11)))
        pieces = (Piece(barrel, barrel_finish), Piece(nose, metal("stainless", rng)))
        end = length + 11
    outline = ((0.0, radius), (length, radius), (end, 0.8))
    return Part("", pieces, outline, revolved_hull(outline), lies_along=True)


def hex_key(rng: np.random.Generator) -> Part:
    """An L-shaped key lying flat."""
    apothem, long, short = rng.uniform(1.2, 2.5), rng.uniform(45, 75), rng.uniform(14, 22)
    finish = metal(str(rng.choice(("black_oxide", "stainless", "zinc"))), rng)
    lying = rotation_about((0, 1, 0), math.pi / 2)
    along_y = rotation_about((1, 0, 0), -math.pi / 2)
    corner = apothem * 1.12
    elbow = np.array([0, 0, corner], dtype=np.float32)
    pieces = (
        Piece(Convex(surfaces=prism(6, apothem, 0.0, long)), finish, lying, elbow),
        Piece(Convex(surfaces=prism(6, apothem, 0.0, short)), finish, along_y, elbow),
        Piece(Convex(surfaces=(Ellipsoid(corner, corner),)), finish, offset=elbow),
    )
    hull = np.array(
        [
            (x, y, z)
            for x, y in (
                (-corner, -corner),
                (long, -corner),
                (long, corner),
                (corner, short),
                (-corner, short),
            )
            for z in (0.0, 2 * corner)
        ],
        dtype=np.float32,
    ).T.copy()
    return Part("", pieces, ((0.0, corner), (2 * corner, corner)), hull, lies_along=False)


def wall_plug(rng: np.random.Generator) -> Part:
    """A ribbed plastic plug, about as large as a screw."""
    radius, length = rng.uniform(2.2, 4.0), rng.uniform(20, 40)
    colours = ((0.45, 0.05, 0.03), (0.35, 0.36, 0.36), (0.5, 0.34, 0.03), (0.04, 0.1, 0.3))
    finish = plastic(colours[int(rng.integers(len(colours)))], gloss=2)
    body = Convex(surfaces=(Cone(radius), *slab(0.0, length * 0.75)))
    nose = Convex(surfaces=(Cone(radius + 0.75 * length * 0.12, slope=-0.12), *slab(length * 0.75, length)))
    collar = Convex(surfaces=(Cone(radius * 1.25), *slab(0.0, 1.2)))
    outline = ((0.0, radius * 1.25), (1.2, radius * 1.25), (length, radius * 0.6))
    pieces = (Piece(body, finish), Piece(nose, finish), Piece(collar, finish))
    return Part("", pieces, outline, revolved_hull(outline), lies_along=True)


def cable(rng: np.random.Generator) -> list[Part]:
    """A bent cable as a chain of short rods, to be laid as one; coordinates are already the tray's."""
    radius, step = rng.uniform(1.2, 2.6), rng.uniform(9, 12)
    dark = rng.uniform(0.01, 0.04)
    colours = ((dark, dark, dark), (0.6, 0.6, 0.58), (0.45, 0.03, 0.02), (0.02, 0.08, 0.3))
    finish: Material = plastic(colours[int(rng.integers(len(colours)))], gloss=2)
    heading, turn = rng.uniform(0, 2 * math.pi), 0.0
    at = np.zeros(3, dtype=np.float32)
    links = []
    for _ in range(int(rng.integers(10, 20))):
        turn = float(np.clip(turn + rng.normal(0, 0.12), -0.3, 0.3))
        heading += turn
        lying = rotation_about((0, 0, 1), heading) @ rotation_about((0, 1, 0), math.pi / 2)
        middle = at + np.array([0, 0, radius], dtype=np.float32)
        rod = Piece(Convex(surfaces=(Cone(radius), *slab(0.0, step))), finish, lying, middle)
        ball = Piece(Convex(surfaces=(Ellipsoid(radius, radius),)), finish, offset=middle)
        hull = lying @ revolved_hull(((-radius, radius), (step, radius))) + middle[:, None]
        links.append(Part("", (rod, ball), ((0.0, radius),), hull.astype(np.float32), lies_along=False))
        at = at + np.array([math.cos(heading), math.sin(heading), 0], dtype=np.float32) * np.float32(step)
    return links


LOOSE: tuple[Callable[[np.random.Generator], Part], ...] = (coin, wood_chip, paper, pen, hex_key, wall_plug)
"""Clutter that is laid like a part; `cable` is laid link by link."""
