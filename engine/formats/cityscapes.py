"""Cityscapes' gtFine: instances as 16-bit PNGs, classes as 8-bit ones, and polygons painted in order.

`_instanceIds.png` holds a class's number, or number * 1000 + n for the n-th instance of a class that has
instances; `_polygons.json` is read where there is no such PNG. Numbers 1 to 3 count neither way and are
ignore regions, as is a group of a class that has instances. Source: cityscapesScripts, labels.py. Classes
other than its own take the numbers from 34 on, which `gtFine/labels.json` names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

import numpy as np

from engine.document.masks import EMPTY, Mask, subtract
from engine.document.records import IgnoreRegion, Instance, Provenance
from engine.errors import DataError
from engine.formats.beside import FileNames
from engine.formats.checks import (
    as_list,
    as_object,
    encodable,
    flat_numbers,
    integer,
    labels_of,
    parsed_whole,
    ring,
    size,
    text,
)
from engine.formats.outline import centre_rule, one_ring_of
from engine.formats.reading import ReadImage, Reading
from engine.formats.registry import Format, Holds, register
from engine.formats.source import Source
from engine.formats.writing import Export, ExportImage, covered_union, painted

NAMES = (
    "unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic", "ground", "road",
    "sidewalk", "parking", "rail track", "building", "wall", "fence", "guard rail", "bridge", "tunnel",
    "pole", "polegroup", "traffic light", "traffic sign", "vegetation", "terrain", "sky", "person", "rider",
    "car", "truck", "bus", "caravan", "trailer", "train", "motorcycle", "bicycle",
)  # fmt: skip
"""The number of each class is its place."""

WITH_INSTANCES = frozenset(range(24, 34))
_IGNORED = frozenset({1, 2, 3})
_FIRST_OWN, _LAST = len(NAMES), 64
_PER_CLASS = 1000
_NAMES_FILE = "gtFine/labels.json"


@register
class Cityscapes(Format):
    """`gtFine/<part>/<city>/` with files for each picture."""

    name = "cityscapes"
    title = "Cityscapes gtFine"
    holds = Holds.MASKS | Holds.IGNORE | Holds.NEGATIVES
    picture_folders = ("leftImg8bit",)

    def sniff(self, source: Source) -> bool:
        """Files of its names."""
        return any(_base(name) for name in source.files)

    def read(self, source: Source, reading: Reading) -> Iterator[ReadImage]:
        """Every picture that has an instances' PNG or polygons."""
        names = _names(source)
        found = dict[str, dict[str, str]]()
        for name in source.files:
            base = _base(name)
            if base:
                found.setdefault(base[0], {})[base[1]] = name
        for start, files in found.items():
            place = str(source.root / next(iter(files.values())))
            try:
                yield _read_one(source, start, files, names, reading, place)
            except DataError as error:
                reading.broken(error)

    def write(self, export: Export) -> None:
        """Instances, classes and polygons of each picture."""
        numbers = _numbers(export)
        own = {str(number): one.name for one, number in zip(export.classes, numbers, strict=True)
               if number >= _FIRST_OWN}  # fmt: skip
        for part in export.parts:
            names = FileNames()
            for image in part.images():
                stem = PurePosixPath(names.of(image))
                city = str(stem.parent).replace("/", "_") if len(stem.parts) > 1 else "pictures"
                base = f"gtFine/{part.name or 'train'}/{city}/{stem.name}_gtFine_"
                _write_one(image, base, numbers, export)
        if own:
            export.out.json(_NAMES_FILE, own, indent=1)

    def picture_place(self, name: str, part: str) -> str:
        """In the folder of its city, with the suffix that the pictures have."""
        path = PurePosixPath(name)
        city = str(path.parent).replace("/", "_") if len(path.parts) > 1 else "pictures"
        return f"leftImg8bit/{part or 'train'}/{city}/{path.stem}_leftImg8bit{path.suffix}"


def _base(name: str) -> tuple[str, str] | None:
    for kind, ending in (("png", "_gtFine_instanceIds.png"), ("json", "_gtFine_polygons.json")):
        if name.endswith(ending):
            return name.removesuffix(ending), kind
    return None


def _names(source: Source) -> dict[int, str]:
    names = dict(enumerate(NAMES))
    for place in (_NAMES_FILE, "labels.json"):
        if source.has(place):
            own = as_object(source.read_json(place), str(source.root / place))
            for key in own:
                number = parsed_whole(key, f"{source.root / place}: a class")
                names[number] = text(own, key, str(source.root / place))
            if len(set(names.values())) < len(names):
                raise DataError(f"{source.root / place} names a class twice.")
            break
    return names


def _read_one(
    source: Source,
    base: str,
    files: Mapping[str, str],
    names: Mapping[int, str],
    reading: Reading,
    place: str,
) -> ReadImage:
    path = PurePosixPath(base)
    parts = [part for part in path.parts[:-1] if part != "gtFine"]
    stem = str(PurePosixPath(*parts, path.name))
    picture = (
        reading.pictures.of_stem(f"{stem}_leftImg8bit")
        or reading.pictures.of_stem(stem)
        or reading.pictures.of_stem(path.name)
    )
    if "png" in files:
        whole = reading.pictures.size(picture) if picture else None
        if picture is None or whole is None:
            return ReadImage(picture or f"{stem}_leftImg8bit", place)
        pixels = source.read_labels(files["png"], whole)
        masks = [(value, mask) for value, mask in labels_of(pixels) if value > 0]
        return _image(picture, place, whole, masks, names, reading)
    data = as_object(source.read_json(files["json"]), place)
    whole = size(integer(data, "imgWidth", place), integer(data, "imgHeight", place), place)
    return _image(
        picture or f"{stem}_leftImg8bit",
        place,
        whole,
        _polygons(data, whole, names, reading, place),
        names,
        reading,
    )


def _image(
    picture: str,
    place: str,
    whole: tuple[int, int],
    masks: list[tuple[int, Mask]],
    names: Mapping[int, str],
    reading: Reading,
) -> ReadImage:
    instances, ignore = list[Instance](), list[IgnoreRegion]()
    for value, mask in masks:
        number = value // _PER_CLASS if value >= _PER_CLASS else value
        if number in _IGNORED or (value < _PER_CLASS and number in WITH_INSTANCES):
            ignore.append(IgnoreRegion(0, mask))
            continue
        name = names.get(number, f"class {number}")
        class_id = reading.classes.named(name, place).id
        instances.append(Instance(0, class_id, mask, provenance=Provenance.IMPORTED, z=len(instances)))
    return ReadImage(picture, place, *whole, tuple(instances), tuple(ignore))


def _polygons(
    data: Mapping[str, object], whole: tuple[int, int], names: Mapping[int, str], reading: Reading, place: str
) -> list[tuple[int, Mask]]:
    """The masks of the objects, each without what is painted over it, under numbers as the PNG has them."""
    by_name = {name: number for number, name in names.items()}
    counts = dict[int, int]()
    painted_ = list[tuple[int, Mask]]()
    for position, value in enumerate(as_list(data.get("objects"), f"{place}: 'objects'"), start=1):
        where = f"{place}: object number {position}"
        try:
            item = as_object(value, where)
            if item.get("deleted") in (1, True):
                continue
            label = text(item, "label", where)
            points = ring(flat_numbers(item.get("polygon"), f"{where}: a polygon"), *whole, where)
        except DataError as error:
            reading.broken(error)
            continue
        is_group = label.endswith("group") and label not in by_name
        number = by_name.get(label.removesuffix("group") if is_group else label, -1)
        mask = centre_rule([points], whole[1], whole[0])
        painted_ = [(n, subtract(other, mask)) for n, other in painted_]
        if number < 0:
            reading.leave_out(f"objects of the unknown class '{encodable(label, where)[:40]}'")
        elif number:
            counts[number] = counts.get(number, -1) + 1
            single = number in WITH_INSTANCES or number >= _FIRST_OWN
            value_ = number * _PER_CLASS + counts[number] if single and not is_group else number
            painted_.append((value_, mask))
    return [(number, mask) for number, mask in painted_ if mask != EMPTY]


def _numbers(export: Export) -> list[int]:
    """The number of each class: Cityscapes' own where it has one, else from 34 on."""
    known = {name: number for number, name in enumerate(NAMES)}
    free = iter(range(_FIRST_OWN, _LAST + 1))
    try:
        return [known.get(one.name) or next(free) for one in export.classes]
    except StopIteration:
        raise DataError(
            f"Cityscapes holds {_LAST - _FIRST_OWN + 1} classes beside its own: choose fewer with --classes."
        ) from None


def _write_one(image: ExportImage, base: str, numbers: list[int], export: Export) -> None:
    counts, values = dict[int, int](), list[int]()
    for one in image.instances:
        number = numbers[export.class_number(one)]
        n = counts[number] = counts.get(number, -1) + 1
        values.append(number * _PER_CLASS + n if n < _PER_CLASS else 0)
    if 0 in values:
        export.losses.changed(f"instances beyond {_PER_CLASS} of a class are left out", values.count(0))
    pixels = painted(image, values, np.uint16, export.losses)
    void = covered_union([region.mask for region in image.ignore]).to_full(image.height, image.width)
    pixels[void & (pixels == 0)] = 3
    export.out.png(f"{base}instanceIds.png", pixels)
    export.out.png(
        f"{base}labelIds.png", np.where(pixels >= _PER_CLASS, pixels // _PER_CLASS, pixels).astype(np.uint8)
    )
    objects = []
    for one in image.instances:
        points = one_ring_of(one, image.height, image.width, centre_rule)
        polygon = [[x, y] for x, y in zip(points[0::2], points[1::2], strict=True)]
        objects.append({"label": export.class_of(one).name, "polygon": polygon})
    said = {"imgHeight": image.height, "imgWidth": image.width, "objects": objects}
    export.out.json(f"{base}polygons.json", said)
