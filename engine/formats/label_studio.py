"""Label Studio's JSON: tasks with polygons, brushed masks, boxes, ellipses and keypoints, all in per cent.

A brushed mask is an RLE of Label Studio's own over the bytes of an RGBA picture, of which the alpha counts.
Source: label_studio_sdk.converter.brush, and tasks as Label Studio exports them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from engine.document.masks import Mask
from engine.document.records import Box, Instance, Keypoint, Provenance
from engine.errors import DataError
from engine.formats.checks import (
    Object,
    as_list,
    as_object,
    encodable,
    flat_numbers,
    integer,
    near,
    number,
    ring,
    size,
)
from engine.formats.outline import centre_rule, one_ring_of, untouched_rings
from engine.formats.reading import ReadImage, Reading
from engine.formats.registry import FileFormat, Holds, register
from engine.formats.shapes import ellipse, turned_box
from engine.formats.source import Source, read_json, safe_name
from engine.formats.voc import xml_bytes
from engine.formats.writing import Export, ExportImage
from engine.media.scan import IMAGE_SUFFIXES

_ADDRESS = re.compile(r"/|[A-Za-z][A-Za-z0-9+.-]*:")
"""Begins a name that is absolute: an address, a drive, a path or a share."""
_OWN_ADDRESS = "/data/"  # of what was uploaded to, or is served by, Label Studio itself
_ELSEWHERE = "folders of pictures' addresses and absolute paths; the pictures were matched by name alone"
_OUR_ID = re.compile(r"i([0-9]{1,19})")
_UPLOADED = re.compile(r"^[0-9a-f]{8}-(.+)$")
_SHAPES = {
    "polygonlabels": "polygonlabels", "brushlabels": "brushlabels", "rectanglelabels": "rectanglelabels",
    "ellipselabels": "ellipselabels", "keypointlabels": "keypointlabels", "labels": "labels",
}  # fmt: skip
_MOST_REGIONS = 100_000


@register
class LabelStudio(FileFormat):
    """A JSON list of tasks."""

    name = "label-studio"
    title = "Label Studio"
    holds = (
        Holds.MASKS | Holds.OVERLAP | Holds.BOXES | Holds.IDS | Holds.NEGATIVES | Holds.FLAGS | Holds.RINGS
    )  # fmt: skip
    picture_folders = ("images",)
    has_polygons = True

    def files_of(self, source: Source) -> Sequence[str]:
        """A JSON list of objects with data and annotations."""
        return source.files_that(_is_of_tasks, ".json")

    def read_file(self, source: Source, name: str, reading: Reading) -> Iterator[ReadImage]:
        """Every task that is of a picture."""
        path = str(source.root / name)
        for position, value in enumerate(as_list(source.read_json(name), path), start=1):
            place = f"{path}: task number {position}"
            try:
                image = _task(as_object(value, place), reading, place)
            except DataError as error:
                reading.broken(error)
                continue
            if image is not None:
                yield image

    def names_in(self, path: Path) -> Iterator[str]:
        """Of its tasks."""
        tasks = read_json(path)
        for one in tasks if isinstance(tasks, list) else ():
            if isinstance(one, dict) and (name := _picture(one)):
                yield name

    def write(self, export: Export) -> None:
        """A file of tasks for each part, and a labelling configuration for them."""
        for part in export.parts:
            tasks = [_written(image, n, export) for n, image in enumerate(part.images(), start=1)]
            export.out.json(f"{part.name}.json" if part.name else "tasks.json", tasks)
        export.out.place("label_config.xml").write_bytes(_config(export))


def _is_of_tasks(head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[") and b'"data"' in head and (
        b'"annotations"' in head or b'"completions"' in head or b'"predictions"' in head
    )  # fmt: skip


def _picture(task: Mapping[str, object]) -> str:
    """The name of the task's picture, with where it was uploaded to; empty for a task of something else."""
    data = task.get("data")
    if isinstance(data, dict) and isinstance(data.get("image"), str):
        said = str(data["image"])
        return said.partition("?d=")[2] or said.partition("?")[0]
    values = list(data.values()) if isinstance(data, dict) else []
    for value in values:
        if isinstance(value, str):
            plain = value.partition("?d=")[2] or value.partition("?")[0]
            if plain.lower().endswith(IMAGE_SUFFIXES):
                return plain
    return ""


def _named(said: str, reading: Reading, place: str) -> str:
    """The picture of a task's own name for it.

    That may be an address, or a path on somebody's machine: its last parts are looked for among the pictures,
    and nothing is read where it leads.
    """
    plain = said.replace("\\", "/")
    is_address = _ADDRESS.match(plain) is not None
    if is_address and not plain.startswith(_OWN_ADDRESS):
        reading.leave_out(_ELSEWHERE)
    parts = [part for part in plain.split("/") if part and not (is_address and ":" in part)]
    whole = safe_name("/".join(parts), place)
    base = PurePosixPath(whole).name
    uploaded = _UPLOADED.match(base)
    for one in (whole, base, uploaded[1] if uploaded else ""):
        found = reading.pictures.find(one) if one else None
        if found is not None:
            return one if not is_address or found[1] else found[0]
    return base if is_address else whole


def _task(task: Object, reading: Reading, place: str) -> ReadImage | None:
    said = _picture(task)
    if not said:
        reading.leave_out("tasks that are of no picture")
        return None
    name = _named(said, reading, place)
    results, scores = _results(task, place)
    if results is None:
        return None
    whole = next((_size(one, place) for one in results if "original_width" in one), None)
    whole = whole or reading.size_of(name, place)
    if whole is None:
        return ReadImage(name, place)
    instances, flags = list[Instance](), list[str]()
    for n, item in enumerate(results, start=1):
        where = f"{place}: region {item.get('id', n)}"
        try:
            kind = item.get("type")
            value = as_object(item.get("value"), f"{where}: 'value'")
            if kind == "choices":
                flags += [encodable(str(one), where) for one in as_list(value.get("choices"), where)]
                continue
            if not isinstance(kind, str) or kind not in _SHAPES:
                reading.leave_out(f"regions of the kind '{encodable(str(kind), where)[:40]}'")
                continue
            one = _region(kind, item, value, whole, reading, where)
            if one is not None:
                score = item.get("score")
                own = scores if score is None else number(score, f"{where}: 'score'")
                instances.append(replace(one, id=_id_of(item), score=own))
        except DataError as error:
            reading.broken(error)
    return ReadImage(name, place, *whole, tuple(instances), (), tuple(flags))


def _id_of(item: Object) -> int:
    """The id that was written; 0 for a region of Label Studio's own."""
    found = _OUR_ID.fullmatch(str(item.get("id")))
    return int(found[1]) if found else 0


def _results(task: Object, place: str) -> tuple[list[Object] | None, float | None]:
    """The regions of the last annotation that stands; of the last prediction where there is none."""
    annotations = task.get("annotations", task.get("completions")) or []
    for value in reversed(as_list(annotations, f"{place}: 'annotations'")):
        item = as_object(value, f"{place}: an annotation")
        if item.get("was_cancelled") is not True:
            return _regions(item, place), None
    for value in reversed(as_list(task.get("predictions") or [], f"{place}: 'predictions'")):
        if isinstance(value, dict):  # older exports have mere numbers here
            score = value.get("score")
            return _regions(value, place), None if score is None else number(score, f"{place}: 'score'")
    return None, None


def _regions(item: Object, place: str) -> list[Object]:
    values = as_list(item.get("result") or [], f"{place}: 'result'")
    if len(values) > _MOST_REGIONS:
        raise DataError(f"{place} has {len(values):,} regions, more than any picture.")
    return [as_object(one, f"{place}: a region") for one in values]


def _size(item: Object, place: str) -> tuple[int, int]:
    return size(integer(item, "original_width", place), integer(item, "original_height", place), place)


def _region(
    kind: str, item: Object, value: Object, whole: tuple[int, int], reading: Reading, place: str
) -> Instance | None:
    key = next((k for k in (kind, "labels", *_SHAPES) if value.get(k)), "")
    names = as_list(value.get(key), f"{place}: '{kind}'") if key else []
    if not names or not isinstance(names[0], str):
        reading.leave_out("regions without a label")
        return None
    if "original_width" in item and _size(item, place) != whole:
        raise DataError(f"{place} is of another size than the other regions of its picture.")
    one = Instance(0, reading.classes.named(names[0], place).id, provenance=Provenance.IMPORTED)
    if kind == "brushlabels" or "rle" in value:
        return replace(one, mask=_brushed(value, whole, place))
    if "points" in value:
        return _of_points(one, flat_numbers(value["points"], f"{place}: 'points'"), whole, place)
    at = [number(value.get(k), f"{place}: '{k}'") for k in ("x", "y")]
    x, y = at[0] / 100 * whole[0], at[1] / 100 * whole[1]
    near((x, y), *whole, place)
    turned = number(value.get("rotation") or 0, f"{place}: 'rotation'")
    if kind == "keypointlabels":
        reading.classes.with_keypoints(one.class_id, ("keypoint 1",))
        return replace(one, keypoints=(Keypoint(x, y, 2),), box_xyxy=(x, y, x, y))
    if kind == "ellipselabels" or "radiusX" in value:
        rx = number(value.get("radiusX"), f"{place}: 'radiusX'") / 100 * whole[0]
        ry = number(value.get("radiusY"), f"{place}: 'radiusY'") / 100 * whole[1]
        near((x - rx, y - ry, x + rx, y + ry), *whole, place)
        mask = ellipse(x, y, rx, ry, *whole, turned)
        if mask.is_empty:
            raise DataError(f"{place}: its ellipse has no pixel inside the image.")
        return replace(one, mask=mask)
    wide = number(value.get("width"), f"{place}: 'width'") / 100 * whole[0]
    high = number(value.get("height"), f"{place}: 'height'") / 100 * whole[1]
    if wide < 0 or high < 0:
        raise DataError(f"{place}: its box has a negative width or height.")
    near((x + wide, y + high), *whole, place)
    if turned:
        return _of_ring(one, turned_box(x, y, x + wide, y + high, turned, (x, y)), whole, place)
    x0, y0, x1, y1 = (_at_corner(edge) for edge in (x, y, x + wide, y + high))
    return replace(one, box_xyxy=(x0, y0, x1, y1))


def _of_points(one: Instance, shares: Sequence[float], whole: tuple[int, int], place: str) -> Instance:
    points = [_at_corner(share / 100 * whole[n % 2]) for n, share in enumerate(shares)]
    return _of_ring(one, points, whole, place)


def _of_ring(one: Instance, points: Sequence[float], whole: tuple[int, int], place: str) -> Instance:
    closed = ring(points, *whole, place)
    mask = centre_rule([closed], whole[1], whole[0])
    if mask.is_empty:
        xs, ys = closed[0::2], closed[1::2]
        box: Box = (min(xs), min(ys), max(xs), max(ys))
        return replace(one, box_xyxy=box)
    return replace(one, mask=mask, rings=(closed,))


def _at_corner(value: float) -> float:
    """A whole number where per cent and back have left a crumb."""
    return float(round(value)) if abs(value - round(value)) < 1e-6 else value


def _brushed(value: Object, whole: tuple[int, int], place: str) -> Mask:
    if value.get("format", "rle") != "rle":
        raise DataError(f"{place}: its brush is not in the format 'rle'.")
    data = as_list(value.get("rle"), f"{place}: 'rle'")
    if len(data) > 8 * whole[0] * whole[1] + 64:
        raise DataError(f"{place}: its RLE is longer than its picture.")
    if not all(type(one) is int and 0 <= one <= 255 for one in data):
        raise DataError(f"{place}: its RLE must be a list of bytes.")
    try:
        pixels = decode(bytes(int(str(one)) for one in data), 4 * whole[0] * whole[1])
    except ValueError as e:
        raise DataError(f"{place}: {e}.") from e
    mask = Mask.from_full(pixels.reshape(whole[1], whole[0], 4)[:, :, 3] > 0)
    if mask.is_empty:
        raise DataError(f"{place}: its mask has no pixel.")
    return mask


class _Bits:
    """Numbers of any count of bits, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._bits = np.unpackbits(np.frombuffer(data, np.uint8)).tobytes()
        self._at = 0

    def take(self, count: int) -> int:
        chunk = self._bits[self._at : self._at + count]
        if len(chunk) < count:
            raise ValueError("its RLE is cut short")
        self._at += count
        value = 0
        for bit in chunk:
            value = value << 1 | bit
        return value


def decode(data: bytes, length: int) -> NDArray[np.uint8]:
    """The bytes of a picture from Label Studio's RLE. Raises ValueError for one of another length."""
    bits = _Bits(data)
    if bits.take(32) != length:
        raise ValueError(f"its RLE is of another size than its picture of {length // 4} pixels")
    word = bits.take(5) + 1
    sizes = [bits.take(4) + 1 for _ in range(4)]
    found = np.zeros(length, np.uint8)
    at = 0
    while at < length:
        is_run = bits.take(1)
        end = at + 1 + bits.take(sizes[bits.take(2)])
        if end > length:
            raise ValueError("its RLE goes on beyond its picture")
        if is_run:
            found[at:end] = min(bits.take(word), 255)
        else:
            for place in range(at, end):
                found[place] = min(bits.take(word), 255)
        at = end
    return found


def encode(pixels: NDArray[np.bool_]) -> list[int]:
    """Label Studio's RLE of a mask, H x W: all four channels 255 inside, 0 outside."""
    flat = pixels.reshape(-1)
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate(([0], changes))
    lengths = np.diff(np.concatenate((starts, [flat.size]))) * 4
    pieces = [f"{flat.size * 4:032b}", f"{7:05b}", *(f"{size_ - 1:04b}" for size_ in (3, 4, 8, 16))]
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        value, left = 255 if flat[start] else 0, length
        while left > 0:
            now = min(left, 1 << 16)
            which = next(n for n, bits in enumerate((3, 4, 8, 16)) if now <= 1 << bits)
            pieces.append(f"1{which:02b}{now - 1:0{(3, 4, 8, 16)[which]}b}{value:08b}")
            left -= now
    text = "".join(pieces)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


def _written(image: ExportImage, number_: int, export: Export) -> dict[str, object]:
    results = [region for one in image.instances for region in _result(one, image, export)]
    if image.flags:
        results.append(
            {
                "id": f"flags{number_}",
                "type": "choices",
                "from_name": "flags",
                "to_name": "image",
                "value": {"choices": list(image.flags)},
            }
        )
    said: dict[str, object] = {"id": number_, "data": {"image": image.name}}
    said["annotations"] = [{"id": number_, "was_cancelled": False, "result": results}]
    return said


def _result(one: Instance, image: ExportImage, export: Export) -> Iterator[dict[str, object]]:
    label, width, height = export.class_of(one).name, image.width, image.height
    if one.mask is not None:
        kept = untouched_rings(one, height, width, centre_rule)
        if export.polygons or len(kept) == 1:
            kind, value = "polygonlabels", _polygon(one, image, export)
        else:
            kind = "brushlabels"
            value = {"format": "rle", "rle": encode(one.mask.to_full(height, width))}
    else:
        x0, y0, x1, y1 = one.bounds_xyxy
        kind = "rectanglelabels"
        value = {
            "x": x0 / width * 100,
            "y": y0 / height * 100,
            "width": (x1 - x0) / width * 100,
            "height": (y1 - y0) / height * 100,
            "rotation": 0,
        }
    yield {
        "id": f"i{one.id}",
        "type": kind,
        "from_name": kind.removesuffix("labels"),
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {**value, kind: [label]},
    }


def _polygon(one: Instance, image: ExportImage, export: Export) -> dict[str, object]:
    points = one_ring_of(one, image.height, image.width, centre_rule)
    assert one.mask is not None
    if centre_rule([points], image.height, image.width) != one.mask.clipped(image.height, image.width):
        export.losses.changed("masks that polygons cannot give back")
    pairs = zip(points[0::2], points[1::2], strict=True)
    return {"points": [[x / image.width * 100, y / image.height * 100] for x, y in pairs], "closed": True}


def _config(export: Export) -> bytes:
    from xml.etree.ElementTree import Element, SubElement

    view = Element("View")
    SubElement(view, "Image", name="image", value="$image")
    for kind in ("PolygonLabels", "BrushLabels", "RectangleLabels"):
        holder = SubElement(view, kind, name=kind.removesuffix("Labels").lower(), toName="image")
        for one in export.classes:
            SubElement(holder, "Label", value=one.name, background=one.color)
    return xml_bytes(view)
