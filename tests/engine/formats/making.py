"""Images with difficult masks for the tests of every format, and a format's round trip without a project."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.document.masks import Mask
from engine.document.records import ClassDef, Instance
from engine.formats.reading import Pictures, ReadImage, Reading, with_ids
from engine.formats.registry import Format, Holds
from engine.formats.source import Source
from engine.formats.writing import Export, ExportImage, Out, Part

HEIGHT, WIDTH = 20, 30
CLASSES = (
    ClassDef(1, "cell", "#ff0000"),
    ClassDef(2, "wall of it", "#00ff00"),
    ClassDef(3, "Zelle ä", "#0000ff"),
)


def difficult() -> list[Mask]:
    """A hole, two parts, an overlap, one pixel, all four corners, the whole border and the whole image."""
    holed = np.zeros((HEIGHT, WIDTH), np.bool_)
    holed[3:15, 4:20] = True
    holed[6:9, 8:12] = False
    parts = np.zeros_like(holed)
    parts[0:4, 24:30] = True
    parts[16:19, 22:28] = True
    overlapping = np.zeros_like(holed)
    overlapping[10:18, 10:26] = True
    pixel = np.zeros_like(holed)
    pixel[19, 0] = True
    diagonal = np.zeros_like(holed)
    diagonal[0, 0] = diagonal[1, 1] = diagonal[2, 0] = True
    border = np.zeros_like(holed)
    border[[0, -1], :] = border[:, [0, -1]] = True
    every = np.ones_like(holed)
    return [Mask.from_full(one) for one in (holed, parts, overlapping, pixel, diagonal, border, every)]


def apart() -> list[Mask]:
    """Masks with holes and parts that share no pixel."""
    taken = np.zeros((HEIGHT, WIDTH), np.bool_)
    found = []
    for mask in difficult()[:5]:
        full = mask.to_full(HEIGHT, WIDTH) & ~taken
        taken |= full
        found.append(Mask.from_full(full))
    return [mask for mask in found if not mask.is_empty]


def instances(masks: Sequence[Mask]) -> tuple[Instance, ...]:
    """One instance of each mask, of the classes in turn."""
    return tuple(
        Instance(100 + place, CLASSES[place % len(CLASSES)].id, mask, z=place)
        for place, mask in enumerate(masks)
    )


def image(name: str = "sub/a.png", of: Sequence[Instance] = ()) -> ExportImage:
    """An image of those instances."""
    return ExportImage(name, Path(name), WIDTH, HEIGHT, tuple(of))


def write(
    one: Format,
    images: Sequence[ExportImage],
    folder: Path,
    *,
    classes: Sequence[ClassDef] = CLASSES,
    polygons: bool = False,
    parts: dict[str, Sequence[ExportImage]] | None = None,
) -> Export:
    """Write images with a format; the export says what was lost."""

    def reader(of: Sequence[ExportImage]) -> Iterator[ExportImage]:
        yield from of

    split = parts if parts is not None else {"": images}
    made = [Part(name, lambda of=of: reader(of)) for name, of in split.items()]  # type: ignore[misc]
    export = Export(tuple(classes), tuple(made), Out(folder), polygons=polygons)
    one.write(export)
    export.out.finish(overwrite=False)
    return export


def read(
    one: Format, path: Path, images: Sequence[ExportImage], *, strict: bool = True
) -> tuple[dict[str, ReadImage], Reading]:
    """Read what was written; images by name, and the reading with its classes."""
    sizes = {known.name: (known.width, known.height) for known in images}
    reading = Reading(Pictures(path, sizes, sizes), strict=strict)
    found = {}
    for got in one.read(Source(path), reading):
        place = reading.pictures.find(got.name)
        named = with_ids(got, {known.id: known.name for known in reading.classes.all})
        found[place[0] if place else got.name] = named
    return found, reading


@cache
def files_of(one: Format) -> dict[str, bytes]:
    """The files of a format for one image `a.png` of difficult masks, by their path."""
    masks = difficult() if Holds.OVERLAP in one.holds else apart()
    with tempfile.TemporaryDirectory(prefix="files-of-") as place:
        folder = Path(place) / "out"
        write(one, [image("a.png", instances(masks))], folder)
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def pixels(
    of: Sequence[Instance], classes: Sequence[ClassDef], *, classless: bool = False
) -> list[tuple[str, bytes]]:
    """Every mask as full-size pixels with its class's name, sorted: what must come back."""
    names = {known.id: "" if classless else known.name for known in classes}
    return sorted((names[o.class_id], np.packbits(full(o)).tobytes()) for o in of if o.mask is not None)


def full(one: Instance) -> NDArray[np.bool_]:
    """The mask as a whole image."""
    assert one.mask is not None
    return one.mask.to_full(HEIGHT, WIDTH)


@st.composite
def masks(draw: st.DrawFn, *, overlap: bool) -> list[Mask]:
    """A few masks of any pixels, some at the border; without `overlap` no pixel belongs to two."""
    found = []
    taken = np.zeros((HEIGHT, WIDTH), np.bool_)
    for _ in range(draw(st.integers(1, 4))):
        high, wide = draw(st.integers(1, 9)), draw(st.integers(1, 12))
        top, left = draw(st.integers(0, HEIGHT - high)), draw(st.integers(0, WIDTH - wide))
        bits = draw(st.binary(min_size=14, max_size=14))
        crop = np.unpackbits(np.frombuffer(bits, np.uint8))[: high * wide].reshape(high, wide)
        whole = np.zeros_like(taken)
        whole[top : top + high, left : left + wide] = crop
        if not overlap:
            whole &= ~taken
        taken |= whole
        if whole.any():
            found.append(Mask.from_full(whole))
    return found
