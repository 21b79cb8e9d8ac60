"""Labelled images as samples: decoded once, shrunk to what training can use, kept while memory allows.

Knows pictures and records; nothing of batches on a device, networks or losses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.document.contrast import Contrast
from engine.document.masks import Mask
from engine.document.records import Instance
from engine.errors import DataError
from engine.formats.labelled import LabelledImage
from engine.media.image import read_rgb
from engine.predict.preprocess import resized_shape
from engine.train.sample import Crop, Sample, resized

CACHE_BYTES = 4 << 30
"""Pictures beyond this are decoded again each time."""

SHAPE_WINDOW = 8
"""Batches are made from this many batches' pictures at a time, so that like shapes come together."""

Reader = Callable[[Path, int, Contrast], NDArray[np.uint8]]


class Dataset:
    """The samples of labelled images, by index.

    labels: class id -> label from 1. min_size, max_size: the largest sides that training asks for;
    larger pictures are shrunk to them before they are kept.
    """

    def __init__(
        self,
        images: Sequence[LabelledImage],
        labels: dict[int, int],
        *,
        min_size: int,
        max_size: int,
        read: Reader = read_rgb,
    ) -> None:
        self._images, self._labels, self._read = tuple(images), labels, read
        self._sides = (min_size, max_size)
        self._kept: dict[int, Sample] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Sample:
        """Raises MediaError for a picture that cannot be read, DataError where it is not the one labelled."""
        if index in self._kept:
            return self._kept[index]
        sample = self._load(self._images[index])
        if self._bytes + sample.image.nbytes <= CACHE_BYTES:
            self._kept[index] = sample
            self._bytes += sample.image.nbytes
        return sample

    def aspect(self, index: int) -> float:
        """Width over height of a picture, without reading it."""
        return self._images[index].width / self._images[index].height

    def _load(self, image: LabelledImage) -> Sample:
        sample = sample_of(image, self._read(image.path, image.frame, image.contrast), self._labels)
        height, width = resized_shape(*sample.shape, *self._sides)
        return resized(sample, height, width) if height < sample.shape[0] else sample


def sample_of(image: LabelledImage, pixels: NDArray[np.uint8], labels: dict[int, int]) -> Sample:
    """A labelled image with its pixels (H x W x 3 uint8 RGB) as a sample.

    Raises DataError where the picture has another size than its labels were made for.
    """
    height, width = pixels.shape[:2]
    if (image.width, image.height) != (width, height):
        raise DataError(
            f"{image.path} is {width} x {height} pixels, but its labels are for {image.width} x "
            f"{image.height}: it is another picture, or was resized or turned after it was labelled."
        )
    objects = [one for one in image.instances if _has_extent(one)]
    boxes = [one.mask.box_xyxy if one.mask else one.bounds_xyxy for one in objects]
    return Sample(
        pixels,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array([labels[one.class_id] for one in objects], np.int64),
        tuple(None if one.mask is None else _crop(one.mask) for one in objects),
        tuple(_crop(region.mask) for region in image.ignore if not region.mask.is_empty),
    )


def _has_extent(one: Instance) -> bool:
    x0, y0, x1, y1 = one.bounds_xyxy
    return not one.mask.is_empty if one.mask else x1 > x0 and y1 > y0


def _crop(mask: Mask) -> Crop:
    return Crop(mask.bitmap.view(np.uint8), mask.box_xyxy)


def batch_indices(data: Dataset, size: int, *, seed: int, step: int) -> list[int]:
    """The pictures of a step: each once an epoch, in an order that seed and epoch fix.

    Neighbours in shape share a batch, so that little of it is padding.
    """
    size = min(size, len(data))
    batches = len(data) // size
    epoch, place = divmod(step, batches)
    chance = np.random.default_rng([seed, epoch])
    order = chance.permutation(len(data))[: batches * size]
    window = SHAPE_WINDOW * size
    by_shape = [
        sorted(order[start : start + window].tolist(), key=data.aspect)
        for start in range(0, len(order), window)
    ]
    flat = [index for part in by_shape for index in part]
    at = int(chance.permutation(batches)[place]) * size
    return flat[at : at + size]
