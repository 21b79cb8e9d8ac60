"""What the parts lie on: procedural wood, metal, cloth, stone, cardboard, mats and trays.

Every ground is made for a patch of the floor at a given scale. Which of them a picture may have is
decided in `engine.synth.grounds`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np

from engine.synth.geometry import Floats
from engine.synth.materials import Rgb
from engine.synth.noise import fractal, grain, smooth

Shape: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Ground:
    """A patch of floor: `albedo` H x W x 3 linear RGB, `bump` H x W relief in mm.

    `mirror` is its reflectance seen head-on (0 for matte), `roughness` as in `Material`.
    """

    albedo: Floats
    bump: Floats
    mirror: float = 0.0
    roughness: int = 3


Maker: TypeAlias = Callable[[np.random.Generator, Shape, float], Ground]


def linear(rgb: tuple[int, int, int]) -> Rgb:
    """An 8-bit sRGB colour as linear RGB."""
    red, green, blue = ((v / 255) ** 2.2 for v in rgb)
    return red, green, blue


def coloured(tone: Floats, rgb: Rgb) -> Floats:
    """A brightness picture (H x W) in one colour, H x W x 3."""
    return np.asarray(tone[..., None] * np.asarray(rgb, dtype=np.float32), dtype=np.float32)


def blend(under: Floats, over: Rgb, amount: Floats) -> Floats:
    """`over` laid on `under` where `amount` (H x W, 0 to 1) says so."""
    weight = amount[..., None]
    return np.asarray(under * (1 - weight) + np.asarray(over, dtype=np.float32) * weight, dtype=np.float32)


def millimetres(shape: Shape, mm: float) -> tuple[Floats, Floats]:
    """The x and y of every texel in mm, as a row and a column that broadcast."""
    x = (np.arange(shape[1], dtype=np.float32) * np.float32(mm))[None, :]
    y = (np.arange(shape[0], dtype=np.float32) * np.float32(mm))[:, None]
    return x, y


def jittered(rng: np.random.Generator, rgb: Rgb, amount: float = 0.12) -> Rgb:
    """The colour with a little of another one in it."""
    red, green, blue = (float(np.clip(v * (1 + amount * rng.uniform(-1, 1)), 0.003, 0.9)) for v in rgb)
    return red, green, blue


def any_colour(rng: np.random.Generator, *, dull: float) -> Rgb:
    """A random paint, from grey (`dull` 1) to saturated (`dull` 0)."""
    hue, value = rng.uniform(0, 6), rng.uniform(0.05, 0.6)
    saturation = rng.uniform(0, 0.85) * (1 - dull)
    red, green, blue = (
        value * (1 - saturation * (0.5 + 0.5 * math.cos(hue * math.pi / 3 - k * 2.0944))) for k in range(3)
    )
    return red, green, blue


def _wood(rng: np.random.Generator, shape: Shape, mm: float, light: Rgb, dark: Rgb, board: float) -> Ground:
    """Boards with growth rings, pores along the grain and dark joints."""
    x, y = millimetres(shape, mm)
    # Joints lie at whole multiples of a board's width.
    number = np.floor(y / board)
    shift = np.sin(number * 12.99) * 43.7
    warp = fractal(rng, shape, coarse=3, octaves=3, stretch=5)
    rings = np.sin((y * 0.55 + shift + 2.6 * warp + 0.02 * x) * 2.0)
    fibre = smooth(rng, shape, (max(0.25 / mm, 1.0), 9 / mm))
    pores = np.clip(smooth(rng, shape, (max(0.3 / mm, 1.0), 4 / mm)) - 1.2, 0, 1)
    tone = 0.5 + 0.22 * rings + 0.13 * fibre + 0.1 * np.sin(shift)
    tone = np.clip(tone + 0.1 * warp, 0, 1)
    albedo = coloured(1 - tone, dark) + coloured(tone, light)
    from_joint = np.abs(y / board - np.round(y / board)) * board
    seam = np.clip((0.6 - from_joint) / 0.4, 0, 1) + 0 * x
    albedo = albedo * (1 - 0.35 * pores[..., None]) * (1 - 0.75 * seam[..., None])
    bump = 0.03 * fibre - 0.1 * pores - 0.5 * seam
    return Ground(np.asarray(albedo, dtype=np.float32), np.asarray(bump, dtype=np.float32))


def _pine(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    light = jittered(rng, linear((226, 187, 132)))
    return _wood(rng, shape, mm, light, jittered(rng, linear((170, 112, 62))), rng.uniform(45, 110))


def _brushed_steel(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    brush = smooth(rng, shape, (max(0.12 / mm, 1.0), 14 / mm))
    long = smooth(rng, shape, (max(0.3 / mm, 1.0), 60 / mm))
    blotch = fractal(rng, shape, coarse=4, octaves=4)
    tone = np.clip(0.26 + 0.05 * brush + 0.04 * long + 0.02 * blotch, 0.02, 1)
    albedo = coloured(tone, jittered(rng, (0.98, 1.0, 1.03), 0.03))
    scratches = _scratches(rng, shape, mm, count=int(rng.integers(4, 25)))
    albedo = blend(albedo, (0.6, 0.6, 0.6), 0.5 * scratches)
    return Ground(albedo, np.asarray(0.012 * brush + 0.012 * long, dtype=np.float32), 0.42, 3)


def _cutting_mat(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    palette = ((24, 94, 74), (28, 66, 110), (62, 64, 68), (120, 36, 60), (20, 20, 24))
    base = jittered(rng, linear(palette[int(rng.integers(len(palette)))]))
    ink = linear((214, 214, 176)) if rng.random() < 0.7 else linear((230, 230, 230))
    x, y = millimetres(shape, mm)
    pebble = smooth(rng, shape, (max(0.5 / mm, 1.2), max(0.5 / mm, 1.2)))
    wear = fractal(rng, shape, coarse=4, octaves=4)
    albedo = coloured(np.clip(1 + 0.05 * pebble + 0.08 * wear, 0.3, 2), base)
    lines = np.zeros(shape, dtype=np.float32)
    for spacing, wide, strength in ((10.0, 0.16, 0.5), (50.0, 0.35, 0.8)):
        for axis in (x, y):
            away = np.abs(axis / spacing - np.round(axis / spacing)) * spacing
            lines = np.maximum(lines, np.clip((wide - away) / mm + 0.5, 0, 1) * strength)
    albedo = blend(albedo, ink, lines * np.clip(0.85 + 0.2 * wear, 0, 1))
    cuts = _scratches(rng, shape, mm, count=int(rng.integers(5, 40)))
    albedo = albedo * (1 - 0.3 * cuts[..., None])
    return Ground(albedo, np.asarray(0.02 * pebble - 0.1 * cuts, dtype=np.float32))


def _twill(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    x, y = millimetres(shape, mm)
    warp = fractal(rng, shape, coarse=3, octaves=2)
    pitch = rng.uniform(0.9, 1.6)
    weave = np.sin((x + y + 0.5 * warp) * (2 * math.pi / pitch))
    thread = np.sin((x - y * 0.4 + 0.3 * warp) * (2 * math.pi / pitch * 1.7))
    fuzz = grain(rng, shape)
    wrinkles = fractal(rng, shape, coarse=2, octaves=2, stretch=2)
    tone = np.clip(0.95 + 0.13 * weave + 0.08 * thread + 0.10 * fuzz, 0.2, 2)
    bump = 0.10 * weave + 0.03 * thread + 0.9 * wrinkles
    return Ground(coloured(tone, any_colour(rng, dull=0.35)), np.asarray(bump, dtype=np.float32))


def _concrete(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    cloud = fractal(rng, shape, coarse=3, octaves=6)
    sand = smooth(rng, shape, (max(0.4 / mm, 1), max(0.4 / mm, 1)))
    pits = np.clip(smooth(rng, shape, (1.6 / mm, 1.6 / mm)) - 2.1, 0, 0.6)
    tone = np.clip(0.34 + 0.022 * cloud + 0.022 * sand, 0.05, 1) * (1 - 0.8 * pits)
    albedo = coloured(tone, jittered(rng, (1.0, 0.97, 0.92), 0.05))
    return Ground(albedo, np.asarray(0.035 * sand + 0.05 * cloud - 0.6 * pits, dtype=np.float32))


def _ribbed_tray(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    x, y = millimetres(shape, mm)
    pitch, wide = rng.uniform(7, 16), rng.uniform(0.9, 1.8)
    away = np.abs(y / pitch - np.round(y / pitch)) * pitch
    ribs = np.clip((wide - away) / 0.5, 0, 1) * 0.7
    ribs = ribs + 0 * x
    skin = smooth(rng, shape, (max(0.35 / mm, 1), max(0.35 / mm, 1)))
    scuff = np.clip(fractal(rng, shape, coarse=5, octaves=5), 0, None)
    albedo = coloured(np.clip(1 + 0.05 * scuff, 0, 2), any_colour(rng, dull=0.1))
    dust = _scratches(rng, shape, mm, count=int(rng.integers(5, 30)))
    albedo = blend(albedo, (0.5, 0.5, 0.5), 0.12 * dust + 0.03 * np.clip(scuff, 0, 2))
    return Ground(albedo, np.asarray(ribs + 0.012 * skin, dtype=np.float32), 0.045, 2)


def _painted_sheet(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    peel = smooth(rng, shape, (1.1 / mm, 1.1 / mm))
    cloud = fractal(rng, shape, coarse=2, octaves=4)
    albedo = coloured(np.clip(1 + 0.03 * cloud, 0, 2), any_colour(rng, dull=0.3))
    chips = np.clip((fractal(rng, shape, coarse=12, octaves=3) - 2.6) * 4, 0, 1)
    albedo = blend(albedo, linear((96, 80, 70)), chips)
    marks = _scratches(rng, shape, mm, count=int(rng.integers(3, 20)))
    albedo = blend(albedo, (0.45, 0.45, 0.45), 0.4 * marks)
    return Ground(albedo, np.asarray(0.02 * peel - 0.1 * chips, dtype=np.float32), 0.04, 2)


def _drawing(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    """A workshop drawing: paper with lines, circles and lettering."""
    fibre = grain(rng, shape)
    cloud = fractal(rng, shape, coarse=3, octaves=4)
    tone = np.clip(0.78 + 0.012 * fibre + 0.02 * cloud, 0, 0.95)
    ink = np.zeros(shape, dtype=np.uint8)
    wide = max(1, round(0.35 / mm))
    for _ in range(int(rng.integers(10, 26))):
        a = rng.uniform(0, 1, 2) * (shape[1], shape[0])
        if rng.random() < 0.35:
            radius = rng.uniform(4, 25) / mm
            cv2.circle(ink, (int(a[0]), int(a[1])), int(radius), 255, wide, cv2.LINE_AA)
        else:
            b = a.copy()
            b[int(rng.integers(2))] += rng.uniform(-90, 90) / mm
            cv2.line(ink, (int(a[0]), int(a[1])), (int(b[0]), int(b[1])), 255, wide, cv2.LINE_AA)
    for _ in range(int(rng.integers(6, 20))):
        a = rng.uniform(0, 1, 2) * (shape[1], shape[0])
        text = f"{rng.choice(['M', 'R', 'D', ''])}{rng.uniform(2, 120):.1f}"
        size = rng.uniform(2.5, 4.5) / mm / 22
        cv2.putText(ink, text, (int(a[0]), int(a[1])), cv2.FONT_HERSHEY_SIMPLEX, size, 255, wide, cv2.LINE_AA)
    drawn = np.asarray(ink / np.float32(255 / 0.8), dtype=np.float32)
    albedo = blend(coloured(tone, (1.0, 0.99, 0.95)), linear((40, 44, 60)), drawn)
    folds = fractal(rng, shape, coarse=1.5, octaves=2)
    return Ground(albedo, np.asarray(0.5 * folds + 0.006 * fibre, dtype=np.float32))


def _speckled_laminate(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    base = any_colour(rng, dull=0.75)
    albedo = coloured(np.ones(shape, dtype=np.float32), base)
    for size, level in ((0.7, 1.3), (1.2, 1.6), (0.5, 1.4)):
        cell = max(size / mm, 1.0)
        spots = np.clip((smooth(rng, shape, (cell, cell)) - level) * 3, 0, 1)
        albedo = blend(albedo, any_colour(rng, dull=0.7), spots)
    return Ground(albedo, 0.004 * grain(rng, shape), 0.045, 1 + int(rng.integers(2)))


def _rubber(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    pebble = fractal(rng, shape, coarse=shape[0] * mm / 2.2, octaves=2)
    dust = np.clip(fractal(rng, shape, coarse=5, octaves=5), 0, None)
    base = jittered(rng, linear((52, 52, 54))) if rng.random() < 0.7 else any_colour(rng, dull=0.4)
    albedo = blend(coloured(np.clip(1 + 0.08 * pebble, 0, 2), base), (0.4, 0.38, 0.35), 0.05 * dust)
    return Ground(albedo, np.asarray(0.09 * pebble, dtype=np.float32), 0.03, 3)


def _cardboard(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    _x, y = millimetres(shape, mm)
    flutes = np.sin(y * (2 * math.pi / rng.uniform(6, 8)))
    cloud = fractal(rng, shape, coarse=3, octaves=5)
    fibre = smooth(rng, shape, (max(0.3 / mm, 1), 2.4 / mm))
    flecks = np.clip(smooth(rng, shape, (max(0.4 / mm, 1), 1.4 / mm)) - 2.2, 0, 1)
    tone = np.clip(1 + 0.025 * flutes + 0.05 * cloud + 0.05 * fibre, 0, 2) * (1 - 0.5 * flecks)
    albedo = coloured(tone, jittered(rng, linear((190, 148, 104)), 0.08))
    bump = 0.06 * flutes + 0.02 * fibre + 0.12 * cloud
    return Ground(albedo, np.asarray(bump, dtype=np.float32))


def _slate(rng: np.random.Generator, shape: Shape, _mm: float) -> Ground:
    layers = fractal(rng, shape, coarse=4, octaves=6, stretch=2.2, fade=0.62)
    cleft = np.abs(fractal(rng, shape, coarse=2.5, octaves=5, stretch=3))
    steps = np.clip(1 - cleft * 9, 0, 1)
    tone = np.clip(0.075 + 0.016 * layers, 0.01, 1) * (1 - 0.45 * steps)
    albedo = coloured(tone, jittered(rng, (0.92, 1.0, 1.08), 0.06))
    return Ground(albedo, np.asarray(0.28 * layers - 0.3 * steps, dtype=np.float32), 0.03, 3)


def _felt(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    palette = ((58, 92, 70), (112, 48, 50), (58, 68, 98), (92, 92, 96), (150, 138, 120))
    base = jittered(rng, linear(palette[int(rng.integers(len(palette)))]))
    wool = fractal(rng, shape, coarse=shape[0] * mm / 3.0, octaves=4, fade=0.8)
    hairs = cv2.GaussianBlur(grain(rng, shape), (0, 0), 0.8) * 2.2
    tone = np.clip(1 + 0.12 * wool + 0.10 * hairs, 0.2, 2.2)
    lint = np.clip((smooth(rng, shape, (max(0.5 / mm, 1), 2.5 / mm)) - 2.9) * 2, 0, 1)
    albedo = blend(coloured(tone, base), (0.6, 0.6, 0.58), 0.5 * lint)
    return Ground(albedo, np.asarray(0.09 * wool + 0.04 * hairs, dtype=np.float32))


def _butcher_block(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    """Dark staves glued side by side, each with a tone and joints of its own."""
    x, y = millimetres(shape, mm)
    stave, length = rng.uniform(18, 30), rng.uniform(110, 180)
    row = np.floor(y / stave)
    column = np.floor((x + 61.7 * row) / length)
    mixed = np.sin(row * 12.9898 + column * 78.233) * 43758.5453
    value = (mixed - np.floor(mixed)).astype(np.float32)
    warp = fractal(rng, shape, coarse=4, octaves=3, stretch=7)
    lines = np.sin((y * 1.4 + value * 40 + 1.8 * warp) * 2.2)
    fibre = smooth(rng, shape, (max(0.25 / mm, 1), 11 / mm))
    tone = np.clip(0.25 + 0.6 * value + 0.12 * lines + 0.12 * fibre, 0, 1)
    albedo = coloured(1 - tone, jittered(rng, linear((66, 40, 26))))
    albedo = albedo + coloured(tone, jittered(rng, linear((146, 96, 60))))
    along = np.abs(y / stave - np.round(y / stave)) * stave
    across = np.abs((x + 61.7 * row) / length - np.round((x + 61.7 * row) / length)) * length
    seam = np.clip((0.35 - np.minimum(along, across)) / 0.3, 0, 1)
    albedo = albedo * (1 - 0.6 * seam[..., None])
    return Ground(albedo, np.asarray(0.02 * fibre - 0.25 * seam, dtype=np.float32), 0.04, 2)


def _pegboard(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    """Oiled hardboard with rows of holes."""
    x, y = millimetres(shape, mm)
    pitch, radius = 25.0, rng.uniform(1.8, 2.6)
    x0, y0 = rng.uniform(0, pitch, 2)
    away_x = (x - x0) - np.round((x - x0) / pitch) * pitch
    away_y = (y - y0) - np.round((y - y0) / pitch) * pitch
    distance = np.hypot(away_x, away_y)
    hole = np.clip((radius - distance) / (2 * mm) + 0.5, 0, 1)
    rim = np.exp(-(((distance - radius - 0.25) / 0.3) ** 2))
    fibre = fractal(rng, shape, coarse=shape[0] * mm / 4, octaves=4, fade=0.75)
    stain = fractal(rng, shape, coarse=3, octaves=4)
    tone = np.clip(1 + 0.06 * fibre + 0.08 * stain, 0, 2) * (1 - 0.25 * rim)
    albedo = coloured(tone, jittered(rng, linear((140, 92, 56)))) * (1 - 0.93 * hole[..., None])
    bump = 0.02 * fibre - 0.3 * hole
    return Ground(np.asarray(albedo, dtype=np.float32), np.asarray(bump, dtype=np.float32), 0.03, 2)


def _dotted_mat(rng: np.random.Generator, shape: Shape, mm: float) -> Ground:
    """A drawer mat with raised dots in staggered rows."""
    x, y = millimetres(shape, mm)
    pitch, radius = rng.uniform(5.5, 8), rng.uniform(1.2, 1.9)
    row = np.round(y / (pitch * 0.866))
    away_y = y - row * pitch * 0.866
    shifted = x + (row % 2) * pitch / 2
    away_x = shifted - np.round(shifted / pitch) * pitch
    dots = np.clip((radius - np.hypot(away_x, away_y)) / 0.45, 0, 1) * 0.5
    skin = smooth(rng, shape, (max(0.4 / mm, 1), max(0.4 / mm, 1)))
    palette = ((58, 60, 64), (126, 130, 134), (40, 62, 92), (150, 52, 34))
    base = jittered(rng, linear(palette[int(rng.integers(len(palette)))]))
    albedo = coloured(np.clip(1 + 0.06 * skin + 0.12 * dots, 0, 2), base)
    return Ground(albedo, np.asarray(dots + 0.012 * skin, dtype=np.float32), 0.035, 3)


def _scratches(rng: np.random.Generator, shape: Shape, mm: float, *, count: int) -> Floats:
    """Fine straight marks, H x W from 0 to 1."""
    marks = np.zeros(shape, dtype=np.uint8)
    for _ in range(count):
        x, y = rng.uniform(0, shape[1]), rng.uniform(0, shape[0])
        angle, length = rng.uniform(0, math.pi), rng.uniform(5, 60) / mm
        end = (int(x + length * math.cos(angle)), int(y + length * math.sin(angle)))
        strength = int(rng.integers(60, 255))
        cv2.line(marks, (int(x), int(y)), end, strength, 1, cv2.LINE_AA)
    return np.asarray(marks, dtype=np.float32) / np.float32(255)


TRAIN: dict[str, Maker] = {
    "pine": _pine,
    "brushed steel": _brushed_steel,
    "cutting mat": _cutting_mat,
    "twill": _twill,
    "concrete": _concrete,
    "ribbed tray": _ribbed_tray,
    "painted sheet": _painted_sheet,
    "drawing": _drawing,
    "speckled laminate": _speckled_laminate,
    "rubber": _rubber,
}
TEST: dict[str, Maker] = {
    "cardboard": _cardboard,
    "slate": _slate,
    "felt": _felt,
    "butcher block": _butcher_block,
    "pegboard": _pegboard,
    "dotted mat": _dotted_mat,
}
