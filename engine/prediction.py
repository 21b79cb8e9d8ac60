"""What a model says of one image: numpy only, so that it crosses threads and needs no torch.

Masks stay as the head's M x M probabilities; they are made inside their boxes when somebody asks
(`engine.refilter`). A full-size mask per instance is never built.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """Detections of one image, best score first.

    boxes_xyxy: N x 4 float32, image pixels (of the picture as shown), clipped to the image.
    scores: N float32 in 0..1. labels: N int64, 1-based into `classes` (0 is background).
    mask_probs: N x M x M float32 in 0..1, or None for a boxes-only model; each fills its box or, where there
    are mask_frames (N x 4 float32, image pixels, beyond the edges too), its frame.
    """

    width: int
    height: int
    classes: tuple[str, ...]
    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    mask_probs: NDArray[np.float32] | None
    mask_frames: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Prediction:
        """The detections that `keep` (N bool, or indices) selects, in that order."""
        probs = None if self.mask_probs is None else self.mask_probs[keep]
        frames = None if self.mask_frames is None else self.mask_frames[keep]
        return Prediction(
            self.width,
            self.height,
            self.classes,
            self.boxes_xyxy[keep],
            self.scores[keep],
            self.labels[keep],
            probs,
            frames,
        )

    @classmethod
    def joined(cls, parts: Sequence[Prediction]) -> Prediction:
        """Detections of the same image by the same model, one part after the other; one part at least."""
        first = parts[0]
        probs = [one.mask_probs for one in parts if one.mask_probs is not None]
        return cls(
            first.width,
            first.height,
            first.classes,
            np.concatenate([one.boxes_xyxy for one in parts]),
            np.concatenate([one.scores for one in parts]),
            np.concatenate([one.labels for one in parts]),
            np.concatenate(probs) if probs else None,
            np.concatenate([one.frames for one in parts]) if probs else None,
        )

    @property
    def frames(self) -> NDArray[np.float32]:
        """N x 4, what each mask fills."""
        return self.boxes_xyxy if self.mask_frames is None else self.mask_frames
