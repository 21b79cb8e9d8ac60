"""What a person points at and what a model answers: frozen, and crossing threads. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from engine.document.masks import Mask
from engine.document.records import Box
from engine.prediction import Prediction
from engine.refilter import masks


@dataclass(frozen=True, slots=True)
class Click:
    """A click on the picture, image pixels. positive: on the object; else on what is not to be in it."""

    x: float
    y: float
    positive: bool = True


@dataclass(frozen=True, slots=True)
class Candidate:
    """One object that may be meant. class_name: the model's word. score: 0..1. box_xyxy: image pixels."""

    class_name: str
    score: float
    mask: Mask
    box_xyxy: Box


def candidates_of(answer: Prediction, mask_cutoff: float) -> tuple[Candidate, ...]:
    """The detections that have a pixel above the cut-off (0..1), in their order."""
    found = []
    for row, mask in enumerate(masks(answer, mask_cutoff)):
        if mask is None or mask.is_empty:
            continue
        x0, y0, x1, y1 = (float(edge) for edge in answer.boxes_xyxy[row])
        name = answer.classes[int(answer.labels[row]) - 1]
        found.append(Candidate(name, float(answer.scores[row]), mask, (x0, y0, x1, y1)))
    return tuple(found)
