"""Colours for classes: each new one as far as can be from those in use, to the eye. Pure."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_Lab: TypeAlias = tuple[float, float, float]


def next_color(used: Iterable[str]) -> str:
    """The "#rrggbb" farthest in OKLab from every colour in `used`, which also come as "#rrggbb"."""
    # White and black are taken, so that no class vanishes on a bright or dark picture.
    return _candidates()[0][int(_distances(("#ffffff", "#000000", *used)).argmax())]


_last: tuple[tuple[str, ...], NDArray[np.float64]] = ((), np.empty(0))
"""What was asked last, and the answer: a thousand classes are each given a colour after the others."""


def _distances(taken: tuple[str, ...]) -> NDArray[np.float64]:
    """Of each candidate: to the nearest colour that is taken, squared."""
    global _last  # noqa: PLW0603 - an answer that is kept; whoever reads it halfway through works it out anew
    colors, labs = _candidates()
    known, nearest = _last
    if not known or taken[: len(known)] != known:
        known, nearest = (), np.full(len(colors), np.inf)
    for color in taken[len(known) :]:
        nearest = np.minimum(nearest, ((labs - np.array(_oklab(color))) ** 2).sum(axis=1))
    _last = taken, nearest
    return nearest


def _oklab(color: str) -> _Lab:
    """OKLab of an sRGB colour (Ottosson 2020, https://bottosson.github.io/posts/oklab/)."""
    red, green, blue = (_linear(int(color[i : i + 2], 16) / 255) for i in (1, 3, 5))
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    middle = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


@functools.cache
def _candidates() -> tuple[list[str], NDArray[np.float64]]:
    """Colours of the sRGB cube's 18-step grid that are neither greyish nor near black; N x 3, their OKLab."""
    steps = range(0, 256, 15)
    colors = (f"#{red:02x}{green:02x}{blue:02x}" for red in steps for green in steps for blue in steps)
    labs = ((color, _oklab(color)) for color in colors)
    found = [(color, lab) for color, lab in labs if lab[0] > 0.45 and math.hypot(lab[1], lab[2]) > 0.1]
    return [color for color, _ in found], np.array([lab for _, lab in found])
