"""Copy-paste: objects cut from one picture and laid onto another, as what hides and is hidden.

Ghiasi et al., "Simple Copy-Paste is a Strong Data Augmentation Method for Instance Segmentation", 2021. What
is pasted covers the pixels and the masks beneath it; an object of which little is left becomes ignored
pixels. Works on crops, never on full-size masks. No torch here.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.train.sample import Bitmap, Box, Crop, Sample, resize

LEAST_LEFT = 0.3
"""Share of an object's pixels that must stay seen for it to count as one."""

MOST_SHARE = 0.5
"""Of a picture's side that a pasted object may take: a larger one would leave nothing of the picture."""


def pasted(sample: Sample, other: Sample, chance: np.random.Generator, most: int) -> Sample:
    """The sample with 1 to `most` objects of `other` laid on it at random places, some mirrored.

    Both samples in their own pixels, at like scale. Objects without a mask are not pasted; a sample
    that holds one is returned as it is, since nobody knows which of its pixels get covered.
    """
    if any(crop is None for crop in sample.crops):
        return sample
    height, width = sample.shape
    fitting = [
        n
        for n, crop in enumerate(other.crops)
        if crop is not None and _fits(crop.box_xyxy, MOST_SHARE * height, MOST_SHARE * width)
    ]
    if not fitting:
        return sample
    chosen = chance.permutation(fitting)[: chance.integers(1, most + 1)]
    for index in chosen:
        crop = other.crops[index]
        assert crop is not None
        patch, bitmap = _cut_out(other.image, crop)
        if chance.random() < 0.5:
            patch, bitmap = patch[:, ::-1], bitmap[:, ::-1]
        # Its middle lies anywhere inside the picture; what sticks out is cut off.
        x = int(chance.integers(0, width)) - bitmap.shape[1] // 2
        y = int(chance.integers(0, height)) - bitmap.shape[0] // 2
        sample = _laid_on(sample, patch, bitmap, x, y, int(other.labels[index]))
    return sample


def _fits(box: Box, height: float, width: float) -> bool:
    x0, y0, x1, y1 = box
    return x1 - x0 <= width and y1 - y0 <= height


def _cut_out(image: NDArray[np.uint8], crop: Crop) -> tuple[NDArray[np.uint8], Bitmap]:
    """The object's own pixels, h x w x 3, and its mask on them, h x w."""
    whole, x0, y0 = _on_pixels(crop)
    height, width = image.shape[:2]
    left, top = max(-x0, 0), max(-y0, 0)
    bitmap = whole[top : height - y0, left : width - x0]
    y, x = y0 + top, x0 + left
    return image[y : y + bitmap.shape[0], x : x + bitmap.shape[1]], bitmap


def _on_pixels(crop: Crop) -> tuple[Bitmap, int, int]:
    """The bitmap on whole pixels of the picture, at least one, and the place of its corner."""
    x0, y0, x1, y1 = (round(edge) for edge in crop.box_xyxy)
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    bitmap = np.ascontiguousarray(crop.bitmap)
    if bitmap.shape == (y1 - y0, x1 - x0):
        return bitmap, x0, y0
    smooth = resize(bitmap * np.uint8(255), y1 - y0, x1 - x0, cv2.INTER_LINEAR)
    return (smooth >= 128).astype(np.uint8), x0, y0


def _laid_on(sample: Sample, patch: NDArray[np.uint8], bitmap: Bitmap, x: int, y: int, label: int) -> Sample:
    height, width = sample.shape
    left, top = max(-x, 0), max(-y, 0)
    bitmap, patch = bitmap[top : height - y, left : width - x], patch[top : height - y, left : width - x]
    new = _trimmed(bitmap, x + left, y + top)
    if new is None:
        return sample
    image = sample.image.copy()
    under = image[y + top : y + top + bitmap.shape[0], x + left : x + left + bitmap.shape[1]]
    # Half-covered edge pixels: a hard edge would be a mark that only pasted objects bear.
    alpha = cv2.blur(bitmap.astype(np.float32), (3, 3), borderType=cv2.BORDER_REPLICATE)[..., None]
    under[:] = np.where(bitmap[..., None] > 0, patch * alpha + under * (1 - alpha), under).astype(np.uint8)
    kept, crops, ignore = list[int](), list[Crop | None](), list(sample.ignore)
    for n, crop in enumerate(sample.crops):
        assert crop is not None
        rest = _without(crop, bitmap, x + left, y + top)
        if rest is not None and (rest is crop or rest.bitmap.sum() >= LEAST_LEFT * _on_pixels(crop)[0].sum()):
            kept.append(n)
            crops.append(rest)
        elif rest is not None:
            ignore.append(rest)
    boxes = [
        sample.boxes_xyxy[n] if crop is sample.crops[n] else np.array(crop.box_xyxy, np.float32)
        for n, crop in zip(kept, crops, strict=True)
        if crop is not None
    ]
    return replace(
        sample,
        image=image,
        boxes_xyxy=np.stack([*boxes, np.array(new.box_xyxy, np.float32)]),
        labels=np.append(sample.labels[kept], label).astype(np.int64),
        crops=(*crops, new),
        ignore=tuple(ignore),
    )


def _without(crop: Crop, cover: Bitmap, x: int, y: int) -> Crop | None:
    """What is left of a crop under a cover at that place: itself where they do not meet, None for nothing."""
    x0, y0, x1, y1 = crop.box_xyxy
    rows, columns = cover.shape
    if x0 >= x + columns or y0 >= y + rows or x1 <= x or y1 <= y:
        return crop
    whole, left, top = _on_pixels(crop)
    height, width = whole.shape
    a0, a1 = max(left, x), min(left + width, x + columns)
    b0, b1 = max(top, y), min(top + height, y + rows)
    if a0 >= a1 or b0 >= b1:
        return crop
    over = cover[b0 - y : b1 - y, a0 - x : a1 - x]
    rest = whole.copy()
    under = rest[b0 - top : b1 - top, a0 - left : a1 - left]
    if not (under & over).any():
        return crop
    under[over > 0] = 0
    return _trimmed(rest, left, top)


def _trimmed(bitmap: Bitmap, x: int, y: int) -> Crop | None:
    """The bitmap at that place without its empty rim; None where it is all empty."""
    rows, columns = np.flatnonzero(bitmap.any(axis=1)), np.flatnonzero(bitmap.any(axis=0))
    if not len(rows):
        return None
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    box = float(x + left), float(y + top), float(x + right), float(y + bottom)
    return Crop(np.ascontiguousarray(bitmap[top:bottom, left:right]), box)
