"""A small data set that a network can learn in seconds: bright discs on a dark, noisy ground."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from engine.document.masks import Mask
from engine.document.records import ClassDef, Instance
from engine.formats.labelled import LabelledImage, LabelledSet

DISC = ClassDef(7, "disc", "#ff0000")
SIDE = 96


def disc(cx: int, cy: int, radius: int, side: int = SIDE) -> Mask:
    """A full disc, cut off at the picture's edges."""
    y, x = np.ogrid[:side, :side]
    return Mask.from_full((x - cx) ** 2 + (y - cy) ** 2 <= radius**2)


def toy_set(folder: Path, count: int = 4, *, seed: int = 0) -> LabelledSet:
    """`count` pictures of 96 x 96 with two discs each, written to `folder`."""
    chance = np.random.default_rng(seed)
    images = []
    for number in range(count):
        (ax, ay), (bx, by) = chance.integers(20, 38, 2), chance.integers(60, 78, 2)
        masks = [disc(ax, ay, 14), disc(bx, by, 14)]
        pixels = chance.integers(0, 60, (SIDE, SIDE, 3), np.uint8)
        for mask in masks:
            pixels[mask.to_full(SIDE, SIDE)] = (230, 200, 60)
        path = folder / f"toy{number}.png"
        cv2.imwrite(str(path), pixels[:, :, ::-1])
        instances = tuple(Instance(10 * number + i + 1, DISC.id, m) for i, m in enumerate(masks))
        images.append(LabelledImage(path, SIDE, SIDE, instances))
    return LabelledSet((DISC,), tuple(images))
