"""Random textures: smooth noise at many scales, made by enlarging small random pictures."""

from __future__ import annotations

import cv2
import numpy as np

from engine.synth.geometry import Floats


def smooth(rng: np.random.Generator, shape: tuple[int, int], cells: tuple[float, float]) -> Floats:
    """Noise (H x W, mean about 0, deviation about 1) whose grain is `cells` pixels high and wide."""
    rows = max(2, round(shape[0] / cells[0]) + 2)
    columns = max(2, round(shape[1] / cells[1]) + 2)
    small = rng.standard_normal((rows, columns), dtype=np.float32)
    return np.asarray(cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC))


def fractal(
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    coarse: float,
    octaves: int,
    stretch: float = 1.0,
    fade: float = 0.55,
) -> Floats:
    """Noise at `octaves` scales, H x W, deviation about 1.

    The coarsest grain is the height divided by `coarse`; every next one is half as large and `fade`
    times as strong. `stretch` > 1 draws the grain out along the rows.
    """
    total = np.zeros(shape, dtype=np.float32)
    cell, weight, power = shape[0] / coarse, 1.0, 0.0
    for _ in range(octaves):
        if cell < 1:
            break
        total += np.float32(weight) * smooth(rng, shape, (cell, cell * stretch))
        power += weight**2
        cell, weight = cell / 2, weight * fade
    return total / np.float32(max(power, 1e-6) ** 0.5 * 0.75)


def grain(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """White noise, H x W, deviation 1."""
    return rng.standard_normal(shape, dtype=np.float32)
