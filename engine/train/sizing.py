"""At which side to train and how small the smallest anchor must be, from the sizes of the objects.

A network sees objects through a stride of 4 pixels and anchors of a fixed ladder of sizes; pictures of
ten-pixel nuclei and of people that fill the height need different ones. Numbers in, numbers out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.errors import ModelError
from engine.formats.labelled import LabelledImage
from engine.models.store import ModelStore

SMALL_OBJECT = 20.0
"""Pixels: the side that small objects (the smallest quarter) should have before the network sees them."""

LEAST_SIDE = {"cpu": 256, "cuda": 512, "mps": 320}
MOST_SIDE = {"cpu": 512, "cuda": 800, "mps": 640}
"""Short side in pixels: below the least nothing is gained, above the most a step takes too long."""

MOST_ENLARGED = 2.0
LONGEST = 2.0
"""Long side over short side of a training picture, at the most."""

ANCHORS = (8, 16, 32)

OBJECTS_ACROSS = 4.0
WORTH_A_WINDOW = 0.75
"""A window is at least so many large objects wide, and not used where it saves less than about half."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sides of the resized picture and of the smallest anchor, in pixels of it.

    window: side of the part of it that a training step looks at; None for all of it.
    """

    min_size: int
    max_size: int
    anchor_base: int
    window: int | None = None


def choose_sizes(
    images: Sequence[LabelledImage], device: str, *, side: int | None = None, learned_at: int | None = None
) -> Sizes:
    """Sizes that fit the objects of these images. `side` fixes the short side.

    learned_at: the short side at which the base learned to see. Where the device can afford it a network
    is never taught at a smaller one: it would have to learn again what its objects look like.
    """
    shares = object_shares(images)
    short = float(np.median([min(i.width, i.height) for i in images])) if images else 640.0
    kind = device.partition(":")[0]
    least, most = LEAST_SIDE[kind], MOST_SIDE[kind]
    if side is None:
        wanted = SMALL_OBJECT / float(np.quantile(shares, 0.25)) if len(shares) else 0.0
        side = round(min(max(wanted, least), most, max(MOST_ENLARGED * short, least)) / 32) * 32
        if learned_at is not None and learned_at <= most:
            side = max(side, learned_at)
    smallest = float(np.quantile(shares, 0.1)) * side if len(shares) else 32.0
    # An anchor a quarter larger than an object still overlaps it well.
    fitting = [base for base in ANCHORS if base <= 1.25 * smallest]
    large = float(np.quantile(shares, 0.95)) * side if len(shares) else float(side)
    window = max(least, 32 * math.ceil(OBJECTS_ACROSS * large / 32))
    return Sizes(
        side,
        round(LONGEST * side),
        max(fitting, default=ANCHORS[0]),
        window if window <= WORTH_A_WINDOW * side else None,
    )


def side_of(base: str, store: ModelStore) -> int | None:
    """The short side that a base was made for; None where it is no model version that is here."""
    try:
        return store.resolve(base).card.spec.min_size
    except ModelError:
        return None  # an architecture, a classifier, or a model that is still to be fetched


def object_shares(images: Sequence[LabelledImage]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Each object's size (root of its box's area) in shares of its picture's short side."""
    shares = []
    for image in images:
        for one in image.instances:
            x0, y0, x1, y1 = one.mask.box_xyxy if one.mask else one.bounds_xyxy
            shares.append(((x1 - x0) * (y1 - y0)) ** 0.5 / min(image.width, image.height))
    return np.array([share for share in shares if share > 0])
