"""The job that finds out what a model makes of images: its doubts, and its disagreements with a person.

A generator for the worker, which is handed the model as a function: no torch here. What was found for the
same content by the same model is not looked for again, so it goes on where it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.document.records import MediaItem, ReviewState
from engine.errors import MaskwrightError
from engine.media.image import contrast_in_force, read_rgb
from engine.messages import Event, Examine, ImageExamined, ImageFailed, OrderId, Progress
from engine.prediction import Prediction
from engine.project import Project
from engine.project.examined import Examined
from engine.proposing import content_key
from engine.tuning.doubts import conflicts, doubt, mirrored

Predict: TypeAlias = Callable[[NDArray[np.uint8]], Generator[None, None, Prediction]]
"""Picture (H x W x 3 RGB) to a model's answer, in steps between which something more urgent may be done."""


def examine(
    order: OrderId, request: Examine, project: Project, weights: str, predict: Predict
) -> Generator[Event | None, None, Mapping[str, int | float | str]]:
    """Examine images one by one. weights: the model's SHA-256."""
    if project.read_only:
        raise MaskwrightError(
            f"The project of {project.folder} is open read-only ({project.read_only_reason}); what the model "
            "makes of its images cannot be stored."
        )
    todo = list(_waiting(request, project, weights))
    begun, failed, doubtful = time.monotonic(), 0, 0
    for number, (item, key) in enumerate(todo, start=1):
        try:
            found = yield from _examined(project, item, key, predict)
        except MaskwrightError as error:
            failed += 1
            yield ImageFailed(order, item.path, str(error))
        else:
            project.put_examined(found)
            doubtful += bool(found.conflicts)
            yield ImageExamined(order, item.id, found.doubt, len(found.conflicts))
        rate = number / max(time.monotonic() - begun, 1e-6)
        yield Progress(order, number, len(todo), failed, rate, (len(todo) - number) / rate)
    return {"images": len(todo), "failed": failed, "with_conflicts": doubtful}


def _waiting(request: Examine, project: Project, weights: str) -> Iterator[tuple[MediaItem, str]]:
    """The images to look at, and what their finding will be known by."""
    wanted, known = frozenset(request.only), project.examined()
    left = request.limit if request.limit is not None else len(project.media())
    for item in project.media():
        if left <= 0:
            return
        if item.missing or (wanted and item.id not in wanted):
            continue
        key = _key(project, item, weights)
        if item.id in known and known[item.id].key == key:
            continue
        left -= 1
        yield item, key


def _key(project: Project, item: MediaItem, weights: str) -> str:
    """Equal keys mean equal findings: of a reviewed image the labels count too."""
    state = project.load(item.id).state
    labels = ""
    if state.review is ReviewState.REVIEWED:
        labels = f" reviewed {project.last_edits(item.id).get(item.id, 0)}"
    try:
        contrast = contrast_in_force(project.path_of(item), item.frame, item.contrast)
        content = content_key(project.ensure_hash(item.id), item.frame, contrast)
    except MaskwrightError:
        content = f":{item.frame}"  # it cannot be read: decoding will say why
    return f"{content} {weights}{labels}"


def _examined(
    project: Project, item: MediaItem, key: str, predict: Predict
) -> Generator[None, None, Examined]:
    picture = read_rgb(project.path_of(item), item.frame, item.contrast)
    plain = yield from predict(picture)
    document = project.load(item.id)
    if document.state.review is ReviewState.REVIEWED:
        names = {one.id: one.name for one in project.classes()}
        seen = [one for one in document.instances if not one.provenance.is_proposal]
        return Examined(item.id, key, None, conflicts(plain, seen, document.ignore_regions, names))
    other = yield from predict(np.ascontiguousarray(picture[:, ::-1]))
    return Examined(item.id, key, doubt(plain, mirrored(other)))
