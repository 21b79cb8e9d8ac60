"""What to look at next: images from which a model learns most, and reviewed ones that may hold a mistake.

While the model is new its doubts say little: then images are picked at random, spread over the whole folder.
Later they are picked by how doubtful it is, and still apart from each other. No model is run here, no torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from engine.document.records import MediaItem, ReviewState
from engine.project import Project
from engine.project.examined import Conflict, Examined
from engine.tuning.settled import settled, unsettled

NEW = 10
"""Reviewed images up to which the model counts as new."""

NEAR = 0.02
"""Share of the folder within which two images are neighbours: frames of one scene, shots of one sample."""


class Why(StrEnum):
    """Why an image is suggested."""

    SPREAD = "spread"  # it is far from those that were picked before it
    DOUBT = "doubt"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An image to review. doubt: 0..1, 0 where nothing is known of it."""

    media_id: int
    path: str
    frame: int
    why: Why
    doubt: float = 0.0


@dataclass(frozen=True, slots=True)
class LikelyMistake:
    """A reviewed image that the model disagrees with, by its worst conflict."""

    media_id: int
    path: str
    frame: int
    weight: float
    conflicts: tuple[Conflict, ...]


def review_queue(project: Project, count: int = 20, *, seed: int = 0) -> tuple[Suggestion, ...]:
    """Up to `count` images that nobody has reviewed or put off, the most useful first."""
    states = project.image_states()
    reviewed = {id_ for id_, state in states.items() if state.review is ReviewState.REVIEWED}
    put_off = {id_ for id_, state in states.items() if state.skip}
    items = [item for item in project.media() if not item.missing]
    places = {item.id: place for place, item in enumerate(items)}
    waiting = [item for item in items if item.id not in reviewed | put_off]
    taken = [places[id_] for id_ in reviewed if id_ in places]
    doubts = _doubts(project, waiting)
    if len(reviewed) < NEW or not doubts:
        return tuple(
            Suggestion(item.id, item.path, item.frame, Why.SPREAD, doubts.get(item.id, 0.0))
            for item in _spread(waiting, places, taken, count, seed)
        )
    return tuple(_doubtful(waiting, places, doubts, count, seed))


def likely_mistakes(project: Project, count: int = 50) -> tuple[LikelyMistake, ...]:
    """The reviewed images that the model that examined them disagrees with most, the worst first.

    What a person has settled is left out.
    """
    found = {media_id: one for media_id, one in project.examined().items() if one.conflicts}
    if not found:  # as in most folders: then nothing is read of their 100,000 images
        return ()
    states, done = project.image_states(), settled(project)
    told = []
    for item in project.media():
        state, one = states.get(item.id), found.get(item.id)
        if one is None or state is None or state.review is not ReviewState.REVIEWED:
            continue
        left = unsettled(one.conflicts, done.get(item.id, ()))
        if left:
            weight = max(conflict.weight for conflict in left)
            told.append(LikelyMistake(item.id, item.path, item.frame, weight, left))
    return tuple(sorted(told, key=lambda one: -one.weight)[:count])


def _doubts(project: Project, waiting: Sequence[MediaItem]) -> dict[int, float]:
    """Of each image of which something is known: what was examined, else what its proposals' scores say."""
    survey = project.survey([item.id for item in waiting])
    by_score = dict(zip(survey.media_ids.tolist(), survey.uncertainty.tolist(), strict=True))
    doubts = {id_: value for id_, value in by_score.items() if value == value}  # noqa: PLR0124 - NaN
    examined: Mapping[int, Examined] = project.examined()
    for item in waiting:
        found = examined.get(item.id)
        if found is not None and found.doubt is not None:
            doubts[item.id] = max(found.doubt, doubts.get(item.id, 0.0))
    return doubts


def _spread(
    waiting: Sequence[MediaItem], places: Mapping[int, int], taken: Sequence[int], count: int, seed: int
) -> list[MediaItem]:
    """At random, but each as far along the folder's list from the ones before as a draw of a few allows."""
    left = sorted(waiting, key=lambda item: _chance(item, seed))
    at = np.array([places[item.id] for item in left], np.int64)
    away = _distances(at, np.array(sorted(taken), np.int64))
    picked = list[MediaItem]()
    while left and len(picked) < count:
        best = int(np.argmax(away[: max(8, len(left) // 10)]))
        picked.append(left.pop(best))
        away = np.delete(np.minimum(away, abs(at - at[best])), best)
        at = np.delete(at, best)
    return picked


def _distances(at: NDArray[np.int64], ones: NDArray[np.int64]) -> NDArray[np.float64]:
    """From each place to the nearest of others, which ascend; infinite where there are none."""
    if not len(ones):
        return np.full(len(at), np.inf)
    above = np.searchsorted(ones, at)
    below = ones[np.maximum(above - 1, 0)]
    beyond = ones[np.minimum(above, len(ones) - 1)]
    away: NDArray[np.float64] = np.minimum(abs(at - below), abs(beyond - at)).astype(np.float64)
    return away


def _doubtful(
    waiting: Sequence[MediaItem],
    places: Mapping[int, int],
    doubts: Mapping[int, float],
    count: int,
    seed: int,
) -> list[Suggestion]:
    """The most doubtful first; a neighbour of one that is picked waits until the others are."""
    near = max(1, round(NEAR * len(places)))
    order = sorted(waiting, key=lambda item: (-doubts.get(item.id, 0.0), _chance(item, seed)))
    picked, close, far = list[MediaItem](), list[MediaItem](), list[int]()
    for item in order:
        if len(picked) == count:
            break
        if any(abs(places[item.id] - one) <= near for one in far):
            close.append(item)
            continue
        picked.append(item)
        far.append(places[item.id])
    picked += close[: count - len(picked)]
    return [
        Suggestion(item.id, item.path, item.frame, Why.DOUBT, doubts.get(item.id, 0.0)) for item in picked
    ]


def _chance(item: MediaItem, seed: int) -> str:
    text = f"{seed}\t{item.path}\t{item.frame}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
