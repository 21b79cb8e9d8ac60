"""Colours for classes: each new one as far as can be from those in use, to the eye. Pure."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import TypeAlias

_Lab: TypeAlias = tuple[float, float, float]


def next_color(used: Iterable[str]) -> str:
    """The "#rrggbb" farthest in OKLab from every colour in `used`, which also come as "#rrggbb"."""
    # White and black are taken, so that no class vanishes on a bright or dark picture.
    taken = [_oklab(color) for color in ("#ffffff", "#000000", *used)]
    return max(_candidates(), key=lambda candidate: min(math.dist(candidate[1], lab) for lab in taken))[0]


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
def _candidates() -> list[tuple[str, _Lab]]:
    """Colours of the sRGB cube's 18-step grid that are neither greyish nor near black."""
    steps = range(0, 256, 15)
    colors = (f"#{red:02x}{green:02x}{blue:02x}" for red in steps for green in steps for blue in steps)
    labs = ((color, _oklab(color)) for color in colors)
    return [(color, lab) for color, lab in labs if lab[0] > 0.45 and math.hypot(lab[1], lab[2]) > 0.1]
