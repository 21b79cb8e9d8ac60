"""What is true of a training picture, on the network's device, and boxes beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import clip_boxes_to_image

from engine.train.recipe import Recipe
from engine.train.sample import Sample, ignored_pixels


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What is true of one picture of a batch, on the network's device, in the picture's pixels."""

    sample: Sample
    boxes: Tensor
    labels: Tensor
    ignored: NDArray[np.int32] | None

    @classmethod
    def of(cls, sample: Sample, device: torch.device) -> Truth:
        """The truth of a sample: boxes N x 4 float32, labels N int64."""
        boxes = torch.from_numpy(sample.boxes_xyxy).to(device)
        return cls(sample, boxes, torch.from_numpy(sample.labels).to(device), ignored_pixels(sample))


def near(boxes: Tensor, shape: tuple[int, int], by: float) -> Tensor:
    """Boxes (N x 4), each edge moved by up to `by` of the side, in a picture of that height and width."""
    sides = boxes[:, 2:] - boxes[:, :2]
    moved = boxes + torch.cat((sides, sides), dim=1) * (torch.rand_like(boxes) - 0.5) * 2 * by
    clipped: Tensor = clip_boxes_to_image(moved, shape)
    return clipped


def is_ignored(boxes: Tensor, truth: Truth, recipe: Recipe) -> Tensor:
    """N bool: boxes of which ignored pixels fill at least the recipe's share."""
    if truth.ignored is None:
        return torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    height, width = truth.sample.shape
    x0, y0, x1, y1 = boxes.detach().round().long().cpu().T.numpy()
    x0, x1 = x0.clip(0, width), x1.clip(0, width)
    y0, y1 = y0.clip(0, height), y1.clip(0, height)
    sums = truth.ignored
    inside = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
    area = np.maximum((x1 - x0) * (y1 - y0), 1)
    return torch.from_numpy(inside >= recipe.ignored_share * area).to(boxes.device)
