"""The gradients of one step, all pictures at once or, where the memory is small, a few at a time.

A few at a time are added up to the gradients of the whole step. They are not those to the last bit: each
loss is an average over what it counts in the pictures that it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor
from torchvision.models.detection import FasterRCNN

from engine.predict.preprocess import to_batch
from engine.train.losses import detection_losses
from engine.train.prompts import Look, prompt_loss
from engine.train.recipe import Recipe
from engine.train.sample import Sample
from engine.train.start import RGB
from engine.train.truth import Truth

T = TypeVar("T")


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

    def losses(part: Sequence[Sample]) -> dict[str, Tensor]:
        batch = to_batch([s.image for s in part], [s.shape for s in part], mean=mean, std=std, device=device)
        return detection_losses(network, batch, [Truth.of(s, device) for s in part], recipe, bf16=bf16)

    return _added(samples, losses, at_once)


def add_prompt_gradients(
    network: FasterRCNN, looks: Sequence[Look], recipe: Recipe, *, at_once: int = 0, bf16: bool = False
) -> dict[str, Tensor]:
    """The same of the branch for prompts alone."""
    return _added(looks, lambda part: prompt_loss(network, part, recipe, bf16=bf16), at_once)


def _added(
    pictures: Sequence[T], losses_of: Callable[[Sequence[T]], dict[str, Tensor]], at_once: int
) -> dict[str, Tensor]:
    size = at_once or len(pictures)
    totals: dict[str, Tensor] = {}
    for first in range(0, len(pictures), size):
        part = pictures[first : first + size]
        share = len(part) / len(pictures)
        losses = losses_of(part)
        torch.autograd.backward(torch.stack(list(losses.values())).sum() * share)
        for name, loss in losses.items():
            own = loss.detach() * share
            totals[name] = totals[name] + own if name in totals else own
    return totals
