"""VGG Image Annotator 2: its JSON, a project or an export of annotations, and its CSV.

The class of a region is the attribute called class, label, name or type, else its first. Source: VIA 2.0.12.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from engine.document.records import Instance, Keypoint, Provenance
from engine.errors import DataError
from engine.formats.checks import (
    Object,
    as_list,
    as_object,
    encodable,
    kept_json,
    near,
    number,
    ring,
    text,
)
from engine.formats.coco_writing import loaded
from engine.formats.outline import centre_rule, one_ring_of
from engine.formats.reading import ReadImage, Reading
from engine.formats.registry import FileFormat, Holds, register
from engine.formats.shapes import ellipse
from engine.formats.source import Source, parse_json, safe_name
from engine.formats.writing import Export, ExportImage

PREFIX = "via:"
_CLASS_KEYS = ("class", "label", "name", "type", "category", "object")
_DEFAULT = "object"
_COLUMNS = (
    "filename", "file_size", "file_attributes", "region_count", "region_id", "region_shape_attributes",
    "region_attributes",
)  # fmt: skip
_HOLDS = (
    Holds.MASKS | Holds.OVERLAP | Holds.BOXES | Holds.KEYPOINTS | Holds.ATTRIBUTES | Holds.NEGATIVES
    | Holds.RINGS | Holds.UNKNOWN
)  # fmt: skip
csv.field_size_limit(1 << 26)


@register
class ViaJson(FileFormat):
    """`via_project.json`."""

    name = "via-json"
    title = "VIA 2 JSON"
    holds = _HOLDS
    picture_folders = ("images",)

    def files_of(self, source: Source) -> Sequence[str]:
        """JSON with regions and their shape attributes."""
        return source.files_that(_is_json, ".json")

    def read_file(self, source: Source, name: str, reading: Reading) -> Iterator[ReadImage]:
        """Every picture of the file."""
        path = str(source.root / name)
        data = as_object(source.read_json(name), path)
        files = as_object(data.get("_via_img_metadata", data), path)
        for key in files:
            place = f"{path}: '{encodable(key, path)[:60]}'"
            try:
                item = as_object(files[key], place)
                yield _image(item, _regions(item, place), reading, place)
            except DataError as error:
                reading.broken(error)

    def write(self, export: Export) -> None:
        """A project for each part."""
        for part in export.parts:
            files = {}
            for image in part.images():
                name, size = image.name, _size_of(image.path)
                shapes = list(_shapes(image, export))
                regions = [{"shape_attributes": s, "region_attributes": a} for s, a in shapes]
                files[f"{name}{size}"] = {
                    "filename": name,
                    "size": size,
                    "regions": regions,
                    "file_attributes": _file_attributes(image),
                }
            options = {one.name: "" for one in export.classes}
            kinds = {
                "class": {"type": "dropdown", "description": "", "options": options, "default_options": {}}
            }
            said = {
                "_via_settings": {"project": {"name": part.name or "project"}},
                "_via_img_metadata": files,
                "_via_attributes": {"region": kinds, "file": {}},
                "_via_data_format_version": "2.0.10",
                "_via_image_id_list": list(files),
            }
            export.out.json(f"via_{part.name}.json" if part.name else "via_project.json", said)


@register
class ViaCsv(FileFormat):
    """`via_annotations.csv`."""

    name = "via-csv"
    title = "VIA 2 CSV"
    holds = _HOLDS
    picture_folders = ("images",)

    def files_of(self, source: Source) -> Sequence[str]:
        """A table with VIA's columns."""
        return source.files_that(_is_table, ".csv")

    def read_file(self, source: Source, name: str, reading: Reading) -> Iterator[ReadImage]:
        """Every picture; its rows need not follow each other."""
        path = str(source.root / name)
        files: dict[str, tuple[Object, list[tuple[Object, Object, str]]]] = {}
        for place, row in _rows(source, name):
            try:
                known = _json(row["file_attributes"], f"{place}: file_attributes")
                _, regions = files.setdefault(row["filename"], (known, []))
                shape = _json(row["region_shape_attributes"], f"{place}: region_shape_attributes")
                if shape:
                    attributes = _json(row["region_attributes"], f"{place}: region_attributes")
                    regions.append((shape, attributes, place))
            except DataError as error:
                reading.broken(error)
        for filename, (attributes, regions) in files.items():
            place = f"{path}: '{encodable(filename, path)[:60]}'"
            try:
                item = {"filename": filename, "file_attributes": attributes}
                yield _image(item, iter(regions), reading, place)
            except DataError as error:
                reading.broken(error)

    def write(self, export: Export) -> None:
        """A table for each part; a picture without a region has a row of its own."""
        for part in export.parts:
            with export.out.text(f"via_{part.name}.csv" if part.name else "via_annotations.csv") as file:
                table = csv.writer(file, lineterminator="\n")
                table.writerow(_COLUMNS)
                for image in part.images():
                    shapes = list(_shapes(image, export)) or [({}, {})]
                    count = len(shapes) if shapes[0][0] else 0
                    head = (image.name, _size_of(image.path), kept_json(_file_attributes(image), ""), count)
                    for n, (shape, attributes) in enumerate(shapes):
                        table.writerow((*head, n, kept_json(shape, ""), kept_json(attributes, "")))


def _is_json(head: bytes) -> bool:
    return b"_via_img_metadata" in head or (b'"regions"' in head and b'"filename"' in head)


def _is_table(head: bytes) -> bool:
    columns = ",".join(_COLUMNS[:3]).encode()
    return columns in head[:200].replace(b'"', b"").replace(b"#", b"")


def _rows(source: Source, name: str) -> Iterator[tuple[str, dict[str, str]]]:
    content = source.read_text(name)
    try:
        table = csv.reader(io.StringIO(content))
        columns = [one.strip().lstrip("#") for one in next(table, [])]
        if missing := set(_COLUMNS) - set(columns) - {"file_size", "region_count", "region_id"}:
            raise DataError(f"{source.root / name} has no column '{min(missing)}'.")
        for row in table:
            place = f"{source.root / name}: line {table.line_num}"
            if len(row) != len(columns):
                raise DataError(f"{place} has {len(row)} columns, not {len(columns)}.")
            yield place, dict(zip(columns, row, strict=True))
    except csv.Error as e:
        raise DataError(f"{source.root / name} is no table ({e}).") from e


def _json(value: str, place: str) -> Object:
    return as_object(parse_json(value or "{}", place), place)


def _regions(item: Object, place: str) -> Iterator[tuple[Object, Object, str]]:
    regions = item.get("regions") or []
    values = list(regions.values()) if isinstance(regions, dict) else as_list(regions, f"{place}: 'regions'")
    for n, value in enumerate(values, start=1):
        where = f"{place}: region {n}"
        one = as_object(value, where)
        shape = as_object(one.get("shape_attributes"), f"{where}: 'shape_attributes'")
        yield shape, as_object(one.get("region_attributes") or {}, f"{where}: 'region_attributes'"), where


def _image(
    item: Object, regions: Iterator[tuple[Object, Object, str]], reading: Reading, place: str
) -> ReadImage:
    said = text(item, "filename", place)
    name = safe_name(said, place) if "://" not in said else safe_name(said.rpartition("/")[2], place)
    whole = reading.size_of(name, place)
    if whole is None:
        return ReadImage(name, place)
    instances = list[Instance]()
    for shape, attributes, where in regions:
        try:
            one = _instance(shape, attributes, whole, reading, where)
        except DataError as error:
            reading.broken(error)
            continue
        if one is not None:
            instances.append(one)
    kept = item.get("file_attributes")
    extra = {"file_attributes": kept} if isinstance(kept, dict) and kept else {}
    kept_json(extra, place)
    return ReadImage(name, place, *whole, tuple(instances), (), (), extra)


def _instance(
    shape: Object, attributes: Object, whole: tuple[int, int], reading: Reading, place: str
) -> Instance | None:
    kind = shape.get("name")
    if kind == "polyline":
        reading.leave_out("lines, which have no area")
        return None
    label, rest = _class_of(attributes, place)
    class_id = reading.classes.named(label, place).id
    one = Instance(0, class_id, provenance=Provenance.IMPORTED, attributes=tuple(rest.items()))

    def value(key: str) -> float:
        return number(shape.get(key), f"{place}: '{key}'")

    if kind == "polygon":
        xs, ys = (
            [number(v, f"{place}: '{key}'") for v in as_list(shape.get(key), f"{place}: '{key}'")]
            for key in ("all_points_x", "all_points_y")
        )
        if len(xs) != len(ys):
            raise DataError(f"{place}: it has {len(xs)} x and {len(ys)} y.")
        points = ring([v for pair in zip(xs, ys, strict=True) for v in pair], *whole, place)
        mask = centre_rule([points], whole[1], whole[0])
        if mask.is_empty:
            return replace(one, box_xyxy=(min(xs), min(ys), max(xs), max(ys)))
        return replace(one, mask=mask, rings=(points,))
    if kind == "rect":
        x, y, wide, high = (value(key) for key in ("x", "y", "width", "height"))
        if wide < 0 or high < 0:
            raise DataError(f"{place}: its box has a negative width or height.")
        near((x, y, x + wide, y + high), *whole, place)
        return replace(one, box_xyxy=(x, y, x + wide, y + high))
    if kind in ("circle", "ellipse"):
        x, y = value("cx"), value("cy")
        rx, ry = (value("r"), value("r")) if kind == "circle" else (value("rx"), value("ry"))
        near((x - rx, y - ry, x + rx, y + ry), *whole, place)
        turned = number(shape.get("theta") or 0, f"{place}: 'theta'") * 57.29577951308232
        mask = ellipse(x, y, rx, ry, *whole, turned)
        if mask.is_empty:
            raise DataError(f"{place}: it has no pixel inside the image.")
        return replace(one, mask=mask)
    if kind == "point":
        x, y = value("cx"), value("cy")
        near((x, y), *whole, place)
        reading.classes.with_keypoints(class_id, ("keypoint 1",))
        return replace(one, keypoints=(Keypoint(x, y, 2),), box_xyxy=(x, y, x, y))
    raise DataError(f"{place} is a '{encodable(str(kind), place)[:40]}', a kind of shape that is not known.")


def _class_of(attributes: Object, place: str) -> tuple[str, dict[str, str]]:
    """The class, and the other attributes; what is no text as JSON behind a mark."""
    texts = {key: v for key, v in attributes.items() if isinstance(v, str) and v.strip()}
    key = next((k for k in _CLASS_KEYS if k in texts), next(iter(texts), None))
    label = encodable(texts[key], place) if key is not None else _DEFAULT
    rest: dict[str, str] = {}
    for name, value in attributes.items():
        if name == key:
            if key != "class":
                rest[f"{PREFIX}key"] = kept_json(key, place)
        elif isinstance(value, str):
            rest[encodable(name, place)] = encodable(value, place)
        else:
            rest[PREFIX + encodable(name, place)] = kept_json(value, place)
    return label, rest


def _shapes(image: ExportImage, export: Export) -> Iterator[tuple[dict[str, object], dict[str, object]]]:
    """The shapes of every instance with their attributes."""
    for one in image.instances:
        attributes: dict[str, object] = {}
        key = "class"
        for name, value in one.attributes:
            if name == f"{PREFIX}key":
                key = str(loaded(value))
            elif name.startswith(PREFIX):
                attributes[name.removeprefix(PREFIX)] = loaded(value)
            elif ":" not in name:
                attributes[name] = value
        attributes = {key: export.class_of(one).name, **attributes}
        seen = [point for point in one.keypoints if point.visibility]
        if one.mask is not None:
            yield _polygon(one, image, export), attributes
        elif len(seen) == 1 and one.bounds_xyxy in ((seen[0].x, seen[0].y) * 2, (0.0, 0.0, 0.0, 0.0)):
            yield {"name": "point", "cx": seen[0].x, "cy": seen[0].y}, attributes
            continue
        else:
            x0, y0, x1, y1 = one.bounds_xyxy
            yield {"name": "rect", "x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0}, attributes
        if seen:
            export.losses.dropped("keypoints of instances with a mask or box are left out")


def _polygon(one: Instance, image: ExportImage, export: Export) -> dict[str, object]:
    assert one.mask is not None
    points = one_ring_of(one, image.height, image.width, centre_rule)
    if centre_rule([points], image.height, image.width) != one.mask.clipped(image.height, image.width):
        export.losses.changed("masks that polygons cannot give back")
    return {"name": "polygon", "all_points_x": list(points[0::2]), "all_points_y": list(points[1::2])}


def _file_attributes(image: ExportImage) -> Mapping[str, object]:
    kept = image.extra.get("file_attributes")
    return kept if isinstance(kept, dict) else {}


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
