"""What a person points at and what a model answers: frozen, and crossing threads. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from engine.document.masks import Mask
from engine.document.records import Box


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
