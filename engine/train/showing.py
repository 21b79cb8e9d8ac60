"""A few held-out images by the weights of now, drawn as small pictures: to see how a training goes.

Nothing follows from them: they neither stop a training nor choose its weights.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from torchvision.models.detection import FasterRCNN

from engine.document.masks import Mask
from engine.document.records import Instance
from engine.formats.labelled import LabelledImage, LabelledSet
from engine.media.image import read_rgb
from engine.models.card import ModelCard
from engine.overlay import draw
from engine.train.confusion import THRESHOLD
from engine.train.evaluate import Evaluation, evaluate_network, readable
from engine.train.events import Picture, Pictured

PICTURES = 4
SIDE = 320
"""Long side of a picture, in pixels."""

LOOKS = 12
"""How often they are looked at in a run, about."""

MOST_OF_THE_TIME = 0.06
"""Share of the run's seconds that looking may take."""

_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 80]


class Showing:
    """Looks at the same images again and again. folder: that paths are told relative to."""

    def __init__(self, truth: LabelledSet, folder: Path) -> None:
        """truth: the held-out images, of which those with the most to see are taken."""
        fullest = sorted(truth.images, key=lambda image: -len(image.instances))[:PICTURES]
        self._truth = truth.with_images(tuple(fullest))
        self._folder = folder
        self._next = 0.0
        self._spent = 0.0

    def is_due(self, progress: float, seconds: float) -> bool:
        """Whether it is time to look. progress: 0..1 of the run; seconds: trained so far."""
        if not self._truth.images or progress >= 1.0:
            return False
        affordable = self._spent <= MOST_OF_THE_TIME * seconds
        return progress >= self._next and (affordable or self._next == 0.0)

    def look(
        self, network: FasterRCNN, card: ModelCard, device: str, *, step: int, progress: float
    ) -> Pictured:
        """Run a network on the images that are still there; it is not to be used afterwards."""
        begun = time.perf_counter()
        self._truth = readable(self._truth)
        seen = evaluate_network(network, card, self._truth, device)
        ap = seen.scores.metrics.get(f"{seen.scores.main}_ap", 0.0)
        pictures = tuple(self._picture(n, seen) for n in range(len(self._truth.images)))
        self._spent += time.perf_counter() - begun
        self._next = progress + 1 / LOOKS
        return Pictured(step, progress, ap, pictures)

    def _picture(self, number: int, seen: Evaluation) -> Picture:
        image = self._truth.images[number]
        found = [one for one in seen.found[number] if (one.score or 0.0) >= THRESHOLD]
        classes = {one.id: dataclasses.replace(one, name="") for one in self._truth.classes}
        pixels = read_rgb(image.path, image.frame, image.contrast)
        share = min(1.0, SIDE / max(pixels.shape[:2]))
        small, shrunk = _shrunk(pixels, share), _shrunk_instances(found, share)
        drawn = draw(small, shrunk, classes)
        _, data = cv2.imencode(".jpg", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR), _QUALITY)
        return Picture(_told(image, self._folder), image.frame, data.tobytes())


def _shrunk(pixels: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    if share >= 1.0:
        return pixels
    height, width = (max(1, round(side * share)) for side in pixels.shape[:2])
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _shrunk_instances(found: Sequence[Instance], share: float) -> list[Instance]:
    """Without their names: at this size those would hide what there is to see."""
    shrunk = []
    for one in found:
        x0, y0, x1, y1 = (edge * share for edge in one.bounds_xyxy)
        mask = one.mask
        if mask is not None and not mask.is_empty and share < 1.0:
            x, y, width, height = mask.bbox_xywh
            size = (max(1, round(width * share)), max(1, round(height * share)))
            bitmap = cv2.resize(mask.bitmap.view(np.uint8), size, interpolation=cv2.INTER_AREA) > 0
            mask = Mask.from_crop(round(x * share), round(y * share), bitmap)
        shrunk.append(Instance(one.id, one.class_id, mask, (x0, y0, x1, y1)))
    return shrunk


def _told(image: LabelledImage, folder: Path) -> str:
    inside = image.path.is_relative_to(folder)
    return image.path.relative_to(folder).as_posix() if inside else str(image.path)
