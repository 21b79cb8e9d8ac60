"""What training says while it goes on: frozen data, one union, no tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from engine.models.card import ModelVersion


@dataclass(frozen=True, slots=True)
class Started:
    """The work is set up. step: steps done before, by the run that is resumed. iterations: planned, if so."""

    device: str
    images: int
    instances: int
    held_out: int
    min_size: int
    anchor_base: int
    step: int
    iterations: int | None


@dataclass(frozen=True, slots=True)
class Stepped:
    """A step is done. progress: 0..1 of the whole run. losses: by name; skipped: they were not finite.

    seconds: time trained so far, that of the resumed run included.
    """

    step: int
    progress: float
    loss: float
    losses: Mapping[str, float]
    learning_rate: float
    seconds: float
    skipped: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """The averaged weights were measured on the images held out of the training data."""

    step: int
    metrics: Mapping[str, float]
    is_best: bool


@dataclass(frozen=True, slots=True)
class Trained:
    """Training has ended; both versions are saved."""

    best: ModelVersion
    last: ModelVersion
    steps: int
    seconds: float


TrainEvent: TypeAlias = Started | Stepped | Measured | Trained
