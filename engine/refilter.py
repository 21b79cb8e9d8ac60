"""Thresholds on a cached prediction: what shows, and which pixels, without another forward pass.

numpy and OpenCV only; the window imports it directly and calls it on every slider move. Masks are
made inside their boxes. The pixels equal those of torchvision's `paste_masks_in_image`, which pads
each mask by one, grows the box to match, rounds it to whole pixels and resizes bilinearly.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.document.masks import Mask
from engine.prediction import Prediction

BAND_PIXELS = 1 << 20
"""Masks larger than this are made a band of rows at a time, so that memory does not follow the box."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What to show. score: least score. overlap: IoU of boxes above which the lower-scored one of two
    is hidden; across_classes compares boxes of different classes too. mask_cutoff: least probability of
    a mask pixel. classes: names to keep, None for all. All numbers in 0..1.
    """

    score: float = 0.5
    overlap: float = 1.0
    across_classes: bool = False
    mask_cutoff: float = 0.5
    classes: frozenset[str] | None = None


def refilter(prediction: Prediction, thresholds: Thresholds) -> Prediction:
    """The detections that pass, best score first."""
    return prediction.take(passing(prediction, thresholds))


def passing(prediction: Prediction, thresholds: Thresholds) -> NDArray[np.intp]:
    """Which detections pass: their indices in rising order. Detections must be best score first."""
    keep = prediction.scores >= thresholds.score
    if thresholds.classes is not None:
        wanted = [i + 1 for i, name in enumerate(prediction.classes) if name in thresholds.classes]
        keep &= np.isin(prediction.labels, wanted)
    places = np.flatnonzero(keep)
    if thresholds.overlap >= 1.0 or len(places) < 2:
        return places
    labels = prediction.labels[places]
    groups = np.zeros_like(labels) if thresholds.across_classes else labels
    return places[_suppress(prediction.boxes_xyxy[places], groups, thresholds.overlap)]


def _suppress(boxes: NDArray[np.float32], groups: NDArray[np.int64], overlap: float) -> NDArray[np.intp]:
    """Greedy suppression of boxes in score order; boxes of different groups never suppress each other."""
    better, worse, iou = overlaps(boxes, boxes, overlap)
    clash = (iou > overlap) & (better < worse) & (groups[better] == groups[worse])
    better, worse = better[clash], worse[clash]
    alive = np.ones(len(boxes), dtype=np.bool_)
    edges = np.flatnonzero(np.diff(better, prepend=-1, append=len(boxes)))  # each one's pairs lie together
    for first, end in itertools.pairwise(edges.tolist()):
        if alive[better[first]]:
            alive[worse[first:end]] = False
    return np.flatnonzero(alive)


def overlaps(
    a: NDArray[np.float32], b: NDArray[np.float32], least: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Pairs of boxes that meet by an IoU of `least`, 0..1, at least: rows of a, rising, rows of b, IoU.

    Thousands of boxes that lie apart cost little: boxes that far meet begin at about the same x.
    """
    if not len(a) or not len(b):
        none = np.empty(0, np.intp)
        return none, none, np.empty(0, np.float32)
    order = np.argsort(b[:, 0], kind="stable")
    begins = b[order, 0].astype(np.float64)
    left, width = a[:, 0].astype(np.float64), (a[:, 2] - a[:, 0]).astype(np.float64)
    # The part that both have is at least `least` of either's width, so b begins no further to the right than
    # what is left of a, and to the left than what is left of b, whose width is a's over `least` at most.
    widest = float((b[:, 2] - b[:, 0]).max())
    before = np.minimum((1 - least) / least * width, widest) if least else widest
    first = np.searchsorted(begins, left - before - 1)
    last = np.searchsorted(begins, left + (1 - least) * width + 1, side="right")
    counts = np.maximum(last - first, 0)
    rows = np.repeat(np.arange(len(a)), counts)
    starts = np.cumsum(counts) - counts
    columns = order[np.arange(len(rows)) - np.repeat(starts - first, counts)]
    iou = _pair_iou(a[rows], b[columns])
    met = (iou >= least) & (iou > 0)
    return rows[met], columns[met], iou[met]


def _pair_iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    sides = np.clip(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0, None)
    inter = sides[:, 0] * sides[:, 1]
    area_a, area_b = ((x[:, 2] - x[:, 0]) * (x[:, 3] - x[:, 1]) for x in (a, b))
    union = area_a + area_b - inter
    result: NDArray[np.float32] = np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)
    return result


def masks(prediction: Prediction, mask_cutoff: float = 0.5) -> Iterator[Mask | None]:
    """Each detection's mask clipped to the image, in order; None throughout for a boxes-only model."""
    if prediction.mask_probs is None:
        yield from [None] * len(prediction)
        return
    side = prediction.mask_probs.shape[-1]
    boxes = _padded_boxes(prediction.frames, (side + 2) / side)
    for probs, box in zip(prediction.mask_probs, boxes, strict=True):
        yield mask_in_box(probs, box, width=prediction.width, height=prediction.height, cutoff=mask_cutoff)


def _padded_boxes(boxes: NDArray[np.float32], scale: float) -> NDArray[np.int64]:
    """Boxes grown by `scale` about their centre and truncated to whole pixels, as torchvision does."""
    half = (boxes[:, 2:] - boxes[:, :2]) * np.float32(0.5)
    centre = (boxes[:, 2:] + boxes[:, :2]) * np.float32(0.5)
    half *= np.float32(scale)
    return np.concatenate((centre - half, centre + half), axis=1).astype(np.int64)


def mask_in_box(
    probs: NDArray[np.float32], box: NDArray[np.int64], *, width: int, height: int, cutoff: float
) -> Mask:
    """One mask from its M x M probabilities.

    box: x0, y0, x1, y1 whole pixels (inclusive) of the padded mask, which may reach over the image.
    """
    x0, y0, x1, y1 = (int(v) for v in box)
    padded = np.zeros((probs.shape[0] + 2, probs.shape[1] + 2), dtype=np.float32)
    padded[1:-1, 1:-1] = probs
    w, h = max(x1 - x0 + 1, 1), max(y1 - y0 + 1, 1)
    left, top = max(x0, 0), max(y0, 0)
    right, bottom = min(x0 + w, width), min(y0 + h, height)
    if right <= left or bottom <= top:
        return Mask.from_crop(0, 0, np.zeros((0, 0), dtype=np.bool_))
    if w * h <= BAND_PIXELS:
        whole = cv2.resize(padded, (w, h), interpolation=cv2.INTER_LINEAR)
        crop = whole[top - y0 : bottom - y0, left - x0 : right - x0] > cutoff
    else:
        crop = _resize_in_bands(padded, (w, h), (left - x0, top - y0, right - x0, bottom - y0), cutoff)
    return Mask.from_crop(left, top, crop)


def _resize_in_bands(
    padded: NDArray[np.float32], size: tuple[int, int], window: tuple[int, int, int, int], cutoff: float
) -> NDArray[np.bool_]:
    """`cv2.resize(padded, size) > cutoff` inside `window` without the full-size float picture."""
    left, top, right, bottom = window
    (low_x, high_x, fx), (low_y, high_y, fy) = (
        _taps(n, extent, start, stop)
        for n, extent, start, stop in (
            (padded.shape[1], size[0], left, right),
            (padded.shape[0], size[1], top, bottom),
        )
    )
    rows = padded[:, low_x] * (1 - fx) + padded[:, high_x] * fx
    out = np.empty((bottom - top, right - left), dtype=np.bool_)
    step = max(1, BAND_PIXELS // (right - left))
    for start in range(0, len(out), step):
        band = slice(start, start + step)
        part = rows[low_y[band]] * (1 - fy[band, None])
        part += rows[high_y[band]] * fy[band, None]
        np.greater(part, cutoff, out=out[band])
    return out


def _taps(
    n: int, extent: int, start: int, stop: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Lower tap, upper tap and weight of the upper one for bilinear samples start..stop of `extent`."""
    at = np.clip((np.arange(start, stop) + 0.5) * (n / extent) - 0.5, 0, n - 1)
    low = at.astype(np.intp)
    return low, np.minimum(low + 1, n - 1), (at - low).astype(np.float32)
