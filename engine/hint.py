"""What a rough outline says of the object that it is drawn around, and the mask that comes of it.

A person is sure far from the outline and careless near it: inside by some breadths of the hand it is the
object, outside by as much it is not. Between them speak a model, as far as it agrees with the person beyond
chance (Cohen's kappa), so that one that has never seen the like spoils nothing; and the picture's colours,
by GrabCut. numpy and OpenCV; no torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.classical import Window, grabcut
from engine.document.mask import Mask
from engine.document.records import Box
from engine.edges import Grey, chances_in
from engine.media.picture import Rgb
from engine.prediction import Prediction
from engine.prompt import Candidate, Click

_CARELESS = 0.05
"""The breadth of a hand, by which an outline may be off: share of the square root of the object's area."""
_SURE = 1.5
"""Log odds from which on colours are not asked; without a model, hands' breadths from the outline."""
_LEAST = 0.02
"""Chance that a model's word leaves to its contrary: a person can always say otherwise."""
_MARGIN = 0.25
"""Around an outline, shares of its box's sides: what the background's colours are learned from."""
_MOST_PIXELS = 60_000
_ROUNDS = 2

_MOST_CLICKS = 3
"""Of each kind."""
_CLEAR = 2.0
"""Hands' breadths from the outline from which on a click may stand there."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A rough outline in an image of that size, as the mask inside it. Raises ValueError for one that is not
    inside, or empty. hand: image pixels by which it may be off.
    """

    mask: Mask
    height: int
    width: int

    def __post_init__(self) -> None:
        if self.mask.is_empty or self.mask.clipped(self.height, self.width) is not self.mask:
            raise ValueError("a hint is a mask inside the image")

    @property
    def hand(self) -> float:
        return max(_CARELESS * float(np.sqrt(self.mask.area)), 1.0)

    @property
    def box_xyxy(self) -> Box:
        """Around it and a hand's breadth more, image pixels, inside the image."""
        return self._box(self.hand, self.hand)

    def _box(self, dx: float, dy: float) -> Box:
        x0, y0, x1, y1 = self.mask.box_xyxy
        return max(x0 - dx, 0.0), max(y0 - dy, 0.0), min(x1 + dx, self.width), min(y1 + dy, self.height)

    def window(self, picture: Rgb) -> Window:
        """The part of the picture that is looked at. picture: in the image's size or smaller."""
        x0, y0, x1, y1 = self.mask.box_xyxy
        box = self._box(_MARGIN * (x1 - x0) + 2, _MARGIN * (y1 - y0) + 2)
        return Window(picture, box, size=(self.height, self.width), most=_MOST_PIXELS)

    def depth_in(self, window: Window) -> Grey:
        """How far inside the outline (negative: outside) a window's pixels lie, hands' breadths."""
        inside = window.of_mask(self.mask)
        # Where a window is inside throughout there is no outline to be far from: its own size is far enough.
        far = max(window.shape)
        within = np.minimum(cv2.distanceTransform(inside, cv2.DIST_L2, 5), far)
        without = np.minimum(cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5), far)
        depth = np.where(inside > 0, within - 0.5, 0.5 - without) / (self.hand * window.scale)
        return depth.astype(np.float32)

    def box_in(self, window: Window) -> NDArray[np.bool_]:
        """Which of a window's pixels lie in the box."""
        columns, rows = window.centres()
        x0, y0, x1, y1 = self.box_xyxy
        return ((x0 <= columns) & (columns < x1))[None] & ((y0 <= rows) & (rows < y1))[:, None]

    def clicks(self, picture: Rgb) -> tuple[Click, ...]:
        """Clicks far from the outline: on the object, and on what is not to be in it, inside the box."""
        window = self.window(picture)
        depth, near = self.depth_in(window), self.box_in(window)
        columns, rows = window.centres()
        found = []
        for positive in (True, False):
            left = np.where(near, depth if positive else -depth, -np.inf)
            for _ in range(_MOST_CLICKS):
                row, column = (int(n) for n in np.unravel_index(int(left.argmax()), left.shape))
                if left[row, column] < _CLEAR:
                    break
                found.append(Click(float(columns[column]), float(rows[row]), positive))
                away = np.hypot(np.arange(len(columns)) - column, (np.arange(len(rows)) - row)[:, None])
                left[away < max(left.shape) / 5] = -np.inf  # not all together
        return tuple(found)


def fitted(answer: Prediction, picture: Rgb, hint: Hint) -> Candidate | None:
    """The mask that is meant by a hint. answer: a model's, of the hint's box; None where nothing is left.

    picture: H x W x 3 uint8 RGB, in the answer's size or smaller.
    """
    window = hint.window(picture)
    if window.is_empty:
        return None
    chances, depth, in_box = chances_in(answer, 0, window), hint.depth_in(window), hint.box_in(window)
    trust = _agreement(chances[in_box] > 0.5, depth[in_box] > 0) ** 2
    sure = np.clip(chances, _LEAST, 1 - _LEAST)
    odds = trust * np.log(sure / (1 - sure)) + depth
    said = np.where(odds > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    said[odds > _SURE], said[odds < -_SURE] = cv2.GC_FGD, cv2.GC_BGD
    by_colour = grabcut(window.pixels, said, _ROUNDS)
    # Where colours say nothing GrabCut goes anywhere: an outline moves to stronger edges or not at all.
    has_edges = _contrast_along(by_colour, window.pixels) > _contrast_along(odds > 0, window.pixels)
    mask = window.mask_of((by_colour if has_edges else odds > 0).astype(np.float32))
    if mask.is_empty:
        return None
    name = answer.classes[int(answer.labels[0]) - 1]
    return Candidate(name, float(answer.scores[0]), mask, mask.box_xyxy)


def _agreement(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """How far two masks agree beyond chance, 0..1: Cohen's kappa. A mask of all or nothing: 0."""
    share_a, share_b = float(a.mean()), float(b.mean())
    by_chance = share_a * share_b + (1 - share_a) * (1 - share_b)
    return max(0.0, (float((a == b).mean()) - by_chance) / max(1 - by_chance, 1e-6))


def _contrast_along(mask: NDArray[np.bool_], pixels: Rgb) -> float:
    """How steep the picture is where a mask ends, on average."""
    end = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    calm = cv2.GaussianBlur(pixels, (5, 5), 0).astype(np.float32)
    steep = np.abs(cv2.Sobel(calm, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(calm, cv2.CV_32F, 0, 1))
    return float(steep[end].mean()) if end.any() else 0.0
