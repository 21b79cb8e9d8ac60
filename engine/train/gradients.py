"""The gradients of one step, all pictures at once or, where the memory is small, a few at a time.

A few at a time are added up to the gradients of the whole step. They are not those to the last bit: each
loss is an average over what it counts in the pictures that it is given.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.models.detection import FasterRCNN

from engine.predict.preprocess import to_batch
from engine.train.losses import Truth, detection_losses
from engine.train.recipe import Recipe
from engine.train.sample import Sample
from engine.train.start import RGB


def add_gradients(
    network: FasterRCNN,
    samples: Sequence[Sample],
    recipe: Recipe,
    *,
    mean: RGB,
    std: RGB,
    device: torch.device,
    at_once: int = 0,
    bf16: bool = False,
) -> dict[str, Tensor]:
    """Add the gradients of these pictures to the parameters'; returns the losses by name, detached.

    at_once: pictures in one pass through the network, 0 for all. bf16: see `detection_losses`. Raises
    what torch raises, also for a want of memory; part of the gradients may be added then.
    """
    size = at_once or len(samples)
    totals: dict[str, Tensor] = {}
    for first in range(0, len(samples), size):
        part = samples[first : first + size]
        share = len(part) / len(samples)
        batch = to_batch([s.image for s in part], [s.shape for s in part], mean=mean, std=std, device=device)
        losses = detection_losses(network, batch, [Truth.of(s, device) for s in part], recipe, bf16=bf16)
        torch.autograd.backward(torch.stack(list(losses.values())).sum() * share)
        for name, loss in losses.items():
            own = loss.detach() * share
            totals[name] = totals[name] + own if name in totals else own
    return totals
