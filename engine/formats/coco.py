"""COCO instance annotations: read with every value checked, written with exact RLE.

Format: https://cocodataset.org/#format-data. What COCO says of an image is taken as it comes; the
pictures themselves are not opened. Masks are RLE or polygons; polygons become pixels by the COCO
API's own rule (pycocotools) and are kept as they came beside them.
"""

from __future__ import annotations

import json
import math
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from pycocotools import mask as coco_mask

from engine.document.masks import Mask, from_rle, to_rle
from engine.document.records import Box, ClassDef, IgnoreRegion, Instance, Provenance
from engine.errors import DataError
from engine.formats.labelled import LabelledImage, LabelledSet
from engine.project.colors import next_color

Object = Mapping[str, object]

MAX_BYTES = 4 << 30
FAR = 1.0
"""How far a polygon may reach beyond its image, in shares of the image's longer side."""


def read_coco(file: Path, images_dir: Path | None = None) -> LabelledSet:
    """The data set in a COCO JSON file.

    Pictures are looked for in `images_dir`; without it beside the file and in the folders next to it.
    Categories keep their ids as class ids. A crowd (`iscrowd` 1) becomes an ignore region. An
    annotation without a segmentation keeps its box alone.

    Raises DataError that names the file, the annotation and what is wrong with it.
    """
    data = _object(_parsed(file), str(file))
    classes = tuple(_classes(_objects(data, "categories", file), file))
    heads = {head.id: head for head in _heads(_objects(data, "images", file), file)}
    folder = images_dir or _folder_of(file, heads)
    known, seen = {c.id for c in classes}, set()
    instances: dict[int, list[Instance]] = defaultdict(list)
    ignore: dict[int, list[IgnoreRegion]] = defaultdict(list)
    for position, item in enumerate(_objects(data, "annotations", file)):
        place = f"{file}: annotation {item.get('id', f'number {position + 1}')}"
        head = heads.get(_integer(item, "image_id", place))
        if head is None:
            raise DataError(f"{place} is of image {item['image_id']}, which the file does not list.")
        record = _record(item, head, known, place)
        if record.id in seen:
            raise DataError(f"{place} has an id that another annotation has too; ids must differ.")
        seen.add(record.id)
        if isinstance(record, IgnoreRegion):
            ignore[head.id].append(record)
        else:
            instances[head.id].append(record)
    images = (
        LabelledImage(
            folder / head.name, head.width, head.height, tuple(instances[head.id]), tuple(ignore[head.id])
        )
        for head in heads.values()
    )
    return LabelledSet(classes, tuple(images))


def write_coco(file: Path, labelled: LabelledSet, *, images_dir: Path | None = None) -> None:
    """Write a data set as COCO JSON with exact RLE masks; an older file stays whole until this one is.

    Picture names are relative to `images_dir` (by default the file's folder) where they lie below it,
    and absolute otherwise. An ignore region is written as a crowd of the first class, since COCO knows
    none without a class.

    Raises DataError where the file cannot be written, or a page of a multi-page picture would lose its
    number, which COCO has no place for.
    """
    folder = (images_dir or file.parent).resolve()
    images, annotations = [], list[dict[str, object]]()
    next_id = max((i.id for image in labelled.images for i in image.instances), default=0) + 1
    for number, image in enumerate(labelled.images, start=1):
        if image.frame:
            raise DataError(f"{file}: COCO cannot name page {image.frame + 1} of {image.path}.")
        images.append(
            {
                "id": number,
                "file_name": _relative(image.path, folder),
                "width": image.width,
                "height": image.height,
            }
        )
        annotations += [_annotation(one, image, number) for one in image.instances]
        for region in image.ignore:
            annotations.append(_crowd(region, image, number, next_id, labelled.classes, file))
            next_id += 1
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": c.id, "name": c.name, "supercategory": ""} for c in labelled.classes],
    }
    _write(file, json.dumps(content, ensure_ascii=False, separators=(",", ":")))


@dataclass(frozen=True, slots=True)
class _Head:
    """An image of the file: its id, relative name and size."""

    id: int
    name: str
    width: int
    height: int


def _parsed(file: Path) -> object:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise DataError(f"{file} is larger than {MAX_BYTES >> 30} GiB: split it into several files.")
        return cast(object, json.loads(file.read_bytes()))
    except OSError as e:
        raise DataError(f"{file} cannot be read: {e.strerror or e}.") from e
    except (ValueError, RecursionError) as e:
        raise DataError(f"{file} is not valid JSON ({e}).") from e


def _classes(items: Sequence[Object], file: Path) -> Iterator[ClassDef]:
    ids, names, colors = set[int](), set[str](), list[str]()
    for position, item in enumerate(items):
        place = f"{file}: category number {position + 1}"
        class_id, name = _integer(item, "id", place), _text(item, "name", place)
        if class_id in ids or name in names:
            raise DataError(f"{place} ({class_id}, '{name}') repeats an id or a name; they must differ.")
        colors.append(next_color(colors))
        ids.add(class_id)
        names.add(name)
        yield ClassDef(class_id, name, colors[-1])


def _heads(items: Sequence[Object], file: Path) -> Iterator[_Head]:
    ids = set[int]()
    for position, item in enumerate(items):
        place = f"{file}: image number {position + 1}"
        head = _Head(
            _integer(item, "id", place),
            _text(item, "file_name", place).replace("\\", "/"),
            _integer(item, "width", place),
            _integer(item, "height", place),
        )
        if head.width < 1 or head.height < 1:
            raise DataError(f"{place} ('{head.name}') has a width or height below 1.")
        if head.id in ids:
            raise DataError(f"{place} ('{head.name}') has the id {head.id} of another image.")
        ids.add(head.id)
        yield head


def _folder_of(file: Path, heads: Mapping[int, _Head]) -> Path:
    """The folder, beside the file or next to it, that holds the first picture the file names."""
    beside = file.parent
    folders = [beside, *sorted(p for p in beside.iterdir() if p.is_dir())]
    first = next(iter(heads.values()), None)
    return next((f for f in folders if first and (f / first.name).is_file()), beside)


def _record(item: Object, head: _Head, known: set[int], place: str) -> Instance | IgnoreRegion:
    record_id, class_id = _integer(item, "id", place), _integer(item, "category_id", place)
    if class_id not in known:
        raise DataError(f"{place} has category {class_id}, which the file does not list.")
    mask, rings = _mask(item.get("segmentation"), head, place)
    box = _box(item["bbox"], place) if item.get("bbox") is not None else None
    if item.get("iscrowd") in (1, True):
        if mask is None and box is None:
            raise DataError(f"{place} is a crowd without a segmentation or a bbox.")
        return IgnoreRegion(record_id, mask if mask is not None else _filled(cast(Box, box), head))
    if mask is None and box is None:
        raise DataError(f"{place} has neither a segmentation nor a bbox.")
    score = item.get("score")
    return Instance(
        record_id,
        class_id,
        mask,
        box if mask is None else None,
        score=None if score is None else _number(score, f"{place}: its score"),
        provenance=Provenance.IMPORTED,
        rings=rings,
    )


def _mask(value: object, head: _Head, place: str) -> tuple[Mask | None, tuple[tuple[float, ...], ...]]:
    """The mask and, where it came as polygons, those. None for an empty or absent segmentation."""
    if value is None or value == []:
        return None, ()
    if isinstance(value, list):
        rings = tuple(_ring(ring, head, place) for ring in value)
        mask = _rasterized(rings, head)
    elif isinstance(value, dict):
        rings = ()
        try:
            mask = from_rle(value, height=head.height, width=head.width)
        except ValueError as e:
            raise DataError(f"{place}: {e}.") from e
    else:
        raise DataError(f"{place}: its segmentation is neither polygons nor an RLE.")
    return (None if mask.is_empty else mask), rings


def _rasterized(rings: Sequence[tuple[float, ...]], head: _Head) -> Mask:
    # The stubs know whole numbers only; the library takes fractions, which COCO's polygons have.
    flat = cast(list[list[int]], [list(ring) for ring in rings])
    parts = coco_mask.frPyObjects(flat, head.height, head.width)
    merged: Mapping[str, object] = {**coco_mask.merge(parts)}
    return from_rle(merged, height=head.height, width=head.width)


def _ring(value: object, head: _Head, place: str) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) < 6 or len(value) % 2:
        raise DataError(f"{place}: a polygon must be a list of at least three x, y pairs.")
    numbers = tuple(_number(v, f"{place}: a polygon's coordinate") for v in value)
    reach = FAR * max(head.width, head.height)
    xs, ys = numbers[0::2], numbers[1::2]
    if min(*xs, *ys) < -reach or max(xs) > head.width + reach or max(ys) > head.height + reach:
        raise DataError(f"{place}: a polygon lies far outside its {head.width} x {head.height} image.")
    return numbers


def _box(value: object, place: str) -> Box:
    if not isinstance(value, list) or len(value) != 4:
        raise DataError(f"{place}: its bbox must be four numbers: x, y, width, height.")
    x, y, width, height = (_number(v, f"{place}: its bbox") for v in value)
    if width < 0 or height < 0:
        raise DataError(f"{place}: its bbox has a negative width or height.")
    return x, y, x + width, y + height


def _filled(box: Box, head: _Head) -> Mask:
    x0, y0, x1, y1 = box
    left, top = max(math.floor(x0), 0), max(math.floor(y0), 0)
    right, bottom = min(math.ceil(x1), head.width), min(math.ceil(y1), head.height)
    return Mask.from_crop(left, top, np.ones((max(bottom - top, 0), max(right - left, 0)), np.bool_))


def _annotation(one: Instance, image: LabelledImage, image_id: int) -> dict[str, object]:
    x0, y0, x1, y1 = one.bounds_xyxy
    written: dict[str, object] = {
        "id": one.id,
        "image_id": image_id,
        "category_id": one.class_id,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": one.mask.area if one.mask else (x1 - x0) * (y1 - y0),
        "iscrowd": 0,
    }
    if one.mask is not None:
        written["segmentation"] = to_rle(one.mask, image.height, image.width)
    if one.score is not None:
        written["score"] = round(one.score, 6)
    return written


def _crowd(
    region: IgnoreRegion,
    image: LabelledImage,
    image_id: int,
    record_id: int,
    classes: tuple[ClassDef, ...],
    file: Path,
) -> dict[str, object]:
    if not classes:
        raise DataError(f"{file}: COCO cannot hold the ignore region of {image.path} without any class.")
    x, y, width, height = region.mask.bbox_xywh
    return {
        "id": record_id,
        "image_id": image_id,
        "category_id": classes[0].id,
        "bbox": [x, y, width, height],
        "area": region.mask.area,
        "iscrowd": 1,
        "segmentation": to_rle(region.mask, image.height, image.width),
    }


def _relative(path: Path, folder: Path) -> str:
    resolved = path.resolve()
    return (resolved.relative_to(folder) if resolved.is_relative_to(folder) else resolved).as_posix()


def _write(file: Path, text: str) -> None:
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
    except OSError as e:
        raise DataError(f"{file} cannot be written: {e.strerror or e}.") from e


def _object(value: object, place: str) -> Object:
    if not isinstance(value, dict):
        raise DataError(f"{place} must hold a JSON object there, not {type(value).__name__}.")
    return cast(Object, value)


def _objects(data: Object, key: str, file: Path) -> list[Object]:
    value = data.get(key)
    if not isinstance(value, list):
        raise DataError(f"{file} has no list '{key}': it is not a COCO instances file.")
    return [_object(item, f"{file}: '{key}', entry {i + 1},") for i, item in enumerate(value)]


def _integer(item: Object, key: str, place: str) -> int:
    value = item.get(key)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise DataError(f"{place}: '{key}' must be a whole number.")
    return value


def _text(item: Object, key: str, place: str) -> str:
    value = item.get(key)
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{place}: '{key}' must be text.")
    return value


def _number(value: object, what: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise DataError(f"{what} must be a finite number.")
    return float(value)
