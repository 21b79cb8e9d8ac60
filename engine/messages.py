"""What goes in and out of the worker: frozen requests and events, no tensors, no documents.

Every order (a submitted request) gets any number of events and then exactly one ending: Finished,
Failed or Canceled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.document.contrast import AUTOMATIC, Contrast
from engine.document.masks import Mask
from engine.explanation import Explanation
from engine.media.image import MAX_PIXELS
from engine.models.card import Json
from engine.predict.settings import PredictSettings
from engine.prediction import Prediction
from engine.prompt import Candidate, Click
from engine.train.events import (
    EndedEarly,
    Fetching,
    Judged,
    Measured,
    Measuring,
    Noted,
    Paused,
    Picture,
    Pictured,
    Resumed,
    Saved,
    Started,
    Stepped,
)
from engine.train.verdict import Accept, Decision, Differing, ModelFigures, Verdict
from engine.tuning.description import TuneDescription

__all__ = [
    "Accept", "Canceled", "Compare", "Compared", "Decision", "Described", "Differing", "EndedEarly", "Ending",
    "Event", "Examine", "Explain", "Explained", "Failed", "Fetching", "FineTune", "Finished", "ImageExamined",
    "ImageFailed", "ImageLabelled", "ImageUpgraded", "Judged", "LabelFolder", "Measured", "Measuring",
    "ModelChoice", "ModelFigures", "ModelReady", "Noted", "OrderId", "Paused", "Picture", "Pictured",
    "PredictImage", "PredictPixels", "Predicted", "Preparing", "Priority", "Progress", "Prompt", "Prompted",
    "Request", "Resumed", "Saved", "Started", "Stepped", "TuneDescription", "Tuning", "TuningNews",
    "UpgradeBoxes", "Verdict", "WorkRequest",
]  # fmt: skip

OrderId: TypeAlias = int


class Priority(IntEnum):
    """Lower is served first; a job gives way to a more urgent one after its next event."""

    PROMPT = 0
    SHOWN = 1
    AHEAD = 2
    BATCH = 3


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Which model to run and how.

    model: a name in the store or a weights file. device: auto, cpu, cuda or mps.
    """

    model: str
    settings: PredictSettings = field(default_factory=PredictSettings)
    device: str = "auto"


@dataclass(frozen=True, slots=True)
class PredictImage:
    """Predict one picture. generation comes back with the answer, so that a stale one can be dropped."""

    path: Path
    frame: int
    choice: ModelChoice
    generation: int = 0
    contrast: Contrast = AUTOMATIC


@dataclass(frozen=True, slots=True)
class Prompt:
    """Find the object that a person points at, by a box, by clicks, by both, or by a rough outline; with none
    of them, get ready.

    box_xyxy and clicks: image pixels. hint: the mask of the outline. class_name: of the object; None, or a
    class that the model does not know: the most likely one. mask_cutoff: least probability of a pixel, 0..1.
    generation: comes back with the answer, so that a stale one can be dropped.
    """

    path: Path
    frame: int
    choice: ModelChoice
    box_xyxy: tuple[float, float, float, float] | None = None
    clicks: tuple[Click, ...] = ()
    class_name: str | None = None
    mask_cutoff: float = 0.5
    generation: int = 0
    contrast: Contrast = AUTOMATIC
    hint: Mask | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PredictPixels:
    """Predict a picture that is no file, such as a camera's frame. pixels: H x W x 3 uint8 RGB."""

    pixels: NDArray[np.uint8]
    choice: ModelChoice


@dataclass(frozen=True, slots=True)
class Explain:
    """Predict one picture and tell all that came before the prediction. generation as in PredictImage."""

    path: Path
    frame: int
    choice: ModelChoice
    generation: int = 0
    contrast: Contrast = AUTOMATIC


@dataclass(frozen=True, slots=True)
class LabelFolder:
    """Propose instances for a folder's images and store them in its project.

    only: paths relative to the folder, all images when empty. classes: names to store, all when None.
    limit: at most so many images in this run. again: also those that are up to date. every: of a video each
    n-th frame; 0 for those that the project has as images already.
    """

    folder: Path
    choice: ModelChoice
    only: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None
    limit: int | None = None
    again: bool = False
    max_pixels: int = MAX_PIXELS
    every: int = 0


@dataclass(frozen=True, slots=True)
class FineTune:
    """Learn from a project's reviewed images in a process of its own, and judge what came of it.

    What is None is chosen from data and machine. base: a model to start from; None: the one that the one
    in use came from, so that nothing drifts. continue_active: start from the one in use itself. against:
    the one in use, which the new one must beat; None: the project's active one. classes: names to learn.
    held_out: share of newly reviewed images to measure on; those that have been assigned stay. accept:
    when the new version becomes the active one. frozen_stages: of the body. name, notes: of the new
    version. resume: go on with the run that was stopped; what was given for it counts again. window:
    leave a core to the window. recipe: fields of it that are to differ.
    """

    folder: Path
    base: str | None = None
    continue_active: bool = False
    against: str | None = None
    iterations: int | None = None
    minutes: float | None = None
    side: int | None = None
    classes: tuple[str, ...] | None = None
    held_out: float = 0.2
    frozen_stages: int | None = None
    seed: int = 0
    accept: Accept = Accept.BETTER
    device: str = "auto"
    name: str | None = None
    notes: str = ""
    resume: bool = False
    window: bool = True
    recipe: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Examine:
    """Find out what a model makes of images, for the review queue and the likely mistakes.

    Of an image that nobody has reviewed: how doubtful it is, by its scores and by its mirror image. Of a
    reviewed one: where the model disagrees with the person. only: ids of images, empty for all that were
    not examined with this model yet. limit: at most so many. Changes no instance.
    """

    folder: Path
    choice: ModelChoice
    only: tuple[int, ...] = ()
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Compare:
    """Measure two models on the images that a project holds out. Changes nothing.

    first, second: names in the store; the second is told as the new one, the first as the old.
    """

    folder: Path
    first: str
    second: str
    device: str = "auto"


@dataclass(frozen=True, slots=True)
class UpgradeBoxes:
    """Give the instances of a folder's project that are known by a box alone the masks inside their boxes.

    media_ids: these images only, all when empty; instance_ids likewise. limit: do at most so many images.
    least_score: of proposals, those of less are left as they are. least_fill: IoU of a mask's bounds with its
    box, 0..1, below which it is left to a person to look at. mask_cutoff: least probability of a pixel, 0..1.
    max_pixels: larger pictures are refused.
    """

    folder: Path
    choice: ModelChoice
    media_ids: tuple[int, ...] = ()
    instance_ids: frozenset[int] = frozenset()
    limit: int | None = None
    least_score: float = 0.0
    least_fill: float = 0.75
    mask_cutoff: float = 0.5
    max_pixels: int = MAX_PIXELS


WorkRequest: TypeAlias = (
    PredictImage | PredictPixels | Prompt | Explain | LabelFolder | Examine | Compare | UpgradeBoxes
)
"""What the worker that owns the model does."""

Request: TypeAlias = WorkRequest | FineTune


@dataclass(frozen=True, slots=True)
class ModelReady:
    """The model is loaded; `device` says where it runs and why, in words."""

    order: OrderId
    name: str
    device: str


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """The answer to PredictImage and PredictPixels; generation: of PredictImage."""

    order: OrderId
    generation: int
    prediction: Prediction


@dataclass(frozen=True, slots=True, eq=False)
class Prompted:
    """The answer to Prompt: candidates, best first. None where it was to get ready.

    The best one comes at once, and again with every further one. more: the next best is still being made.
    """

    order: OrderId
    generation: int
    candidates: tuple[Candidate, ...] | None
    more: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """The answer to Explain."""

    order: OrderId
    generation: int
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class ImageLabelled:
    """Proposals of one image are on disk. path: relative to the folder."""

    order: OrderId
    media_id: int
    path: str
    instances: int


@dataclass(frozen=True, slots=True)
class ImageFailed:
    """One image could not be labelled; the job goes on."""

    order: OrderId
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImageUpgraded:
    """The boxes of one image have their masks. doubtful: how many of them a person should look at."""

    order: OrderId
    media_id: int
    path: str
    masks: int
    doubtful: int


@dataclass(frozen=True, slots=True)
class ImageExamined:
    """What a model makes of one image is in the project. doubt: 0..1, None for a reviewed image."""

    order: OrderId
    media_id: int
    doubt: float | None
    conflicts: int


@dataclass(frozen=True, slots=True)
class Compared:
    """Two models on the same images, in the form of a gate's verdict; nothing was decided."""

    order: OrderId
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is. rate: images a second; seconds_left: None until it can be told."""

    order: OrderId
    done: int
    total: int
    failed: int
    rate: float
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class Preparing:
    """Newly reviewed images are looked at and assigned to learning or measuring: so many of so many."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Described:
    """What a fine-tuning is about to learn from."""

    description: TuneDescription


TuningNews: TypeAlias = (
    Preparing
    | Described
    | Noted
    | Fetching
    | Started
    | Stepped
    | Paused
    | Resumed
    | Measured
    | Pictured
    | Measuring
    | Saved
    | EndedEarly
    | Judged
)


@dataclass(frozen=True, slots=True)
class Tuning:
    """Something new of a fine-tuning. Its ending is one of the three below, as for every order."""

    order: OrderId
    news: TuningNews


@dataclass(frozen=True, slots=True)
class Finished:
    """The order ended as asked. summary: figures by name, for a person or a script."""

    order: OrderId
    summary: Mapping[str, int | float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """The order could not be carried out; `message` is one sentence a person can act on."""

    order: OrderId
    message: str


@dataclass(frozen=True, slots=True)
class Canceled:
    """The order was canceled; what it had finished stays."""

    order: OrderId


Ending: TypeAlias = Finished | Failed | Canceled
Event: TypeAlias = (
    ModelReady
    | Predicted
    | Prompted
    | Explained
    | ImageLabelled
    | ImageExamined
    | ImageUpgraded
    | ImageFailed
    | Compared
    | Progress
    | Tuning
    | Ending
)
