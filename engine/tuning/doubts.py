"""What a model's answers say beyond themselves: how sure it is, and where it contradicts a person.

Answers in, figures out: no model is run here, no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.document.boolean import intersect
from engine.document.masks import iou
from engine.document.records import Box, IgnoreRegion, Instance
from engine.prediction import Prediction
from engine.project.examined import Conflict, ConflictKind
from engine.refilter import masks

SURE = 0.7
"""Score from which a model is taken at its word against a person."""

SEES = 0.1
"""Score below which it sees nothing."""

LEAST_COUNTED = 0.2
"""Score of detections that the doubt is of: the dozens below are near nothing on every image."""

MEETS, AGREES = 0.5, 0.75
"""IoU from which two are the same object, and from which they agree on its pixels."""


def mirrored(prediction: Prediction) -> Prediction:
    """The answer for a picture seen in a mirror, turned back."""

    def turned(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        x0, y0, x1, y1 = boxes.T
        return np.stack((prediction.width - x1, y0, prediction.width - x0, y1), axis=1)

    probs, frames = prediction.mask_probs, prediction.mask_frames
    return replace(
        prediction,
        boxes_xyxy=turned(prediction.boxes_xyxy),
        mask_probs=None if probs is None else np.ascontiguousarray(probs[:, :, ::-1]),
        mask_frames=None if frames is None else turned(frames),
    )


def margin(prediction: Prediction) -> float:
    """How near the scores are to one half, 0..1, weighed by the score; see `Survey.uncertainty`."""
    scores = prediction.scores[prediction.scores >= LEAST_COUNTED].astype(np.float64)
    if not len(scores):
        return 0.0
    return float((scores * (1.0 - np.abs(2.0 * scores - 1.0))).sum() / scores.sum())


def flip_disagreement(plain: Prediction, turned_back: Prediction) -> float:
    """How much the answers for a picture and for its mirror image differ, 0..1, weighed by the scores.

    turned_back: the second answer after `mirrored`. An object that only one finds, or that they give
    different classes, counts as 1, one that both find as 1 - IoU.
    """
    ours, theirs = _found(plain), _found(turned_back)
    free = set(range(len(theirs)))
    lost = total = 0.0
    for one in ours:
        score = one.score or 0.0
        best = max(free, key=lambda n: overlap(one, theirs[n]), default=None)
        met = overlap(one, theirs[best]) if best is not None else 0.0
        total += score
        if best is None or met < MEETS or theirs[best].class_id != one.class_id:
            lost += score
            continue
        free.discard(best)
        lost += score * (1.0 - met)
    rest = sum(theirs[n].score or 0.0 for n in free)
    return (lost + rest) / (total + rest) if total + rest else 0.0


def doubt(plain: Prediction, turned_back: Prediction | None = None) -> float:
    """How doubtful an image is, 0..1: of score margin and disagreement under the mirror, the greater."""
    by_score = margin(plain)
    return by_score if turned_back is None else max(by_score, flip_disagreement(plain, turned_back))


def conflicts(
    prediction: Prediction,
    labelled: Sequence[Instance],
    ignore: Sequence[IgnoreRegion],
    names: dict[int, str],
) -> tuple[Conflict, ...]:
    """Where a model disagrees with what a person said of an image, what looks most like a mistake first.

    names: of the project's classes by id; classes that the model does not know are left out.
    """
    known = {id_: name for id_, name in names.items() if name in prediction.classes}
    found = [
        one for one in _found(prediction, SEES) if prediction.classes[one.class_id - 1] in names.values()
    ]
    true = [one for one in labelled if one.class_id in known]
    free = set(range(len(found)))
    told = []
    for one in true:
        best = max(free, key=lambda n: overlap(one, found[n]), default=None)
        met = overlap(one, found[best]) if best is not None else 0.0
        if best is None or met < MEETS:
            told.append(Conflict(ConflictKind.DOUBTED, one.bounds_xyxy, known[one.class_id], 0.6, one.id))
            continue
        free.discard(best)
        score, said = found[best].score or 0.0, prediction.classes[found[best].class_id - 1]
        if said != known[one.class_id]:
            if score >= SURE:
                told.append(Conflict(ConflictKind.OTHER_CLASS, one.bounds_xyxy, said, score, one.id))
        elif met < AGREES and score >= SURE:
            told.append(Conflict(ConflictKind.OUTLINE, one.bounds_xyxy, said, 1.0 - met, one.id))
    for n in sorted(free):
        one = found[n]
        if (one.score or 0.0) >= SURE and not _is_ignored(one, ignore) and not _is_part(one, labelled):
            said = prediction.classes[one.class_id - 1]
            told.append(Conflict(ConflictKind.FORGOTTEN, one.bounds_xyxy, said, one.score or 0.0))
    return tuple(sorted(told, key=lambda conflict: -conflict.weight))


def overlap(one: Instance, other: Instance) -> float:
    """IoU by mask where both have one, else by box."""
    if one.mask is not None and other.mask is not None:
        return iou(one.mask, other.mask)
    return box_overlap(one.bounds_xyxy, other.bounds_xyxy)


def box_overlap(one_xyxy: Box, other_xyxy: Box) -> float:
    """IoU of two boxes."""
    (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = one_xyxy, other_xyxy
    common = max(min(ax1, bx1) - max(ax0, bx0), 0.0) * max(min(ay1, by1) - max(ay0, by0), 0.0)
    either = (ax1 - ax0) * (ay1 - ay0) + (bx1 - bx0) * (by1 - by0) - common
    return common / either if either > 0 else 0.0


def seen_there(prediction: Prediction, conflict: Conflict, labelled: Sequence[Instance]) -> Instance | None:
    """What the model sees where it disagrees with a person; None where it sees nothing.

    Its class_id is the label in the prediction. labelled: the person's instances.
    """
    if conflict.kind is ConflictKind.DOUBTED:
        return None
    found = _found(prediction, SEES)
    if conflict.instance is None:
        return max(found, key=lambda one: box_overlap(one.bounds_xyxy, conflict.box_xyxy), default=None)
    person = next((one for one in labelled if one.id == conflict.instance), None)
    return max(found, key=lambda one: overlap(person, one), default=None) if person else None


def _found(prediction: Prediction, least: float = LEAST_COUNTED) -> list[Instance]:
    """Detections as instances whose class_id is the label in the prediction, the surest first."""
    sure = prediction.take(np.asarray(prediction.scores >= least))
    return [
        Instance(
            n + 1,
            int(sure.labels[n]),
            mask,
            tuple(float(edge) for edge in sure.boxes_xyxy[n]),  # type: ignore[arg-type]
            score=float(sure.scores[n]),
        )
        for n, mask in enumerate(masks(sure))
        if mask is None or not mask.is_empty
    ]


def _is_ignored(one: Instance, ignore: Sequence[IgnoreRegion]) -> bool:
    """Whether half of it lies in ignored pixels."""
    if one.mask is None:
        return False
    inside = sum(intersect(one.mask, region.mask).area for region in ignore)
    return inside >= 0.5 * one.mask.area


def _is_part(one: Instance, labelled: Sequence[Instance]) -> bool:
    """Whether half of it lies in one object that is labelled: then it is found twice, and not forgotten."""
    if one.mask is None:
        return any(overlap(one, other) >= MEETS for other in labelled)
    return any(
        other.mask is not None and intersect(one.mask, other.mask).area >= 0.5 * one.mask.area
        for other in labelled
    )
