"""How a network is run. Torch-free: part of the key that says whether an image needs labelling again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class Mode(StrEnum):
    """FAST is judged by AP; REFERENCE equals torchvision's own forward pass number for number."""

    FAST = "fast"
    REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class PredictSettings:
    """Settings of one prediction run.

    score_threshold, nms_iou: 0..1. max_detections: an image. proposals: RoIs that reach the box
    head; None leaves torchvision's 1000. min_size, max_size: sides of the resized image in pixels;
    None keeps those the model was trained with. fine_masks: draw detections by the branch for prompts; None
    does so where that was measured to be better, see `ModelCard.draws_finely`.
    """

    mode: Mode = Mode.FAST
    score_threshold: float = 0.05
    nms_iou: float = 0.5
    max_detections: int = 300
    proposals: int | None = 300
    min_size: int | None = None
    max_size: int | None = None
    fine_masks: bool | None = None

    @classmethod
    def reference(cls, *, max_detections: int = 100) -> PredictSettings:
        """The settings under which results equal torchvision's."""
        return cls(mode=Mode.REFERENCE, max_detections=max_detections, proposals=None, fine_masks=False)

    def key(self) -> str:
        """A stable text of all settings: equal keys give equal results with the same weights."""
        return " ".join(f"{name}={value}" for name, value in asdict(self).items())
