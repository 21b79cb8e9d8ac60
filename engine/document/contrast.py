"""How samples of more than 8 bits become what is seen, by people and by models alike.

A record only: `engine.media.tone` carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite


class Way(StrEnum):
    """Which samples become black and white."""

    AUTOMATIC = "auto"  # by the depth that the camera used; signed and floating-point: the extremes
    PERCENTILE = "percentile"  # shares of the picture's own samples
    FULL = "full"  # all that the type can hold; of floating-point the extremes
    WINDOW = "window"  # two fixed samples, so that pictures can be compared


@dataclass(frozen=True, slots=True)
class Contrast:
    """The policy of one picture. low, high: samples for WINDOW, 0..100 for PERCENTILE, else without meaning.

    gamma: above 1 lifts what is dark. `str` writes it in one word and `parse` reads that.
    """

    way: Way = Way.AUTOMATIC
    low: float = 0.0
    high: float = 0.0
    gamma: float = 1.0

    def __post_init__(self) -> None:
        """Raises ValueError, half a sentence, for limits that are none."""
        if not (isfinite(self.low) and isfinite(self.high) and isfinite(self.gamma)):
            raise ValueError("its limits must be finite numbers")
        if not 0.05 <= self.gamma <= 20:
            raise ValueError(f"a gamma is between 0.05 and 20, not {self.gamma:g}")
        if self.way in (Way.PERCENTILE, Way.WINDOW) and not self.low < self.high:
            raise ValueError(f"black ({self.low:g}) must lie below white ({self.high:g})")
        if self.way is Way.PERCENTILE and not 0 <= self.low < self.high <= 100:
            raise ValueError(f"percentiles are between 0 and 100, not {self.low:g} and {self.high:g}")

    def __str__(self) -> str:
        limits = f":{self.low!r}:{self.high!r}" if self.way in (Way.PERCENTILE, Way.WINDOW) else ""
        return f"{self.way.value}{limits}" + (f":gamma={self.gamma!r}" if self.gamma != 1.0 else "")

    @classmethod
    def parse(cls, text: str) -> Contrast:
        """What `str` wrote. Raises ValueError for anything else."""
        way, *rest = text.split(":")
        gamma = float(rest.pop().removeprefix("gamma=")) if rest and rest[-1].startswith("gamma=") else 1.0
        low, high = (float(one) for one in rest) if rest else (0.0, 0.0)
        return cls(Way(way), low, high, gamma)


AUTOMATIC = Contrast()
