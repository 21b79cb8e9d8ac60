"""Masks for instances that are known by a box alone: the job, and what a mask must be like to be trusted.

A generator for the worker, which is handed the model as a function: no torch here. What has a mask is left
alone, so it goes on where it stopped. Every image is one edit of the person's, who can undo it there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.document.diff import Diff, Source
from engine.document.document import Document
from engine.document.mask import Mask
from engine.document.records import (
    IMAGE_STATE_ID,
    Box,
    ImageState,
    Instance,
    MediaItem,
    Record,
    ReviewState,
)
from engine.errors import MaskwrightError
from engine.media.image import read_rgb
from engine.messages import Event, ImageFailed, ImageUpgraded, OrderId, Progress, UpgradeBoxes
from engine.project import Project
from engine.refilter import overlaps

NAME = "Boxes to masks"
"""Of the edits."""

CHECK = "check masks"
"""The flag of images in which a mask disagrees with its box."""

DISAGREES = "mask_fills_box"
"""The attribute of such an instance: the IoU of its mask's bounds with its box."""

MaskBoxes: TypeAlias = Callable[
    [NDArray[np.uint8], Sequence[Box], Sequence[str]], Generator[None, None, Sequence[Mask]]
]
"""Picture (H x W x 3 RGB), boxes (image pixels) and their classes' names to a mask a box, empty for none.

In steps, between which something more urgent may be done."""


def boxes_alone(
    document: Document, instance_ids: frozenset[int] = frozenset(), least_score: float = 0.0
) -> list[Instance]:
    """The instances without a mask, of these ids where there are any; proposals of that score or more."""
    return [
        one
        for one in document.instances
        if one.mask is None
        and one.box_xyxy is not None
        and (not instance_ids or one.id in instance_ids)
        and not (one.provenance.is_proposal and (one.score or 0.0) < least_score)
    ]


def fill_of(mask: Mask, box: Box) -> float:
    """How well the bounds of a mask meet its box: their IoU, 0..1."""
    _, _, iou = overlaps(np.array([mask.box_xyxy], np.float32), np.array([box], np.float32), 0.0)
    return float(iou[0]) if len(iou) else 0.0


def upgrade(
    order: OrderId, request: UpgradeBoxes, project: Project, mask_boxes: MaskBoxes
) -> Generator[Event | None, None, Mapping[str, int | float | str]]:
    """Give the boxes of images their masks, image by image."""
    if project.read_only:
        raise MaskwrightError(
            f"The project of {project.folder} is open read-only ({project.read_only_reason}); masks cannot "
            "be stored."
        )
    todo = list(_waiting(request, project))
    begun, failed, masks, doubtful = time.monotonic(), 0, 0, 0
    yield Progress(order, 0, len(todo), 0, 0.0, None)
    for number, item in enumerate(todo, start=1):
        try:
            upgraded = yield from _upgraded(order, request, project, item, mask_boxes)
        except MaskwrightError as error:
            failed += 1
            yield ImageFailed(order, item.path, str(error))
        else:
            masks += upgraded.masks
            doubtful += upgraded.doubtful
            yield upgraded
        rate = number / max(time.monotonic() - begun, 1e-6)
        yield Progress(order, number, len(todo), failed, rate, (len(todo) - number) / rate)
    seconds = round(time.monotonic() - begun, 3)
    return {"images": len(todo), "failed": failed, "masks": masks, "doubtful": doubtful, "seconds": seconds}


def _waiting(request: UpgradeBoxes, project: Project) -> Iterator[MediaItem]:
    """The images that hold boxes alone."""
    wanted, left = frozenset(request.media_ids), request.limit
    for item in project.media():
        if item.missing or (wanted and item.id not in wanted):
            continue
        if left == 0:
            return
        if boxes_alone(project.load(item.id), request.instance_ids, request.least_score):
            left = None if left is None else left - 1
            yield item


def _upgraded(
    order: OrderId, request: UpgradeBoxes, project: Project, item: MediaItem, mask_boxes: MaskBoxes
) -> Generator[None, None, ImageUpgraded]:
    document = project.load(item.id)
    boxed = boxes_alone(document, request.instance_ids, request.least_score)
    names = {one.id: one.name for one in project.classes()}
    picture = read_rgb(project.path_of(item), item.frame, item.contrast, max_pixels=request.max_pixels)
    boxes = [one.bounds_xyxy for one in boxed]
    found = yield from mask_boxes(picture, boxes, [names.get(one.class_id, "") for one in boxed])
    made = {one.id: mask for one, mask in zip(boxed, found, strict=True)}
    # What a person has changed while the model looked stays as the person has it.
    diff, doubtful = with_masks(project.load(item.id), made, request.least_fill)
    if not diff.is_empty:
        project.save(item.id, diff, name=NAME, source=Source.USER).result()
    masks = sum(isinstance(new, Instance) and new.mask is not None for _, new in diff.updated.values())
    return ImageUpgraded(order, item.id, item.path, masks, doubtful)


def with_masks(document: Document, masks: Mapping[int, Mask], least_fill: float) -> tuple[Diff, int]:
    """The change that gives boxes their masks, and how many of these are not to be trusted unseen.

    Class, box and id stay. An instance whose mask fills its box by less than `least_fill` (IoU, 0..1), or
    that gets none, is doubtful: its image is flagged and, if it was reviewed, waits for a review again.
    """
    updated: dict[int, tuple[Record, Record]] = {}
    doubtful = 0
    for one in boxes_alone(document):
        mask = masks.get(one.id)
        if mask is None:
            continue
        fill = fill_of(mask, one.bounds_xyxy)
        new = one if mask.is_empty else replace(one, mask=mask)
        if fill < least_fill:
            doubtful += 1
            new = replace(new, attributes=(*_without_doubt(one), (DISAGREES, f"{fill:.2f}")))
        if new != one:
            updated[one.id] = one, new
    state = document.state
    if doubtful and doubted(state) != state:
        updated[IMAGE_STATE_ID] = state, doubted(state)
    return Diff(updated=updated), doubtful


def doubted(state: ImageState) -> ImageState:
    """What an image with a doubtful mask becomes: flagged, and no longer reviewed."""
    review = ReviewState.PROPOSED if state.review is ReviewState.REVIEWED else state.review
    return replace(state, review=review, flags=tuple(dict.fromkeys((*state.flags, CHECK))))


def is_doubtful(instance: Instance) -> bool:
    """Whether its mask, or that it has none, waits for a look."""
    return any(name == DISAGREES for name, _ in instance.attributes)


def _without_doubt(instance: Instance) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in instance.attributes if pair[0] != DISAGREES)


def settle(document: Document) -> None:
    """Take the marks of doubt away, inside an edit: a person has looked at the image."""
    for one in document.instances:
        if is_doubtful(one):
            document.replace(replace(one, attributes=_without_doubt(one)))
    state = document.state
    if CHECK in state.flags:
        document.replace(replace(state, flags=tuple(flag for flag in state.flags if flag != CHECK)))


def undo_upgrade(project: Project, media_ids: Iterable[int]) -> int:
    """Take masks back where nothing was edited since; how many images changed."""
    last = (media_id for media_id in media_ids if project.history(media_id).done[-1:] == (NAME,))
    return sum(project.undo(media_id) is not None for media_id in last)
