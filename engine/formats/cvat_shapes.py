"""CVAT's shapes in XML and back: what its images' and its videos' files share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from engine.document.masks import Mask
from engine.document.records import ClassDef, Instance, Keypoint, Provenance
from engine.errors import DataError
from engine.formats.checks import encodable, near, parsed_number, parsed_whole, ring, shortened
from engine.formats.outline import centre_rule, one_ring_of, untouched_rings
from engine.formats.reading import Reading
from engine.formats.shapes import ellipse, turned_box
from engine.formats.writing import ExportImage, Losses

PREFIX = "cvat:"
SHAPES = frozenset({"box", "polygon", "mask", "points", "skeleton", "ellipse", "polyline", "cuboid"})
_OCCLUDED = f"{PREFIX}occluded"


def instances(
    shapes: Sequence[tuple[Element, str]], label: str, size: tuple[int, int], reading: Reading
) -> list[Instance]:
    """The instances of the shapes, each with a place for messages. label: of all of them, or empty.

    Keypoints and a mask of one class in one group are one instance.
    """
    found: list[Instance] = []
    groups: dict[tuple[int, int], int] = {}
    for item, where in shapes:
        try:
            one = _instance(item, label, size, reading, where)
        except DataError as error:
            reading.broken(error)
            continue
        if one is None:
            continue
        group = parsed_whole(item.get("group_id") or "0", f"{where}: 'group_id'")
        key = (group, one.class_id)
        if group and key in groups:
            joined = _joined(found[groups[key]], one)
            if joined is not None:
                found[groups[key]] = joined
                continue
        if group:
            groups[key] = len(found)
        found.append(one)
    return found


def _joined(one: Instance, other: Instance) -> Instance | None:
    """Both as one where one is all keypoints, as they were written apart; None for two of a kind."""
    if one.mask is None and one.keypoints and other.mask is not None and not other.keypoints:
        return replace(other, keypoints=one.keypoints)
    if other.mask is None and other.keypoints and not one.keypoints:
        return replace(one, keypoints=other.keypoints)
    return None


def _instance(
    item: Element, label: str, size: tuple[int, int], reading: Reading, place: str
) -> Instance | None:
    name = label or item.get("label") or ""
    if not name.strip():
        reading.leave_out("shapes without a label")
        return None
    if item.tag in ("polyline", "cuboid"):
        reading.leave_out(f"shapes of the kind {item.tag}, which have no place here")
        return None
    class_id = reading.classes.named(encodable(name, f"{place}: 'label'"), place).id
    attributes = {
        encodable(one.get("name") or "", place): encodable(one.text or "", place)
        for one in item.iterfind("attribute")
    }
    if item.get("occluded") == "1":
        attributes[_OCCLUDED] = "1"
    one = Instance(
        0,
        class_id,
        provenance=Provenance.IMPORTED,
        z=parsed_whole(item.get("z_order") or "0", f"{place}: 'z_order'"),
        attributes=tuple((key, value) for key, value in attributes.items() if key),
    )
    return _shaped(one, item, size, reading, place)


def _shaped(one: Instance, item: Element, size: tuple[int, int], reading: Reading, place: str) -> Instance:
    width, height = size
    match item.tag:
        case "box":
            x0, y0, x1, y1 = (_number(item, key, place) for key in ("xtl", "ytl", "xbr", "ybr"))
            if x1 < x0 or y1 < y0:
                raise DataError(f"{place}: its box has a negative width or height.")
            near((x0, y0, x1, y1), width, height, place)
            turned = parsed_number(item.get("rotation") or "0", f"{place}: 'rotation'")
            if not turned:
                return replace(one, box_xyxy=(x0, y0, x1, y1))
            points = turned_box(x0, y0, x1, y1, turned, ((x0 + x1) / 2, (y0 + y1) / 2))
            return _of_ring(one, points, size, place)
        case "polygon":
            return _of_ring(one, _points(item, size, place), size, place)
        case "mask":
            return replace(one, mask=_mask(item, size, place))
        case "ellipse":
            x, y, rx, ry = (_number(item, key, place) for key in ("cx", "cy", "rx", "ry"))
            near((x - rx, y - ry, x + rx, y + ry), width, height, place)
            turned = parsed_number(item.get("rotation") or "0", f"{place}: 'rotation'")
            mask = ellipse(x, y, rx, ry, width, height, turned)
            if mask.is_empty:
                raise DataError(f"{place}: its ellipse has no pixel inside the image.")
            return replace(one, mask=mask)
        case "points":
            flat = _points(item, size, place)
            points_ = tuple(Keypoint(x, y, 2) for x, y in zip(flat[0::2], flat[1::2], strict=True))
            names = tuple(f"keypoint {n + 1}" for n in range(len(points_)))
            reading.classes.with_keypoints(one.class_id, names)
            return _of_keypoints(one, points_)
        case "skeleton":
            return _of_skeleton(one, item, size, reading, place)
    raise DataError(f"{place} is a '{shortened(item.tag)}', a kind of shape that is not known.")


def _of_ring(one: Instance, points: Sequence[float], size: tuple[int, int], place: str) -> Instance:
    whole = ring(points, *size, place)
    mask = centre_rule([whole], size[1], size[0])
    if mask.is_empty:
        box = (min(whole[0::2]), min(whole[1::2]), max(whole[0::2]), max(whole[1::2]))
        return replace(one, box_xyxy=box)
    return replace(one, mask=mask, rings=(whole,))


def _of_keypoints(one: Instance, points: tuple[Keypoint, ...]) -> Instance:
    seen = [point for point in points if point.visibility] or list(points)
    xs, ys = [point.x for point in seen], [point.y for point in seen]
    return replace(one, keypoints=points, box_xyxy=(min(xs), min(ys), max(xs), max(ys)))


def _of_skeleton(
    one: Instance, item: Element, size: tuple[int, int], reading: Reading, place: str
) -> Instance:
    at: dict[str, Keypoint] = {}
    for point in item.iterfind("points"):
        name = encodable(point.get("label") or "", f"{place}: a keypoint's label")
        flat = _points(point, size, place)
        if len(flat) != 2 or not name:
            raise DataError(f"{place}: a keypoint of a skeleton has a label and one point.")
        visibility = 0 if point.get("outside") == "1" else 1 if point.get("occluded") == "1" else 2
        at[name] = Keypoint(flat[0], flat[1], visibility)
    if not at:
        raise DataError(f"{place}: the skeleton has no keypoints.")
    known = reading.classes.known(one.class_id, place).keypoints
    names = (*known, *(name for name in at if name not in known))
    reading.classes.with_keypoints(one.class_id, names)
    return _of_keypoints(one, tuple(at.get(name, Keypoint(0.0, 0.0, 0)) for name in names))


def _number(item: Element, key: str, place: str) -> float:
    return parsed_number(item.get(key) or "", f"{place}: '{key}'")


def _points(item: Element, size: tuple[int, int], place: str) -> list[float]:
    flat: list[float] = []
    for pair in (item.get("points") or "").split(";"):
        x, comma, y = pair.partition(",")
        if not comma:
            raise DataError(f"{place}: '{shortened(pair)}' is no point, which is x,y.")
        flat += (parsed_number(x, f"{place}: a point"), parsed_number(y, f"{place}: a point"))
    near(flat, *size, place)
    return flat


def _mask(item: Element, size: tuple[int, int], place: str) -> Mask:
    left, top, width, height = (
        parsed_whole(item.get(key) or "", f"{place}: '{key}'") for key in ("left", "top", "width", "height")
    )
    if width < 1 or height < 1 or left < 0 or top < 0 or left + width > size[0] or top + height > size[1]:
        raise DataError(f"{place}: its mask is not inside its {size[0]} x {size[1]} image.")
    words = (item.get("rle") or "").replace(",", " ").split()
    if len(words) > width * height + 1:
        raise DataError(f"{place}: its RLE has more runs than its mask has pixels.")
    try:
        counts = np.array([int(word) for word in words], np.int64)
    except (ValueError, OverflowError) as e:
        raise DataError(f"{place}: its RLE holds something that is no whole number.") from e
    if (
        counts.size == 0
        or counts.min() < 0
        or counts.max() > width * height
        or counts.sum() != width * height
    ):
        raise DataError(f"{place}: its RLE does not sum to the mask's {width * height} pixels.")
    values = np.zeros(len(counts), np.bool_)
    values[1::2] = True
    mask = Mask.from_crop(left, top, np.repeat(values, counts).reshape(height, width))
    if mask.is_empty:
        raise DataError(f"{place}: its mask has no pixel.")
    return mask


# Writing


def elements(
    one: Instance, kind: ClassDef, image: ExportImage, *, polygons: bool, losses: Losses
) -> Iterator[Element]:
    """The shapes of an instance: one for what it covers, one for its keypoints. Without a label."""
    attributes = dict(one.attributes)
    occluded = attributes.pop(_OCCLUDED, "0")
    made: list[Element] = []
    if one.mask is not None:
        made.append(_area(one, image, polygons=polygons, losses=losses))
    elif one.box_xyxy is not None and not _is_around(one):
        edges = zip(("xtl", "ytl", "xbr", "ybr"), one.box_xyxy, strict=True)
        made.append(Element("box", {key: short(edge) for key, edge in edges}))
    if one.keypoints:
        made.append(_skeleton(one, kind))
    for element in made:
        element.set("occluded", occluded)
        element.set("source", "manual")
        element.set("z_order", str(one.z))
        if len(made) > 1:
            element.set("group_id", str(one.id % 1_000_000_000 + 1))
        for name, value in attributes.items():
            if ":" not in name:
                SubElement(element, "attribute", name=name).text = value
        yield element


def _area(one: Instance, image: ExportImage, *, polygons: bool, losses: Losses) -> Element:
    assert one.mask is not None
    mask = one.mask.clipped(image.height, image.width)
    kept = untouched_rings(one, image.height, image.width, centre_rule)
    if polygons or len(kept) == 1:
        points = one_ring_of(one, image.height, image.width, centre_rule)
        if centre_rule([points], image.height, image.width) != mask:
            losses.changed("masks that polygons cannot give back")
        pairs = zip(points[0::2], points[1::2], strict=True)
        return Element("polygon", points=";".join(f"{short(x)},{short(y)}" for x, y in pairs))
    flat = np.concatenate(([False], mask.bitmap.reshape(-1), [False]))
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    counts = np.diff(np.concatenate(([0], edges, [mask.bitmap.size])))
    runs = counts if counts[-1] else counts[:-1]
    x, y, width, height = mask.bbox_xywh
    rle = ", ".join(map(str, runs.tolist()))
    return Element("mask", rle=rle, left=str(x), top=str(y), width=str(width), height=str(height))


def _skeleton(one: Instance, kind: ClassDef) -> Element:
    names = kind.keypoints
    if not names or all(name.startswith("keypoint ") for name in names):
        seen = [point for point in one.keypoints if point.visibility]
        return Element("points", points=";".join(f"{short(p.x)},{short(p.y)}" for p in seen))
    element = Element("skeleton")
    for name, point in zip(names, one.keypoints, strict=False):
        said = {"label": name, "points": f"{short(point.x)},{short(point.y)}"}
        said |= {"outside": str(int(point.visibility == 0)), "occluded": str(int(point.visibility == 1))}
        SubElement(element, "points", said)
    return element


def _is_around(one: Instance) -> bool:
    seen = [point for point in one.keypoints if point.visibility]
    if not seen:
        return False
    xs, ys = [point.x for point in seen], [point.y for point in seen]
    return one.box_xyxy == (min(xs), min(ys), max(xs), max(ys))


def short(value: float) -> str:
    """A number without a needless fraction."""
    return f"{value:.12g}"


def labels(parent: Element, classes: Sequence[ClassDef], tags: Sequence[str] = ()) -> None:
    """The classes under `labels`, as CVAT's tasks have them."""
    holder = SubElement(parent, "labels")
    for one in classes:
        label = SubElement(holder, "label")
        for key, value in (("name", one.name), ("color", one.color), ("type", "any")):
            SubElement(label, key).text = value
        SubElement(label, "attributes")
    for tag in tags:
        label = SubElement(holder, "label")
        SubElement(label, "name").text, SubElement(label, "type").text = tag, "tag"
        SubElement(label, "attributes")


def read_labels(meta: Element, reading: Reading, place: str) -> None:
    """Enter the classes of a task in their order; those of mere tags are none."""
    seen = set[str]()
    for label in meta.iter("label"):
        name = (label.findtext("name") or "").strip()
        if name and label.findtext("type") != "tag":
            if name in seen:
                raise DataError(f"{place} names the class '{shortened(name)}' twice.")
            seen.add(name)
            reading.classes.named(encodable(name, place), place)
