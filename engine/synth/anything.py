"""Grounds of any colour and structure, for training alone: nothing is learned of a ground but that it is one.

None of them is made as a test ground is: no holes or dots in rows, no flutes, staves, felt or slate.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from engine.synth.backgrounds import (
    Ground,
    Maker,
    Shape,
    any_colour,
    blend,
    coloured,
    jittered,
    linear,
    millimetres,
)
from engine.synth.geometry import Floats
from engine.synth.noise import fractal, grain, smooth


def _turned(rng: np.random.Generator, shape: Shape, mm: float) -> tuple[Floats, Floats]:
    """The coordinates of every texel in mm in a frame turned at random, each H x W."""
    x, y = millimetres(shape, mm)
    angle = rng.uniform(0, math.pi)
    cosine, sine = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    return np.asarray(x * cosine + y * sine), np.asarray(y * cosine - x * sine)


def _painted(rng: np.random.Generator, shape: Shape) -> Floats:
    """One paint on all of it, H x W x 3."""
    return coloured(np.ones(shape, dtype=np.float32), any_colour(rng, dull=rng.uniform(0, 0.8)))


def _camouflage(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    albedo = _painted(rng, shape)
    coarse = shape[0] * mm / rng.uniform(8, 60)
    for _ in range(int(rng.integers(1, 5))):
        field = fractal(rng, shape, coarse=coarse, octaves=4, fade=rng.uniform(0.3, 0.7))
        edge = rng.uniform(2, 30)
        over = np.clip((field - rng.uniform(0.1, 0.9)) * edge + 0.5, 0, 1)
        albedo = blend(albedo, any_colour(rng, dull=rng.uniform(0, 0.8)), over)
    return Ground(albedo, np.asarray(0.03 * grain(rng, shape), dtype=np.float32), 0.03, 3)


def _scraps(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    """Paper cut to pieces, one lying over the other."""
    albedo, bump = _painted(rng, shape), np.zeros(shape, dtype=np.float32)
    for number in range(int(rng.integers(6, 30))):
        middle = rng.uniform(0, 1, 2) * (shape[1], shape[0])
        around = np.sort(rng.uniform(0, 2 * math.pi, int(rng.integers(3, 8))))
        reach = rng.uniform(6, 45) / mm
        corners = middle[:, None] + reach * np.stack([np.cos(around), np.sin(around)])
        patch = np.zeros(shape, dtype=np.uint8)
        cv2.fillPoly(patch, [np.round(corners.T).astype(np.int32)], 255, cv2.LINE_AA)
        over = np.asarray(patch / np.float32(255), dtype=np.float32)
        albedo = blend(albedo, any_colour(rng, dull=rng.uniform(0, 0.9)), over)
        bump = bump * (1 - over) + over * np.float32(0.15 * (number % 5))
    albedo = albedo * (1 + 0.04 * fractal(rng, shape, coarse=6, octaves=4)[..., None])
    return Ground(np.clip(albedo, 0.003, 0.95), bump)


def _gravel(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    """Pebbles side by side, each with a tone of its own."""
    pitch = rng.uniform(3, 14) / mm
    rows, columns = math.ceil(shape[0] / pitch), math.ceil(shape[1] / pitch)
    seeds = np.full(shape, 255, dtype=np.uint8)
    y = (np.arange(rows)[:, None] + rng.uniform(0.1, 0.9, (rows, columns))) * pitch
    x = (np.arange(columns)[None, :] + rng.uniform(0.1, 0.9, (rows, columns))) * pitch
    seeds[np.minimum(y.astype(int), shape[0] - 1), np.minimum(x.astype(int), shape[1] - 1)] = 0
    distance, owner = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    tones = rng.uniform(0.35, 1.35, int(owner.max()) + 1).astype(np.float32)
    dome = np.clip(1 - (distance / np.float32(0.6 * pitch)) ** 2, 0, 1)
    albedo = coloured(tones[owner] * (0.35 + 0.65 * dome), any_colour(rng, dull=rng.uniform(0.3, 0.9)))
    return Ground(np.clip(albedo, 0.003, 0.9), np.asarray(rng.uniform(0.2, 1.2) * dome, dtype=np.float32))


def _tartan(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    """Stripes of any width and colour, along and across."""
    albedo = _painted(rng, shape)
    for along in _turned(rng, shape, mm)[: int(rng.integers(1, 3))]:
        pitch = rng.uniform(4, 50)
        for _ in range(int(rng.integers(1, 4))):
            wide, at = rng.uniform(0.05, 0.35), rng.uniform(0, 1)
            away = np.abs((along / pitch - at) - np.round(along / pitch - at))
            over = np.clip((wide / 2 - away) * pitch / (1.5 * mm) + 0.5, 0, 1) * rng.uniform(0.3, 1)
            albedo = blend(albedo, any_colour(rng, dull=rng.uniform(0, 0.7)), over)
    threads = 0.08 * smooth(rng, shape, (max(0.4 / mm, 1), max(0.4 / mm, 1)))
    return Ground(np.clip(albedo * (1 + threads[..., None]), 0.003, 0.95), 0.5 * threads)


def _foil(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    """Crumpled foil: facets that mirror."""
    folds = np.abs(fractal(rng, shape, coarse=shape[0] * mm / rng.uniform(12, 40), octaves=4, fade=0.5))
    tint = jittered(rng, (0.6, 0.6, 0.6), 0.3)
    albedo = coloured(np.full(shape, rng.uniform(0.3, 0.8), dtype=np.float32), tint)
    bump = np.asarray(rng.uniform(0.4, 2.0) * folds, dtype=np.float32)
    return Ground(albedo, bump, rng.uniform(0.25, 0.6), int(rng.integers(1, 4)))


def _carpet(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    """Hairs that mostly lie one way."""
    fine, long = max(0.3 / mm, 1.0), rng.uniform(1.5, 8) / mm
    cells = (fine, long) if rng.random() < 0.5 else (long, fine)
    hairs = smooth(rng, shape, cells) + 0.5 * grain(rng, shape)
    tread = fractal(rng, shape, coarse=3, octaves=3)
    tone = np.clip(1 + rng.uniform(0.1, 0.3) * hairs + 0.1 * tread, 0.1, 2.5)
    albedo = coloured(tone, any_colour(rng, dull=rng.uniform(0, 0.8)))
    return Ground(np.clip(albedo, 0.003, 0.95), np.asarray(0.12 * hairs, dtype=np.float32))


def _acrylic(rng: np.random.Generator, shape: Shape, _mm: float) -> Ground:
    """A smooth sheet that mirrors the room."""
    cloud = fractal(rng, shape, coarse=1.5, octaves=2)
    albedo = _painted(rng, shape) * (1 + rng.uniform(0, 0.15) * cloud[..., None])
    bump = np.asarray(rng.uniform(0, 0.3) * cloud, dtype=np.float32)
    return Ground(np.clip(albedo, 0.003, 0.95), bump, rng.uniform(0.04, 0.2), int(rng.integers(0, 3)))


def _marble(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    along, _across = _turned(rng, shape, mm)
    warp = fractal(rng, shape, coarse=4, octaves=6, fade=0.6)
    veins = np.abs(np.sin(along * np.float32(rng.uniform(0.02, 0.2)) + rng.uniform(1, 4) * warp))
    over = np.asarray(np.clip(1 - veins * rng.uniform(1, 5), 0, 1), dtype=np.float32)
    albedo = blend(_painted(rng, shape), any_colour(rng, dull=rng.uniform(0.2, 0.9)), over)
    albedo = albedo * (1 + 0.06 * warp[..., None])
    return Ground(np.clip(albedo, 0.003, 0.95), 0.02 * warp, rng.uniform(0.02, 0.1), int(rng.integers(1, 4)))


def _rust(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    albedo = coloured(np.ones(shape, dtype=np.float32), jittered(rng, linear((112, 66, 44)), 0.3))
    fields = [fractal(rng, shape, coarse=rng.uniform(3, 12), octaves=6, fade=0.7) for _ in range(3)]
    for field, rgb in zip(fields, ((176, 98, 44), (58, 42, 38), (140, 138, 134)), strict=True):
        over = np.clip((field - rng.uniform(0.2, 1.2)) * rng.uniform(1, 8), 0, 1)
        albedo = blend(albedo, jittered(rng, linear(rgb), 0.3), over)
    pits = np.clip(smooth(rng, shape, (max(0.8 / mm, 1), max(0.8 / mm, 1))), -2, 2)
    return Ground(albedo, np.asarray(0.08 * fields[0] + 0.04 * pits, dtype=np.float32), 0.05, 3)


def _poster(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    """Shapes and words printed in any colours."""
    albedo = _painted(rng, shape)
    for _ in range(int(rng.integers(6, 30))):
        ink = np.zeros(shape, dtype=np.uint8)
        x, y = (int(v) for v in rng.uniform(0, 1, 2) * (shape[1], shape[0]))
        size, kind = rng.uniform(3, 30) / mm, rng.random()
        wide = -1 if rng.random() < 0.5 else max(1, int(rng.uniform(0.3, 3) / mm))
        if kind < 0.3:
            axes = (max(1, int(size)), max(1, int(size * rng.uniform(0.3, 1))))
            cv2.ellipse(ink, (x, y), axes, rng.uniform(0, 180), 0, 360, 255, wide, cv2.LINE_AA)
        elif kind < 0.65:
            box = ((float(x), float(y)), (size, size * rng.uniform(0.2, 2)), rng.uniform(0, 90))
            corners = np.round(cv2.boxPoints(box)).astype(np.int32)
            if wide < 0:
                cv2.fillPoly(ink, [corners], 255, cv2.LINE_AA)
            else:
                cv2.polylines(ink, [corners], True, 255, wide, cv2.LINE_AA)
        else:
            word = "".join(chr(int(c)) for c in rng.integers(65, 91, int(rng.integers(2, 9))))
            stroke = max(1, int(size / 8))
            cv2.putText(ink, word, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size / 22, 255, stroke, cv2.LINE_AA)
        over = np.asarray(ink / np.float32(255), dtype=np.float32) * np.float32(rng.uniform(0.4, 1))
        albedo = blend(albedo, any_colour(rng, dull=rng.uniform(0, 0.9)), over)
    return Ground(
        albedo, np.asarray(0.01 * grain(rng, shape), dtype=np.float32), 0.04, int(rng.integers(1, 4))
    )


WIDE: dict[str, Maker] = {
    "camouflage": _camouflage,
    "scraps": _scraps,
    "gravel": _gravel,
    "tartan": _tartan,
    "foil": _foil,
    "carpet": _carpet,
    "acrylic": _acrylic,
    "marble": _marble,
    "rust": _rust,
    "poster": _poster,
}
