"""What training says while it goes on: frozen data, one union, no tensors; and its form as lines of JSON.

A run gives any number of events and then exactly one ending. No torch here.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, get_type_hints

from engine.models.card import ModelVersion, read_version
from engine.train.verdict import Verdict


class StopAsked(Exception):  # noqa: N818 - it is a wish, not an error
    """Somebody wants the run to stop. Raised where nothing can be yielded."""


@dataclass(frozen=True, slots=True)
class Noted:
    """Something worth knowing, in a sentence."""

    text: str


@dataclass(frozen=True, slots=True)
class Fetching:
    """The base is being downloaded. done, total: bytes; total is None where the server does not say."""

    name: str
    done: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Started:
    """The work is set up. step: steps done before, by the run that is resumed. iterations: planned, if so.

    batch: pictures a step; window: side in pixels of the part of a picture that a step looks at, None for
    all of it. architecture: the network's.
    """

    device: str
    images: int
    instances: int
    held_out: int
    min_size: int
    anchor_base: int
    step: int
    iterations: int | None
    batch: int = 0
    window: int | None = None
    architecture: str = ""


@dataclass(frozen=True, slots=True)
class Stepped:
    """A step is done. progress: 0..1 of the whole run. losses: by name; skipped: they were not finite.

    seconds: time trained so far, that of the resumed run included. seconds_a_step, seconds_left: by what
    was done since the program started, None at its first step; what is left includes the measuring.
    memory: bytes that the process holds, on the GPU where it trains there; 0 where it is not known.
    """

    step: int
    progress: float
    loss: float
    losses: Mapping[str, float]
    learning_rate: float
    seconds: float
    skipped: bool
    seconds_a_step: float | None = None
    seconds_left: float | None = None
    memory: int = 0


@dataclass(frozen=True, slots=True)
class Paused:
    """Nothing is done until somebody says to go on; after `step`."""

    step: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """It goes on after a pause, after `step`."""

    step: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture with what the model finds on it now, as a JPEG file's bytes; path and frame name it."""

    path: str
    frame: int
    jpeg: bytes = dataclasses.field(repr=False)


@dataclass(frozen=True, slots=True)
class Pictured:
    """A few held-out images by the averaged weights of now, always the same ones: to look at.

    ap: on these images; it decides nothing.
    """

    step: int
    progress: float
    ap: float
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """Old and new model were measured on the held-out images, and it is decided which is to be active."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Measuring:
    """A model is being measured: images done, of so many."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Measured:
    """The averaged weights were measured on the images held out of the training data."""

    step: int
    metrics: Mapping[str, float]
    is_best: bool


@dataclass(frozen=True, slots=True)
class Saved:
    """The restart file was written: a run that is stopped now goes on after this step."""

    step: int


@dataclass(frozen=True, slots=True)
class EndedEarly:
    """Training ends before its time: the last `measurements` were no better than that at `best_step`."""

    step: int
    best_step: int
    measurements: int


@dataclass(frozen=True, slots=True)
class Trained:
    """Training has ended; both versions are saved. metrics: on images that took no part, if there are."""

    best: ModelVersion
    last: ModelVersion
    steps: int
    seconds: float
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """Training could not be done; `message` is a sentence. fault: Maskwright's own, told in the log."""

    message: str
    fault: bool = False


@dataclass(frozen=True, slots=True)
class Stopped:
    """Training was stopped because somebody asked. It can go on after `step`; None: from nowhere."""

    step: int | None


Ending: TypeAlias = Trained | Failed | Stopped
TrainEvent: TypeAlias = (
    Noted
    | Fetching
    | Started
    | Stepped
    | Paused
    | Resumed
    | Measuring
    | Measured
    | Pictured
    | Saved
    | EndedEarly
    | Judged
    | Ending
)

_KINDS: dict[str, type[TrainEvent]] = {
    kind.__name__.lower(): kind
    for kind in (
        Noted, Fetching, Started, Stepped, Paused, Resumed, Measuring, Measured, Pictured, Saved, EndedEarly,
        Judged, Trained, Failed, Stopped,
    )
}  # fmt: skip


def to_line(event: TrainEvent) -> str:
    """An event as one line of JSON, ASCII, without the line's end. Numbers that are not finite are null."""
    fields = {one.name: _plain(getattr(event, one.name)) for one in dataclasses.fields(event)}
    return json.dumps({"event": type(event).__name__.lower(), **fields}, allow_nan=False)


def from_line(line: str | bytes) -> TrainEvent:
    """The event of a line. Raises ValueError for another line, ModelError where a version is not there."""
    fields = json.loads(line)
    if not isinstance(fields, dict) or fields.get("event") not in _KINDS:
        raise ValueError("not an event")
    kind = _KINDS[fields.pop("event")]
    hints = get_type_hints(kind)
    if fields.keys() - hints.keys():
        raise ValueError(f"not the fields of {kind.__name__}")
    try:
        return kind(**{name: _typed(value, hints[name]) for name, value in fields.items()})
    except (TypeError, KeyError) as e:
        raise ValueError(f"not the fields of {kind.__name__}") from e


def _plain(value: Any) -> Any:
    if isinstance(value, ModelVersion):
        return str(value.path)
    if isinstance(value, Verdict):
        return _plain(value.to_json())
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, Picture):
        return {
            "path": value.path,
            "frame": value.frame,
            "jpeg": base64.b64encode(value.jpeg).decode("ascii"),
        }
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _typed(value: Any, hint: Any) -> Any:
    if hint is ModelVersion:
        return read_version(Path(value))
    if hint is Verdict:
        return Verdict.from_json(value)
    if hint == tuple[Picture, ...]:
        return tuple(Picture(one["path"], one["frame"], base64.b64decode(one["jpeg"])) for one in value)
    if hint == Mapping[str, float]:
        return {key: _typed(one, float) for key, one in value.items()}
    return math.nan if value is None and hint is float else value
