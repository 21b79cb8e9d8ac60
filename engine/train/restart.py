"""Restart files: everything a stopped training needs to go on, and nothing executable.

Written whole or not at all; read with `weights_only=True`.
"""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import TrainingError

# What a damaged file, or one of another version, makes `torch.load` and the constructor raise.
_DAMAGED = (
    pickle.UnpicklingError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    EOFError,
    AttributeError,
)


@dataclass(frozen=True, slots=True, eq=False)
class Restart:
    """The state between two steps.

    identity: of data, classes, base, recipe and seed; a run is only resumed as what it was. step and
    seconds: done so far. best: the best metric yet, negative before the first. weights, average: by
    name. optimizer: the optimizer's own state, as its `state_dict` gives it.
    """

    identity: str
    step: int
    seconds: float
    best: float
    weights: Mapping[str, Tensor]
    average: Mapping[str, Tensor]
    optimizer: dict[str, Any]


def write_restart(file: Path, restart: Restart) -> None:
    """Replace the restart file. Raises TrainingError where it cannot be written."""
    part = file.with_name(file.name + ".new")
    content = {name: getattr(restart, name) for name in Restart.__slots__}
    content |= {name: dict(content[name]) for name in ("weights", "average")}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as stream:
            torch.save(content, stream)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
    except OSError as e:
        part.unlink(missing_ok=True)
        raise TrainingError(f"The restart file {file} cannot be written: {e.strerror or e}.") from e


def read_restart(file: Path) -> Restart:
    """Read a restart file; nothing in it is executed. Raises TrainingError."""
    if not file.is_file():
        raise TrainingError(f"There is nothing to resume: {file} is not there; train without --resume.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd files torch warns and raises; what it raises says more
            content = torch.load(file, map_location="cpu", weights_only=True)
        return Restart(**content)
    except (OSError, *_DAMAGED) as e:
        raise TrainingError(
            f"The restart file {file} is damaged or of another version: train without --resume."
        ) from e
