"""DAVIS: one palette PNG a frame, the same number for the same object over all frames of a sequence.

0 is background, 255 void where other numbers are there too. It knows no classes. Source: the DAVIS 2016 and
2017 data sets (https://davischallenge.org).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import numpy as np

from engine.document.records import IgnoreRegion, Instance, Provenance
from engine.errors import DataError
from engine.formats.checks import labels_of
from engine.formats.mots import sequence_of
from engine.formats.reading import ReadImage, Reading
from engine.formats.registry import Format, Holds, register
from engine.formats.source import Source
from engine.formats.writing import Export, ExportImage, covered_union, painted, voc_palette

VOID = 255
CLASS = "object"


@register
class Davis(Format):
    """`Annotations/480p/<sequence>/<frame>.png`."""

    name = "davis"
    title = "DAVIS"
    holds = Holds.MASKS | Holds.TRACKS | Holds.IGNORE | Holds.NEGATIVES
    picture_folders = ("JPEGImages",)
    has_classes = False

    def sniff(self, source: Source) -> bool:
        """PNGs in a folder of a sequence in `Annotations`."""
        return bool(_pngs(source))

    def read(self, source: Source, reading: Reading) -> Iterator[ReadImage]:
        """Every PNG."""
        names = _pngs(source) or [name for name in source.files if name.lower().endswith(".png")]
        for name in names:
            place = str(source.root / name)
            parts = PurePosixPath(name).with_suffix("").parts
            start = parts.index("Annotations") + 1 if "Annotations" in parts else 0
            stem = "/".join(parts[start:])
            picture = reading.pictures.of_stem(stem)
            whole = reading.pictures.size(picture) if picture else None
            if picture is None or whole is None:
                yield ReadImage(picture or stem, place)
                continue
            try:
                yield _image(source, name, picture, whole, reading)
            except DataError as error:
                reading.broken(error)

    def write(self, export: Export) -> None:
        """A PNG for each picture, and the list of sequences of each part."""
        palette = voc_palette()
        if len(export.classes) > 1:
            export.losses.dropped(f"classes become one, '{CLASS}'", len(export.classes))
        for part in export.parts:
            numbers = dict[str, dict[object, int]]()
            for image in part.images():
                pixels = _pixels(image, numbers.setdefault(_sequence(image.name), {}), export)
                frame = f"#{image.frame}" if image.frame else ""
                name = f"{_sequence(image.name)}/{PurePosixPath(image.stem).name}{frame}"
                export.out.png(f"Annotations/480p/{name}.png", pixels, palette)
            with export.out.text(f"ImageSets/{part.name or 'all'}.txt") as file:
                file.writelines(f"{sequence}\n" for sequence in numbers)

    def picture_place(self, name: str, part: str) -> str:  # noqa: ARG002 - one folder for all parts
        """With its sequence."""
        return f"JPEGImages/480p/{_sequence(name)}/{PurePosixPath(name).name}"


def _sequence(name: str) -> str:
    return sequence_of(name).replace("/", "_")


def _pngs(source: Source) -> list[str]:
    found = []
    for name in source.files:
        parts = PurePosixPath(name).parts
        if name.lower().endswith(".png") and "Annotations" in parts[:-2]:
            found.append(name)
    return found


def _image(source: Source, name: str, picture: str, whole: tuple[int, int], reading: Reading) -> ReadImage:
    place = str(source.root / name)
    masks = dict(labels_of(source.read_labels(name, whole)))
    # The PNGs of 2016 are black and white, and in colour channels they are white all through.
    only = len(masks) == 1 and next(iter(masks)) in (VOID, 0xFFFFFF)
    void = None if only else masks.pop(VOID, None)
    if len(masks) > VOID:
        raise DataError(f"{place} holds {len(masks)} numbers, which is no picture of objects.")
    class_id = reading.classes.named(CLASS, place).id
    instances = [
        Instance(0, class_id, mask, provenance=Provenance.IMPORTED, track_id=1 if only else value)
        for value, mask in masks.items()
    ]
    ignore: Sequence[IgnoreRegion] = [] if void is None else [IgnoreRegion(0, void)]
    return ReadImage(picture, place, *whole, tuple(instances), tuple(ignore))


def _pixels(image: ExportImage, numbers: dict[object, int], export: Export) -> np.ndarray:
    values = []
    for one in image.instances:
        key: object = (one.track_id, one.class_id) if one.track_id is not None else (image.name, one.id)
        if key not in numbers:
            taken = set(numbers.values())
            said = one.track_id if one.track_id is not None and 0 < one.track_id < VOID else 1
            while said in taken:
                said += 1
            numbers[key] = said
        if one.track_id is None:
            export.losses.dropped("instances without a track are each given one")
        values.append(numbers[key] if numbers[key] < VOID else 0)
    if 0 in values:
        export.losses.changed(f"objects beyond {VOID - 1} of a sequence are left out", values.count(0))
    pixels = painted(image, values, np.uint8, export.losses)
    void = covered_union([region.mask for region in image.ignore]).to_full(image.height, image.width)
    pixels[void & (pixels == 0)] = VOID
    return pixels
