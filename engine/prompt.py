"""What a person points at: frozen numbers that cross threads. No torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Click:
    """A click on the picture, image pixels. positive: on the object; else on what is not to be in it."""

    x: float
    y: float
    positive: bool = True
