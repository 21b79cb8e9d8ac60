"""The records of a project: frozen, replaced and never mutated.

A record knows nothing of storage, undo or pixels beyond its own mask. Instance, IgnoreRegion and
ImageState live in one image's document; ClassDef and MediaItem belong to the project.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from engine.document.contrast import AUTOMATIC, Contrast
from engine.document.masks import Mask

Box: TypeAlias = tuple[float, float, float, float]
"""x0, y0, x1, y1 in image pixels; x1 and y1 are exclusive edges."""


def new_id() -> int:
    """A random positive id below 2**62, so that merged projects do not collide."""
    return secrets.randbits(62) or 1


class Provenance(StrEnum):
    """How an instance came to be."""

    PREDICTED = "predicted"
    ACCEPTED = "accepted"
    CORRECTED = "corrected"
    DRAWN = "drawn"
    IMPORTED = "imported"

    @property
    def is_proposal(self) -> bool:
        """True while nobody has looked at it: only then may the engine replace or remove it."""
        return self is Provenance.PREDICTED


class ReviewState(StrEnum):
    """What a person has said of an image. A reviewed image may be empty: that is a negative."""

    UNLABELLED = "unlabelled"
    PROPOSED = "proposed"
    REVIEWED = "reviewed"


@dataclass(frozen=True, slots=True)
class ClassDef:
    """A class: what an instance can be. `skeleton` joins keypoint indices, counted from 0."""

    id: int
    name: str
    color: str  # "#rrggbb"
    keypoints: tuple[str, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class MediaItem:
    """One picture: an image file, or one frame of a video or multi-page TIFF.

    `path` is relative to the project folder with forward slashes. `width` and `height` are those
    of the picture as shown (EXIF orientation applied), 0 until its header was read.
    `content_hash` is the SHA-256 of the file's bytes in hex, empty until it was computed. `contrast` is
    the project's policy for its file; it acts on pictures of more than 8 bits only.
    """

    id: int
    path: str
    frame: int = 0
    width: int = 0
    height: int = 0
    content_hash: str = ""
    missing: bool = False
    contrast: Contrast = AUTOMATIC


@dataclass(frozen=True, slots=True)
class Keypoint:
    """x and y in image pixels; visibility as in COCO: 0 unlabelled, 1 occluded, 2 visible."""

    x: float
    y: float
    visibility: int


@dataclass(frozen=True, slots=True)
class Instance:
    """One object on one image.

    `mask` is None for an object known by its box alone. `box_xyxy` is set where it says more than
    the mask does (a predicted box, an imported box); otherwise the mask's own box counts.
    `rings` holds an imported polygon as it came, dropped by the first edit of the mask.
    """

    id: int
    class_id: int
    mask: Mask | None = None
    box_xyxy: Box | None = None
    score: float | None = None
    provenance: Provenance = Provenance.DRAWN
    z: int = 0
    keypoints: tuple[Keypoint, ...] = ()
    track_id: int | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    rings: tuple[tuple[float, ...], ...] = ()

    @property
    def bounds_xyxy(self) -> Box:
        """The box where there is one, else the mask's own; zeros for neither."""
        if self.box_xyxy is not None:
            return self.box_xyxy
        return self.mask.box_xyxy if self.mask is not None else (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class IgnoreRegion:
    """Pixels that take no part in training and evaluation."""

    id: int
    mask: Mask


@dataclass(frozen=True, slots=True)
class ImageState:
    """What is known of the image as a whole; its id in a document is always IMAGE_STATE_ID."""

    review: ReviewState = ReviewState.UNLABELLED
    flags: tuple[str, ...] = ()
    skip: bool = False


IMAGE_STATE_ID = 0

Record: TypeAlias = Instance | IgnoreRegion | ImageState
"""What a document holds, keyed by id (ImageState by IMAGE_STATE_ID)."""
