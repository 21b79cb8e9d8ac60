"""AP of many resampled sets of images at once, and the difference of two models over them. No torch here.

Each image's detections are matched with its truth once; an AP over any number of copies of each image is then
sums over the sorted detections. Matching and averaging are COCO's (https://cocodataset.org/#detection-eval).
The paired bootstrap over images is Efron's: both models are scored on the same resampled images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.document.records import Instance
from engine.formats.labelled import LabelledImage, LabelledSet
from engine.train.overlap import Overlaps
from engine.train.scores import KINDS, MAX_DETECTIONS

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
RESAMPLES = 1000
INTERVAL = 0.8

Weights = NDArray[np.int64]
"""B x images: how often each image is in each of B sets."""

APs = NDArray[np.float64]
"""B, 0..1; NaN for a set that holds no true instance."""


@dataclass(frozen=True, slots=True, eq=False)
class MatchedClass:
    """The detections of one class on all images, the surest first.

    right, ignored: T x N bool, at each of the THRESHOLDS: of an instance, of an ignored pixel. image: N.
    true: how many instances each image holds.
    """

    image: NDArray[np.int64]
    right: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    true: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Difference:
    """New minus old AP: the mean over resampled sets, and the interval that four in five lie in."""

    mean: float
    low: float
    high: float


def matched(truth: LabelledSet, found: Sequence[Sequence[Instance]], kind: str) -> tuple[MatchedClass, ...]:
    """Match detections, given for each image of `truth` in order, class by class. kind: one of KINDS."""
    return tuple(_matched_class(truth, found, one.id, kind) for one in truth.classes)


def average_precisions(classes: Sequence[MatchedClass], weights: Weights) -> APs:
    """AP of each resampled set: the mean over the classes that it holds."""
    each = np.stack([_of_class(one, weights) for one in classes]) if classes else np.empty((0, len(weights)))
    held = ~np.isnan(each)
    count = held.sum(axis=0)
    total = np.where(held, each, 0.0).sum(axis=0)
    means = np.full(len(weights), np.nan)
    np.divide(total, count, out=means, where=count > 0)
    return means


def difference(
    old: Sequence[MatchedClass], new: Sequence[MatchedClass], *, seed: int, resamples: int = RESAMPLES
) -> Difference | None:
    """New minus old over resampled images, the same for both. None where nothing is true on any."""
    images = len(new[0].true) if new else 0
    if not images:
        return None
    chance = np.random.default_rng([seed, images])
    drawn = chance.integers(0, images, (resamples, images))
    weights = np.stack([np.bincount(row, minlength=images) for row in drawn]).astype(np.int64)
    gains = average_precisions(new, weights) - average_precisions(old, weights)
    gains = gains[~np.isnan(gains)]
    if not len(gains):
        return None
    low, high = np.quantile(gains, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
    return Difference(float(gains.mean()), float(low), float(high))


def _matched_class(
    truth: LabelledSet, found: Sequence[Sequence[Instance]], class_id: int, kind: str
) -> MatchedClass:
    scores, images, rights, ignoreds, counts = list[float](), list[int](), [], [], list[int]()
    for number, (image, all_found) in enumerate(zip(truth.images, found, strict=True)):
        true = [one for one in image.instances if one.class_id == class_id]
        counts.append(len(true))
        own = [one for one in all_found if one.class_id == class_id]
        surest = sorted(own, key=lambda one: -(one.score or 0.0))[:MAX_DETECTIONS]
        if not surest:
            continue
        right, ignored = _match(_overlaps(surest, true, image, kind), len(true))
        scores += [one.score or 0.0 for one in surest]
        images += [number] * len(surest)
        rights.append(right)
        ignoreds.append(ignored)
    nothing = np.zeros((len(THRESHOLDS), 0), np.bool_)
    order = np.argsort(-np.array(scores), kind="stable")
    return MatchedClass(
        np.array(images, np.int64)[order],
        np.hstack([nothing, *rights])[:, order],
        np.hstack([nothing, *ignoreds])[:, order],
        np.array(counts, np.int64),
    )


def _overlaps(
    found: Sequence[Instance], true: Sequence[Instance], image: LabelledImage, kind: str
) -> Overlaps:
    if not true and not image.ignore:
        return np.zeros((len(found), 0))
    return KINDS[kind](found, true, image)


def _match(overlaps: Overlaps, true: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """At each threshold: the surest detection first takes the free instance that it overlaps most."""
    count = len(overlaps)
    right = np.zeros((len(THRESHOLDS), count), np.bool_)
    ignored = np.zeros_like(right)
    for t, least in enumerate(THRESHOLDS):
        free = np.ones(true, np.bool_)
        for n in range(count):
            own = np.where(free, overlaps[n, :true], -1.0)
            best = int(own.argmax()) if true else -1
            if true and own[best] >= least - 1e-10:
                free[best] = False
                right[t, n] = True
            else:
                ignored[t, n] = bool((overlaps[n, true:] >= least - 1e-10).any())
    return right, ignored


def _of_class(one: MatchedClass, weights: Weights) -> APs:
    """B: AP of the class in each set, NaN where it holds none of it."""
    true = weights @ one.true
    aps = np.zeros(len(weights))
    if len(one.image):
        each = weights[:, one.image]  # B x N: copies of each detection
        for right, ignored in zip(one.right, one.ignored, strict=True):
            hits = np.cumsum(each * right, axis=1)
            counted = np.cumsum(each * ~ignored, axis=1)
            precision = hits / np.maximum(counted, 1)
            # What is reached at a lower score too counts as the better of the two.
            best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
            aps += _interpolated(hits / np.maximum(true, 1)[:, None], best)
        aps /= len(THRESHOLDS)
    return np.where(true > 0, aps, np.nan)


def _interpolated(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> APs:
    """B: the mean of precision over RECALLS. Both B x N, recall rising."""
    means = np.empty(len(recall))
    for row, (r, p) in enumerate(zip(recall, precision, strict=True)):
        places = np.searchsorted(r, RECALLS)
        means[row] = np.where(places < len(p), p[np.minimum(places, len(p) - 1)], 0.0).mean()
    return means
