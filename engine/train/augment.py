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
from engine.train.sample import Sample, mirrored, resized


def augmented(
    sample: Sample, chance: np.random.Generator, recipe: Recipe, *, min_size: int, max_size: int
) -> Sample:
    """The sample at a size drawn from the recipe's scales, perhaps mirrored, in other light."""
    share = chance.uniform(*recipe.scales)
    height, width = resized_shape(*sample.shape, round(min_size * share), round(max_size * share))
    sample = resized(sample, height, width)
    if chance.random() < recipe.mirror:
        sample = mirrored(sample)
    if recipe.colour:
        sample = replace(sample, image=relit(sample.image, chance, recipe.colour))
    return sample


def relit(image: NDArray[np.uint8], chance: np.random.Generator, strength: float) -> NDArray[np.uint8]:
    """H x W x 3 uint8 with brightness, contrast and saturation changed by up to `strength` (a share)."""
    light, contrast, saturation = 1.0 + chance.uniform(-strength, strength, 3)
    middle = float(image.mean())
    levels = np.arange(256, dtype=np.float32) * light
    table: NDArray[np.uint8] = np.clip((levels - middle) * contrast + middle, 0, 255).astype(np.uint8)
    lit = cv2.LUT(image, table)
    grey = cv2.cvtColor(cv2.cvtColor(lit, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.addWeighted(lit, saturation, grey, 1.0 - saturation, 0.0), np.uint8)
