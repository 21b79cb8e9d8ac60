"""Make a trained network ready to run: explicit RoIAlign scales, folded normalisation, fast layout."""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.ops import FrozenBatchNorm2d, MultiScaleRoIAlign
from torchvision.ops.poolers import LevelMapper

POOL_SCALES = (1 / 4, 1 / 8, 1 / 16, 1 / 32)
"""Scales of P2..P5, the levels that RoIAlign reads (FPN, section 4.2)."""


def set_roi_scales(network: FasterRCNN) -> None:
    """Fix the RoIAlign scales; torchvision would guess them for ever from the first image it sees."""
    for pool in (network.roi_heads.box_roi_pool, network.roi_heads.mask_roi_pool):
        if isinstance(pool, MultiScaleRoIAlign):
            pool.scales = list(POOL_SCALES)
            pool.map_levels = LevelMapper(2, 5, pool.canonical_scale, pool.canonical_level)


def fold_batch_norm(module: nn.Module) -> None:
    """Fold every normalisation that follows a convolution into that convolution, in place.

    Finds `convK`/`bnK` pairs (ResNet) and neighbours in a Sequential. Exact up to rounding, in
    evaluation only.
    """
    children = dict(module.named_children())
    names = list(children)
    for i, name in enumerate(names):
        child = children[name]
        if not isinstance(child, nn.Conv2d):
            fold_batch_norm(child)
            continue
        if match := re.fullmatch(r"conv(\d+)", name):
            norm_name = f"bn{match[1]}"
        elif isinstance(module, nn.Sequential) and i + 1 < len(names):
            norm_name = names[i + 1]
        else:
            continue
        norm = children.get(norm_name)
        if isinstance(norm, (FrozenBatchNorm2d, nn.BatchNorm2d)):
            _fold_pair(child, norm)
            module._modules[norm_name] = nn.Identity()


@torch.no_grad()
def _fold_pair(conv: nn.Conv2d, norm: FrozenBatchNorm2d | nn.BatchNorm2d) -> None:
    mean, variance = _tensor(norm.running_mean), _tensor(norm.running_var)
    scale = norm.weight * (variance + norm.eps).rsqrt()
    shift = norm.bias - mean * scale
    if conv.bias is not None:
        shift = shift + conv.bias * scale
    conv.weight = nn.Parameter(conv.weight * scale.reshape(-1, 1, 1, 1))
    conv.bias = nn.Parameter(shift)


def _tensor(value: object) -> Tensor:
    assert isinstance(value, Tensor)
    return value
