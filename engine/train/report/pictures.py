"""Draws images beside their truth, each instance in the colour of what became of it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from engine.document.masks import Mask
from engine.document.records import ClassDef, Instance
from engine.errors import DataError
from engine.formats.labelled import LabelledImage
from engine.media.image import read_rgb
from engine.overlay import draw
from engine.train.confusion import ImageMatches

Rgb = NDArray[np.uint8]

COLORS = {
    "right": "#009e73",
    "missed": "#d55e00",
    "extra": "#e69f00",
    "confused": "#cc79a7",
    "ignored": "#9a9a9a",
    "true": "#0072b2",
}
"""The page's style sheet has the same."""

LONG_SIDE = 1000
SMALL_SIDE = 500
"""A smaller picture is blown up before it is drawn on, so that outlines and names do not cover it."""

WRONG = ("missed", "extra", "confused")

MOST_NAMED = 15
"""Instances; on an image with more, only what is wrong has a name, unless that is as much again."""

GAP, HEAD = 10, 34


class Painter:
    """Draws one image, the truth and what models found, at a size for a page."""

    def __init__(self, image: LabelledImage, classes: Sequence[ClassDef]) -> None:
        """Reads the picture. Raises MediaError."""
        self.image = image
        self.names = {one.id: one.name for one in classes}
        pixels = read_rgb(image.path, image.frame, image.contrast)
        self._times = max(1, math.ceil(SMALL_SIDE / max(pixels.shape[:2])))
        self._pixels = pixels.repeat(self._times, axis=0).repeat(self._times, axis=1)

    def truth(self, matches: ImageMatches | None = None, threshold: float = 0.0) -> Rgb:
        """The true instances, as found, missed or confused by a model where its matches are given."""
        true = self.image.instances
        fates = [("true" if matches is None else "missed", self.names[one.class_id]) for one in true]
        for one in matches.at(threshold) if matches is not None else ():
            if one.true is not None:
                fates[one.true] = ("right" if one.right else "confused", fates[one.true][1])
        ignored = [Instance(0, 0, region.mask) for region in self.image.ignore]
        return self._drawn([*true, *ignored], [*fates, *[("ignored", "")] * len(ignored)])

    def found(self, instances: Sequence[Instance], matches: ImageMatches, threshold: float) -> Rgb:
        """The detections that count at a threshold, as right, extra, confused or ignored."""
        fates = {n: ("ignored", "") for n, one in enumerate(instances) if (one.score or 0.0) >= threshold}
        for one in matches.at(threshold):
            name = f"{self.names[instances[one.found].class_id]} {one.score:.2f}"
            if one.true is None:
                fates[one.found] = ("extra", name)
            elif one.right:
                fates[one.found] = ("right", name)
            else:
                truly = self.names[self.image.instances[one.true].class_id]
                fates[one.found] = ("confused", f"{name}, truly {truly}")
        return self._drawn([instances[n] for n in fates], list(fates.values()))

    def _drawn(self, instances: Sequence[Instance], fates: Sequence[tuple[str, str]]) -> Rgb:
        """Every instance gets a class of its own, with the colour of its fate and its words."""
        wrong = sum(fate in WRONG for fate, _ in fates)
        named = COLORS if len(fates) <= MOST_NAMED else WRONG if wrong <= MOST_NAMED else ()
        classes = {
            n: ClassDef(n, _label(fate, words) if fate in named else "", COLORS[fate])
            for n, (fate, words) in enumerate(fates)
        }
        return _fitted(draw(self._pixels, [self._scaled(n, one) for n, one in enumerate(instances)], classes))

    def _scaled(self, number: int, one: Instance) -> Instance:
        by, mask = self._times, one.mask
        if mask is not None and by > 1:
            mask = Mask.from_crop(by * mask.x, by * mask.y, mask.bitmap.repeat(by, 0).repeat(by, 1))
        x0, y0, x1, y1 = (by * edge for edge in one.bounds_xyxy)
        return dataclasses.replace(one, class_id=number, mask=mask, box_xyxy=(x0, y0, x1, y1), score=None)


def _label(fate: str, words: str) -> str:
    return f"{fate} {words}" if fate in ("missed", "extra") else words


def side_by_side(panels: Sequence[tuple[str, Rgb]]) -> Rgb:
    """Drawings of one size in a row, each under its title, on a ground that suits light and dark pages."""
    height, width = panels[0][1].shape[:2]
    sheet = Image.new("RGB", (len(panels) * (width + GAP) - GAP, height + HEAD), "#2a2c30")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(18)
    for number, (title, panel) in enumerate(panels):
        left = number * (width + GAP)
        pen.text((left + 8, 6), title, fill="#e9e9e6", font=font)
        sheet.paste(Image.fromarray(panel), (left, HEAD))
    return np.asarray(sheet)


def encoded(picture: Rgb, kind: str) -> bytes:
    """A picture as the bytes of a png or jpeg file. Raises DataError where it cannot be made."""
    done, data = cv2.imencode(f".{kind}", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), _QUALITY[kind])
    if not done:
        raise DataError("A picture of the report cannot be made: OpenCV refuses to write it.")
    return data.tobytes()


_QUALITY = {"png": [], "jpeg": [cv2.IMWRITE_JPEG_QUALITY, 85]}


def _fitted(picture: Rgb) -> Rgb:
    height, width = picture.shape[:2]
    share = LONG_SIDE / max(height, width)
    if share >= 1:
        return picture
    size = (max(1, round(share * width)), max(1, round(share * height)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
