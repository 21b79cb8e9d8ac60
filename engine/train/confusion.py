"""What a model takes for what: detections matched with the truth whatever their classes. No torch here.

The surest detection chooses first, the true instance it overlaps most, at an IoU of 0.5 or more: by mask,
or by box where either has none. A detection in an ignore region counts neither way. Since a detection
never loses its match to a less sure one, one matching answers for every score threshold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.document.records import Instance
from engine.formats.labelled import LabelledImage, LabelledSet
from engine.train.overlap import LEAST_OVERLAP, Overlaps, box_overlaps, mask_overlaps

THRESHOLD = 0.5
"""The score from which a detection counts, unless somebody says another."""


@dataclass(frozen=True, slots=True)
class Match:
    """A detection and the true instance it belongs to: both by their place on the image, None for no such.

    right: the two are of one class.
    """

    score: float
    found: int
    true: int | None
    right: bool


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts at one threshold.

    table: (classes + 1) x (classes + 1) int64; a row for each true class and for "nothing" (found where
    there is none), a column for each found class and for "missed".
    """

    classes: tuple[str, ...]
    threshold: float
    table: NDArray[np.int64]

    @property
    def true(self) -> int:
        """True instances."""
        return int(self.table[:-1].sum())

    @property
    def found(self) -> int:
        """Detections."""
        return int(self.table[:, :-1].sum())

    @property
    def right(self) -> int:
        """Instances found, with the right class."""
        return int(self.table.trace())  # nothing is never missed: that corner stays 0

    @property
    def missed(self) -> int:
        """True instances without a detection."""
        return int(self.table[:, -1].sum())

    @property
    def extra(self) -> int:
        """Detections of nothing."""
        return int(self.table[-1].sum())

    @property
    def confused(self) -> int:
        """Instances found as another class."""
        return self.true - self.right - self.missed

    @property
    def precision(self) -> float | None:
        """The share of the detections that is right, 0..1; None without detections."""
        return self.right / self.found if self.found else None

    @property
    def recall(self) -> float | None:
        """The share of the true instances that is found with its class, 0..1; None where nothing is true."""
        return self.right / self.true if self.true else None

    @property
    def f1(self) -> float | None:
        """The harmonic mean of precision and recall, 0..1; None where there is neither."""
        return 2 * self.right / (self.found + self.true) if self.found + self.true else None

    @property
    def shares(self) -> NDArray[np.float64]:
        """As the table, 0..1: of each true class what is found as each, and in the last row, of what is
        found as each class the part that is nothing."""
        shares: NDArray[np.float64] = self.table / self.table.sum(axis=1, keepdims=True).clip(min=1)
        shares[-1] = self.table[-1] / self.table.sum(axis=0).clip(min=1)
        return shares

    def of_class(self, name: str) -> tuple[float | None, float | None]:
        """Recall and precision of one class alone, 0..1; None where it is not true, or not found, at all."""
        k = self.classes.index(name)
        right, true, found = self.table[k, k], self.table[k].sum(), self.table[:, k].sum()
        return (float(right / true) if true else None, float(right / found) if found else None)


@dataclass(frozen=True, slots=True)
class ImageMatches:
    """The matches on one image, the surest first, without those in ignore regions.

    found, true: the class of each detection and each true instance, as an index.
    """

    matches: tuple[Match, ...]
    found: tuple[int, ...]
    true: tuple[int, ...]

    def at(self, threshold: float) -> tuple[Match, ...]:
        """The matches of the detections that count there."""
        return tuple(one for one in self.matches if one.score >= threshold)

    def table(self, threshold: float, classes: int) -> NDArray[np.int64]:
        """The counts of this image; see Confusion."""
        counts = np.zeros((classes + 1, classes + 1), np.int64)
        np.add.at(counts, (list(self.true), -1), 1)  # missed, until a detection says otherwise
        for one in self.at(threshold):
            true = classes if one.true is None else self.true[one.true]
            counts[true, self.found[one.found]] += 1
            counts[true, -1] -= one.true is not None
        return counts


@dataclass(frozen=True, slots=True)
class Matches:
    """The matches on every image of a set."""

    classes: tuple[str, ...]
    images: tuple[ImageMatches, ...]

    def at(self, threshold: float) -> Confusion:
        """The counts over all images."""
        tables = [image.table(threshold, len(self.classes)) for image in self.images]
        return Confusion(self.classes, threshold, np.sum(tables, axis=0, dtype=np.int64))

    def of_image(self, place: int, threshold: float) -> Confusion:
        """The counts of one image."""
        return Confusion(self.classes, threshold, self.images[place].table(threshold, len(self.classes)))

    def best_threshold(self) -> float | None:
        """The score threshold, of 0.01, 0.02 .. 0.99, with the best F1; None where nothing is right.

        Of thresholds that are equally good, the middle one.
        """
        every = sorted((one.score, one.right) for image in self.images for one in image.matches)
        scores, right = (np.array(values) for values in zip(*every, strict=True)) if every else ((), ())
        thresholds = np.arange(1, 100) / 100
        lower = np.searchsorted(scores, thresholds)  # detections that do not count there
        found = len(every) - lower
        hits = np.sum(right) - np.concatenate([[0], np.cumsum(right)])[lower]
        true = sum(len(image.true) for image in self.images)
        f1 = 2 * hits / (found + true).clip(min=1)
        best = np.flatnonzero(f1 == f1.max())
        run = best[best - best[0] == np.arange(len(best))]
        return float(thresholds[run[len(run) // 2]]) if f1.max() > 0 else None


def match(truth: LabelledSet, found: Sequence[Sequence[Instance]]) -> Matches:
    """Match detections, given for each image of `truth` in order, whose classes are the truth's."""
    place = {one.id: k for k, one in enumerate(truth.classes)}
    images = []
    for image, detections in zip(truth.images, found, strict=True):
        classes = tuple(place[one.class_id] for one in detections)
        true = tuple(place[one.class_id] for one in image.instances)
        images.append(ImageMatches(tuple(_matched(image, detections)), classes, true))
    return Matches(truth.class_names, tuple(images))


def _matched(image: LabelledImage, found: Sequence[Instance]) -> Iterator[Match]:
    overlaps, count = _overlaps(image, found), len(image.instances)
    free = np.ones(count, np.bool_)
    scores = [one.score or 0.0 for one in found]
    for n in sorted(range(len(found)), key=lambda n: -scores[n]):
        own = overlaps[n, :count] * free
        true = int(own.argmax()) if count else -1
        if count and own[true] >= LEAST_OVERLAP:
            free[true] = False
            yield Match(scores[n], n, true, found[n].class_id == image.instances[true].class_id)
        elif not (overlaps[n, count:] >= LEAST_OVERLAP).any():
            yield Match(scores[n], n, None, False)


def _overlaps(image: LabelledImage, found: Sequence[Instance]) -> Overlaps:
    """By mask; by box where the detection or the true instance has no mask."""
    by_mask = mask_overlaps(found, image.instances, image)
    rows = np.array([one.mask is None for one in found], np.bool_)
    columns = [one.mask is None for one in image.instances] + [False] * len(image.ignore)
    boxed = rows[:, None] | np.array(columns, np.bool_)[None]
    return np.where(boxed, box_overlaps(found, image.instances, image), by_mask) if boxed.any() else by_mask
