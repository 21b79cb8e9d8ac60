"""Writes COCO instances and keypoints: exact RLE, or polygons for programs that read nothing else."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from engine.document.many import to_rles
from engine.document.masks import Mask, to_rle
from engine.document.records import ClassDef, IgnoreRegion, Instance
from engine.errors import DataError
from engine.files import replacing
from engine.formats.labelled import LabelledImage, LabelledSet
from engine.formats.outline import coco_rule, rings_of
from engine.formats.writing import Export, ExportImage, Losses, Part
from engine.media.scan import is_video_name

_TOGETHER = 400  # images whose masks are written in one go

PREFIX = "coco:"
"""Marks an attribute that holds the JSON of an annotation's own key of that name."""


def write_coco(file: Path, labelled: LabelledSet, *, images_dir: Path | None = None) -> None:
    """Write a data set as COCO JSON with exact RLE masks; an older file stays whole until this one is.

    Picture names are relative to `images_dir` (by default the file's folder) where they lie below it,
    and absolute otherwise. An ignore region is written as a crowd of the first class, since COCO knows
    none without a class.

    A frame of a video and a page behind the first of a stack are named `clip.mp4#12`, counted from 0.
    Raises DataError where the file cannot be written.
    """
    folder = (images_dir or file.parent).resolve()
    for image in labelled.images:
        if image.ignore and not labelled.classes:
            raise DataError(f"{file}: COCO cannot hold the ignore region of {image.path} without any class.")

    def images() -> Iterator[ExportImage]:
        for one in labelled.images:
            yield _exported(one, folder)

    try:
        with replacing(file) as part, part.open("w", encoding="utf-8", newline="\n") as stream:
            write_stream(stream, Part("", images), labelled.classes, Losses(), polygons=False, extra={})
    except OSError as e:
        raise DataError(f"{file} cannot be written: {e.strerror or e}.") from e


def _exported(image: LabelledImage, folder: Path) -> ExportImage:
    name = _relative(image.path, folder)
    if image.frame or is_video_name(name):
        name = f"{name}#{image.frame}"
    return ExportImage(name, image.path, image.width, image.height, image.instances, image.ignore)


def _relative(path: Path, folder: Path) -> str:
    resolved = path.resolve()
    return (resolved.relative_to(folder) if resolved.is_relative_to(folder) else resolved).as_posix()


def write_parts(export: Export) -> None:
    """`annotations/instances_<part>.json` for each part, or `annotations.json` where there is one."""
    for part in export.parts:
        name = f"annotations/instances_{part.name}.json" if part.name else "annotations.json"
        with export.out.text(name) as stream:
            write_stream(
                stream, part, export.classes, export.losses, polygons=export.polygons, extra=export.extra
            )


def write_stream(
    stream: TextIO,
    part: Part,
    classes: Sequence[ClassDef],
    losses: Losses,
    *,
    polygons: bool,
    extra: Mapping[str, object],
) -> None:
    """One COCO file, image by image: the annotations as they come, the images when all are known."""
    ids = _Ids()
    heads = list[str]()
    stream.write("{")
    for key, value in extra.items():
        if key != "categories":
            stream.write(f"{_dumped(key)}:{_dumped(value)},\n")
    stream.write('"annotations":[')
    separator = "\n"
    for image, rles in _with_rles(part.images(), polygons=polygons):
        image_id = ids.of_image(image)
        head = {"id": image_id, "file_name": image.name, "width": image.width, "height": image.height}
        rest = {key: value for key, value in image.extra.items() if key not in head}
        heads.append(_dumped(head | rest))
        for one in image.instances:
            segmentation = rles.get(one.id)
            if segmentation is None and one.mask is not None:
                segmentation = _polygons(one, one.mask, image, losses)
            stream.write(separator + _dumped(annotation(one, image_id, ids.of_record(one.id), segmentation)))
            separator = ",\n"
        for region in image.ignore:
            if not classes:
                losses.dropped("ignore regions, which COCO holds only beside a class")
                continue
            crowd = _crowd(region, image, image_id, ids.of_record(region.id), classes[0])
            stream.write(separator + _dumped(crowd))
            separator = ",\n"
    stream.write('\n],\n"images":[\n' + ",\n".join(heads) + '\n],\n"categories":')
    stream.write(_dumped(categories(classes, extra)) + "}\n")


class _Ids:
    """Numbers that differ: those that records and images have already where they do, else the next free."""

    def __init__(self) -> None:
        self._records, self._images = set[int](), set[int]()
        self._next = 1

    def of_record(self, wanted: int) -> int:
        return self._free(wanted, self._records)

    def of_image(self, image: ExportImage) -> int:
        kept = image.extra.get("id")
        wanted = kept if isinstance(kept, int) and not isinstance(kept, bool) else len(self._images) + 1
        return self._free(wanted, self._images)

    def _free(self, wanted: int, taken: set[int]) -> int:
        while wanted in taken or wanted < 0:
            wanted = self._next
            self._next += 1
        taken.add(wanted)
        return wanted


def _with_rles(
    images: Iterator[ExportImage], *, polygons: bool
) -> Iterator[tuple[ExportImage, Mapping[int, object]]]:
    """Every image with the RLE of each instance by its id, made for many at once; none for `polygons`."""
    while some := list(itertools.islice(images, _TOGETHER)):
        masks = [
            (number, one.id, one.mask, (image.height, image.width))
            for number, image in enumerate(some if not polygons else ())
            for one in image.instances
            if one.mask is not None
        ]
        rles: list[dict[int, object]] = [{} for _ in some]
        made = to_rles([mask for _, _, mask, _ in masks], [whole for _, _, _, whole in masks])
        for (number, id_, _, _), rle in zip(masks, made, strict=True):
            rles[number][id_] = rle
        yield from zip(some, rles, strict=True)


def annotation(one: Instance, image_id: int, record_id: int, segmentation: object) -> dict[str, object]:
    """An instance as COCO has it. segmentation: None where it is known by its box alone."""
    x0, y0, x1, y1 = one.bounds_xyxy
    written: dict[str, object] = {
        "id": record_id,
        "image_id": image_id,
        "category_id": one.class_id,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": one.mask.area if one.mask else (x1 - x0) * (y1 - y0),
        "iscrowd": 0,
    }
    if segmentation is not None:
        written["segmentation"] = segmentation
    if one.score is not None:
        written["score"] = round(one.score, 6)
    if one.keypoints:
        points = [(_short(p.x), _short(p.y), p.visibility) for p in one.keypoints]
        written["keypoints"] = [value for point in points for value in point]
        written["num_keypoints"] = sum(1 for point in one.keypoints if point.visibility > 0)
    if one.track_id is not None:
        written["track_id"] = one.track_id
    return written | _attributes(one)


def _polygons(one: Instance, mask: Mask, image: ExportImage, losses: Losses) -> list[list[float]]:
    rings = rings_of(one, image.height, image.width, coco_rule)
    if rings != one.rings and coco_rule(rings, image.height, image.width) != mask.clipped(
        image.height, image.width
    ):
        losses.changed("masks whose polygons the COCO API rasterises otherwise")
    return [[_short(value) for value in ring] for ring in rings]


def _attributes(one: Instance) -> dict[str, object]:
    named: dict[str, object] = {}
    own: dict[str, object] = {}
    for name, value in one.attributes:
        if name.startswith(PREFIX):
            own[name.removeprefix(PREFIX)] = loaded(value)
        else:
            named[name] = value
    return own | ({"attributes": named} if named else {})


def loaded(value: str) -> object:
    """What was kept as JSON text; the text itself where a person has changed it to something else."""
    try:
        found: object = json.loads(value)
    except ValueError:
        return value
    return found


def _short(value: float) -> float | int:
    return int(value) if value == int(value) else value


def _crowd(
    region: IgnoreRegion, image: ExportImage, image_id: int, record_id: int, of: ClassDef
) -> dict[str, object]:
    x, y, width, height = region.mask.bbox_xywh
    return {
        "id": record_id,
        "image_id": image_id,
        "category_id": of.id,
        "bbox": [x, y, width, height],
        "area": region.mask.area,
        "iscrowd": 1,
        "segmentation": to_rle(region.mask, image.height, image.width),
    }


def categories(classes: Sequence[ClassDef], extra: Mapping[str, object]) -> list[dict[str, object]]:
    """The categories as COCO has them, with what other tools had added to those of the same name."""
    kept = extra.get("categories")
    written = []
    for one in classes:
        rest = kept.get(one.name) if isinstance(kept, dict) else None
        category: dict[str, object] = {"id": one.id, "name": one.name, "supercategory": ""}
        if isinstance(rest, dict):
            category |= {key: value for key, value in rest.items() if key not in ("id", "name")}
        if one.keypoints:
            category["keypoints"] = list(one.keypoints)
            category["skeleton"] = [[a + 1, b + 1] for a, b in one.skeleton]
        written.append(category)
    return written


_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _dumped(value: object) -> str:
    return _encoder.encode(value)
