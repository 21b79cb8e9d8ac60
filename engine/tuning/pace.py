"""How long a training step takes on this machine: remembered from the last one, else guessed. No torch.

A note in the model store for each machine, since a home folder may be shared by several.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from engine.files import replacing

_logger = logging.getLogger(__name__)

NOTES = "pace.json"

REFERENCE_SIDE = 320.0

# Seconds a picture of 320 x 320 pixels takes in a step, by a word in the architecture's name. Measured
# on two cores; a GPU's are a guess that the first training corrects.
_ON_CPU = (("slim", 0.35), ("mobilenet", 0.6), ("resnet18", 0.8), ("resnet34", 1.0))
_ON_CPU_ELSE, _ON_GPU = 1.6, 0.03

SECONDS_TO_START = 8.0
SHARE_TO_MEASURE = 0.6
"""Of the seconds that a picture takes in a step, to predict one of the same side."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that a picture takes in a training step; measured: here and not guessed."""

    seconds_a_picture: float
    measured: bool

    def of_run(self, *, iterations: int, batch: int, measured_images: int) -> float:
        """Seconds of a whole run that measures so many images, each by two models."""
        pictures = iterations * batch + 2 * SHARE_TO_MEASURE * measured_images
        return SECONDS_TO_START + pictures * self.seconds_a_picture


def expected(root: Path, *, device: str, architecture: str, side: int) -> Pace:
    """The pace at a side in pixels. root: the model store's folder. device: cpu, cuda or mps."""
    share = (side / REFERENCE_SIDE) ** 2
    known = _read(root).get(_key(device, architecture))
    if isinstance(known, int | float) and known > 0:
        return Pace(known * share, True)
    if device != "cpu":
        return Pace(_ON_GPU * share, False)
    guess = next((seconds for word, seconds in _ON_CPU if word in architecture), _ON_CPU_ELSE)
    return Pace(guess * share, False)


def remember(root: Path, *, device: str, architecture: str, side: int, seconds_a_picture: float) -> None:
    """Note how long a picture took; a folder that cannot be written costs the note."""
    notes = _read(root)
    kind = device.partition(":")[0]
    notes |= {_key(kind, architecture): seconds_a_picture / (side / REFERENCE_SIDE) ** 2, _machine(): kind}
    file = root / NOTES
    try:
        with replacing(file) as part:
            part.write_text(json.dumps(notes, indent=1), encoding="utf-8")
    except OSError as error:
        _logger.info("the pace of training cannot be noted in %s: %s", file, error)


def likely_device(root: Path, wanted: str) -> str:
    """cpu, cuda or mps: what `auto` will come to, by what it came to last or whether there is a driver."""
    if wanted != "auto":
        return wanted
    known = _read(root).get(_machine())
    if isinstance(known, str):
        return known
    return "cuda" if shutil.which("nvidia-smi") else "cpu"


def _machine() -> str:
    return f"{platform.node()} {os.cpu_count()}"


def _key(device: str, architecture: str) -> str:
    return f"{_machine()} {device} {architecture}"


def _read(root: Path) -> dict[str, object]:
    try:
        notes = json.loads((root / NOTES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return notes if isinstance(notes, dict) else {}
