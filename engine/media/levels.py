"""How often each sample occurs in a picture: what a person chooses a contrast by. Knows arrays only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.media.picture import Samples
from engine.media.tone import extremes

BARS = 256
_ENOUGH = 2_000_000  # samples: counting more changes no bar that can be seen
_OUTLIERS = 0.01  # per cent at either end that do not stretch the bars


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """counts: BARS numbers, of equal parts of low..high, where nearly all samples lie.

    least, most: the extremes; those beyond low..high are counted in no bar. is_whole: no fractions.
    """

    counts: NDArray[np.int64]
    low: float
    high: float
    least: float
    most: float
    is_whole: bool


def levels_of(samples: Samples) -> Levels | None:
    """Count the samples, of a large picture a regular choice of them; None where none is finite."""
    least, most = extremes(samples)
    if least > most:
        return None
    flat = samples.reshape(-1)[:: max(samples.size // _ENOUGH, 1)]
    finite = flat[np.isfinite(flat)]
    found = np.percentile(finite, (_OUTLIERS, 100 - _OUTLIERS)) if finite.size else (least, most)
    low, high = float(found[0]), float(found[1])
    room = (high - low) * 0.02
    low, high = max(low - room, least), min(high + room, most)
    is_whole = samples.dtype.kind in "ui"
    if is_whole:
        low, high = float(np.floor(low)), float(np.ceil(high))
    if high <= low:
        low, high = low - 0.5, low + 0.5
    counts, _ = np.histogram(finite, BARS, (low, high))
    return Levels(counts.astype(np.int64), low, high, least, most, is_whole)
