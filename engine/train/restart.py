"""Restart files: everything a stopped training needs to go on, and nothing executable.

Written whole or not at all: until the new file is on the disk the old one stays. Read with
`weights_only=True`, after its checksums.
"""

from __future__ import annotations

import dataclasses
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import TrainingError
from engine.files import replacing
from engine.train.standing import Standing

# What a damaged file, or one of another version, makes zipfile, `torch.load` and the constructors raise.
_DAMAGED = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    NotImplementedError,
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

    identity: of data, classes, base, recipe and seed; a run is only resumed as what it was. weights,
    average: by name. optimizer: the optimizer's own state, as its `state_dict` gives it.
    """

    identity: str
    standing: Standing
    weights: Mapping[str, Tensor]
    average: Mapping[str, Tensor]
    optimizer: dict[str, Any]


def write_restart(file: Path, restart: Restart) -> None:
    """Replace the restart file. Raises TrainingError where it cannot be written; the old one is left then."""
    content = {
        "identity": restart.identity,
        "standing": dataclasses.asdict(restart.standing),
        "weights": dict(restart.weights),
        "average": dict(restart.average),
        "optimizer": restart.optimizer,
    }
    try:
        with replacing(file, durable=True) as part, part.open("wb") as stream:
            torch.save(content, stream)
    except (OSError, RuntimeError) as e:  # a disk that fills up is a RuntimeError of torch's writer
        reason = e.strerror or str(e) if isinstance(e, OSError) else str(e).partition("\n")[0]
        raise TrainingError(
            f"The restart file {file} cannot be written ({reason}): make room or mend the folder."
        ) from e


def read_restart(file: Path) -> Restart:
    """Read a restart file; nothing in it is executed. Raises TrainingError."""
    if not file.is_file():
        raise TrainingError(f"There is nothing to resume: {file} is not there; begin a new training.")
    try:
        with zipfile.ZipFile(file) as archive:
            if archive.testzip() is not None:  # torch itself compares no checksums
                raise zipfile.BadZipFile("a checksum differs")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd files torch warns and raises; what it raises says more
            content = torch.load(file, map_location="cpu", weights_only=True)
        return Restart(**{**content, "standing": Standing(**content["standing"])})
    except (OSError, *_DAMAGED) as e:
        raise TrainingError(
            f"The restart file {file} is damaged or of another version: begin a new training."
        ) from e
