"""Pascal VOC: boxes in XML, instances and classes as palette PNGs, lists of images.

`SegmentationObject` numbers the instances, `SegmentationClass` the classes; 0 is background and 255 is void,
which is an ignore region here. A box of the XML that lies on an instance of its class gives that instance its
attributes; any other is an instance known by its box. Source: the VOC2012 development kit. Names of classes
other than VOC's own are in `labelmap.txt`, as CVAT and Datumaro write it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np
from numpy.typing import NDArray

from engine.document.masks import Mask
from engine.document.records import Box, IgnoreRegion, Instance, Provenance
from engine.errors import DataError
from engine.formats.beside import FileNames
from engine.formats.checks import encodable, labels_of, near, parsed_number, parsed_whole, shortened, size
from engine.formats.reading import ReadImage, Reading
from engine.formats.registry import Format, Holds, register
from engine.formats.source import Source, read_xml
from engine.formats.writing import Export, ExportImage, covered_union, painted, voc_palette

VOID = 255
_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
_PLAIN = ("pose", "truncated", "difficult", "occluded")
_OBJECTS, _CLASS_MASKS, _XML = "SegmentationObject/", "SegmentationClass/", "Annotations/"


@dataclass(frozen=True, slots=True)
class _Boxed:
    """An object of the XML."""

    name: str
    box: Box
    attributes: tuple[tuple[str, str], ...]


@register
class Voc(Format):
    """A folder with the VOC's subfolders."""

    name = "voc"
    title = "Pascal VOC"
    holds = Holds.MASKS | Holds.BOXES | Holds.ATTRIBUTES | Holds.IGNORE | Holds.NEGATIVES
    picture_folders = ("JPEGImages",)

    def sniff(self, source: Source) -> bool:
        """XML of the kind `annotation` with objects, or instances' PNGs in their folder."""
        if not source.is_folder:
            return _is_voc_xml(source.head)
        masks = any(name.startswith(_OBJECTS) and name.endswith(".png") for name in source.files)
        xmls = [name for name in source.files if name.lower().endswith(".xml")][:20]
        return masks or any(_is_voc_xml(source.head_of(name)) for name in xmls)

    def read(self, source: Source, reading: Reading) -> Iterator[ReadImage]:
        """Every image that has an XML or an instances' PNG."""
        numbers = _class_numbers(source)
        xmls = {
            _stem(name, _XML): name
            for name in source.files
            if name.lower().endswith(".xml") and (not source.is_folder or _is_voc_xml(source.head_of(name)))
        }
        objects = {
            _stem(name, _OBJECTS): name
            for name in source.files
            if name.startswith(_OBJECTS) and name.endswith(".png")
        }
        for stem in sorted(xmls.keys() | objects.keys()):
            place = str(source.root / (objects.get(stem) or xmls[stem]))
            try:
                yield _read_one(source, stem, xmls.get(stem), objects.get(stem), numbers, reading, place)
            except DataError as error:
                reading.broken(error)

    def write(self, export: Export) -> None:
        """All the folders, `labelmap.txt`, and a list of images for each part."""
        palette = voc_palette()
        if len(export.classes) > VOID - 1:
            raise DataError(f"Pascal VOC holds {VOID - 1} classes, but there are {len(export.classes)}.")
        names = FileNames()
        for part in export.parts:
            listed = list[str]()
            for image in part.images():
                stem = names.of(image)
                listed.append(stem)
                _write_one(image, stem, export, palette)
            with export.out.text(f"ImageSets/Segmentation/{part.name or 'trainval'}.txt") as file:
                file.writelines(f"{stem}\n" for stem in listed)
        with export.out.text("labelmap.txt") as file:
            file.write("# label:color_rgb:parts:actions\nbackground:0,0,0::\n")
            for number, one in enumerate(export.classes, start=1):
                color = ",".join(str(value) for value in palette[3 * number : 3 * number + 3])
                file.write(f"{one.name.replace(':', '_')}:{color}::\n")

    def picture_place(self, name: str, part: str) -> str:  # noqa: ARG002 - one folder for all parts
        """With all the others."""
        return f"JPEGImages/{name}"


def _is_voc_xml(head: bytes) -> bool:
    return re.search(rb"<annotation[\s>]", head) is not None and (
        b"<bndbox>" in head or b"<segmented>" in head or b"<size>" in head
    )


def _stem(name: str, folder: str) -> str:
    return str(PurePosixPath(name.removeprefix(folder)).with_suffix(""))


def _class_numbers(source: Source) -> list[tuple[str, int]]:
    """Names of the classes in their order, each with its colour as R + 256 G + 65536 B; the first is 0."""
    if not source.has("labelmap.txt"):
        palette = voc_palette()
        return [
            (name, _color(palette[3 * n : 3 * n + 3])) for n, name in enumerate(("background", *_CLASSES))
        ]
    found = []
    for number, line in enumerate(source.read_text("labelmap.txt").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, rest = line.partition(":")
        parts = rest.split(":")[0].split(",")
        place = f"{source.root / 'labelmap.txt'}: line {number}"
        color = [parsed_whole(part, place) for part in parts] if parts != [""] else [0, 0, 0]
        if len(color) != 3 or not all(0 <= value <= 255 for value in color):
            raise DataError(f"{place} gives '{shortened(name)}' a colour that is none.")
        found.append((encodable(name.strip(), place), _color(bytes(color))))
    if len({name for name, _ in found}) != len(found):
        raise DataError(f"{source.root / 'labelmap.txt'} names a class twice.")
    return found if found and found[0][0] == "background" else [("background", 0), *found]


def _color(rgb: bytes) -> int:
    return rgb[0] + 256 * rgb[1] + 65536 * rgb[2]


def _read_one(
    source: Source,
    stem: str,
    xml: str | None,
    objects: str | None,
    numbers: Sequence[tuple[str, int]],
    reading: Reading,
    place: str,
) -> ReadImage:
    root = read_xml(source.place(xml)) if xml else None
    picture = _picture_of(stem, root, reading)
    found = reading.pictures.size(picture) if picture in reading.pictures.names else None
    stated = _stated_size(root, str(source.root / xml)) if root is not None and xml else None
    whole = stated or found
    if whole is None:
        return ReadImage(picture, place)
    boxed = _boxes(root, whole, reading, str(source.root / xml)) if root is not None and xml else []
    instances, ignore = list[Instance](), list[IgnoreRegion]()
    if objects:
        masks = dict(labels_of(source.read_labels(objects, whole)))
        void = masks.pop(VOID, None)
        ignore += [IgnoreRegion(0, void)] if void is not None else []
        class_file = _CLASS_MASKS + objects.removeprefix(_OBJECTS)
        classes = source.read_labels(class_file, whole) if source.has(class_file) else None
        for value, mask in masks.items():
            name = _class_of(mask, classes, numbers) or _named_by_box(mask, boxed)
            if name is None:
                reading.broken(DataError(f"{place}: instance {value} has no class in SegmentationClass."))
                continue
            one = Instance(
                0, reading.classes.named(name, place).id, mask, provenance=Provenance.IMPORTED, z=value
            )
            instances.append(_with_attributes(one, name, boxed))
    for rest in boxed:
        class_id = reading.classes.named(rest.name, place).id
        instances.append(
            Instance(0, class_id, None, rest.box, provenance=Provenance.IMPORTED, attributes=rest.attributes)
        )
    return ReadImage(picture, place, *whole, tuple(instances), tuple(ignore))


def _picture_of(stem: str, root: Element | None, reading: Reading) -> str:
    named = (
        (root.findtext("filename") or "").replace("\\", "/").rpartition("/")[2] if root is not None else ""
    )
    folder = PurePosixPath(stem).parent
    if named and PurePosixPath(named).stem == PurePosixPath(stem).name:
        for one in (str(folder / named), named):
            if one in reading.pictures.names:
                return one
    return reading.pictures.of_stem(stem) or named or stem


def _stated_size(root: Element, place: str) -> tuple[int, int] | None:
    width, height = root.findtext("size/width"), root.findtext("size/height")
    if not width or not height:
        return None
    return size(parsed_whole(width, f"{place}: width"), parsed_whole(height, f"{place}: height"), place)


def _boxes(root: Element, whole: tuple[int, int], reading: Reading, place: str) -> list[_Boxed]:
    found = []
    for position, item in enumerate(root.iterfind("object"), start=1):
        where = f"{place}: object number {position}"
        try:
            found.append(_boxed(item, whole, where))
        except DataError as error:
            reading.broken(error)
    return found


def _boxed(item: Element, whole: tuple[int, int], place: str) -> _Boxed:
    name = (item.findtext("name") or "").strip()
    if not name:
        raise DataError(f"{place} has no name.")
    edges = []
    for edge in ("xmin", "ymin", "xmax", "ymax"):
        edges.append(parsed_number(item.findtext(f"bndbox/{edge}") or "", f"{place}: '{edge}'"))
    box = (edges[0] - 1, edges[1] - 1, edges[2], edges[3])  # pixels are counted from 1, both ends included
    if box[2] < box[0] or box[3] < box[1]:
        raise DataError(f"{place}: its box has a negative width or height.")
    near(box, *whole, place)
    attributes = {key: item.findtext(key) or "" for key in _PLAIN}
    for one in item.iterfind("attributes/attribute"):
        attributes[encodable(one.findtext("name") or "", place)] = encodable(
            one.findtext("value") or "", place
        )
    kept = {k: v.strip() for k, v in attributes.items() if k and v.strip() not in ("", "0", "Unspecified")}
    return _Boxed(encodable(name, place), box, tuple(kept.items()))


def _class_of(
    mask: Mask, classes: NDArray[np.int64] | None, numbers: Sequence[tuple[str, int]]
) -> str | None:
    """The class of most of the mask's pixels: by its number, or by its colour where the PNG has colours."""
    if classes is None:
        return None
    rows, columns = mask.bitmap.shape
    inside = classes[mask.y : mask.y + rows, mask.x : mask.x + columns][mask.bitmap]
    values, counts = np.unique(inside[(inside != 0) & (inside != VOID)], return_counts=True)
    if values.size == 0:
        return None
    value = int(values[counts.argmax()])
    if 0 < value < len(numbers):
        return numbers[value][0]
    return {color: name for name, color in numbers}.get(value)


def _named_by_box(mask: Mask, boxed: Sequence[_Boxed]) -> str | None:
    near_it = [one for one in boxed if _overlap(one.box, mask.box_xyxy) > 0.5]
    return max(near_it, key=lambda one: _overlap(one.box, mask.box_xyxy)).name if near_it else None


def _with_attributes(one: Instance, name: str, boxed: list[_Boxed]) -> Instance:
    """The instance with the attributes of the box that lies on it, which is used up."""
    bounds = one.bounds_xyxy
    same = [other for other in boxed if other.name == name and _overlap(other.box, bounds) > 0.5]
    if not same:
        return one
    best = max(same, key=lambda other: _overlap(other.box, bounds))
    boxed.remove(best)
    return replace(one, attributes=best.attributes)


def _overlap(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (_area(one) + _area(other) - shared)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _write_one(image: ExportImage, stem: str, export: Export, palette: bytes) -> None:
    kept = image.instances
    masks = [one for one in kept if one.mask is not None]
    if len(masks) > VOID - 1:
        export.losses.changed(f"instances beyond {VOID - 1} of one image are left out", len(masks) - VOID + 1)
        gone = {one.id for one in masks[VOID - 1 :]}
        image = replace(image, instances=tuple(one for one in kept if one.id not in gone))
    values, number = [], 0
    for one in image.instances:
        number += one.mask is not None
        values.append(number if one.mask is not None else 0)
    pixels = painted(image, values, np.uint8, export.losses)
    numbers = [0, *(export.class_number(o) + 1 for o in image.instances if o.mask is not None)]
    classes = np.array(numbers, np.uint8)[pixels]
    void = covered_union([region.mask for region in image.ignore]).to_full(image.height, image.width)
    for plane in (pixels, classes):
        plane[void & (pixels == 0)] = VOID
    export.out.png(f"{_OBJECTS}{stem}.png", pixels, palette)
    export.out.png(f"{_CLASS_MASKS}{stem}.png", classes, palette)
    export.out.place(f"{_XML}{stem}.xml").write_bytes(_xml(image, export))


def _xml(image: ExportImage, export: Export) -> bytes:
    root = Element("annotation")
    path = PurePosixPath(image.name)
    said: Mapping[str, str] = {"folder": str(path.parent), "filename": path.name, "segmented": "1"}
    for key, value in said.items():
        SubElement(root, key).text = value
    whole = SubElement(root, "size")
    for key, number in (("width", image.width), ("height", image.height), ("depth", 3)):
        SubElement(whole, key).text = str(number)
    for one in image.instances:
        item = SubElement(root, "object")
        SubElement(item, "name").text = export.class_of(one).name
        attributes = dict(one.attributes)
        for key in _PLAIN:
            SubElement(item, key).text = attributes.pop(key, "Unspecified" if key == "pose" else "0")
        x0, y0, x1, y1 = one.bounds_xyxy
        box = SubElement(item, "bndbox")
        for key, edge in (("xmin", x0 + 1), ("ymin", y0 + 1), ("xmax", x1), ("ymax", y1)):
            SubElement(box, key).text = f"{edge:.12g}"
        others = {key: value for key, value in attributes.items() if ":" not in key}
        holder = SubElement(item, "attributes") if others else None
        for key, value in others.items():
            assert holder is not None
            attribute = SubElement(holder, "attribute")
            SubElement(attribute, "name").text, SubElement(attribute, "value").text = key, value
    return xml_bytes(root)


def xml_bytes(root: Element) -> bytes:
    """An XML file in UTF-8. Characters that XML cannot hold are left out."""
    for element in root.iter():
        if element.text:
            element.text = "".join(c for c in element.text if c in "\t\n" or c >= " ")
    from xml.etree.ElementTree import indent

    indent(root, " ")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(root, encoding="unicode")}\n'.encode()
