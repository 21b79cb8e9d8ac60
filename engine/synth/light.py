"""The light of a room: a key light, what shiny things mirror, and what matte things receive.

Knows directions and colours (linear RGB); not what is lit. The surroundings are a picture in the
equal-area (Lambert) projection of the sphere, straight up in its middle, blurred once for each
step of roughness.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.synth.geometry import Floats, unit
from engine.synth.materials import ROUGHNESS_STEPS, Rgb
from engine.synth.noise import fractal

_SIDE = 192
_BLUR = (0.8, 2.2, 5.0, 11.0)


@dataclass(frozen=True, slots=True)
class Light:
    """`towards` is the unit direction to the key light, `spread` its half angle in radians.

    `key_rgb` and `sky_rgb` are the key light's and the overall irradiance; `mirrors` holds one
    picture of the surroundings for each roughness, _SIDE x _SIDE x 3 float32.
    """

    towards: Floats
    spread: float
    key_rgb: Floats
    sky_rgb: Floats
    floor_rgb: Floats
    mirrors: tuple[NDArray[np.float32], ...]

    def mirrored(self, directions: Floats, roughness: int) -> Floats:
        """What is seen in these unit directions (3 x N), N x 3."""
        scale = np.float32(0.5 * _SIDE) / np.sqrt(np.maximum(2 * (1 + directions[2]), np.float32(1e-4)))
        x = directions[0] * scale + np.float32(_SIDE / 2 - 0.5)
        y = directions[1] * scale + np.float32(_SIDE / 2 - 0.5)
        # remap wants fewer than 32768 columns: fold the rays into rows.
        count = x.shape[0]
        columns = min(count, 4096)
        rows = -(-count // columns)
        padded = np.zeros((2, rows * columns), dtype=np.float32)
        padded[0, :count], padded[1, :count] = x, y
        grid = padded.reshape(2, rows, columns)
        seen = cv2.remap(
            self.mirrors[roughness], grid[0], grid[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(seen.reshape(-1, 3)[:count], dtype=np.float32)

    def ambient(self, normals: Floats) -> Floats:
        """Irradiance from everywhere but the key light for unit normals (3 x N), N x 3."""
        up = (np.float32(0.5) + np.float32(0.5) * normals[2])[:, None]
        return np.asarray(self.floor_rgb + (self.sky_rgb - self.floor_rgb) * up, dtype=np.float32)


def room(rng: np.random.Generator, floor: Rgb) -> Light:
    """A room with a key light above a tray whose mean colour is `floor` (linear RGB)."""
    height, around = math.radians(rng.uniform(38, 72)), rng.uniform(0, 2 * math.pi)
    towards = np.array(
        [math.cos(height) * math.cos(around), math.cos(height) * math.sin(around), math.sin(height)],
        dtype=np.float32,
    )
    warmth = rng.uniform(-1, 1)
    key_rgb = _tinted(warmth, 0.14) * rng.uniform(0.55, 1.5)
    sky_rgb = _tinted(-0.6 * warmth + rng.uniform(-0.3, 0.3), 0.10) * rng.uniform(0.35, 0.75)
    spread = rng.uniform(0.03, 0.22)
    floor_rgb = np.asarray(floor, dtype=np.float32) * (0.5 * sky_rgb + 0.35 * key_rgb * towards[2])
    picture = _surroundings(rng, towards, key_rgb, sky_rgb, floor_rgb, spread)
    mirrors = tuple(
        np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), dtype=np.float32)
        for sigma in _BLUR[:ROUGHNESS_STEPS]
    )
    return Light(
        towards,
        float(spread),
        key_rgb.astype(np.float32),
        sky_rgb.astype(np.float32),
        floor_rgb.astype(np.float32),
        mirrors,
    )


def _tinted(warmth: float, strength: float) -> Floats:
    """White made warmer (towards 1) or cooler (towards -1)."""
    return np.array([1 + strength * warmth, 1.0, 1 - strength * warmth], dtype=np.float32)


def _surroundings(
    rng: np.random.Generator,
    towards: Floats,
    key_rgb: Floats,
    sky_rgb: Floats,
    floor_rgb: Floats,
    spread: float,
) -> NDArray[np.float32]:
    """Ceiling, walls with things before them, lamps, windows and the tray itself."""
    directions = _sphere()
    z = directions[2].reshape(_SIDE, _SIDE)
    clutter = fractal(rng, (_SIDE, _SIDE), coarse=6, octaves=4)
    wall = np.clip(1 - np.abs(z - 0.12) / rng.uniform(0.35, 0.7), 0, 1)
    brightness = 0.38 + 0.5 * np.clip(z, 0, 1) + 0.55 * clutter * (0.35 + wall)
    brightness = np.clip(brightness, 0.04, None) * rng.uniform(0.7, 1.15)
    picture = brightness[..., None] * sky_rgb
    ground = np.clip(-z * 6 + 0.5, 0, 1)[..., None]
    picture = picture * (1 - ground) + floor_rgb * ground
    # The key light's image: as bright as its irradiance over its solid angle, within reason.
    half = max(math.tan(spread) * 1.6, 0.16)
    lamps = [(towards, half, half * rng.uniform(0.6, 1.6), key_rgb * min(1.1 / half**1.3, 8.0))]
    for _ in range(int(rng.integers(1, 4))):
        height, around = math.radians(rng.uniform(15, 75)), rng.uniform(0, 2 * math.pi)
        aside = np.array(
            [math.cos(height) * math.cos(around), math.cos(height) * math.sin(around), math.sin(height)]
        ).astype(np.float32)
        strip = rng.uniform(0.07, 0.35)
        lamps.append((aside, strip, rng.uniform(0.3, 0.9), sky_rgb * rng.uniform(1.6, 4.0)))
    for aside, wide, tall, rgb in lamps:
        picture += _softbox(directions, aside, wide, tall, rng.uniform(0, math.pi)) * rgb
    # The camera and whoever holds it: a dark patch near straight up.
    holder = np.array([rng.uniform(-0.4, 0.4), rng.uniform(-0.4, 0.4), 1.0], dtype=np.float32)
    shade = _softbox(directions, unit(holder[:, None])[:, 0], 0.22, 0.3, rng.uniform(0, math.pi))
    return np.asarray(picture * (1 - 0.6 * shade), dtype=np.float32)


def _sphere() -> Floats:
    """The direction that each texel of the surroundings shows, 3 x (_SIDE * _SIDE)."""
    axis = (np.arange(_SIDE, dtype=np.float32) + 0.5) / (_SIDE / 2) - 1
    x, y = np.meshgrid(axis, axis)
    square = np.minimum(x * x + y * y, 1)
    flat = 2 * np.sqrt(1 - square)
    return np.stack([(x * flat).ravel(), (y * flat).ravel(), (1 - 2 * square).ravel()]).astype(np.float32)


def _softbox(directions: Floats, towards: Floats, wide: float, tall: float, roll: float) -> Floats:
    """How much of a rectangular lamp each direction sees, _SIDE x _SIDE x 1, with soft borders."""
    helper = np.array([0.0, 0.0, 1.0]) if abs(towards[2]) < 0.95 else np.array([1.0, 0.0, 0.0])
    right = np.cross(helper, towards)
    right /= np.linalg.norm(right)
    up = np.cross(towards, right)
    a = right * math.cos(roll) + up * math.sin(roll)
    b = up * math.cos(roll) - right * math.sin(roll)
    ahead = np.asarray(towards, dtype=np.float32) @ directions
    safe = np.maximum(ahead, 0.05)
    across = np.abs(a.astype(np.float32) @ directions) / safe
    along = np.abs(b.astype(np.float32) @ directions) / safe
    soft = 0.05
    inside = np.clip((wide - across) / soft + 0.5, 0, 1) * np.clip((tall - along) / soft + 0.5, 0, 1)
    return np.asarray((inside * (ahead > 0.05)).reshape(_SIDE, _SIDE, 1), dtype=np.float32)
