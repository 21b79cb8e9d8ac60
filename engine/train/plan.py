"""What is to be trained, on what, how and for how long, as plain data. No torch here."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import TrainingError
from engine.formats.labelled import LabelledSet
from engine.models.card import Json
from engine.train.recipe import Recipe

OPTIMIZERS = ("sgd", "adamw")
_AT_LEAST_ONE = ("batch", "warmup", "prompt_batch", "prompt_rois")


@dataclass(frozen=True, slots=True)
class Budget:
    """How long to train: steps or minutes, one of them."""

    iterations: int | None = None
    minutes: float | None = None

    def progress(self, step: int, seconds: float) -> float:
        """Share of the run that is done, 0..1."""
        if self.iterations is not None:
            return min(1.0, step / max(self.iterations, 1))
        assert self.minutes is not None
        return min(1.0, seconds / (60.0 * self.minutes))

    def whole(self, share: float) -> float:
        """The largest part of the run that is at most `share` of it and can be done: whole steps."""
        share = min(1.0, share)
        return share if self.iterations is None else int(share * self.iterations) / max(self.iterations, 1)


@dataclass(frozen=True, slots=True)
class TrainPlan:
    """What is to be trained, on what, how and for how long.

    data: what is learned from. held_out: a part of the training data kept to choose the best weights by
    and to end early by; None where there is too little. base: see `starting_point`. side: short side of a
    picture; None lets the data decide. recipe: None takes the one that suits the base; changes: of its
    fields, by name. bf16: run the layers in bf16, where that is measured to be faster. window: leave a core
    to a window that people work in meanwhile. notes: for the model card, such as which images were left out.
    keep_last: save the last step's weights too, as NAME-last.
    """

    data: LabelledSet
    base: str
    name: str
    budget: Budget
    held_out: LabelledSet | None = None
    recipe: Recipe | None = None
    changes: tuple[tuple[str, Json], ...] = ()
    seed: int = 0
    device: str = "cpu"
    side: int | None = None
    bf16: bool = False
    window: bool = False
    notes: tuple[tuple[str, Json], ...] = ()
    keep_last: bool = True


def default_iterations(images: int) -> int:
    """Steps for a data set of that many images, where nobody says how long."""
    steps = ((20, 300), (100, 800), (500, 3000))
    return next((count for most, count in steps if images <= most), 6000)


def with_changes(recipe: Recipe, changes: Mapping[str, Json]) -> Recipe:
    """The recipe with some fields replaced. Raises TrainingError for a field or value that cannot be."""
    known = dataclasses.asdict(recipe)
    unknown = sorted(changes.keys() - known.keys())
    if unknown:
        raise TrainingError(f"The recipe has no '{unknown[0]}'; it has {', '.join(known)}.")
    return dataclasses.replace(recipe, **{k: _changed(k, known[k], v) for k, v in changes.items()})


def _changed(name: str, before: object, value: Json) -> Any:
    if isinstance(before, tuple):
        if isinstance(value, list) and len(value) == len(before):
            return tuple(_changed(name, old, new) for old, new in zip(before, value, strict=True))
        raise TrainingError(f"'{name}' of the recipe must be a list of {len(before)} numbers.")
    if name == "optimizer":
        if value in OPTIMIZERS:
            return value
        raise TrainingError(f"'{name}' of the recipe must be one of {', '.join(OPTIMIZERS)}.")
    least, whole = 1 if name in _AT_LEAST_ONE else 0, isinstance(before, int)
    # `type`: True is no whole number.
    if type(value) is int and value >= least:
        return value if whole else float(value)
    if type(value) is float and not whole and least <= value < math.inf:
        return value
    kind = "whole number" if whole else "number"
    raise TrainingError(f"'{name}' of the recipe must be a {kind} of at least {least}.")
