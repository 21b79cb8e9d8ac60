"""Where rays come from: a camera over the tray, or parallel light falling on it.

World frame: x to the right, y away from the viewer, z up, the tray's floor at z = 0, millimetres.
Pixels are numbered row by row; a pixel's centre lies at its integer coordinates plus 0.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.synth.geometry import Floats, Rays

Pixels: TypeAlias = NDArray[np.int32]


class View(Protocol):
    """A grid of rays."""

    @property
    def width(self) -> int:
        """Rays in a row."""

    @property
    def height(self) -> int:
        """Rows."""

    def project(self, points: Floats) -> Floats:
        """World points (3 x N) to pixel coordinates (2 x N)."""

    def rays(self, pixels: Pixels, near: Floats) -> tuple[Rays, Floats]:
        """The rays of these pixels, started near the world point `near` (3).

        Starting close by keeps float32 exact where a part is small and the camera far. The second
        value is how far along its ray each one starts: scalar or N.
        """


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera. `axes` holds its right, up and backward directions as columns (3 x 3)."""

    width: int
    height: int
    focal: float
    position: Floats
    axes: Floats

    def project(self, points: Floats) -> Floats:
        """See `View.project`."""
        local = self.axes.T @ (points - self.position[:, None])
        scale = self.focal / np.maximum(-local[2], 1e-3)
        return np.stack([self.width / 2 + local[0] * scale, self.height / 2 - local[1] * scale])

    def directions(self, pixels: Pixels) -> Floats:
        """Unit directions in world axes, 3 x N."""
        rows = pixels // self.width
        local = np.empty((3, pixels.size), dtype=np.float32)
        local[0] = pixels - rows * self.width
        local[0] += np.float32(0.5 - self.width / 2)
        local[1] = rows
        local[1] = np.float32(self.height / 2 - 0.5) - local[1]
        local[2] = -self.focal
        local /= np.sqrt(local[0] ** 2 + local[1] ** 2 + np.float32(self.focal**2))
        return np.asarray(self.axes @ local, dtype=np.float32)

    def rays(self, pixels: Pixels, near: Floats) -> tuple[Rays, Floats]:
        """See `View.rays`."""
        directions = self.directions(pixels)
        start = np.float32(np.linalg.norm(near - self.position))
        origins = self.position[:, None] + directions * start
        return Rays(origins.astype(np.float32), directions), np.asarray(start)

    def ground(self, pixels_xy: Floats) -> Floats:
        """Where the rays through these pixel coordinates (2 x N) meet the floor, 2 x N."""
        x, y = pixels_xy[0] - self.width / 2, pixels_xy[1] - self.height / 2
        directions = self.axes @ np.stack([x, -y, np.full_like(x, -self.focal)])
        along = -self.position[2] / np.minimum(directions[2], -1e-3)
        return np.asarray(self.position[:2, None] + directions[:2] * along, dtype=np.float32)

    def halved(self, factor: int) -> Camera:
        """The same view in `factor` times fewer pixels a side."""
        return Camera(
            self.width // factor, self.height // factor, self.focal / factor, self.position, self.axes
        )


@dataclass(frozen=True, slots=True)
class Parallel:
    """Rays along one direction, as light from far away: an orthographic grid.

    `axes` holds right, up and "towards the light" as columns; `centre_xy` (in those axes) is the
    grid's middle and `texel` its spacing in mm. `depth` of a point is its height towards the light.
    """

    width: int
    height: int
    texel: float
    centre_xy: tuple[float, float]
    axes: Floats

    def project(self, points: Floats) -> Floats:
        """See `View.project`."""
        local = self.axes.T @ points
        x = (local[0] - self.centre_xy[0]) / self.texel + self.width / 2
        y = (local[1] - self.centre_xy[1]) / self.texel + self.height / 2
        return np.stack([x, y])

    def height_of(self, points: Floats) -> Floats:
        """How far towards the light each point (3 x N) lies, mm."""
        return np.asarray(self.axes[:, 2] @ points, dtype=np.float32)

    def rays(self, pixels: Pixels, near: Floats) -> tuple[Rays, Floats]:
        """See `View.rays`; rays start 100 mm above `near`, so that height = start height - distance."""
        rows = pixels // self.width
        columns = pixels - rows * self.width
        start = float(self.axes[:, 2] @ near) + 100.0
        local = np.empty((3, pixels.size), dtype=np.float32)
        local[0] = (columns + (0.5 - self.width / 2)) * self.texel + self.centre_xy[0]
        local[1] = (rows + (0.5 - self.height / 2)) * self.texel + self.centre_xy[1]
        local[2] = start
        return Rays(self.axes @ local, -self.axes[:, 2:3]), np.asarray(np.float32(start))


def over_tray(size: tuple[int, int], *, field: float, tilt: float, heading: float, distance: float) -> Camera:
    """A camera of `size` (width, height) pixels whose middle row sees `field` mm of the tray.

    `tilt` is the angle from straight down, `heading` the direction it looks along, radians;
    `distance` is how many fields away it stands.
    """
    width, height = size
    away = field * distance
    backward = np.array(
        [math.sin(tilt) * -math.cos(heading), math.sin(tilt) * -math.sin(heading), math.cos(tilt)]
    )
    right = np.array([math.sin(heading), -math.cos(heading), 0.0])
    up = np.cross(backward, right)
    axes = np.stack([right, up, backward], axis=1).astype(np.float32)
    return Camera(width, height, width * distance, (backward * away).astype(np.float32), axes)


def along_light(direction: Floats, camera: Camera, *, texel: float, margin: float) -> Parallel:
    """The grid of light from `direction` (unit, towards the light) over all that the camera sees."""
    corners = np.array(
        [[0, camera.width, camera.width, 0], [0, 0, camera.height, camera.height]], dtype=np.float32
    )
    seen = camera.ground(corners)
    points = np.concatenate([seen, np.zeros((1, 4), dtype=np.float32)])
    helper = np.array([0.0, 1.0, 0.0]) if abs(direction[1]) < 0.9 else np.array([1.0, 0.0, 0.0])
    right = np.cross(helper, direction)
    right = right / np.linalg.norm(right)
    axes = np.stack([right, np.cross(direction, right), direction], axis=1).astype(np.float32)
    local = axes.T @ points
    low, high = local[:2].min(axis=1) - margin, local[:2].max(axis=1) + margin
    centre = (low + high) / 2
    width, height = (math.ceil(v / texel) for v in (high - low))
    return Parallel(int(width), int(height), texel, (float(centre[0]), float(centre[1])), axes)


def covered(view: View, hull: Floats) -> Pixels:
    """The pixels that a body within this world hull (3 x M) may cover."""
    outline = view.project(hull)
    low = np.floor(outline.min(axis=1)).astype(int) - 1
    high = np.ceil(outline.max(axis=1)).astype(int) + 2
    left, top = max(low[0], 0), max(low[1], 0)
    right, bottom = min(high[0], view.width), min(high[1], view.height)
    if right <= left or bottom <= top:
        return np.zeros(0, dtype=np.int32)
    patch = np.zeros((bottom - top, right - left), dtype=np.uint8)
    corners = (outline.T - (left, top)).astype(np.float32)
    ring = cv2.convexHull(np.round(corners).astype(np.int32))
    cv2.fillConvexPoly(patch, ring, 1)
    cv2.polylines(patch, [ring], isClosed=True, color=1, thickness=3)
    rows, columns = np.nonzero(patch)
    return np.asarray((rows + top) * view.width + (columns + left), dtype=np.int32)
