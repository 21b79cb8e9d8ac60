"""labelme's JSON, versions 3 to 7: one file beside each picture, every kind of shape.

A polygon, circle, oriented rectangle and mask are instances with pixels, a rectangle is a box, a point is a
keypoint; lines have no place in a project and are kept for the next labelme file. Shapes of one label and
group are one instance. Where to find a picture, and where to save, follows from the file's own place: what
`imagePath` says of folders is not trusted. Unknown keys are kept. Source: labelme's own writer and its
`shape_to_mask` (https://github.com/wkentaro/labelme).
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

import numpy as np

from engine.document.masks import EMPTY, Mask, union
from engine.document.records import Box, IgnoreRegion, Instance, Keypoint, Provenance
from engine.errors import DataError
from engine.formats.beside import BesideFormat, FileNames, some_heads
from engine.formats.checks import (
    MAX_POINTS,
    Object,
    as_list,
    as_object,
    encodable,
    flat_numbers,
    integer,
    kept_json,
    near,
    number,
    ring,
    size,
    text,
    whole,
)
from engine.formats.coco_writing import loaded
from engine.formats.outline import centre_rule, rings_of, untouched_rings
from engine.formats.reading import ReadImage, Reading
from engine.formats.registry import Holds, register
from engine.formats.source import Source, parse_labels
from engine.formats.writing import Export, ExportImage, Losses, png_bytes

PREFIX = "labelme:"
"""Marks an attribute that holds the JSON of a shape's own key of that name."""

IGNORE = "__ignore__"
"""labelme's own label for what counts neither way."""

_SHAPE_KEYS = frozenset({"label", "points", "shape_type", "mask", "score"})
_FILE_KEYS = frozenset({"shapes", "imagePath", "imageData", "imageHeight", "imageWidth"})
_AREAS = frozenset({"polygon", "circle", "mask", "oriented_rectangle", "rotation", "quadrilateral"})
_POINTS = frozenset({"point", "points"})
_LINES = frozenset({"line", "linestrip", "line_strip", "cuboid"})
_MOST_SHAPES = 100_000


@dataclass(slots=True)
class _Shape:
    """A shape as read. mask: of what has pixels; box: of a rectangle; points: x, y ... as they came."""

    label: str
    kind: str
    points: tuple[float, ...]
    group: object
    mask: Mask | None = None
    box: Box | None = None
    score: float | None = None
    attributes: dict[str, str] = field(default_factory=dict)


@register
class Labelme(BesideFormat):
    """One JSON file for each picture, in the same folder."""

    name = "labelme"
    title = "labelme"
    holds = (
        Holds.MASKS | Holds.OVERLAP | Holds.BOXES | Holds.KEYPOINTS | Holds.ATTRIBUTES | Holds.NEGATIVES
        | Holds.FLAGS | Holds.RINGS | Holds.IGNORE | Holds.UNKNOWN
    )  # fmt: skip
    has_polygons = True
    version = "5.7.0"
    holds_masks_as_pngs = True

    def sniff(self, source: Source) -> bool:
        """JSON with shapes and an image's path, without what X-AnyLabeling adds."""
        heads = list(some_heads(source))
        return any(map(is_shapes, heads)) and not any(map(is_x_anylabeling, heads))

    def is_label_file(self, head: bytes) -> bool:
        """Whether it begins with shapes."""
        return is_shapes(head)

    def read_file(self, source: Source, name: str, reading: Reading) -> ReadImage:
        """One label file."""
        place = str(source.root / name)
        data = as_object(source.read_json(name), place)
        picture = picture_of(name, data, reading, place)
        width, height = _size(data, picture, reading, place)
        if not width:
            return ReadImage(picture, place)
        items = as_list(data.get("shapes"), f"{place}: 'shapes'")
        if len(items) > _MOST_SHAPES:
            raise DataError(f"{place} holds {len(items):,} shapes, more than any picture has.")
        shapes, lines = list[_Shape](), list[object]()
        for position, value in enumerate(items):
            where = f"{place}: shape number {position + 1}"
            try:
                item = as_object(value, where)
                if item.get("shape_type") in _LINES:
                    kept_json(item, where)
                    lines.append(item)
                    reading.leave_out("lines, which have no area; they are kept for the next labelme file")
                    continue
                shapes.append(_shape(item, width, height, where))
            except DataError as error:
                reading.broken(error)
        extra = {key: data[key] for key in data if key not in _FILE_KEYS}
        kept_json(extra, place)
        if lines:
            extra["shapes"] = lines
        flags = tuple(
            encodable(key, f"{place}: a flag") for key, on in _flags(data.get("flags")).items() if on is True
        )
        ignored = [shape for shape in shapes if shape.label == IGNORE and shape.mask is not None]
        ignore = tuple(IgnoreRegion(0, shape.mask) for shape in ignored if shape.mask is not None)
        instances = tuple(_instances((shape for shape in shapes if shape not in ignored), reading, place))
        return ReadImage(picture, place, width, height, instances, ignore, flags, extra)

    def write(self, export: Export) -> None:
        """`<picture's name>.json` for each picture."""
        for part in export.parts:
            names = FileNames()
            for image in part.images():
                stem = names.of(image)
                folder = f"{part.name}/" if part.name else ""
                export.out.json(f"{folder}{stem}.json", self.document(image, export), indent=2)

    def document(self, image: ExportImage, export: Export) -> dict[str, object]:
        """One image as a file has it."""
        shapes = [
            shape
            for one in image.instances
            for shape in self.shapes(
                one, export.class_of(one).name, image, export.polygons, export.losses, export
            )
        ]
        shapes += [
            shape
            for region in image.ignore
            for one in (Instance(region.id, 0, region.mask),)
            for kind, points, mask in self._areas(one, image, export.polygons, export.losses)
            for shape in (self.shape(one, IGNORE, kind, points, None, {}, mask),)
        ]
        kept = image.extra
        shapes += as_shapes(kept.get("shapes"))
        flags = {**_flags(kept.get("flags")), **dict.fromkeys(image.flags, True)}
        rest = {key: value for key, value in kept.items() if key not in ("shapes", "flags", "version")}
        return {
            "version": kept.get("version", self.version),
            "flags": flags,
            "shapes": shapes,
            "imagePath": PurePosixPath(image.name).name,
            "imageData": None,
            "imageHeight": image.height,
            "imageWidth": image.width,
            **rest,
        }

    def shapes(
        self,
        one: Instance,
        label: str,
        image: ExportImage,
        polygons: bool,
        losses: Losses,
        export: Export,
    ) -> Iterator[dict[str, object]]:
        """The shapes of one instance: several where it has parts or keypoints, which then share a group."""
        areas = list(self._areas(one, image, polygons, losses))
        names = export.class_of(one).keypoints
        points = [
            (names[n] if n < len(names) else f"keypoint {n + 1}", point)
            for n, point in enumerate(one.keypoints)
            if point.visibility > 0
        ]
        if one.mask is None and one.box_xyxy is not None and not _is_around(one):
            x0, y0, x1, y1 = one.box_xyxy
            areas.append(("rectangle", self.corners(x0, y0, x1, y1), None))
        extra = _unmarked(one)
        group = extra.pop("group_id", None)
        if group is None and len(areas) + len(points) > 1:
            group = (one.id % 1_000_000_000) + 1
        for kind, points_, mask in areas:
            yield self.shape(one, label, kind, points_, group, extra, mask)
        for name, point in points:
            place = [[point.x, point.y]]
            yield self.shape(one, name if areas else label, "point", place, group, extra, None)

    def _areas(
        self, one: Instance, image: ExportImage, polygons: bool, losses: Losses
    ) -> Iterator[tuple[str, list[list[float]], str | None]]:
        if one.mask is None:
            return
        mask = one.mask.clipped(image.height, image.width)
        attributes = dict(one.attributes)
        circle = loaded(attributes.get(f"{PREFIX}circle", "null"))
        if isinstance(circle, list) and len(circle) == 4 and _disc(circle, image) == mask:
            yield "circle", _pairs(circle), None
            return
        kept = untouched_rings(one, image.height, image.width, centre_rule)
        if not kept and self.holds_masks_as_pngs and not polygons:
            x, y, width, height = mask.bbox_xywh
            corners = [[float(x), float(y)], [float(x + width - 1), float(y + height - 1)]]
            yield "mask", corners, base64.b64encode(png_bytes(mask.bitmap)).decode("ascii")
            return
        rings = kept or self._rings(one, image)
        kind = attributes.get(f"{PREFIX}shape_type", "polygon") if len(kept) == 1 else "polygon"
        if not kept and centre_rule(rings, image.height, image.width) != mask:
            losses.changed("masks that polygons cannot give back")
        for one_ring in rings:
            yield kind, _pairs(one_ring), None

    def _rings(self, one: Instance, image: ExportImage) -> tuple[tuple[float, ...], ...]:
        return rings_of(one, image.height, image.width, centre_rule)

    def corners(self, x0: float, y0: float, x1: float, y1: float) -> list[list[float]]:
        """A rectangle's points."""
        return [[x0, y0], [x1, y1]]

    def shape(
        self,
        one: Instance,
        label: str,
        kind: str,
        points: list[list[float]],
        group: object,
        extra: Mapping[str, object],
        mask: str | None,
    ) -> dict[str, object]:
        """One shape with its keys in labelme's order."""
        rest = dict(extra)
        score = {} if one.score is None else {"score": round(one.score, 6)}
        return {
            "label": label,
            "points": points,
            "group_id": group,
            "description": rest.pop("description", ""),
            "shape_type": kind,
            "flags": rest.pop("flags", {}),
            "mask": mask,
            **score,
            **rest,
        }


def is_shapes(head: bytes) -> bool:
    """Whether JSON begins like labelme's and its kin's."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and (
        b'"shapes"' in head and (b'"imagePath"' in head or b'"shape_type"' in head or b'"version"' in head)
    )


def is_x_anylabeling(head: bytes) -> bool:
    """Whether the shapes have what only X-AnyLabeling writes."""
    return b'"kie_linking"' in head or b'"difficult"' in head


def picture_of(name: str, data: Object, reading: Reading, place: str) -> str:
    """The picture beside a label file: what `imagePath` names there, else the one of the same stem."""
    folder = PurePosixPath(name).parent
    said = data.get("imagePath")
    own = str(said).replace("\\", "/").rpartition("/")[2] if isinstance(said, str) else ""
    own = encodable(own, f"{place}: 'imagePath'") if own not in ("", ".", "..") else ""
    if own and reading.pictures.find(str(folder / own)):
        return str(folder / own)
    found = reading.pictures.of_stem(str(folder / PurePosixPath(name).stem))
    return found or str(folder / (own or PurePosixPath(name).stem))


def _size(data: Object, picture: str, reading: Reading, place: str) -> tuple[int, int]:
    if data.get("imageWidth") is None or data.get("imageHeight") is None:
        return reading.size_of(picture, place) or (0, 0)
    return size(integer(data, "imageWidth", place), integer(data, "imageHeight", place), place)


def _shape(item: Object, width: int, height: int, place: str) -> _Shape:
    label, kind = text(item, "label", place), item.get("shape_type") or "polygon"
    if not isinstance(kind, str):
        raise DataError(f"{place}: 'shape_type' must be text.")
    points = flat_numbers(item.get("points"), f"{place}: 'points'")
    if not points or len(points) > 2 * MAX_POINTS:
        raise DataError(f"{place} has no points, or more than {MAX_POINTS:,}.")
    near(points, width, height, place)
    group = item.get("group_id")
    score = item.get("score")
    shape = _Shape(
        label, kind, tuple(points), None if group is None else whole(group, f"{place}: 'group_id'")
    )
    shape.score = None if score is None else number(score, f"{place}: 'score'")
    shape.attributes = _attributes(item, place)
    if kind == "rectangle":
        xs, ys = points[0::2], points[1::2]
        if len(points) not in (4, 8):
            raise DataError(f"{place}: a rectangle has two corners, or four.")
        shape.box = (min(xs), min(ys), max(xs), max(ys))
    elif kind == "circle":
        if len(points) != 4:
            raise DataError(f"{place}: a circle has its centre and one point on it.")
        if math.dist(points[:2], points[2:]) > 2 * max(width, height):
            raise DataError(f"{place}: a circle is far larger than its image.")
        shape.mask = _disc_mask(points, width, height)
        shape.attributes[f"{PREFIX}circle"] = kept_json(points, place)
    elif kind == "mask":
        shape.mask = _png_mask(item, points, width, height, place)
    elif kind in _AREAS:
        ring(points, width, height, place)
        shape.mask = centre_rule([tuple(points)], height, width)
        if kind != "polygon":
            shape.attributes[f"{PREFIX}shape_type"] = kind
    elif kind not in _POINTS:
        raise DataError(f"{place} is a '{encodable(kind, place)[:40]}', a kind of shape that is not known.")
    if shape.mask is not None and shape.mask.is_empty:
        if kind == "mask":
            raise DataError(f"{place}: its mask has no pixel inside the image.")
        shape.mask, shape.box = None, _bounds(points)
    return shape


def _attributes(item: Object, place: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in item:
        value = item[key]
        if key in _SHAPE_KEYS or value in (None, {}, "", []):
            continue
        if key == "description" and isinstance(value, str):
            found["description"] = encodable(value, f"{place}: 'description'")
        elif (
            key == "attributes"
            and isinstance(value, dict)
            and all(isinstance(v, str) for v in value.values())
        ):
            for name, plain in value.items():
                found[encodable(name, f"{place}: an attribute")] = encodable(plain, f"{place}: an attribute")
        else:
            found[PREFIX + encodable(key, f"{place}: a key")] = kept_json(value, f"{place}: '{key}'")
    return found


def _png_mask(item: Object, points: Sequence[float], width: int, height: int, place: str) -> Mask:
    data = item.get("mask")
    if not isinstance(data, str) or len(points) != 4:
        raise DataError(f"{place}: a mask has two corners and a picture in base64.")
    left, top = math.floor(min(points[0::2])), math.floor(min(points[1::2]))
    try:
        png = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as e:
        raise DataError(f"{place}: its mask is not base64.") from e
    pixels = parse_labels(png, f"{place}: its mask", at_most=(2 * width + 2, 2 * height + 2))
    return Mask.from_crop(left, top, pixels != 0).clipped(height, width)


def _disc_mask(points: Sequence[float], width: int, height: int) -> Mask:
    x, y = points[0], points[1]
    radius = math.dist(points[:2], points[2:])
    left, top = max(math.floor(x - radius), 0), max(math.floor(y - radius), 0)
    right, bottom = min(math.ceil(x + radius) + 1, width), min(math.ceil(y + radius) + 1, height)
    if right <= left or bottom <= top:
        return EMPTY
    columns, rows = np.arange(left, right) + 0.5 - x, np.arange(top, bottom) + 0.5 - y
    return Mask.from_crop(left, top, columns[None, :] ** 2 + rows[:, None] ** 2 <= radius**2)


def _disc(points: Sequence[object], image: ExportImage) -> Mask:
    numbers = [float(one) for one in points if isinstance(one, int | float)]
    return _disc_mask(numbers, image.width, image.height) if len(numbers) == 4 else EMPTY


def _bounds(points: Sequence[float]) -> Box:
    return min(points[0::2]), min(points[1::2]), max(points[0::2]), max(points[1::2])


def _instances(shapes: Iterable[_Shape], reading: Reading, place: str) -> Iterator[Instance]:
    groups: dict[object, list[_Shape]] = {}
    for position, shape in enumerate(shapes):
        groups.setdefault(("single", position) if shape.group is None else shape.group, []).append(shape)
    for group in groups.values():
        points = [shape for shape in group if shape.kind in _POINTS]
        by_label: dict[str, list[_Shape]] = {}
        for shape in group:
            if shape.kind not in _POINTS:
                by_label.setdefault(shape.label, []).append(shape)
        found = [
            one for label, members in by_label.items() for one in _joined(label, members, reading, place)
        ]
        if len(found) == 1 and points:
            found[0] = _with_keypoints(found[0], points, reading)
            points = []
        yield from found
        for shape in points:
            yield _of_points(shape, reading, place)


def _joined(label: str, members: Sequence[_Shape], reading: Reading, place: str) -> Iterator[Instance]:
    """One instance of all shapes with pixels, and one of each rectangle beside them."""
    class_id = reading.classes.named(label, place).id
    areas = [shape for shape in members if shape.mask is not None]
    if areas:
        mask = areas[0].mask
        for shape in areas[1:]:
            assert mask is not None
            assert shape.mask is not None
            mask = union(mask, shape.mask)
        attributes: dict[str, str] = {}
        for shape in areas:
            attributes = shape.attributes | attributes
        are_rings = all(shape.kind not in ("mask", "circle") for shape in areas)
        rings = tuple(shape.points for shape in areas) if are_rings else ()
        yield _instance(class_id, mask, None, areas[0].score, attributes, rings)
    for shape in members:
        if shape.mask is None:
            yield _instance(class_id, None, shape.box, shape.score, shape.attributes, ())


def _instance(
    class_id: int,
    mask: Mask | None,
    box: Box | None,
    score: float | None,
    attributes: Mapping[str, str],
    rings: tuple[tuple[float, ...], ...],
) -> Instance:
    return Instance(
        0,
        class_id,
        mask,
        box,
        score=score,
        provenance=Provenance.IMPORTED,
        attributes=tuple(attributes.items()),
        rings=rings,
    )


def _with_keypoints(one: Instance, points: Sequence[_Shape], reading: Reading) -> Instance:
    """The instance with the points of its group, each under the keypoint that its label names."""
    known = reading.classes.known(one.class_id, "").keypoints
    names = (*known, *dict.fromkeys(p.label for p in points if p.label not in known))
    reading.classes.with_keypoints(one.class_id, names)
    at = {shape.label: Keypoint(shape.points[0], shape.points[1], 2) for shape in reversed(points)}
    placed = tuple(at.get(name, Keypoint(0.0, 0.0, 0)) for name in names)
    return replace(one, keypoints=placed)


def _of_points(shape: _Shape, reading: Reading, place: str) -> Instance:
    points = tuple(Keypoint(x, y, 2) for x, y in zip(shape.points[0::2], shape.points[1::2], strict=True))
    one = reading.classes.named(shape.label, place)
    reading.classes.with_keypoints(one.id, tuple(f"keypoint {n + 1}" for n in range(len(points))))
    made = _instance(one.id, None, _bounds(shape.points), shape.score, shape.attributes, ())
    return replace(made, keypoints=points)


def _is_around(one: Instance) -> bool:
    """Whether the box is only that around its keypoints, as of a lone point."""
    seen = [value for point in one.keypoints if point.visibility for value in (point.x, point.y)]
    return bool(seen) and one.box_xyxy == _bounds(seen)


def _unmarked(one: Instance) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in one.attributes:
        key = name.removeprefix(PREFIX)
        if key in ("circle", "shape_type"):
            continue
        if name.startswith(PREFIX):
            found[key] = loaded(value)
        elif name == "description":
            found[name] = value
        else:
            named = found.setdefault("attributes", {})
            if isinstance(named, dict):
                named[name] = value
    return found


def _flags(value: object) -> dict[str, object]:
    return {str(key): on for key, on in value.items()} if isinstance(value, dict) else {}


def as_shapes(value: object) -> list[dict[str, object]]:
    """What was kept of an image's lines."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _pairs(points: Sequence[object]) -> list[list[float]]:
    numbers = [float(one) for one in points if isinstance(one, int | float)]
    return [[x, y] for x, y in zip(numbers[0::2], numbers[1::2], strict=True)]
