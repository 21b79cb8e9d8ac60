"""Decides what lies where: parts, piles of parts, clutter and the tray's walls.

Knows poses and which part rests on which, told from a map of heights seen from straight above; not
how anything looks. Everything is in the tray's frame, millimetres.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.synth import clutter
from engine.synth.geometry import Convex, Floats, Plane, Rays, rotation_about, slab
from engine.synth.materials import Material, any_metal, matte, metal, plastic
from engine.synth.parts import BUILDERS, Part, Piece
from engine.synth.views import Camera, Parallel, Pixels, covered

_ATTEMPTS = 14
_MOST_HIDDEN = 0.6
"""No part is laid so that another one shows less than the rest of itself."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A part and its pose: local points p are at `rotation @ p + offset`."""

    part: Part
    rotation: Floats
    offset: Floats

    @property
    def hull(self) -> Floats:
        """The part's hull in the tray's frame, 3 x M."""
        return self.rotation @ self.part.hull + self.offset[:, None]

    @property
    def middle(self) -> Floats:
        """The centre of the part's bounds in the tray's frame (3)."""
        return self.rotation @ self.part.middle + self.offset

    def cast(self, rays: Rays) -> tuple[Floats, NDArrayInt, NDArrayInt]:
        """Distance (infinity for a miss), number of the piece and of its surface, for each ray."""
        local = rays.seen_from(self.rotation, self.offset)
        best = np.full(rays.origins.shape[1], np.inf, dtype=np.float32)
        piece_of = np.zeros(best.shape[0], dtype=np.int8)
        surface_of = np.zeros(best.shape[0], dtype=np.int8)
        for number, piece in enumerate(self.part.pieces):
            aimed = local.seen_from(piece.rotation, piece.offset)
            near = None if piece.ball is None else np.flatnonzero(aimed.pass_within(*piece.ball))
            distance, surface = piece.solid.hit(aimed if near is None else aimed.take(near))
            nearer = np.flatnonzero(distance < (best if near is None else best[near]))
            rays_hit = nearer if near is None else near[nearer]
            best[rays_hit] = distance[nearer]
            piece_of[rays_hit] = number
            surface_of[rays_hit] = surface[nearer]
        return best, piece_of, surface_of


NDArrayInt = np.ndarray[tuple[int], np.dtype[np.int8]]


class HeightMap:
    """What lies on the tray seen from straight above: heights in mm and whose they are."""

    def __init__(self, view: Parallel) -> None:
        self.view = view
        self.heights = np.zeros(view.width * view.height, dtype=np.float32)
        self.owners = np.full(view.width * view.height, -1, dtype=np.int16)
        self.sizes: list[int] = []
        self.hidden: list[int] = []

    def footprint(self, placed: Placed) -> tuple[Pixels, Floats]:
        """The texels that a part covers, and its height above the floor at each."""
        pixels = covered(self.view, placed.hull)
        rays, start = self.view.rays(pixels, placed.middle)
        distance, _piece, _surface = placed.cast(rays)
        hit = np.isfinite(distance)
        return pixels[hit], np.asarray(start - distance[hit], dtype=np.float32)

    def crowding(self, pixels: Pixels) -> float:
        """The largest share of any labelled part that would be hidden with these texels covered."""
        under = self.owners[pixels]
        under = under[under >= 0]
        worst = 0.0
        for owner, count in zip(*np.unique(under, return_counts=True), strict=True):
            worst = max(worst, (self.hidden[owner] + count) / max(self.sizes[owner], 1))
        return float(worst)

    def add(self, pixels: Pixels, heights: Floats, *, labelled: bool) -> None:
        """Lays a part on top."""
        under = self.owners[pixels]
        for owner, count in zip(*np.unique(under[under >= 0], return_counts=True), strict=True):
            self.hidden[owner] += int(count)
        if labelled:
            self.sizes.append(pixels.size)
            self.hidden.append(0)
        self.heights[pixels] = np.maximum(self.heights[pixels], heights)
        self.owners[pixels] = len(self.sizes) - 1 if labelled else -1


@dataclass(frozen=True, slots=True)
class Plan:
    """How full the tray gets. `leaning` is the share of the parts laid on top of another one."""

    count: int
    leaning: float
    clutter: int
    cable: bool
    walls: bool
    classes: tuple[str, ...]


def furnish(rng: np.random.Generator, plan: Plan, camera: Camera, heights: HeightMap) -> list[Placed]:
    """Lays out a tray: clutter first, then the parts. Labelled parts have a class name."""
    placed: list[Placed] = []
    if plan.walls:
        placed += _walls(rng, camera)
        for wall in placed:
            heights.add(*heights.footprint(wall), labelled=False)
    if plan.cable:
        placed += _lay_cable(rng, camera, heights)
    for _ in range(plan.clutter):
        build = clutter.LOOSE[int(rng.integers(len(clutter.LOOSE)))]
        placed += _lay(rng, build(rng), camera, heights, onto=None)
    new_part = _builder(rng, plan.classes)
    leaning = round(plan.count * plan.leaning)
    for number in range(plan.count):
        below = [p for p in placed if p.part.class_name] if number >= plan.count - leaning else []
        onto = below[int(rng.integers(len(below)))] if below else None
        placed += _lay(rng, new_part(), camera, heights, onto=onto)
    return placed


def _builder(rng: np.random.Generator, classes: tuple[str, ...]) -> Callable[[], Part]:
    """Makes random parts of these classes; in some trays most share a finish or a class."""
    usual = any_metal(rng)
    mixed = rng.random() < 0.5
    weights = rng.dirichlet(np.full(len(classes), 2.5))

    def build() -> Part:
        name = classes[int(rng.choice(len(classes), p=weights))]
        finish = any_metal(rng) if mixed or rng.random() < 0.15 else usual
        return BUILDERS[name](metal(finish, rng), rng)

    return build


def _lay(
    rng: np.random.Generator, part: Part, camera: Camera, heights: HeightMap, *, onto: Placed | None
) -> list[Placed]:
    """The part in a free place, or on top of another one; nothing where no place was found."""
    for _ in range(_ATTEMPTS):
        resting = _at_rest(rng, part)
        if onto is None:
            where = camera.ground(
                np.array([[rng.uniform(0.02, 0.98)], [rng.uniform(0.03, 0.97)]], dtype=np.float32)
                * np.array([[camera.width], [camera.height]], dtype=np.float32)
            )[:, 0]
            placed = _moved(resting, where)
            pixels, tops = heights.footprint(placed)
            if pixels.size == 0 or heights.heights[pixels].max() > 0.3:
                continue
        else:
            around = rng.uniform(0, 2 * math.pi)
            away = np.array([math.cos(around), math.sin(around)], dtype=np.float32)
            gap = rng.uniform(0.35, 0.95) * (0.5 * part.reach + 0.6 * onto.part.reach)
            placed = _propped(_moved(resting, onto.middle[:2] + away * np.float32(gap)), away, heights)
            pixels, tops = heights.footprint(placed)
            if pixels.size == 0 or heights.crowding(pixels) > _MOST_HIDDEN:
                continue
        heights.add(pixels, tops, labelled=bool(part.class_name))
        return [placed]
    return []


def _moved(placed: Placed, to_xy: Floats) -> Placed:
    """The same pose with its middle above `to_xy`."""
    shift = np.zeros(3, dtype=np.float32)
    shift[:2] = to_xy - placed.middle[:2]
    return Placed(placed.part, placed.rotation, placed.offset + shift)


def _at_rest(rng: np.random.Generator, part: Part) -> Placed:
    """The part on the floor at the origin: on its side or underside, turned at random."""
    heading = rotation_about((0, 0, 1), rng.uniform(0, 2 * math.pi))
    if not part.lies_along:
        return Placed(part, heading, np.zeros(3, dtype=np.float32))
    length = max(z for z, _r in part.outline)
    squat = max(r for _z, r in part.outline) * 2.6 > length
    if squat and part.class_name in ("bolt", "screw") and rng.random() < 0.35:
        # A short one stands on its head, shank up.
        return Placed(part, heading, np.zeros(3, dtype=np.float32))
    pitch = _resting_pitch(part.outline)
    lying = rotation_about((0, 1, 0), math.pi / 2 + pitch)
    # A hexagon rests on a flat: its sides are 60 degrees apart and one faces +x before it lies down.
    roll = rotation_about((0, 0, 1), math.pi / 3 * int(rng.integers(6)))
    rotation = np.asarray(heading @ lying @ roll, dtype=np.float32)
    return _grounded(Placed(part, rotation, np.zeros(3, dtype=np.float32)))


def _resting_pitch(outline: tuple[tuple[float, float], ...]) -> float:
    """How far the far end dips (radians) when the part rests on its widest rim and its far end."""
    length = max(z for z, _r in outline)
    middle = 0.45 * length
    best = 0.0
    for z0, r0 in outline:
        for z1, r1 in outline:
            if not z0 < middle < z1:
                continue
            slope = (r0 - r1) / (z1 - z0)
            if all(r <= r0 - slope * (z - z0) + 1e-6 for z, r in outline):
                best = math.atan(slope)
    return best


def _grounded(placed: Placed) -> Placed:
    """The same pose, lowered or raised until its lowest point touches the floor."""
    along = float(placed.rotation[2, 2])
    across = math.sqrt(max(1 - along**2, 0.0))
    lowest = min(z * along - r * across for z, r in placed.part.outline)
    offset = placed.offset.copy()
    offset[2] = -lowest
    return Placed(placed.part, placed.rotation, offset)


def _propped(placed: Placed, away: Floats, heights: HeightMap) -> Placed:
    """The pose leaned on what lies beneath: up on the near side, down on the side `away` (2) points to."""
    pixels, _tops = heights.footprint(placed)
    step = float(heights.heights[pixels].max(initial=0.0))
    if step <= 0:
        return placed
    angle = math.asin(min(step / (1.5 * placed.part.reach), 0.55))
    axis = (-float(away[1]), float(away[0]), 0.0)
    tilted = np.asarray(rotation_about(axis, angle) @ placed.rotation, dtype=np.float32)
    middle = placed.middle[:2]
    leaned = _moved(_grounded(Placed(placed.part, tilted, placed.offset)), middle)
    # The underside is taken for a plane; where that cuts into what is beneath, the part rises.
    pixels, _tops = heights.footprint(leaned)
    x, y = _texel_xy(heights.view, pixels)
    low_side = float((leaned.hull[:2].T @ away).max())
    underside = math.tan(angle) * (low_side - (x * away[0] + y * away[1]))
    lift = float(np.clip((heights.heights[pixels] - underside).max(initial=0.0), 0, step)) * 0.8
    return Placed(placed.part, tilted, leaned.offset + np.array([0, 0, lift], dtype=np.float32))


def _texel_xy(view: Parallel, pixels: Pixels) -> tuple[Floats, Floats]:
    """The tray coordinates of texels of a view from straight above."""
    rays, _start = view.rays(pixels, np.zeros(3, dtype=np.float32))
    return rays.origins[0], rays.origins[1]


def _lay_cable(rng: np.random.Generator, camera: Camera, heights: HeightMap) -> list[Placed]:
    """A cable from one side of what the camera sees into it."""
    pixel = np.array([[rng.uniform(0, 1) * camera.width], [rng.uniform(0, 1) * camera.height]])
    start = camera.ground(pixel.astype(np.float32))[:, 0]
    offset = np.array([start[0], start[1], 0.0], dtype=np.float32)
    links = [Placed(link, np.eye(3, dtype=np.float32), offset) for link in clutter.cable(rng)]
    for link in links:
        heights.add(*heights.footprint(link), labelled=False)
    return links


def _walls(rng: np.random.Generator, camera: Camera) -> list[Placed]:
    """One or two walls of the tray at the border of what the camera sees."""
    corners = np.array([[0, camera.width, camera.width, 0], [0, 0, camera.height, camera.height]])
    seen = camera.ground(corners.astype(np.float32))
    low, high = seen.min(axis=1), seen.max(axis=1)
    span = high - low
    finish = _wall_finish(rng)
    walls = []
    for axis in rng.permutation(2)[: int(rng.integers(1, 3))]:
        tall, thick = rng.uniform(8, 22), rng.uniform(1.5, 3)
        at = low[axis] + span[axis] * rng.uniform(0.04, 0.12)
        if rng.random() < 0.5:
            at = high[axis] - span[axis] * rng.uniform(0.04, 0.12)
        centre, half = (low + high) / 2, span * 0.75
        centre[axis], half[axis] = at, thick
        walls.append(_block(finish, centre, half, tall))
    return walls


def _wall_finish(rng: np.random.Generator) -> Material:
    kind = rng.random()
    if kind < 0.4:
        return metal("galvanised", rng)
    tone = rng.uniform(0.02, 0.5)
    if kind < 0.75:
        return plastic((tone, tone * rng.uniform(0.8, 1.1), tone * rng.uniform(0.7, 1.3)), gloss=2)
    return matte((0.5 * tone + 0.2, 0.35 * tone + 0.12, 0.2 * tone + 0.06))


def _block(finish: Material, centre: Floats, half: Floats, tall: float) -> Placed:
    """An upright block with a bevelled top edge."""
    x, y = float(half[0]), float(half[1])
    bevel = 0.7071
    body = Convex(
        surfaces=(
            *(Plane((s, 0, 0), x) for s in (1, -1)),
            *(Plane((0, s, 0), y) for s in (1, -1)),
            *slab(-1.0, tall),
            *(Plane((s * bevel, 0, bevel), (x + tall - 0.8) * bevel) for s in (1, -1)),
            *(Plane((0, s * bevel, bevel), (y + tall - 0.8) * bevel) for s in (1, -1)),
        )
    )
    hull = clutter.box_hull(x, y, -1.0, tall)
    part = Part("", (Piece(body, finish),), ((0.0, y),), hull, lies_along=False)
    offset = np.array([centre[0], centre[1], 0.0], dtype=np.float32)
    return Placed(part, np.eye(3, dtype=np.float32), offset)
