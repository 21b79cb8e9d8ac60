"""COCO panoptic: a JSON file, and a PNG for each image whose colours number its segments.

A segment's number is R + 256 G + 65536 B. No pixel belongs to two. A crowd is an ignore region.
Format: https://cocodataset.org/#format-data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from engine.document.masks import Mask
from engine.document.records import IgnoreRegion, Instance, Provenance
from engine.errors import DataError
from engine.formats.checks import Object, as_object, integer, labels_of, objects, size, text
from engine.formats.coco_writing import categories
from engine.formats.reading import ReadImage, Reading
from engine.formats.registry import FileFormat, Holds, register
from engine.formats.source import Source, read_json, safe_name
from engine.formats.writing import Export, ExportImage, Part, covered_union, painted

_LARGEST = 1 << 24


@register
class CocoPanoptic(FileFormat):
    """`annotations/panoptic_<part>.json` beside a folder of PNGs of that name."""

    name = "coco-panoptic"
    title = "COCO panoptic"
    holds = Holds.MASKS | Holds.IDS | Holds.IGNORE | Holds.NEGATIVES
    picture_folders = ("images",)

    def files_of(self, source: Source) -> Sequence[str]:
        """JSON with `segments_info`."""
        return source.files_that(lambda head: b'"segments_info"' in head, ".json")

    def names_in(self, path: Path) -> Iterator[str]:
        """Of its images."""
        data = read_json(path)
        images = data.get("images") if isinstance(data, dict) else None
        for one in images if isinstance(images, list) else ():
            if isinstance(one, dict):
                yield str(one.get("file_name"))

    def read_file(self, source: Source, name: str, reading: Reading) -> Iterator[ReadImage]:
        """Every annotation with its image."""
        place = str(source.root / name)
        data = as_object(source.read_json(name), place)
        class_ids = _classes(data, reading, place)
        images: dict[int, Object] = {}
        for item in objects(data, "images", place):
            images[integer(item, "id", f"{place}: an image")] = item
        seen = set[int]()
        for position, item in enumerate(objects(data, "annotations", place), start=1):
            where = f"{place}: annotation number {position}"
            try:
                image_id = integer(item, "image_id", where)
                if image_id not in images or image_id in seen:
                    raise DataError(
                        f"{where} is of image {image_id}, which the file does not list, or lists twice."
                    )
                seen.add(image_id)
                yield _read_image(source, name, images[image_id], item, class_ids, reading, where)
            except DataError as error:
                reading.broken(error)

    def write(self, export: Export) -> None:
        """A JSON file and a folder of PNGs for each part."""
        for part in export.parts:
            _write_part(part, export)


def _classes(data: Object, reading: Reading, place: str) -> dict[int, int]:
    found = dict[int, int]()
    extras = dict[str, object]()
    for position, item in enumerate(objects(data, "categories", place), start=1):
        where = f"{place}: category number {position}"
        number, name = integer(item, "id", where), text(item, "name", where)
        if number in found:
            raise DataError(f"{where} repeats the id {number}; ids must differ.")
        known = {one.name: one for one in reading.classes.all}.get(name.strip())
        if known is not None and known.id in found.values():
            raise DataError(f"{where} repeats the name '{name}'; names must differ.")
        free = None if any(one.id == number for one in reading.classes.all) else number
        found[number] = (known or reading.classes.add(name, where, id_=free)).id
        extras[name.strip()] = {key: value for key, value in item.items() if key != "name"}
    reading.extra["categories"] = extras
    return found


def _read_image(
    source: Source,
    name: str,
    head: Object,
    item: Object,
    class_ids: Mapping[int, int],
    reading: Reading,
    place: str,
) -> ReadImage:
    picture = safe_name(text(head, "file_name", place), place)
    whole = size(integer(head, "width", place), integer(head, "height", place), place)
    png = safe_name(text(item, "file_name", place), place)
    path = PurePosixPath(name)
    own = path.with_suffix("")
    options = [str(own / png), str(path.parent / png), str(path.parent / "annotations" / own.name / png)]
    found = next((one for one in options if source.has(one)), None)
    if found is None:
        raise DataError(f"{place}: its PNG {source.root / options[0]} is not there.")
    masks = dict(labels_of(source.read_labels(found, whole)))
    instances, ignore = list[Instance](), list[IgnoreRegion]()
    for segment in objects(item, "segments_info", place):
        try:
            made = _segment(segment, masks, class_ids, place)
        except DataError as error:
            reading.broken(error)
            continue
        if isinstance(made, Instance):
            instances.append(made)
        else:
            ignore.append(made)
    for value in masks:
        reading.broken(DataError(f"{place}: the PNG holds segment {value}, which the file does not list."))
    return ReadImage(picture, place, *whole, tuple(instances), tuple(ignore))


def _segment(
    item: Object, masks: dict[int, Mask], class_ids: Mapping[int, int], place: str
) -> Instance | IgnoreRegion:
    number, category = integer(item, "id", place), integer(item, "category_id", place)
    mask = masks.pop(number, None)
    if mask is None:
        raise DataError(f"{place}: segment {number} has no pixel in the PNG.")
    if category not in class_ids:
        raise DataError(f"{place}: segment {number} has category {category}, which the file does not list.")
    if item.get("iscrowd") in (1, True):
        return IgnoreRegion(number, mask)
    return Instance(number, class_ids[category], mask, provenance=Provenance.IMPORTED)


def _write_part(part: Part, export: Export) -> None:
    name = f"panoptic_{part.name}" if part.name else "panoptic"
    heads, annotations = list[object](), list[object]()
    for image_id, image in enumerate(part.images(), start=1):
        png = f"{image.name.replace('/', '_').replace('#', '_')}.png"
        heads.append({"id": image_id, "file_name": image.name, "width": image.width, "height": image.height})
        segments = _paint(image, export, f"annotations/{name}/{png}")
        annotations.append({"image_id": image_id, "file_name": png, "segments_info": segments})
    kinds = [{"isthing": 1, **one} for one in categories(export.classes, export.extra)]
    said = {"images": heads, "annotations": annotations, "categories": kinds}
    export.out.json(f"annotations/{name}.json", said)


def _paint(image: ExportImage, export: Export, png: str) -> list[dict[str, object]]:
    numbers, taken = list[int](), set[int]()
    for one in image.instances:
        number = one.id if 0 < one.id < _LARGEST and one.id not in taken else 1
        while number in taken:
            number += 1
        taken.add(number)
        numbers.append(number)
    pixels = painted(image, numbers, np.int64, export.losses)
    void = covered_union([region.mask for region in image.ignore]).to_full(image.height, image.width)
    crowd = max(taken, default=0) + 1
    class_of = {number: one.class_id for number, one in zip(numbers, image.instances, strict=True)}
    if image.ignore and export.classes:
        pixels[void & (pixels == 0)] = crowd
        class_of[crowd] = export.classes[0].id
    channels = [(pixels >> shift) & 255 for shift in (0, 8, 16)]
    export.out.png(png, np.stack(channels, axis=2).astype(np.uint8))
    return [
        {
            "id": number,
            "category_id": class_of[number],
            "area": mask.area,
            "bbox": list(mask.bbox_xywh),
            "iscrowd": int(number == crowd and bool(image.ignore)),
        }
        for number, mask in labels_of(pixels)
    ]
