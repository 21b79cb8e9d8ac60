"""ISAT's JSON: one file beside each picture, polygons in groups and layers.

Polygons of one category and group are one instance. `__background__` cuts what lies in lower layers, as the
program shows it. Fields: from files of ISAT's own (ISAT_with_segment_anything).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from engine.document.masks import Mask, subtract, union
from engine.document.records import IgnoreRegion, Instance, Provenance
from engine.errors import DataError
from engine.formats.beside import BesideFormat, FileNames, some_heads
from engine.formats.checks import (
    FlatRing,
    Object,
    as_list,
    as_object,
    encodable,
    flat_numbers,
    integer,
    kept_json,
    number,
    ring,
    size,
    text,
    whole,
)
from engine.formats.coco_writing import loaded
from engine.formats.outline import centre_rule, rings_of
from engine.formats.reading import ReadImage, Reading
from engine.formats.registry import Holds, register
from engine.formats.source import Source
from engine.formats.writing import Export, ExportImage, Losses

PREFIX = "isat:"
BACKGROUND = "__background__"
_KEYS = frozenset({"category", "group", "segmentation", "area", "layer", "bbox", "iscrowd"})


@dataclass(frozen=True, slots=True)
class _Object:
    """One polygon as read."""

    category: str
    group: object
    points: FlatRing
    mask: Mask
    layer: float
    is_crowd: bool
    attributes: tuple[tuple[str, str], ...]


@register
class Isat(BesideFormat):
    """One JSON file for each picture, in the same folder."""

    name = "isat"
    title = "ISAT"
    holds = Holds.MASKS | Holds.OVERLAP | Holds.ATTRIBUTES | Holds.NEGATIVES | Holds.RINGS | Holds.UNKNOWN

    def sniff(self, source: Source) -> bool:
        """JSON with info and objects, as ISAT signs it."""
        return any(map(_is_isat, some_heads(source)))

    def is_label_file(self, head: bytes) -> bool:
        """Whether ISAT signed it."""
        return _is_isat(head)

    def read_file(self, source: Source, name: str, reading: Reading) -> ReadImage:
        """One label file."""
        return _read_file(source, name, reading)

    def write(self, export: Export) -> None:
        """`<picture's name>.json` for each picture."""
        for part in export.parts:
            names, folder = FileNames(), f"{part.name}/" if part.name else ""
            for image in part.images():
                export.out.json(f"{folder}{names.of(image)}.json", _document(image, export), indent=4)


def _is_isat(head: bytes) -> bool:
    return b'"info"' in head and b'"objects"' in head and b'"ISAT"' in head


def _read_file(source: Source, name: str, reading: Reading) -> ReadImage:
    place = str(source.root / name)
    data = as_object(source.read_json(name), place)
    info = as_object(data.get("info"), f"{place}: 'info'")
    width, height = size(integer(info, "width", place), integer(info, "height", place), place)
    own = text(info, "name", place).replace("\\", "/").rpartition("/")[2]
    folder = PurePosixPath(name).parent
    picture = str(folder / encodable(own, place))
    if not own or reading.pictures.find(picture) is None:
        picture = reading.pictures.of_stem(str(PurePosixPath(name).with_suffix(""))) or picture
    found = list[_Object]()
    for position, value in enumerate(as_list(data.get("objects"), f"{place}: 'objects'")):
        where = f"{place}: object number {position + 1}"
        try:
            found.append(_object(as_object(value, where), width, height, where))
        except DataError as error:
            reading.broken(error)
    found.sort(key=lambda one: one.layer)
    crowds = tuple(IgnoreRegion(0, one.mask) for one in found if one.is_crowd and not one.mask.is_empty)
    instances = tuple(_instances(found, reading, place))
    rest = {key: value for key, value in info.items() if key not in ("width", "height", "name", "folder")}
    kept_json(rest, place)
    return ReadImage(picture, place, width, height, instances, crowds, (), {"info": rest})


def _object(item: Object, width: int, height: int, place: str) -> _Object:
    points = ring(flat_numbers(item.get("segmentation"), f"{place}: a polygon"), width, height, place)
    group = item.get("group")
    attributes = dict(
        (encodable(key, place), encodable(value, place))
        if isinstance(value, str)
        else (PREFIX + encodable(key, place), kept_json(value, place))
        for key, value in item.items()
        if key not in _KEYS and value not in (None, "")
    )
    return _Object(
        text(item, "category", place),
        None if group in (None, "") else whole(group, f"{place}: 'group'"),
        points,
        centre_rule([points], height, width),
        number(item.get("layer", 0), f"{place}: 'layer'"),
        item.get("iscrowd") in (True, 1),
        tuple(attributes.items()),
    )


def _instances(found: Sequence[_Object], reading: Reading, place: str) -> Iterator[Instance]:
    groups: dict[object, list[_Object]] = {}
    for position, one in enumerate(found):
        if one.category != BACKGROUND and not one.is_crowd:
            key = ("single", position) if one.group is None else (one.category, one.group)
            groups.setdefault(key, []).append(one)
    cuts = [one for one in found if one.category == BACKGROUND]
    for members in groups.values():
        masks = [_cut(one, cuts) for one in members]
        mask = masks[0]
        for other in masks[1:]:
            mask = union(mask, other)
        is_whole = all(one.mask == own for one, own in zip(members, masks, strict=True))
        if mask.is_empty:
            reading.leave_out("polygons without a pixel")
            continue
        yield Instance(
            0,
            reading.classes.named(members[0].category, place).id,
            mask,
            provenance=Provenance.IMPORTED,
            attributes=tuple(dict(pair for one in reversed(members) for pair in one.attributes).items()),
            rings=tuple(one.points for one in members) if is_whole else (),
        )


def _cut(one: _Object, cuts: Sequence[_Object]) -> Mask:
    mask = one.mask
    for cut in cuts:
        if cut.layer > one.layer:
            mask = subtract(mask, cut.mask)
    return mask


def _document(image: ExportImage, export: Export) -> dict[str, object]:
    kept = image.extra.get("info")
    info: dict[str, object] = {
        "description": "ISAT",
        "folder": "",
        "name": PurePosixPath(image.name).name,
        "width": image.width,
        "height": image.height,
        "depth": 3,
        "note": "",
    }
    objects = list[dict[str, object]]()
    for group, one in enumerate(image.instances, start=1):
        objects += _objects(one, group, len(objects), image, export.class_of(one).name, export.losses)
    return {"info": info | (kept if isinstance(kept, dict) else {}), "objects": objects}


def _objects(
    one: Instance, group: int, layer: int, image: ExportImage, category: str, losses: Losses
) -> Iterator[dict[str, object]]:
    assert one.mask is not None
    rings = rings_of(one, image.height, image.width, centre_rule)
    if centre_rule(rings, image.height, image.width) != one.mask.clipped(image.height, image.width):
        losses.changed("masks that polygons cannot give back")
    own = {
        name.removeprefix(PREFIX): loaded(value) if name.startswith(PREFIX) else value
        for name, value in one.attributes
        if name.startswith(PREFIX) or ":" not in name
    }
    if taken := own.keys() & _KEYS:
        losses.dropped("attributes with the name of one of ISAT's own", len(taken))
    for points in rings:
        xs, ys = points[0::2], points[1::2]
        layer += 1
        yield {
            "category": category,
            "group": group,
            "segmentation": [[x, y] for x, y in zip(xs, ys, strict=True)],
            "area": float(one.mask.area),
            "layer": float(layer),
            "bbox": [min(xs), min(ys), max(xs), max(ys)],
            "iscrowd": False,
            "note": "",
            **{name: value for name, value in own.items() if name not in _KEYS},
        }
