"""What one sample may look like next time: another size, other objects, a mirror, other light. No torch.

Chance comes from a generator handed in, so that a step's pictures depend on the seed and the step
alone and a resumed run sees what the unbroken one would have seen.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.predict.preprocess import resized_shape
from engine.train.paste import pasted
from engine.train.recipe import Recipe
from engine.train.sample import Sample, Samples, cut, mirrored, resized
from engine.train.sizing import Sizes


def training_sample(
    data: Samples, index: int, chance: np.random.Generator, recipe: Recipe, sizes: Sizes
) -> Sample:
    """A picture of the data as one step sees it: scaled, perhaps with objects of another pasted on."""
    sample = scaled(data[index], chance, recipe, sizes)
    if len(data) > 1 and chance.random() < recipe.paste:
        other = int(chance.integers(len(data) - 1))
        source = scaled(data[other + (other >= index)], chance, recipe, sizes)
        sample = pasted(sample, source, chance, recipe.most_pasted)
    return touched_up(sample, chance, recipe)


def scaled(sample: Sample, chance: np.random.Generator, recipe: Recipe, sizes: Sizes) -> Sample:
    """The sample at a size drawn from the recipe's scales: around 1, and rarely near the ends.

    What grows larger than the sizes' picture, or than their window, is cut to a part of that size, so that
    a step costs no more than the plain picture would.
    """
    least, most = recipe.scales
    share = float(np.clip(np.exp(chance.normal(0.0, recipe.scale_spread)), least, most))
    sides = round(sizes.min_size * share), round(sizes.max_size * share)
    plain = resized_shape(*sample.shape, sizes.min_size, sizes.max_size)
    sample = resized(sample, *resized_shape(*sample.shape, *sides))
    frame = plain if sizes.window is None else (sizes.window, sizes.window)
    if sample.shape[0] > frame[0] or sample.shape[1] > frame[1]:
        sample = windowed(sample, chance, recipe, *frame)
    return sample


def touched_up(sample: Sample, chance: np.random.Generator, recipe: Recipe) -> Sample:
    """The sample perhaps mirrored, in other light."""
    if chance.random() < recipe.mirror:
        sample = mirrored(sample)
    if recipe.colour:
        sample = replace(sample, image=relit(sample.image, chance, recipe.colour))
    return sample


def windowed(
    sample: Sample, chance: np.random.Generator, recipe: Recipe, window_height: int, window_width: int
) -> Sample:
    """A window of the sample, mostly one that holds the middle of an object drawn at random."""
    height, width = sample.shape
    h, w = min(window_height, height), min(window_width, width)
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
