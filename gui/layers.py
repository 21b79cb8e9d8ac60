"""What of an explanation is drawn over its picture, and what a click on it means. No widget.

All boxes are image pixels, x0, y0, x1, y1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.explanation import Boxes, Explanation, Fate, FeatureLevel, story_of

LEVELS = (2, 3, 4, 5, 6)
"""Numbers of the pyramid's levels, the finest first."""
NORM = -1
"""In the place of a channel: the length of the whole feature vector."""


class Step(Enum):
    """A part of the network, in the order in which they work."""

    FEATURES = auto()
    PROPOSALS = auto()
    ROIS = auto()
    SUPPRESSION = auto()
    MASKS = auto()


class Part(Enum):
    """What of stage one is drawn."""

    KEPT = auto()  # the proposals
    MOVED = auto()  # every box that took part in the suppression
    ANCHORS = auto()  # where those boxes came from


class Ink(Enum):
    """What the colour of a box says."""

    P2 = 2
    P3 = 3
    P4 = 4
    P5 = 5
    P6 = 6
    KEPT = 10 + Fate.KEPT
    LOW_SCORE = 10 + Fate.LOW_SCORE
    SMALL = 10 + Fate.SMALL
    BEATEN = 10 + Fate.BEATEN
    SURPLUS = 10 + Fate.SURPLUS
    CHOSEN = 20
    BEFORE = 21  # what the chosen box was one step earlier

    @classmethod
    def of_level(cls, number: int) -> Ink:
        """The colour of a pyramid level."""
        return cls(number)

    @classmethod
    def of_fate(cls, fate: Fate) -> Ink:
        """The colour of a fate."""
        return cls(10 + fate)


@dataclass(frozen=True, slots=True)
class Look:
    """How an explanation is looked at.

    levels: of the pyramid whose boxes are drawn; level: whose features are. least: of scores, 0..1. channel:
    place among the level's channels, or NORM. chosen: the candidate of the second stage whose story is told.
    """

    step: Step = Step.PROPOSALS
    levels: frozenset[int] = frozenset(LEVELS)
    level: int = LEVELS[0]
    least: float = 0.5
    part: Part = Part.KEPT
    fates: frozenset[Fate] = frozenset((Fate.KEPT, Fate.BEATEN))
    channel: int = NORM
    chosen: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Boxes that are drawn alike: N x 4. cells: a grid of so many a side inside each, 0 for none.

    is_strong: they are the chosen object's. is_faint: another's, while one is chosen.
    """

    ink: Ink
    boxes_xyxy: Boxes
    is_strong: bool = False
    is_faint: bool = False
    is_dashed: bool = False
    cells: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """Values as colours over the picture. values: H x W uint8. width, height: what they cover, from the
    picture's corner, image pixels. hides: whether the picture is covered where values are low.
    """

    values: NDArray[np.uint8]
    width: float
    height: float
    hides: bool


def layers_of(explanation: Explanation, look: Look) -> list[Layer]:
    """The boxes to draw, the uppermost last."""
    match look.step:
        case Step.FEATURES:
            layers: list[Layer] = []
        case Step.PROPOSALS:
            layers = _stage_one(explanation, look)
        case Step.ROIS:
            layers = _rois(explanation, look)
        case Step.SUPPRESSION:
            layers = _candidates(explanation, look)
        case Step.MASKS:
            layers = [Layer(Ink.KEPT, explanation.prediction.boxes_xyxy[_good(explanation, look)])]
    shown = [layer for layer in layers if len(layer.boxes_xyxy)]
    if look.chosen is None:
        return shown
    return [replace(layer, is_faint=True) for layer in shown] + _chosen(explanation, look, look.chosen)


def _good(explanation: Explanation, look: Look) -> NDArray[np.bool_]:
    good: NDArray[np.bool_] = explanation.prediction.scores >= look.least
    return good


def _by_level(boxes: Boxes, levels: NDArray[np.int64], look: Look) -> list[Layer]:
    """A layer a level, the finest uppermost: its boxes are the smallest."""
    return [
        Layer(Ink.of_level(number), boxes[levels == number])
        for number in reversed(LEVELS)
        if number in look.levels
    ]


def _stage_one(explanation: Explanation, look: Look) -> list[Layer]:
    first = explanation.first
    rows = first.proposals if look.part is Part.KEPT else np.arange(len(first.contest))
    rows = rows[first.contest.scores[rows] >= look.least]
    boxes = first.anchors_xyxy if look.part is Part.ANCHORS else first.contest.boxes_xyxy
    return _by_level(boxes[rows], first.levels[rows], look)


def _rois(explanation: Explanation, look: Look) -> list[Layer]:
    second = explanation.second
    rows = np.flatnonzero(1 - second.background >= look.least)
    return _by_level(explanation.first.rois_xyxy[rows], second.roi_levels[rows], look)


_UPWARDS = (Fate.LOW_SCORE, Fate.SMALL, Fate.SURPLUS, Fate.BEATEN, Fate.KEPT)
"""In which order boxes of a fate are drawn: what was kept lies uppermost."""


def _candidates(explanation: Explanation, look: Look) -> list[Layer]:
    contest = explanation.second.contest
    enough = contest.scores >= look.least
    return [
        Layer(
            Ink.of_fate(fate),
            contest.boxes_xyxy[enough & (contest.fates == fate)],
            is_dashed=fate is not Fate.KEPT,
        )
        for fate in _UPWARDS
        if fate in look.fates
    ]


def _chosen(explanation: Explanation, look: Look, candidate: int) -> list[Layer]:
    """What is drawn of the chosen candidate."""
    contest = explanation.second.contest
    story = story_of(explanation, candidate)
    roi = explanation.first.rois_xyxy[[story.roi]]
    itself = Layer(Ink.CHOSEN, contest.boxes_xyxy[[candidate]], is_strong=True)
    match look.step:
        case Step.FEATURES:
            return [itself]
        case Step.PROPOSALS:
            anchor = explanation.first.anchors_xyxy[[story.anchor]]
            return [
                Layer(Ink.BEFORE, anchor, is_strong=True, is_dashed=True),
                Layer(Ink.CHOSEN, roi, is_strong=True),
            ]
        case Step.ROIS:
            return [Layer(Ink.CHOSEN, roi, is_strong=True, cells=explanation.box_bins)]
        case Step.SUPPRESSION:
            rivals = list(story.beaten)
            winner = int(contest.beaten_by[candidate])
            shown = [Layer(Ink.BEATEN, contest.boxes_xyxy[rivals], is_dashed=True)]
            if winner >= 0:
                shown.append(Layer(Ink.KEPT, contest.boxes_xyxy[[winner]], is_strong=True))
            before = Layer(Ink.BEFORE, roi, is_strong=True, is_dashed=True)
            return [layer for layer in (before, *shown, itself) if len(layer.boxes_xyxy)]
        case Step.MASKS:
            cells = explanation.prediction.mask_probs
            count = cells.shape[-1] if cells is not None and story.detection is not None else 0
            return [Layer(Ink.CHOSEN, itself.boxes_xyxy, is_strong=True, cells=count)]


# Heat


def heat_of(explanation: Explanation, look: Look) -> Heat | None:
    """What lies over the picture: a feature map, or the masks."""
    if look.step is Step.FEATURES:
        level = level_of(explanation, look.level)
        place = look.channel if 0 <= look.channel < len(level.channels) else NORM
        height, width = explanation.resized
        shown = explanation.prediction
        return Heat(
            level.norm if place == NORM else level.channels[place],
            level.columns * level.stride[1] * shown.width / width,
            level.rows * level.stride[0] * shown.height / height,
            hides=True,
        )
    return _masks(explanation, look) if look.step is Step.MASKS else None


def level_of(explanation: Explanation, number: int) -> FeatureLevel:
    """The level of that number."""
    return next(one for one in explanation.levels if one.number == number)


def _masks(explanation: Explanation, look: Look) -> Heat | None:
    """The masks' cells where they land, at the size that the network saw: the chosen one's, or all."""
    shown = explanation.prediction
    if shown.mask_probs is None:
        return None
    height, width = explanation.resized
    scale = np.array([width / shown.width, height / shown.height] * 2, np.float32)
    values = np.zeros((height, width), np.uint8)
    rows = np.flatnonzero(_good(explanation, look))
    chosen = None if look.chosen is None else story_of(explanation, look.chosen).detection
    for row in rows if chosen is None else [chosen]:
        x0, y0, x1, y1 = np.rint(shown.boxes_xyxy[row] * scale).astype(int)
        part = values[y0:y1, x0:x1]
        if part.size:
            cells = np.rint(shown.mask_probs[row] * 255).astype(np.uint8)
            landed = cv2.resize(cells, (part.shape[1], part.shape[0]), interpolation=cv2.INTER_NEAREST)
            np.maximum(part, landed, out=part)
    return Heat(values, shown.width, shown.height, hides=False)


# Picking


def pick(explanation: Explanation, look: Look, x: float, y: float) -> int | None:
    """The candidate that a click at an image point chooses, or None.

    A detection before what was removed, and of several the smallest; a click on the chosen one goes on to
    the next.
    """
    second, contest = explanation.second, explanation.second.contest
    boxes = contest.boxes_xyxy
    inside = (boxes[:, 0] <= x) & (x < boxes[:, 2]) & (boxes[:, 1] <= y) & (y < boxes[:, 3])
    seen = inside & (contest.scores >= look.least)
    under = seen & (contest.fates == Fate.KEPT)
    if look.step is Step.SUPPRESSION:
        under = seen & np.isin(contest.fates, [int(fate) for fate in look.fates])
    elif not under.any():
        under = inside & np.isin(np.arange(len(contest)), second.detections)
    rows = np.flatnonzero(under)
    if not len(rows):
        return None
    areas = (boxes[rows, 2] - boxes[rows, 0]) * (boxes[rows, 3] - boxes[rows, 1])
    order: list[int] = rows[np.lexsort((areas, contest.fates[rows] != Fate.KEPT))].tolist()
    if look.chosen in order:
        return order[(order.index(look.chosen) + 1) % len(order)]
    return order[0]
