"""What one sample may look like next time: another size, a mirror, other light. No torch here.

Chance comes from a generator handed in, so that a step's pictures depend on the seed and the step
alone and a resumed run sees what the unbroken one would have seen.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.predict.preprocess import resized_shape
from engine.train.recipe import Recipe
from engine.train.sample import Sample, cut, mirrored, resized
from engine.train.sizing import Sizes


def augmented(sample: Sample, chance: np.random.Generator, recipe: Recipe, sizes: Sizes) -> Sample:
    """The sample at a size drawn from the recipe's scales, perhaps mirrored, in other light.

    Where the sizes name a window, what comes back is a part of the picture no larger than that.
    """
    share = chance.uniform(*recipe.scales)
    sides = round(sizes.min_size * share), round(sizes.max_size * share)
    sample = resized(sample, *resized_shape(*sample.shape, *sides))
    if sizes.window is not None:
        sample = windowed(sample, chance, recipe, sizes.window)
    if chance.random() < recipe.mirror:
        sample = mirrored(sample)
    if recipe.colour:
        sample = replace(sample, image=relit(sample.image, chance, recipe.colour))
    return sample


def windowed(sample: Sample, chance: np.random.Generator, recipe: Recipe, side: int) -> Sample:
    """A window of the sample, mostly one that holds the middle of an object drawn at random."""
    height, width = sample.shape
    h, w = min(side, height), min(side, width)
    x, y = chance.integers(0, width - w + 1), chance.integers(0, height - h + 1)
    if len(sample.boxes_xyxy) and chance.random() < recipe.window_on_object:
        x0, y0, x1, y1 = sample.boxes_xyxy[chance.integers(len(sample.boxes_xyxy))]
        x = np.clip((x0 + x1) / 2 - chance.uniform(0, w), 0, width - w)
        y = np.clip((y0 + y1) / 2 - chance.uniform(0, h), 0, height - h)
    return cut(sample, int(x), int(y), w, h)


def relit(image: NDArray[np.uint8], chance: np.random.Generator, strength: float) -> NDArray[np.uint8]:
    """H x W x 3 uint8 with brightness, contrast and saturation changed by up to `strength` (a share)."""
    light, contrast, saturation = 1.0 + chance.uniform(-strength, strength, 3)
    middle = float(image.mean())
    levels = np.arange(256, dtype=np.float32) * light
    table: NDArray[np.uint8] = np.clip((levels - middle) * contrast + middle, 0, 255).astype(np.uint8)
    lit = cv2.LUT(image, table)
    grey = cv2.cvtColor(cv2.cvtColor(lit, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.addWeighted(lit, saturation, grey, 1.0 - saturation, 0.0), np.uint8)
