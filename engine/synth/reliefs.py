"""Shapes pressed into a head or a face: driver recesses, chamfered mouths, turning rings.

Knows the plane across z alone. A recess is told by its signed distance (negative inside), from
which its sloped walls and its dark floor follow; it moves no geometry.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.synth.geometry import Floats, unit

_STEP = np.float32(0.02)


@dataclass(frozen=True, slots=True)
class Cross:
    """A Phillips recess: two bars of half length `arm` and half width `half`."""

    arm: float
    half: float

    def press(self, points: Floats, normals: Floats) -> tuple[Floats, Floats]:
        """See `geometry.Relief.press`."""

        def inside(x: Floats, y: Floats) -> Floats:
            bars = np.minimum(_bar(x, y, self.arm, self.half), _bar(y, x, self.arm, self.half))
            middle = np.hypot(x, y) - np.float32(self.half * 1.9)
            return np.minimum(bars, middle)

        return _recess(inside, points, normals, self.half * 0.8)


@dataclass(frozen=True, slots=True)
class Slot:
    """A straight slot of half length `arm` and half width `half`."""

    arm: float
    half: float

    def press(self, points: Floats, normals: Floats) -> tuple[Floats, Floats]:
        """See `geometry.Relief.press`."""
        return _recess(lambda x, y: _bar(x, y, self.arm, self.half), points, normals, self.half * 0.5)


@dataclass(frozen=True, slots=True)
class HexSocket:
    """A hexagon socket of this apothem."""

    apothem: float

    def press(self, points: Floats, normals: Floats) -> tuple[Floats, Floats]:
        """See `geometry.Relief.press`."""

        def inside(x: Floats, y: Floats) -> Floats:
            across = np.float32(math.sqrt(3) / 2)
            one = np.abs(across * x + np.float32(0.5) * y)
            two = np.abs(across * x - np.float32(0.5) * y)
            return np.maximum(np.maximum(one, two), np.abs(y)) - np.float32(self.apothem)

        return _recess(inside, points, normals, self.apothem * 0.3)


@dataclass(frozen=True, slots=True)
class Star:
    """A six-lobed (Torx) recess of this mean radius."""

    radius: float

    def press(self, points: Floats, normals: Floats) -> tuple[Floats, Floats]:
        """See `geometry.Relief.press`."""

        def inside(x: Floats, y: Floats) -> Floats:
            lobes = 1 + np.float32(0.16) * np.cos(6 * np.arctan2(y, x))
            return np.asarray(np.hypot(x, y) - np.float32(self.radius) * lobes, dtype=np.float32)

        return _recess(inside, points, normals, self.radius * 0.3)


@dataclass(frozen=True, slots=True)
class Mouth:
    """The chamfer around a hole, out to `radius`; with `rings`, turning marks on the face."""

    radius: float
    rings: bool = False

    def press(self, points: Floats, normals: Floats) -> tuple[Floats, Floats]:
        """See `geometry.Relief.press`."""
        distance = np.hypot(points[0], points[1])
        sloped = distance < self.radius
        inward = np.where(sloped, np.float32(-0.75), np.float32(0))
        if self.rings:
            inward = inward + np.float32(0.05) * np.sin(distance * np.float32(14.0))
        pressed = normals.copy()
        pressed[:2] += points[:2] / np.maximum(distance, np.float32(1e-3)) * inward
        return unit(pressed), np.where(sloped, np.float32(0.85), np.float32(1))


@dataclass(frozen=True, slots=True)
class Rings:
    """Turning marks within a circle and a raised edge around it, as on a bolt's head."""

    radius: float

    def press(self, points: Floats, normals: Floats) -> tuple[Floats, Floats]:
        """See `geometry.Relief.press`."""
        distance = np.hypot(points[0], points[1])
        edge = np.exp(-(((distance - np.float32(self.radius)) / np.float32(0.25)) ** 2))
        lean = np.float32(0.04) * np.sin(distance * 16) - np.float32(0.4) * edge
        pressed = normals.copy()
        pressed[:2] += points[:2] / np.maximum(distance, np.float32(1e-3)) * lean
        return unit(pressed), 1 - np.float32(0.2) * edge


def _bar(x: Floats, y: Floats, arm: float, half: float) -> Floats:
    """Distance to a bar along x, negative inside (square corners)."""
    return np.maximum(np.abs(x) - np.float32(arm), np.abs(y) - np.float32(half))


def _recess(
    inside: Callable[[Floats, Floats], Floats], points: Floats, normals: Floats, wall: float
) -> tuple[Floats, Floats]:
    """Sloped walls `wall` mm wide along the border of a recess, and a floor that little light reaches."""
    x, y = points[0], points[1]
    distance = inside(x, y)
    hollow = distance < 0
    slope_x = (inside(x + _STEP, y) - distance) / _STEP
    slope_y = (inside(x, y + _STEP) - distance) / _STEP
    depth = np.clip(-distance / np.float32(wall), 0, 1)
    lean = np.where(hollow, np.float32(1.3) * (1 - depth) + np.float32(0.25), np.float32(0))
    # Signed distance grows outwards; a recess's wall faces its middle.
    pressed = normals.copy()
    pressed[0] -= slope_x * lean
    pressed[1] -= slope_y * lean
    openness = np.where(hollow, np.float32(0.62) - np.float32(0.45) * depth, np.float32(1))
    return unit(pressed), openness
