"""What a writer of a format is given: classes, parts, images one at a time, and where its files go.

Files are written into a folder of their own beside the place asked for and moved there when all of them are
whole; what a format cannot hold is counted on the way, so that a person is told once. Knows no format and
no project.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.document.masks import EMPTY, Mask, subtract, union
from engine.document.records import ClassDef, IgnoreRegion, Instance
from engine.errors import DataError


@dataclass(frozen=True, slots=True)
class ExportImage:
    """One image to be written. name: of its picture, relative to the project with `/`; unique.

    extra: what was kept of the image when it was imported from the format that is written.
    """

    name: str
    path: Path
    width: int
    height: int
    instances: tuple[Instance, ...] = ()
    ignore: tuple[IgnoreRegion, ...] = ()
    flags: tuple[str, ...] = ()
    frame: int = 0
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return str(Path(self.name).with_suffix("")).replace("\\", "/")


@dataclass(frozen=True, slots=True)
class Part:
    """The images of one part of a split. name: "train", "val" ...; empty where there is no split.

    images: a function that goes through them from the first each time it is called.
    """

    name: str
    images: Callable[[], Iterator[ExportImage]]


@dataclass(slots=True)
class Losses:
    """What the format could not hold: how many, by a phrase that says what became of them."""

    pixels: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)

    def changed(self, what: str, count: int = 1) -> None:
        """Masks that do not come back pixel for pixel."""
        self.pixels[what] += count

    def dropped(self, what: str, count: int = 1) -> None:
        """Something beside the masks that is not in the files."""
        self.others[what] += count

    @property
    def has_any(self) -> bool:
        """Whether anything was lost."""
        return bool(self.pixels or self.others)

    def sentence(self, title: str) -> str:
        """All of it in one sentence; empty where nothing was lost."""
        said = [
            f"{what} ({count:,})" for what, count in (*self.pixels.items(), *self.others.items()) if count
        ]
        return f"{title} cannot hold everything: {'; '.join(said)}." if said else ""


class Out:
    """A folder that files are written into before they are moved to where they belong."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.staging = target.parent / f".{target.name}.{os.getpid()}.part"
        self.written: list[str] = []

    def place(self, relative: str) -> Path:
        """Where a file is to be written now. `relative`: its path in the export, safe, with `/`."""
        place = self.staging / relative
        place.parent.mkdir(parents=True, exist_ok=True)
        self.written.append(relative)
        return place

    @contextmanager
    def text(self, relative: str) -> Iterator[TextIO]:
        """A text file, UTF-8, lines ending in a line feed."""
        with self.place(relative).open("w", encoding="utf-8", newline="\n") as file:
            yield file

    def json(self, relative: str, value: Any, *, indent: int | None = None) -> None:
        """A JSON file."""
        self.place(relative).write_bytes(json_text(value, indent=indent).encode())

    def png(self, relative: str, pixels: NDArray[Any], palette: bytes | None = None) -> None:
        """A PNG, as `png_bytes` makes it."""
        self.place(relative).write_bytes(png_bytes(pixels, palette))

    def finish(self, *, overwrite: bool) -> None:
        """Move the files to their places. Raises DataError where one is there already and must not go."""
        there = [name for name in self.written if (self.target / name).exists()]
        if there and not overwrite:
            raise DataError(
                f"{self.target / there[0]} is there already: choose another folder, or say that "
                f"{'it' if len(there) == 1 else f'these {len(there)} files'} may be replaced."
            )
        if not self.target.exists():
            self.target.parent.mkdir(parents=True, exist_ok=True)
            self.staging.mkdir(parents=True, exist_ok=True)
            self.staging.rename(self.target)
            return
        for name in self.written:
            place = self.target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            (self.staging / name).replace(place)
        self.drop()

    def drop(self) -> None:
        """Throw away what was written."""
        shutil.rmtree(self.staging, ignore_errors=True)


@dataclass(slots=True)
class Export:
    """One export: everything that a writer needs.

    polygons: write masks as polygons where the format knows both. extra: what was kept of the whole file
    when the project was imported from this format. options: the format's own, by name.
    """

    classes: tuple[ClassDef, ...]
    parts: tuple[Part, ...]
    out: Out
    losses: Losses = field(default_factory=Losses)
    polygons: bool = False
    extra: Mapping[str, object] = field(default_factory=dict)
    copies_pictures: bool = False

    _classes: dict[int, ClassDef] = field(init=False, default_factory=dict)
    _numbers: dict[int, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._classes = {one.id: one for one in self.classes}
        self._numbers = {one.id: place for place, one in enumerate(self.classes)}

    def class_of(self, one: Instance) -> ClassDef:
        """The instance's class."""
        return self._classes[one.class_id]

    def class_number(self, one: Instance) -> int:
        """The place of the instance's class in their order, from 0."""
        return self._numbers[one.class_id]


def json_text(value: Any, *, indent: int | None = None) -> str:
    """JSON as files hold it: readable letters, a line feed at its end."""
    separators = (",", ":") if indent is None else None
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators, allow_nan=False)
    return text + "\n"


def png_bytes(pixels: NDArray[Any], palette: bytes | None = None) -> bytes:
    """A PNG of H x W uint8, uint16 or bool, or H x W x 3 uint8; with a palette an indexed one."""
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    if palette is not None:
        picture = Image.fromarray(np.ascontiguousarray(pixels, np.uint8), "L")
        picture.putpalette(palette.ljust(768, b"\0")[:768])
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def voc_palette() -> bytes:
    """The colours that Pascal VOC and DAVIS give to the numbers 0..255: the bits of each, spread."""
    table = bytearray()
    for number in range(256):
        red = green = blue = 0
        rest = number
        for shift in range(7, -1, -1):
            red |= (rest & 1) << shift
            green |= (rest >> 1 & 1) << shift
            blue |= (rest >> 2 & 1) << shift
            rest >>= 3
        table += bytes((red, green, blue))
    return bytes(table)


def painted(
    image: ExportImage, values: Sequence[int], dtype: Any, losses: Losses, *, fill: int = 0
) -> NDArray[Any]:
    """H x W: each instance's value at its pixels, those on top over those below; what was covered is counted.

    values: one for each instance; 0 and below are left out.
    """
    pixels = np.full((image.height, image.width), fill, dtype)
    covered = 0
    masks: list[Mask] = []
    for one, value in zip(image.instances, values, strict=True):
        if one.mask is None or value <= 0:
            continue
        mask = one.mask.clipped(image.height, image.width)
        if mask.is_empty:
            continue
        rows, columns = mask.bitmap.shape
        window = pixels[mask.y : mask.y + rows, mask.x : mask.x + columns]
        hit = window[mask.bitmap]
        if (hit != fill).any():
            covered += sum(1 for other in masks if subtract(other, mask) != other)
            masks = [subtract(other, mask) for other in masks]
        window[mask.bitmap] = value
        masks.append(mask)
    if covered:
        losses.changed("pixels that several instances share go to the topmost", covered)
    return pixels


def covered_union(masks: Sequence[Mask]) -> Mask:
    """All the pixels of some masks."""
    found = EMPTY
    for mask in masks:
        found = union(found, mask)
    return found
