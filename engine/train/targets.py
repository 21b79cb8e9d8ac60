"""M x M mask targets straight from crops: RoIAlign over each object's own bitmap.

Equal to torchvision's `project_masks_on_boxes` on full-size masks, except that a target's cells
cover its box exactly; torchvision samples half a pixel to the right and below (RoIAlign without
`aligned`), which costs small objects overlap.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import roi_align

from engine.train.sample import Crop

BORDER = 1
"""Zeros around a bitmap: RoIAlign repeats the outermost pixel beyond the edge."""


def mask_targets(crops: Sequence[Crop], boxes_xyxy: Tensor, side: int, picture: tuple[int, int]) -> Tensor:
    """What the mask head should say inside each box.

    crops: N, the object of each box. boxes_xyxy: N x 4 float32 on the CPU, in pixels of the picture
    that the crops refer to. picture: its height and width. Returns N x side x side float32 in 0..1.
    """
    if not crops:
        return torch.zeros((0, side, side))
    return torch.stack(
        [_target(crop, box, side, picture) for crop, box in zip(crops, boxes_xyxy, strict=True)]
    )


def _target(crop: Crop, box: Tensor, side: int, picture: tuple[int, int]) -> Tensor:
    x0, y0, x1, y1 = crop.box_xyxy
    rows, columns = crop.bitmap.shape
    bitmap = np.pad(crop.bitmap, BORDER)
    # An object cut off by the picture's edge goes on beyond it as far as anyone can see.
    height, width = picture
    if x0 <= 0:
        bitmap[:, 0] = bitmap[:, 1]
    if x1 >= width:
        bitmap[:, -1] = bitmap[:, -2]
    if y0 <= 0:
        bitmap[0] = bitmap[1]
    if y1 >= height:
        bitmap[-1] = bitmap[-2]
    scale = torch.tensor([columns / (x1 - x0), rows / (y1 - y0)] * 2)
    inside = (box - torch.tensor([x0, y0, x0, y0])) * scale + BORDER
    pixels = torch.from_numpy(bitmap).float()[None, None]
    aligned: Tensor = roi_align(pixels, [inside[None].float()], side, sampling_ratio=-1, aligned=True)
    return aligned[0, 0]
