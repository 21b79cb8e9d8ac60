"""Pictures to a padded batch: resize as uint8, then normalise.

torchvision normalises the full-size float picture and resizes that; resizing uint8 first touches a
twelfth of the memory and differs by rounding only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

STRIDE = 32
"""Padded sides are multiples of the coarsest backbone stride, as in torchvision."""


def resized_shape(height: int, width: int, min_size: int, max_size: int) -> tuple[int, int]:
    """Height and width after resizing so that the short side is `min_size`, the long at most `max_size`."""
    scale = min(min_size / min(height, width), max_size / max(height, width))
    return max(1, math.floor(height * scale)), max(1, math.floor(width * scale))


def to_batch(
    images: Sequence[NDArray[np.uint8]],
    shapes: Sequence[tuple[int, int]],
    *,
    mean: Sequence[float],
    std: Sequence[float],
    device: torch.device,
    stride: int = STRIDE,
) -> Tensor:
    """N x 3 x H x W float32, channels last, zero-padded at the right and the bottom.

    images: H x W x 3 uint8 RGB each; shapes: the height and width each is resized to. stride: what the sides
    of the batch are multiples of.
    """
    height = math.ceil(max(h for h, _ in shapes) / stride) * stride
    width = math.ceil(max(w for _, w in shapes) / stride) * stride
    batch = torch.zeros((len(images), 3, height, width), device=device).to(memory_format=torch.channels_last)
    scale = 1.0 / (255.0 * torch.tensor(std, device=device))
    offset = -torch.tensor(mean, device=device) * 255.0 * scale
    for row, image, (h, w) in zip(batch, images, shapes, strict=True):
        small = cv2.resize(image, (w, h), interpolation=cv2.INTER_LINEAR)
        pixels = torch.from_numpy(small).to(device, non_blocking=True)
        row.permute(1, 2, 0)[:h, :w] = pixels * scale + offset
    return batch
