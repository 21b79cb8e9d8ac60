"""Which images a list shows, and in which order. Pure: columns in, ids out. Knows no widget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.document.records import ImageState, MediaItem, ReviewState
from engine.project.facts import Survey

_Number = TypeVar("_Number", bound=np.generic)


class Standing(Enum):
    """How an image stands with its person."""

    TO_LOOK_AT = auto()  # neither reviewed nor put off
    UNLABELLED = auto()
    PROPOSED = auto()
    REVIEWED = auto()
    SKIPPED = auto()
    FLAGGED = auto()
    MISSING = auto()
    DOUBTED = auto()  # reviewed, and the model disagrees with a label


class Sort(Enum):
    """By what a list is sorted; where that says nothing, by name."""

    NAME = auto()
    UNCERTAINTY = auto()  # the most doubtful first
    SCORE = auto()  # the lowest first
    COUNT = auto()  # the fullest first
    WORTH = auto()  # the review queue, then the most doubtful
    MISTAKE = auto()  # the likeliest mistakes first


@dataclass(frozen=True, slots=True)
class Filter:
    """What an image must have to be listed. text: words of its path or flags, all of them.

    class_id: an instance of this class. score: an instance whose score lies in this range, ends included.
    count: so many instances, ends included; None for no upper end. Of proposals only those that the
    score slider shows count, but for `score`. paths: one of these; empty for any.
    """

    text: str = ""
    standing: Standing | None = None
    class_id: int | None = None
    score: tuple[float, float] | None = None
    count: tuple[int, int | None] | None = None
    paths: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether it lets everything pass, the text and the paths aside."""
        return (self.standing, self.class_id, self.score, self.count) == (None,) * 4


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """What a survey says of one image. Scores and uncertainty are None where there are none."""

    count: int = 0
    proposals: int = 0
    worst: float | None = None
    best: float | None = None
    uncertainty: float | None = None


class Columns:
    """The images in the order of their names with what is known of each, as columns of equal length."""

    def __init__(self, media: Sequence[MediaItem], survey: Survey, score: float) -> None:
        self.ids = np.fromiter((item.id for item in media), np.int64, len(media))
        self.paths = [item.path for item in media]
        self._missing = np.fromiter((item.missing for item in media), np.bool_, len(media))
        self.places = {item.id: place for place, item in enumerate(media)}
        self._queue = self._mistakes = np.full(len(self.ids), np.nan)
        self.take(survey, score)

    @cached_property
    def _names(self) -> list[str]:
        """For the search: made when somebody searches."""
        return [path.casefold() for path in self.paths]

    def take(self, survey: Survey, score: float) -> None:
        """Take another survey, with proposals seen from this score on."""
        self._survey = survey
        self._seen = seen = survey.seen_at(score)
        self._at = np.searchsorted(survey.media_ids, self.ids)
        self._at[self._at == len(survey.media_ids)] = 0
        known = np.zeros(len(self.ids), np.bool_)
        if len(survey.media_ids):
            known = survey.media_ids[self._at] == self.ids
        self._known = known
        proposals = np.bincount(seen.image[seen.is_proposal], minlength=len(seen.media_ids))
        self.count = self._of(seen.counts, 0)
        self.proposals = self._of(proposals, 0)
        self.worst = self._of(seen.worst, np.nan)
        self.best = self._of(seen.best, np.nan)
        self.uncertainty = self._of(survey.uncertainty, np.nan)

    def take_review(self, queue: Sequence[int], mistakes: Mapping[int, float]) -> None:
        """Take another review queue, ids in its order, and what looks like a mistake: id -> weight, 0..1."""
        self._queue = np.full(len(self.ids), np.nan)
        self._mistakes = np.full(len(self.ids), np.nan)
        for rank, media_id in enumerate(queue):
            if media_id in self.places:
                self._queue[self.places[media_id]] = rank
        for media_id, weight in mistakes.items():
            if media_id in self.places:
                self._mistakes[self.places[media_id]] = weight

    def row(self, media_id: int) -> Row:
        """What is known of one image."""
        place = self.places[media_id]
        return Row(
            int(self.count[place]),
            int(self.proposals[place]),
            _or_none(self.worst[place]),
            _or_none(self.best[place]),
            _or_none(self.uncertainty[place]),
        )

    def listed(self, wanted: Filter, sort: Sort, states: Mapping[int, ImageState]) -> list[int]:
        """The ids of the images that pass, sorted."""
        passing = np.ones(len(self.ids), np.bool_)
        if wanted.paths:
            passing &= np.fromiter((path in wanted.paths for path in self.paths), np.bool_, len(self.ids))
        if wanted.text.strip():
            passing &= self._with_words(wanted.text.casefold().split(), states)
        if wanted.standing is not None:
            passing &= self._standing(wanted.standing, states)
        if wanted.class_id is not None:
            passing &= self._holding(self._seen.class_ids == wanted.class_id, self._seen)
        if wanted.score is not None:
            low, high = wanted.score
            inside = (self._survey.scores >= low) & (self._survey.scores <= high)
            passing &= self._holding(inside, self._survey)
        if wanted.count is not None:
            least, most = wanted.count
            passing &= self.count >= least
            if most is not None:
                passing &= self.count <= most
        found = np.flatnonzero(passing)
        key = self._key(sort)
        if key is not None:
            found = found[np.argsort(key[found], kind="stable")]  # NaN comes last
        ids: list[int] = self.ids[found].tolist()
        return ids

    def _key(self, sort: Sort) -> NDArray[np.floating] | None:
        match sort:
            case Sort.NAME:
                return None
            case Sort.UNCERTAINTY:
                return -self.uncertainty
            case Sort.SCORE:
                return self.worst
            case Sort.COUNT:
                return -self.count.astype(np.float64)
            case Sort.WORTH:
                # A doubt is at most 1: what is not queued comes after what is.
                return np.where(np.isnan(self._queue), len(self.ids) + 1.0 - self.uncertainty, self._queue)
            case Sort.MISTAKE:
                return -self._mistakes

    def _with_words(self, words: Sequence[str], states: Mapping[int, ImageState]) -> NDArray[np.bool_]:
        flags = {
            self.places[media_id]: " ".join(state.flags).casefold()
            for media_id, state in states.items()
            if state.flags and media_id in self.places
        }
        found = np.fromiter(
            (all(word in name for word in words) for name in self._names), np.bool_, len(self._names)
        )
        for place, text in flags.items():
            found[place] |= all(word in text or word in self._names[place] for word in words)
        return found

    def _standing(self, standing: Standing, states: Mapping[int, ImageState]) -> NDArray[np.bool_]:
        if standing is Standing.MISSING:
            return self._missing
        if standing is Standing.DOUBTED:
            return np.asarray(np.isfinite(self._mistakes))
        nothing = ImageState()
        found = (_stands(states.get(id_, nothing), standing) for id_ in self.ids.tolist())
        passing = np.fromiter(found, np.bool_, len(self.ids))
        return passing & ~self._missing if standing is Standing.TO_LOOK_AT else passing

    def _holding(self, instances: NDArray[np.bool_], survey: Survey) -> NDArray[np.bool_]:
        holding = np.zeros(len(survey.media_ids), np.bool_)
        holding[survey.image[instances]] = True
        return self._of(holding, False)

    def _of(self, column: NDArray[_Number], missing: Any) -> NDArray[_Number]:
        """A column of the survey in the order of the images."""
        if not len(column):
            return np.full(len(self.ids), missing, column.dtype)
        found = column[self._at]
        found[~self._known] = missing
        return found


def _stands(state: ImageState, standing: Standing) -> bool:
    match standing:
        case Standing.TO_LOOK_AT:
            return state.review is not ReviewState.REVIEWED and not state.skip
        case Standing.UNLABELLED:
            return state.review is ReviewState.UNLABELLED
        case Standing.PROPOSED:
            return state.review is ReviewState.PROPOSED
        case Standing.REVIEWED:
            return state.review is ReviewState.REVIEWED
        case Standing.SKIPPED:
            return state.skip
        case Standing.FLAGGED:
            return bool(state.flags)
        case Standing.MISSING | Standing.DOUBTED:
            return False  # not of the state


def _or_none(number: np.floating) -> float | None:
    return None if np.isnan(number) else float(number)
