"""One PNG a picture: each pixel the number, or the colour, of its class. It knows classes and no instances.

`dataset_meta.json` names them (`label_map`, `segmentation_colors`, `background_label`), as Datumaro's common
semantic segmentation does. All that is of one class on one picture is one instance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from engine.document.records import Instance, Provenance
from engine.errors import DataError
from engine.formats.beside import FileNames
from engine.formats.checks import as_list, as_object, encodable, labels_of, parsed_whole, whole
from engine.formats.label_png import picture_of
from engine.formats.reading import ReadImage, Reading
from engine.formats.registry import Format, Holds, register
from engine.formats.source import Source
from engine.formats.writing import Export, painted, voc_palette

_META = "dataset_meta.json"


@dataclass(frozen=True, slots=True)
class _Meta:
    """names: by the number in the PNG. colors: the number of each colour, as R + 256 G + 65536 B."""

    names: Mapping[int, str]
    colors: Mapping[int, int]
    background: int


@register
class ClassPng(Format):
    """`masks/<picture>.png` and `dataset_meta.json`."""

    name = "class-png"
    title = "Class PNG (semantic)"
    holds = Holds.MASKS | Holds.NEGATIVES
    picture_folders = ("images",)

    def sniff(self, source: Source) -> bool:
        """A folder with `dataset_meta.json`."""
        return _META in source.files and b'"label_map"' in source.head_of(_META)

    def read(self, source: Source, reading: Reading) -> Iterator[ReadImage]:
        """Every PNG in `masks`; of the whole folder where there is no such."""
        meta = _meta(source)
        pngs = [name for name in source.files if name.lower().endswith(".png")]
        in_masks = [name for name in pngs if "masks" in PurePosixPath(name).parts[:-1]]
        for name in in_masks or pngs:
            place = str(source.root / name)
            stem = str(PurePosixPath(name.removeprefix("masks/")).with_suffix(""))
            picture = picture_of(stem, reading)
            size = reading.pictures.size(picture) if picture else None
            if picture is None or size is None:
                yield ReadImage(picture or stem, place)
                continue
            try:
                pixels = source.read_labels(name, size)
                yield ReadImage(picture, place, *size, tuple(_instances(pixels, meta, reading, place)))
            except DataError as error:
                reading.broken(error)

    def write(self, export: Export) -> None:
        """A palette PNG for each picture, and the classes' numbers and colours."""
        if len(export.classes) > 255:
            raise DataError(f"A class PNG holds 255 classes, but there are {len(export.classes)}.")
        palette = voc_palette()
        for part in export.parts:
            folder, names = f"{part.name}/" if part.name else "", FileNames()
            for image in part.images():
                values = [export.class_number(one) + 1 for one in image.instances]
                alike = len(values) - len(set(values))
                if alike:
                    export.losses.changed("instances of one class on one picture become one", alike)
                pixels = painted(image, values, np.uint8, export.losses)
                export.out.png(f"{folder}masks/{names.of(image)}.png", pixels, palette)
            kinds = {"0": "background"} | {str(n): one.name for n, one in enumerate(export.classes, start=1)}
            colors = [list(palette[3 * n : 3 * n + 3]) for n in range(len(kinds))]
            said = {"label_map": kinds, "segmentation_colors": colors, "background_label": "0"}
            export.out.json(f"{folder}{_META}", said, indent=1)


def _meta(source: Source) -> _Meta:
    if not source.has(_META):
        return _Meta({}, {}, 0)
    place = str(source.root / _META)
    data = as_object(source.read_json(_META), place)
    named = as_object(data.get("label_map"), f"{place}: 'label_map'")
    names = {parsed_whole(key, f"{place}: 'label_map'"): encodable(str(named[key]), place) for key in named}
    if len(set(names.values())) < len(names):
        raise DataError(f"{place} names a class twice.")
    colors: dict[int, int] = {}
    if data.get("segmentation_colors") is not None:
        listed = as_list(data["segmentation_colors"], f"{place}: 'segmentation_colors'")
        for number, value in zip(names, listed, strict=False):
            rgb = [whole(one, f"{place}: a colour") for one in as_list(value, f"{place}: a colour")]
            if len(rgb) != 3 or not all(0 <= one <= 255 for one in rgb):
                raise DataError(f"{place}: a colour must be three numbers from 0 to 255.")
            colors[rgb[0] + 256 * rgb[1] + 65536 * rgb[2]] = number
    background = data.get("background_label", 0)
    return _Meta(names, colors, parsed_whole(str(background), f"{place}: 'background_label'"))


def _instances(pixels: np.ndarray, meta: _Meta, reading: Reading, place: str) -> Iterator[Instance]:
    values = set(np.unique(pixels).tolist())
    by_color = any(value > 255 for value in values) or not values <= meta.names.keys()
    if by_color and meta.colors and not values <= meta.colors.keys():
        unknown = min(values - meta.colors.keys())
        raise DataError(f"{place} holds the value {unknown}, which {_META} does not name.")
    # One more each, since 0 may be a class here and is none for `labels_of`.
    for value, mask in labels_of(pixels + 1):
        number = meta.colors[value - 1] if by_color and meta.colors else value - 1
        if number == meta.background:
            continue
        class_id = reading.classes.named(meta.names.get(number, f"class {number}"), place).id
        yield Instance(0, class_id, mask, provenance=Provenance.IMPORTED)
