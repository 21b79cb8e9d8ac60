"""Casts rays at solids made of planes, cones and ellipsoids.

Knows shapes alone: no material, light, camera or picture. A `Convex` is the intersection of
surfaces, may have a bore through it, a thread around it and a relief in one face; a `Coil` is a
wound wire. Lengths are millimetres. Arrays hold one column a ray: points, directions and normals
are 3 x N float32, distances N float32 with infinity for a miss.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Ints: TypeAlias = NDArray[np.int8]

BORE = -1
"""The surface number of a bore's wall, as `Solid.hit` reports it."""

_TINY = np.float32(1e-9)


@dataclass(frozen=True, slots=True)
class Rays:
    """N rays: origins 3 x N and unit directions 3 x N (3 x 1 where all are parallel), float32."""

    origins: Floats
    directions: Floats

    def seen_from(self, rotation: Floats, offset: Floats) -> Rays:
        """The same rays in the frame whose axes are `rotation`'s columns (3 x 3), at `offset` (3)."""
        turned = np.ascontiguousarray(rotation.T)
        return Rays(turned @ (self.origins - offset[:, None]), turned @ self.directions)

    def at(self, distances: Floats) -> Floats:
        """The points at these distances, 3 x N."""
        return self.origins + self.directions * distances

    def pass_within(self, z: float, radius: float) -> NDArray[np.bool_]:
        """Which rays pass within `radius` of the point `z` up the z axis."""
        o, d = self.origins, self.directions
        above = o[2] - np.float32(z)
        along = o[0] * d[0] + o[1] * d[1] + above * d[2]
        return np.asarray(o[0] * o[0] + o[1] * o[1] + above * above - along * along < radius * radius)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Rays:
        """Only the chosen rays, by mask or by index."""
        parallel = self.directions.shape[1] == 1
        return Rays(self.origins[:, chosen], self.directions if parallel else self.directions[:, chosen])


class Surface(Protocol):
    """The border of a convex body."""

    def span(self, rays: Rays) -> tuple[Floats, Floats]:
        """Where each ray enters and leaves the body; an empty span (in > out) for a miss."""

    def normal(self, points: Floats) -> Floats:
        """Outward normals at surface points, 3 x N, not yet of unit length."""


class Solid(Protocol):
    """What a piece of a part is made of."""

    def hit(self, rays: Rays) -> tuple[Floats, Ints]:
        """Distance to the first surface (infinity for a miss) and that surface's number."""

    def surface(self, points: Floats, which: Ints) -> tuple[Floats, Floats]:
        """Unit normals (3 x N) and openness to light (N, 0 to 1) at points that `hit` found."""


@dataclass(frozen=True, slots=True)
class Plane:
    """All points with `normal_xyz . x <= distance`."""

    normal_xyz: tuple[float, float, float]
    distance: float

    def span(self, rays: Rays) -> tuple[Floats, Floats]:
        """See `Surface.span`."""
        nx, ny, nz = (np.float32(v) for v in self.normal_xyz)
        o, d = rays.origins, rays.directions
        along = nx * d[0] + ny * d[1] + nz * d[2]
        along = np.where(np.abs(along) < _TINY, _TINY, along)
        at = (np.float32(self.distance) - (nx * o[0] + ny * o[1] + nz * o[2])) / along
        entering = along < 0
        return (
            np.where(entering, at, np.float32(-np.inf)),
            np.where(entering, np.float32(np.inf), at),
        )

    def normal(self, points: Floats) -> Floats:
        """See `Surface.normal`."""
        column = np.array(self.normal_xyz, dtype=np.float32)[:, None]
        return np.broadcast_to(column, points.shape).copy()


@dataclass(frozen=True, slots=True)
class Cone:
    """All points within `radius + slope * z` of the z axis; a cylinder where `slope` is 0."""

    radius: float
    slope: float = 0.0

    def span(self, rays: Rays) -> tuple[Floats, Floats]:
        """See `Surface.span`."""
        return self.span_at(rays, np.float32(self.radius))

    def span_at(self, rays: Rays, radius: Floats | np.float32) -> tuple[Floats, Floats]:
        """As `span`, with another radius at z = 0 for each ray: how a thread gets its outline."""
        o, d = rays.origins, rays.directions
        b = np.float32(self.slope)
        reach = radius + b * o[2]
        square = d[0] * d[0] + d[1] * d[1] - b * b * d[2] * d[2]
        half = o[0] * d[0] + o[1] * d[1] - b * reach * d[2]
        rest = o[0] * o[0] + o[1] * o[1] - reach * reach
        near, far, missed = _roots(square, half, rest)
        if self.slope == 0.0:
            return np.where(missed, np.float32(np.inf), near), np.where(missed, np.float32(-np.inf), far)
        return self._nappe(near, far, missed, square, reach, b * d[2])

    @staticmethod
    def _nappe(
        near: Floats,
        far: Floats,
        missed: NDArray[np.bool_],
        square: Floats,
        reach: Floats,
        growth: Floats,
    ) -> tuple[Floats, Floats]:
        """Keeps the half of the double cone whose radius is positive.

        A ray flatter than the wall (`square` > 0) crosses one nappe; a steeper one crosses both and
        stays inside the one it ends in, so that its span is open on one side.
        """
        flat = square > 0
        wrong_half = flat & (reach + growth * np.float32(0.5) * (near + far) < 0)
        growing = growth > 0
        low, high = np.minimum(near, far), np.maximum(near, far)
        enter = np.where(flat, low, np.where(growing, high, np.float32(-np.inf)))
        leave = np.where(flat, high, np.where(growing, np.float32(np.inf), low))
        nothing = missed | wrong_half
        return np.where(nothing, np.float32(np.inf), enter), np.where(nothing, np.float32(-np.inf), leave)

    def normal(self, points: Floats) -> Floats:
        """See `Surface.normal`."""
        flat = np.hypot(points[0], points[1])
        return np.stack([points[0], points[1], np.float32(-self.slope) * flat])


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """A spheroid about the z axis: `radius` across, `height` half as high as it is, centred at `z`."""

    radius: float
    height: float
    z: float = 0.0

    def span(self, rays: Rays) -> tuple[Floats, Floats]:
        """See `Surface.span`."""
        o, d = rays.origins, rays.directions
        squash = np.float32((self.radius / self.height) ** 2)
        oz = o[2] - np.float32(self.z)
        square = d[0] * d[0] + d[1] * d[1] + squash * d[2] * d[2]
        half = o[0] * d[0] + o[1] * d[1] + squash * oz * d[2]
        rest = o[0] * o[0] + o[1] * o[1] + squash * oz * oz - np.float32(self.radius**2)
        near, far, missed = _roots(square, half, rest)
        return np.where(missed, np.float32(np.inf), near), np.where(missed, np.float32(-np.inf), far)

    def normal(self, points: Floats) -> Floats:
        """See `Surface.normal`."""
        squash = np.float32((self.radius / self.height) ** 2)
        return np.stack([points[0], points[1], squash * (points[2] - np.float32(self.z))])


def _roots(square: Floats, half: Floats, rest: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """The roots of `square t^2 + 2 half t + rest`, the lesser first, and where there are none.

    Nothing is subtracted from what is nearly its equal: along a cone's wall `square` is all but 0, and the
    nearer root would drown in the rounding of the farther one.
    """
    square = np.where(np.abs(square) < _TINY, _TINY, square)
    under = half * half - square * rest
    # A ray steeper than a cone's wall (`square` < 0) meets it somewhere: below 0 is rounding.
    missed = (under < 0) & (square > 0)
    root = np.sqrt(np.maximum(under, 0))
    both = -half - np.copysign(root, half)
    one, other = both / square, rest / np.where(both == 0, _TINY, both)
    return np.minimum(one, other), np.maximum(one, other), missed


@dataclass(frozen=True, slots=True)
class Thread:
    """A helical ridge. `sharpness` 1 is a machine thread, more is a wood screw's thin flank.

    It runs from z = `start` to z = `end` of the surface that carries it.
    """

    pitch: float
    depth: float
    start: float = -math.inf
    end: float = math.inf
    sharpness: float = 1.0

    def groove(self, points: Floats) -> tuple[Floats, Floats]:
        """How far below the crest (N, mm) and the profile's slope along the axis (N)."""
        phase = points[2] * np.float32(1 / self.pitch)
        phase = phase + np.arctan2(points[1], points[0]) * np.float32(0.5 / math.pi)
        phase = phase - np.floor(phase)
        away = np.abs(phase - np.float32(0.5)) * 2
        grown = away ** np.float32(1 / self.sharpness)
        cut = np.float32(self.depth) * grown
        steep = np.sign(phase - np.float32(0.5)) * np.float32(2 * self.depth / self.pitch)
        outside = (points[2] < self.start) | (points[2] > self.end)
        return np.where(outside, np.float32(0), cut), np.where(outside, np.float32(0), steep)


class Relief(Protocol):
    """A shape pressed into a face across the z axis."""

    def press(self, points: Floats, normals: Floats) -> tuple[Floats, Floats]:
        """The face's unit normals as changed by the relief, and the openness to light (N)."""


@dataclass(frozen=True, slots=True)
class Convex:
    """The intersection of `surfaces`, optionally bored through along z, threaded and embossed.

    The thread lies on the first surface, which is then a `Cone`; the relief lies in the surface
    number `relief_on`; `bore` is a radius, 0 for none; `bore_thread` runs along its wall.
    """

    surfaces: tuple[Surface, ...]
    bore: float = 0.0
    bore_thread: Thread | None = None
    thread: Thread | None = None
    relief: Relief | None = None
    relief_on: int = 1

    def hit(self, rays: Rays) -> tuple[Floats, Ints]:
        """See `Solid.hit`."""
        count = rays.origins.shape[1]
        enter = np.full(count, -np.inf, dtype=np.float32)
        leave = np.full(count, np.inf, dtype=np.float32)
        which = np.zeros(count, dtype=np.int8)
        for number, surface in enumerate(self.surfaces):
            near, far = self._threaded(rays) if number == 0 and self.thread else surface.span(rays)
            which[near > enter] = number
            np.maximum(enter, near, out=enter)
            np.minimum(leave, far, out=leave)
        found = enter < leave
        if self.bore > 0:
            mouth, wall = Cone(self.bore).span(rays)
            inside = found & (enter >= mouth) & (enter < wall)
            on_wall = inside & (wall < leave)
            enter = np.where(on_wall, wall, enter)
            which[on_wall] = BORE
            found &= ~inside | on_wall
        return np.where(found, enter, np.float32(np.inf)), which

    def _threaded(self, rays: Rays) -> tuple[Floats, Floats]:
        """The first surface's span, its radius lowered ray by ray to the thread's profile.

        The profile is read where the ray meets the crest, then where it meets that profile: two
        rounds are enough for an outline that a camera can tell from the true one only up close.
        """
        cone, thread = self.surfaces[0], self.thread
        assert isinstance(cone, Cone)
        assert thread is not None
        o, d = rays.origins, rays.directions
        closest = -(o[0] * d[0] + o[1] * d[1]) / np.maximum(d[0] * d[0] + d[1] * d[1], _TINY)
        near, far = cone.span(rays)
        for _ in range(2):
            at = np.where(np.isfinite(near), near, closest)
            cut, _steep = thread.groove(rays.at(at))
            near, far = cone.span_at(rays, np.float32(cone.radius) - cut)
        return near, far

    def surface(self, points: Floats, which: Ints) -> tuple[Floats, Floats]:
        """See `Solid.surface`."""
        normals = np.zeros_like(points)
        openness = np.ones(points.shape[1], dtype=np.float32)
        for number, surface in enumerate(self.surfaces):
            chosen = which == number
            if not chosen.any():
                continue
            there = points[:, chosen]
            facing = unit(surface.normal(there))
            if number == 0 and self.thread is not None:
                facing, openness[chosen] = _grooved(there, facing, self.thread)
            if number == self.relief_on and self.relief is not None:
                facing, openness[chosen] = self.relief.press(there, facing)
            normals[:, chosen] = facing
        wall = which == BORE
        if wall.any():
            there = points[:, wall]
            inward = unit(-Cone(self.bore).normal(there))
            light = np.full(there.shape[1], 0.55, dtype=np.float32)
            if self.bore_thread is not None:
                inward, light = _grooved(there, inward, self.bore_thread)
                light = light * np.float32(0.7)
            normals[:, wall] = inward
            openness[wall] = light
        return normals, openness


@dataclass(frozen=True, slots=True)
class Coil:
    """A wire of radius `wire` wound around the z axis at `radius`, from z = 0 to `length`.

    Cast as two shells, the near and the far wall of the cylinder through the wire's middle, each
    open between the turns: from outside that cannot be told from a true helix.
    """

    radius: float
    wire: float
    pitch: float
    length: float

    def hit(self, rays: Rays) -> tuple[Floats, Ints]:
        """See `Solid.hit`; surface 0 is the near wall, 1 the far one."""
        best = np.full(rays.origins.shape[1], np.inf, dtype=np.float32)
        which = np.zeros(rays.origins.shape[1], dtype=np.int8)
        outer, _ = Cone(self.radius + self.wire).span(rays)
        _, inner = Cone(max(self.radius - 0.2 * self.wire, 0.1)).span(rays)
        for number, distances in ((1, inner), (0, outer)):
            known = np.where(np.isfinite(distances), distances, np.float32(0))
            points = rays.at(known)
            bulge = 1 - self._from_middle(points) ** 2
            # The wire is round: towards its flanks the surface falls back by up to its radius.
            within = np.isfinite(distances) & (bulge > 0) & (points[2] > 0) & (points[2] < self.length)
            best = np.where(within, known, best)
            which[within] = number
        return best, which

    def _from_middle(self, points: Floats) -> Floats:
        """Distance along z from the wire's middle line, in wire radii; closed turns at the ends."""
        turn = np.arctan2(points[1], points[0]) * np.float32(0.5 / math.pi)
        closed = np.float32(2.2 * self.wire)
        at_end = (points[2] < closed * 1.6) | (points[2] > self.length - closed * 1.6)
        pitch = np.where(at_end, closed, np.float32(self.pitch))
        phase = points[2] / pitch - turn
        phase = phase - np.floor(phase) - np.float32(0.5)
        return np.asarray(phase * pitch / np.float32(self.wire), dtype=np.float32)

    def surface(self, points: Floats, which: Ints) -> tuple[Floats, Floats]:
        """See `Solid.surface`."""
        across = np.clip(self._from_middle(points), -1, 1)
        outward = unit(np.stack([points[0], points[1], np.zeros_like(points[2])]))
        facing = np.where(which == 0, np.float32(1), np.float32(-1))
        normals = outward * (facing * np.sqrt(np.maximum(1 - across * across, 0)))
        normals[2] += across
        openness = np.where(which == 0, np.float32(1), np.float32(0.5))
        return unit(normals), openness


def _grooved(points: Floats, normals: Floats, thread: Thread) -> tuple[Floats, Floats]:
    """Normals leaning along the thread's flanks, and how much light reaches into the groove."""
    cut, steep = thread.groove(points)
    leaning = normals.copy()
    leaning[2] += steep
    return unit(leaning), 1 - np.float32(0.55 / max(thread.depth, 1e-6)) * cut


def unit(vectors: Floats) -> Floats:
    """The vectors, 3 x N, at length one."""
    length = np.sqrt(vectors[0] ** 2 + vectors[1] ** 2 + vectors[2] ** 2)
    return np.asarray(vectors / np.maximum(length, _TINY), dtype=np.float32)


def prism(sides: int, apothem: float, low: float, high: float) -> tuple[Plane, ...]:
    """The planes of a regular prism along z: its walls, then its bottom, then its top."""
    angles = [2 * math.pi * k / sides for k in range(sides)]
    walls = tuple(Plane((math.cos(a), math.sin(a), 0.0), apothem) for a in angles)
    return (*walls, Plane((0.0, 0.0, -1.0), -low), Plane((0.0, 0.0, 1.0), high))


def slab(low: float, high: float) -> tuple[Plane, Plane]:
    """The planes across z at `low` and `high`: the bottom, then the top."""
    return Plane((0.0, 0.0, -1.0), -low), Plane((0.0, 0.0, 1.0), high)


def rotation_about(axis: tuple[float, float, float], angle: float) -> Floats:
    """The 3 x 3 rotation by `angle` radians about `axis` (Rodrigues)."""
    x, y, z = np.array(axis, dtype=np.float64) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turned = np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * (cross @ cross)
    return np.asarray(turned, dtype=np.float32)
