"""What a Mask R-CNN did on one picture, stage by stage: numpy only, so that it crosses threads without torch.

All boxes are x0, y0, x1, y1 in image pixels (of the picture as shown). Pyramid levels are named by their
number: 2 for P2, a quarter of the resized picture, to 6 for P6. Papers: Mask R-CNN (He et al., 2017), Feature
Pyramid Networks (Lin et al., 2017).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from engine.prediction import Prediction
from engine.refilter import overlaps

Boxes = NDArray[np.float32]

FINDS = 0.5
"""A detection whose box meets an object's by this IoU found it."""
NEAR = 0.1
"""Boxes that meet an object's by less have nothing to do with it."""


class Fate(IntEnum):
    """What became of a box."""

    KEPT = 0
    LOW_SCORE = 1
    SMALL = 2  # nothing of it lies in the picture
    BEATEN = 3  # by a better box of the same group that overlaps it
    SURPLUS = 4  # as many as are wanted were better


@dataclass(frozen=True, slots=True, eq=False)
class Contest:
    """N boxes before suppression, and what became of each.

    boxes_xyxy: N x 4, clipped to the picture. scores: N float32, 0..1. fates: N uint8, a Fate each.
    beaten_by: N int64, the row of the better box, -1 for none; iou: N float32, with that box, else 0.
    """

    boxes_xyxy: Boxes
    scores: NDArray[np.float32]
    fates: NDArray[np.uint8]
    beaten_by: NDArray[np.int64]
    iou: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)

    def count(self, fate: Fate) -> int:
        """How many boxes met that fate."""
        return int((self.fates == fate).sum())


@dataclass(frozen=True, slots=True, eq=False)
class StageOne:
    """The RPN: the best anchors of each level, and the boxes that they were moved to.

    contest: the boxes, suppressed level by level. anchors_xyxy: N x 4, may reach over the picture. levels: N
    int64. proposals: R int64, rows of what was kept, best first: the RoIs of the second stage.
    """

    contest: Contest
    anchors_xyxy: Boxes
    levels: NDArray[np.int64]
    proposals: NDArray[np.int64]

    @property
    def rois_xyxy(self) -> Boxes:
        """R x 4: the proposals' boxes."""
        return self.contest.boxes_xyxy[self.proposals]


@dataclass(frozen=True, slots=True, eq=False)
class StageTwo:
    """The box head: a box for each class that a proposal may be; of the others its likeliest class alone.

    contest: suppressed class by class. rois: N int64, which proposal. labels: N int64, 1-based. roi_levels: R
    int64, the level that RoIAlign reads a proposal from. background: R float32, the chance that a proposal
    is no object. detections: D int64, rows of what was kept, in the prediction's order.
    """

    contest: Contest
    rois: NDArray[np.int64]
    labels: NDArray[np.int64]
    roi_levels: NDArray[np.int64]
    background: NDArray[np.float32]
    detections: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class FeatureLevel:
    """One level of the pyramid.

    stride: of its cells, down and across, resized-image pixels; the two differ only where P6 ends early.
    rows, columns: of cells over the picture. anchors: width and height of those of a cell, image pixels.
    norm: the length of the feature vector, H x W uint8, from the least to the greatest. channels: C x H x W
    uint8, those that vary most, numbered by channel_numbers. H and W are rows and columns or, of a fine
    level, fewer.
    """

    number: int
    stride: tuple[int, int]
    rows: int
    columns: int
    anchors: tuple[tuple[float, float], ...]
    norm: NDArray[np.uint8]
    channels: NDArray[np.uint8]
    channel_numbers: tuple[int, ...]

    @property
    def name(self) -> str:
        """Such as "P3"."""
        return f"P{self.number}"


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """All that came before a prediction.

    resized: height and width that the network saw. mask_levels: D int64, the level that RoIAlign reads each
    detection's mask from. box_bins, mask_bins: RoIAlign's cells along a side. score: what a detection must be
    over. first_iou, second_iou: the overlap above which the better of two boxes beats the other.
    """

    prediction: Prediction
    resized: tuple[int, int]
    levels: tuple[FeatureLevel, ...]
    first: StageOne
    second: StageTwo
    mask_levels: NDArray[np.int64]
    box_bins: int
    mask_bins: int
    score: float
    first_iou: float
    second_iou: float

    @property
    def nbytes(self) -> int:
        """Of all arrays."""
        return _nbytes(self)

    def name_of(self, label: int) -> str:
        """The class of a label."""
        return self.prediction.classes[label - 1]


def _nbytes(of: object) -> int:
    if isinstance(of, np.ndarray):
        return int(of.nbytes)
    if isinstance(of, tuple):
        return sum(_nbytes(one) for one in of)
    if is_dataclass(of) and not isinstance(of, type):
        return sum(_nbytes(getattr(of, field.name)) for field in fields(of))
    return 0


@dataclass(frozen=True, slots=True)
class Story:
    """One box of the second stage from its anchor to its mask. All numbers are rows.

    candidate: of `second`. detection: of the prediction, None where it was not kept. roi: of the proposals;
    anchor: of `first`. beaten: candidates that it beat, best first. others: candidates of the same proposal
    with other classes, best first.
    """

    candidate: int
    detection: int | None
    roi: int
    anchor: int
    beaten: tuple[int, ...]
    others: tuple[int, ...]


def story_of(explanation: Explanation, candidate: int) -> Story:
    """How a candidate came to be, and what it has to do with others."""
    second = explanation.second
    roi = int(second.rois[candidate])
    found = np.flatnonzero(second.detections == candidate)
    beaten = np.flatnonzero(second.contest.beaten_by == candidate)
    others = np.flatnonzero(second.rois == roi)
    return Story(
        candidate,
        int(found[0]) if len(found) else None,
        roi,
        int(explanation.first.proposals[roi]),
        _best_first(beaten, second.contest),
        _best_first(others[others != candidate], second.contest),
    )


def finder_of(explanation: Explanation, box_xyxy: tuple[float, float, float, float]) -> int | None:
    """The detection that found what is in a box: the one that meets it most, if by FINDS or more."""
    box = np.array([box_xyxy], np.float32)
    _, rows, iou = overlaps(box, explanation.prediction.boxes_xyxy, FINDS)
    return int(rows[iou.argmax()]) if len(rows) else None


def candidates_near(
    explanation: Explanation, box_xyxy: tuple[float, float, float, float], most: int = 12
) -> tuple[tuple[int, float], ...]:
    """The second stage's candidates that meet a box, with the IoU: those that meet it most first."""
    box = np.array([box_xyxy], np.float32)
    _, rows, iou = overlaps(box, explanation.second.contest.boxes_xyxy, NEAR)
    order = np.lexsort((-explanation.second.contest.scores[rows], -iou))[:most]
    return tuple((int(rows[n]), float(iou[n])) for n in order)


def _best_first(rows: NDArray[np.intp], contest: Contest) -> tuple[int, ...]:
    return tuple(rows[np.argsort(-contest.scores[rows], kind="stable")].tolist())
