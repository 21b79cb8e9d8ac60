"""Weights at a quarter of their size, for a model that is bundled or sent: int8 with a scale a filter.

Only how the weights lie on the disk changes; the network that is loaded is float32. A filter's error
is at most half a step of its largest weight over 127.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

SCALE = ".int8_scale"
LEAST_NUMBERS = 4096
"""Smaller tensors (biases, normalisation) are not worth the loss."""


def compacted(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Large tensors as int8 with their scales (`KEY.int8_scale`, float32 a first dimension) beside them."""
    small: dict[str, Tensor] = {}
    for key, tensor in state.items():
        if tensor.numel() < LEAST_NUMBERS or tensor.ndim < 2:
            small[key] = tensor
            continue
        rows = tensor.flatten(1)
        scale = rows.abs().amax(dim=1).clamp(min=torch.finfo(torch.float32).tiny) / 127
        small[key] = (rows / scale[:, None]).round().to(torch.int8).reshape(tensor.shape)
        small[key + SCALE] = scale
    return small


def restored(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The float32 weights of a state that may be compacted; other tensors are passed on.

    Raises ValueError for a scale that is not one finite number a filter.
    """
    whole: dict[str, Tensor] = {}
    for key, tensor in state.items():
        if key.endswith(SCALE):
            continue
        scale = state.get(key + SCALE)
        if scale is None:
            whole[key] = tensor
            continue
        if tensor.ndim < 2 or scale.shape != tensor.shape[:1] or not torch.isfinite(scale).all():
            raise ValueError(f"the scale of {key} does not fit it")
        whole[key] = (tensor.flatten(1).float() * scale.float()[:, None]).reshape(tensor.shape)
    return whole
