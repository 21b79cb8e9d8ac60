"""Draws instances over a picture for people to look at: tinted masks, outlines, names and scores.

numpy and OpenCV only. Works on a copy; knows nothing of files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.document.records import ClassDef, Instance

TINT = 0.45
FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw(
    image: NDArray[np.uint8], instances: Sequence[Instance], classes: Mapping[int, ClassDef]
) -> NDArray[np.uint8]:
    """A copy of `image` (H x W x 3 RGB) with its instances in their class colours, lowest z first.

    A class without a name is drawn without one.
    """
    canvas = image.copy()
    thickness = max(1, round(max(image.shape[:2]) / 900))
    ordered = sorted(instances, key=lambda one: one.z, reverse=True)
    for one in ordered:
        _draw_pixels(canvas, one, _rgb(classes[one.class_id].color), thickness)
    for one in ordered:  # after all masks, so that no name is painted over
        if classes[one.class_id].name:
            _draw_name(canvas, one, classes[one.class_id], thickness)
    return canvas


def _draw_pixels(
    canvas: NDArray[np.uint8], one: Instance, color: tuple[int, int, int], thickness: int
) -> None:
    if one.mask is None:
        x0, y0, x1, y1 = (round(v) for v in one.bounds_xyxy)
        cv2.rectangle(canvas, (x0, y0), (x1, y1), color, thickness)
        return
    mask = one.mask.clipped(*canvas.shape[:2])
    if mask.is_empty:
        return
    h, w = mask.bitmap.shape
    crop = canvas[mask.y : mask.y + h, mask.x : mask.x + w]
    tinted = crop[mask.bitmap] * (1 - TINT) + np.array(color) * TINT
    crop[mask.bitmap] = tinted.astype(np.uint8)
    outlines, _ = cv2.findContours(
        mask.bitmap.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=(mask.x, mask.y)
    )
    cv2.drawContours(canvas, outlines, -1, color, thickness, cv2.LINE_AA)


def _draw_name(canvas: NDArray[np.uint8], one: Instance, cls: ClassDef, thickness: int) -> None:
    text = cls.name if one.score is None else f"{cls.name} {one.score:.2f}"
    text = text.encode("ascii", "replace").decode()  # OpenCV's fonts hold ASCII only
    size = 0.4 * thickness
    (w, h), below = cv2.getTextSize(text, FONT, size, thickness)
    x0, y0, _, _ = one.bounds_xyxy
    x = int(np.clip(x0, 0, max(0, canvas.shape[1] - w)))
    y = int(np.clip(y0, h + below, canvas.shape[0]))
    color = _rgb(cls.color)
    cv2.rectangle(canvas, (x, y - h - below), (x + w, y), color, cv2.FILLED)
    ink = (0, 0, 0) if np.dot(color, (0.299, 0.587, 0.114)) > 140 else (255, 255, 255)
    cv2.putText(canvas, text, (x, y - below // 2), FONT, size, ink, thickness, cv2.LINE_AA)


def _rgb(color: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    return red, green, blue
