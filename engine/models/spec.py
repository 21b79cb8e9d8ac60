"""What fixes the shape of a network, as plain data: no torch, so that cards can be listed without it."""

from __future__ import annotations

from dataclasses import dataclass


def has_masks(architecture: str) -> bool:
    """Whether networks of that name make masks; the others find boxes alone."""
    return architecture.startswith("maskrcnn_")


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """Everything that fixes the shape of a network; stored in its model card.

    num_classes counts the classes a person knows, without background. anchor_base is the smallest
    anchor's side in pixels of the resized image; each FPN level doubles it. norm_eps is that of the
    frozen BatchNorm: torchvision's first COCO weights were trained with 0. prompts: whether there is a mask
    branch for prompts (`engine.models.prompt_head`); a network without masks has none anyway.
    """

    architecture: str
    num_classes: int
    anchor_base: int = 32
    min_size: int = 800
    max_size: int = 1333
    norm_eps: float = 1e-5
    prompts: bool = False
