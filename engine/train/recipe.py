"""How a model is trained, as plain data: no torch, so that it can be shown and stored."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from engine.models.card import Json


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides a training run besides the data and the base.

    batch: pictures a step. optimizer: "sgd" or "adamw". learning_rate: at its peak; body_rate: the
    backbone's share of it; warmup: steps until the peak; final_rate: the share of it at the end.
    momentum: SGD's. weight_decay: AdamW's spares biases and normalisation. clip_norm: of all gradients
    together. frozen_stages: how many of the stem and the body's layers keep
    their weights.

    prompt_share: of the run, its end, in which the branch for prompts is taught and nothing else; 1 leaves
    AP as it is. prompt_batch: pictures a step of that. prompt_rois: boxes that a step teaches it at the most.

    anchors, rois, mask_rois: a picture, how many the losses of RPN, box head and mask head count at the most,
    and of the first two the positive_share (the RPN's is a half).
    proposals_before_nms, proposals: a level and a picture, how many the RPN hands on. near_truth: boxes made
    around each true one, at most most_near_truth a picture, each edge moved by up to near_by of the side.

    window: side in pixels of the part of a picture that a step looks at; 0 leaves it to the data.
    scales: least and most of a training picture's short side in shares of the model's own;
    scale_spread: standard deviation of the share's logarithm. paste: share of pictures that get 1 to
    most_pasted objects of another one. window_on_object: share of the
    windows that are put where an object is. mirror: share of pictures mirrored. colour: how far light,
    contrast and saturation change. ignored_share: of a box's pixels, beyond which it is left out.
    """

    batch: int = 2
    optimizer: str = "adamw"
    learning_rate: float = 5e-4
    body_rate: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 0.05
    clip_norm: float = 5.0
    warmup: int = 20
    final_rate: float = 0.02
    frozen_stages: int = 2
    prompt_share: float = 0.2
    prompt_batch: int = 6
    prompt_rois: int = 18
    anchors: int = 256
    proposals_before_nms: int = 1000
    proposals: int = 300
    rois: int = 128
    mask_rois: int = 16
    positive_share: float = 0.25
    near_truth: int = 8
    most_near_truth: int = 64
    near_by: float = 0.15
    window: int = 0
    scales: tuple[float, float] = (0.5, 2.0)
    scale_spread: float = 0.25
    paste: float = 0.25
    most_pasted: int = 3
    window_on_object: float = 0.75
    mirror: float = 0.5
    colour: float = 0.2
    ignored_share: float = 0.5

    def rate(self, step: int, progress: float) -> float:
        """Learning rate at a step: linear warm-up by steps, then cosine by progress (0..1 of the run).

        Progress is a share of time or of steps; a run planned in minutes ends at its lowest rate on
        a slow machine too.
        """
        warm = min(1.0, (step + 1) / self.warmup)
        cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))
        return self.learning_rate * warm * (self.final_rate + (1.0 - self.final_rate) * cosine)

    def to_json(self) -> dict[str, Json]:
        """As a model card stores it."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


FROM_NOTHING = Recipe(
    batch=4,
    learning_rate=1e-3,
    body_rate=1.0,
    warmup=50,
    frozen_stages=0,
    mask_rois=32,
)
"""For fresh weights: nothing to keep, and just enough pictures a step for live BatchNorm. After four
minutes on one core AdamW's mask loss on the rendered trays was 0.50, SGD's (rate 0.02, batch 8) 0.64.
"""
