"""What surfaces are made of: metals, plastics, wood and paper, as numbers a renderer understands.

Knows colours (linear RGB, 0 to 1) and finishes; no shapes and no light.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from engine.synth.geometry import Floats

Rgb: TypeAlias = tuple[float, float, float]

ROUGHNESS_STEPS = 4
"""A material's roughness is 0 (mirror) to ROUGHNESS_STEPS - 1 (satin)."""


@dataclass(frozen=True, slots=True)
class Material:
    """A finish.

    `reflectance` is the mirror colour seen head-on, `diffuse` the body colour (near 0 for a clean
    metal). `turned` is the strength of lathe marks, `speckle` of fine bumps, `grime` how much of
    the surface dirt, oil or rust of colour `grime_rgb` may cover (0 to 1).
    """

    reflectance: Rgb
    diffuse: Rgb
    roughness: int
    turned: float = 0.0
    speckle: float = 0.0
    grime: float = 0.0
    grime_rgb: Rgb = (0.09, 0.055, 0.03)
    pattern: Callable[[Floats], Floats] | None = None


_METALS: dict[str, Material] = {
    "zinc": Material((0.72, 0.74, 0.77), (0.05, 0.05, 0.055), 2, 0.03, 0.05, 0.12, (0.30, 0.29, 0.27)),
    "yellow_zinc": Material((0.78, 0.66, 0.40), (0.06, 0.05, 0.02), 2, 0.03, 0.05, 0.15),
    "steel": Material((0.58, 0.57, 0.55), (0.03, 0.03, 0.03), 1, 0.07, 0.03, 0.25, (0.16, 0.085, 0.045)),
    "stainless": Material((0.68, 0.67, 0.64), (0.02, 0.02, 0.02), 1, 0.05, 0.02, 0.05),
    "brass": Material((0.86, 0.64, 0.27), (0.05, 0.03, 0.01), 1, 0.05, 0.02, 0.15, (0.11, 0.07, 0.03)),
    "copper": Material((0.90, 0.55, 0.41), (0.05, 0.02, 0.01), 1, 0.05, 0.03, 0.25, (0.09, 0.05, 0.03)),
    "black_oxide": Material((0.10, 0.10, 0.11), (0.012, 0.012, 0.014), 2, 0.05, 0.06, 0.1),
    "rusty": Material((0.35, 0.28, 0.22), (0.10, 0.05, 0.03), 3, 0.03, 0.14, 0.75, (0.22, 0.085, 0.03)),
    "galvanised": Material((0.52, 0.54, 0.56), (0.10, 0.105, 0.11), 3, 0.0, 0.10, 0.2, (0.33, 0.33, 0.32)),
}

METALS = tuple(_METALS)
_COMMON = (0.30, 0.10, 0.17, 0.13, 0.11, 0.03, 0.10, 0.03, 0.03)


def metal(name: str, rng: np.random.Generator) -> Material:
    """The named finish with the small differences that two boxes of the same part have."""
    base = _METALS[name]
    gain = rng.uniform(0.9, 1.08)
    return replace(
        base,
        reflectance=_scaled(base.reflectance, gain, rng),
        grime=float(base.grime * rng.uniform(0.0, 1.6)),
        turned=float(base.turned * rng.uniform(0.5, 1.4)),
        speckle=float(base.speckle * rng.uniform(0.6, 1.5)),
    )


def any_metal(rng: np.random.Generator) -> str:
    """The name of a finish, common ones more often."""
    return str(rng.choice(METALS, p=_COMMON))


def plastic(rgb: Rgb, *, gloss: int = 1, speckle: float = 0.01) -> Material:
    """Coloured plastic or lacquer: a body colour under a clear mirror of 4 %."""
    return Material((0.04, 0.04, 0.04), rgb, gloss, speckle=speckle)


def matte(rgb: Rgb, *, pattern: Callable[[Floats], Floats] | None = None) -> Material:
    """Paper, wood, rubber: a body colour with hardly any mirror."""
    return Material((0.015, 0.015, 0.015), rgb, ROUGHNESS_STEPS - 1, speckle=0.03, pattern=pattern)


def wood_grain(rng: np.random.Generator) -> Callable[[Floats], Floats]:
    """A pattern of growth rings along x: points (3 x N) to a factor on the colour (N)."""
    across, wobble, phase = rng.uniform(3, 6), rng.uniform(0.3, 0.8), rng.uniform(0, 6)

    def tint(points: Floats) -> Floats:
        wave = across * (points[1] + points[2]) + wobble * np.sin(0.35 * points[0] + phase)
        fine = 0.07 * np.sin(9.1 * wave)
        return np.asarray(0.82 + 0.16 * np.sin(wave) + fine, dtype=np.float32)

    return tint


def print_lines(rng: np.random.Generator) -> Callable[[Floats], Floats]:
    """A pattern of printed text on paper: points (3 x N) to a factor on the colour (N)."""
    spacing, size, seed = rng.uniform(2.4, 4.0), rng.uniform(0.32, 0.5), int(rng.integers(1 << 30))
    dark = rng.uniform(0.1, 0.35)

    def tint(points: Floats) -> Floats:
        row = np.floor(points[1] / spacing)
        in_row = points[1] / spacing - row
        letter = np.floor(points[0] / (0.42 * spacing))
        inside = points[0] / (0.42 * spacing) - letter
        # A hash of row and letter: some cells stay blank as the gaps between words.
        mixed = np.sin(letter * 12.9898 + row * 78.233 + seed % 1000) * 43758.5453
        value = mixed - np.floor(mixed)
        bars = np.abs(np.sin((inside * (2 + 2 * value) + value) * math.pi * 2)) > 0.55
        ink = (in_row < size) & (value > 0.2) & (inside < 0.8) & bars
        return np.where(ink, np.float32(dark), np.float32(1.0))

    return tint


def _scaled(rgb: Rgb, gain: float, rng: np.random.Generator) -> Rgb:
    """The colour brighter or darker, each channel a little on its own."""
    red, green, blue = (float(np.clip(v * gain * rng.uniform(0.97, 1.03), 0, 0.97)) for v in rgb)
    return red, green, blue
