"""A labelled data set in memory: what every format reads into and writes from.

Records only: no files are opened here, and pictures are named, not held.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.document.contrast import AUTOMATIC, Contrast
from engine.document.records import Box, ClassDef, IgnoreRegion, Instance


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One picture with its truth. width and height are those of the picture as shown.

    contrast: how its samples become what is seen, where they are deeper than 8 bits.
    """

    path: Path
    width: int
    height: int
    instances: tuple[Instance, ...] = ()
    ignore: tuple[IgnoreRegion, ...] = ()
    frame: int = 0
    contrast: Contrast = AUTOMATIC


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """Pictures with their truth, and the classes their instances name by id.

    An image without instances is a negative: somebody looked and found nothing.
    """

    classes: tuple[ClassDef, ...]
    images: tuple[LabelledImage, ...]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names in the order of `classes`."""
        return tuple(c.name for c in self.classes)

    @property
    def instance_count(self) -> int:
        """Instances on all images."""
        return sum(len(image.instances) for image in self.images)

    def with_images(self, images: tuple[LabelledImage, ...]) -> LabelledSet:
        """The same classes over other images."""
        return LabelledSet(self.classes, images)

    def fingerprint(self) -> str:
        """SHA-256 in hex of names, contrasts, classes and shapes: equal for equal truth, wherever it lies."""
        digest = hashlib.sha256()
        for line in self._lines():
            digest.update(line.encode("utf-8", "surrogateescape") + b"\n")
        return digest.hexdigest()

    def _lines(self) -> Iterator[str]:
        names = {c.id: c.name for c in self.classes}
        yield "\t".join(self.class_names)
        for image in sorted(self.images, key=lambda i: (i.path.name, i.frame)):
            seen = "" if image.contrast == AUTOMATIC else f"\t{image.contrast}"
            yield f"{image.path.name}\t{image.frame}\t{image.width}x{image.height}{seen}"
            yield from sorted(f"  {names[one.class_id]}\t{_geometry(one)}" for one in image.instances)
            yield from sorted(f"  ignore\t{_pixels(region)}" for region in image.ignore)


def _geometry(one: Instance) -> str:
    return box_text(one.bounds_xyxy) if one.mask is None else _pixels(one)


def box_text(box: Box) -> str:
    """A box as text, without the noise of the last digits."""
    return ",".join(f"{edge:.3f}" for edge in box)


def _pixels(one: Instance | IgnoreRegion) -> str:
    mask = one.mask
    assert mask is not None
    return f"{mask.x},{mask.y},{mask.bitmap.shape},{hashlib.sha256(mask.bitmap.tobytes()).hexdigest()}"
