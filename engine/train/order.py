"""An order to train, as a person or the window gives it; it travels to the training process as JSON.

Files are named, not read; what follows from the data is decided by `engine.train.program`. No torch here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

from engine.errors import TrainingError
from engine.models.card import Json
from engine.train.plan import with_changes
from engine.train.recipe import Recipe
from engine.train.verdict import Accept

DEVICES = ("auto", "cpu", "cuda", "mps")
LEAST_SIDE = 64

_KINDS = {Path: "a path", str: "text", int: "a whole number", float: "a number", bool: "true or false"}


@dataclass(frozen=True, slots=True)
class TrainOrder:
    """What to train; None where it is left open.

    data: a project's folder or a COCO file, whose pictures are in `images`. val, val_images, or
    val_fraction of the data: to measure on at the end; it decides nothing. held_out: share of what is
    learned from to choose the best weights by; None leaves it to the data's size, 0 holds out none. base,
    name, iterations or minutes, seed, side: see `TrainPlan`. device: one of DEVICES. resume: go on with
    the training of that name. window: leave a core to a window. recipe: its fields that are to differ.

    gate: a fine-tuning. What the project holds out is not learned from; on it the new version and
    `against`, the one in use, are measured, and `accept` says which is to be active. classes: names to
    learn, None for all that are used. report: a folder for the comparison. notes: for the card.
    Raises TrainingError for values that cannot be.
    """

    data: Path
    images: Path | None = None
    val: Path | None = None
    val_images: Path | None = None
    val_fraction: float | None = None
    held_out: float | None = None
    base: str | None = None
    name: str | None = None
    iterations: int | None = None
    minutes: float | None = None
    device: str = "auto"
    seed: int = 0
    side: int | None = None
    resume: bool = False
    window: bool = False
    recipe: Mapping[str, Json] = field(default_factory=dict)
    gate: bool = False
    against: str | None = None
    accept: str = Accept.BETTER.value
    classes: tuple[str, ...] | None = None
    report: Path | None = None
    notes: str = ""

    def __post_init__(self) -> None:
        _check(self.val is None or self.val_fraction is None, "give 'val' or 'val_fraction', not both")
        _check(self.iterations is None or self.minutes is None, "give 'iterations' or 'minutes', not both")
        _check(self.iterations is None or self.iterations >= 1, "'iterations' must be at least 1")
        _check(self.minutes is None or 0 < self.minutes < 1e6, "'minutes' must be more than 0")
        _check(self.val_fraction is None or 0 < self.val_fraction < 1, "'val_fraction' must be in 0..1")
        _check(self.held_out is None or 0 <= self.held_out < 1, "'held_out' must be from 0 to less than 1")
        _check(self.side is None or self.side >= LEAST_SIDE, f"'side' must be at least {LEAST_SIDE}")
        _check(self.seed >= 0, "'seed' must not be negative")
        _check(self.device in DEVICES, f"'device' must be one of {', '.join(DEVICES)}")
        _check(self.accept in tuple(Accept), f"'accept' must be one of {', '.join(Accept)}")
        measured = self.val is not None or self.val_fraction is not None
        _check(not (self.gate and measured), "a fine-tuning measures on what the project holds out")
        with_changes(Recipe(), self.recipe)

    def to_json(self) -> str:
        """One line of JSON without the line's end, in ASCII."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        plain = {key: str(value) if isinstance(value, Path) else value for key, value in given.items()}
        return json.dumps({**plain, "recipe": dict(self.recipe)})

    @classmethod
    def from_json(cls, text: str) -> TrainOrder:
        """The order in a JSON object. Raises TrainingError that names what is wrong."""
        try:
            given = json.loads(text)
        except (ValueError, RecursionError) as e:
            raise TrainingError(f"The training order is not valid JSON ({e}).") from e
        _check(isinstance(given, dict), "it must be a JSON object")
        hints = get_type_hints(cls)
        unknown = sorted(given.keys() - hints.keys())
        _check(not unknown, f"'{unknown[0] if unknown else ''}' is not known; known are {', '.join(hints)}")
        _check("data" in given, "'data' is missing: name a project's folder or a COCO file")
        return cls(**{name: _typed(name, hints[name], value) for name, value in given.items()})


def _check(holds: bool, demand: str) -> None:
    if not holds:
        raise TrainingError(f"The training order is wrong: {demand}.")


def _typed(name: str, hint: Any, value: Any) -> Any:
    if name == "recipe":
        _check(isinstance(value, dict), "'recipe' must be a JSON object")
        return value
    if name == "classes":
        _check(
            value is None or (isinstance(value, list) and all(isinstance(one, str) for one in value)),
            "'classes' must be a list of names",
        )
        return None if value is None else tuple(value)
    kinds = get_args(hint) or (hint,)
    kind = kinds[0]
    if value is None and NoneType in kinds:
        return None
    if kind is Path and isinstance(value, str) and value:
        return Path(value)
    if kind is float and type(value) is int:
        return float(value)
    _check(type(value) is kind, f"'{name}' must be {_KINDS[kind]}")  # `type`: True is no whole number
    return value
