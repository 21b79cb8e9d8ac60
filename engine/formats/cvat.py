"""CVAT 1.1 for images: one XML with the shapes of each image.

Source: CVAT's documentation of its XML format.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

from engine.errors import DataError
from engine.formats import cvat_shapes
from engine.formats.checks import encodable, parsed_whole, size
from engine.formats.cvat_shapes import SHAPES
from engine.formats.reading import ReadImage, Reading
from engine.formats.registry import FileFormat, Holds, register
from engine.formats.source import Source, safe_name, xml_elements
from engine.formats.writing import Export, ExportImage


def xml_files(source: Source) -> list[str]:
    """The XML files of a source, those at the top first."""
    found = [name for name in source.files if name.lower().endswith(".xml")]
    return sorted(found, key=lambda name: (name.count("/"), name))[:1000]


def is_cvat(head: bytes) -> bool:
    """Whether XML begins as CVAT's does."""
    return b"<annotations" in head and (b"<version>" in head or b"<meta>" in head or b"<image " in head)


@register
class CvatImages(FileFormat):
    """`annotations.xml`."""

    name = "cvat-images"
    title = "CVAT for images"
    holds = (
        Holds.MASKS | Holds.OVERLAP | Holds.BOXES | Holds.KEYPOINTS | Holds.ATTRIBUTES | Holds.NEGATIVES
        | Holds.FLAGS | Holds.RINGS
    )  # fmt: skip
    picture_folders = ("images",)
    has_polygons = True

    def files_of(self, source: Source) -> Sequence[str]:
        """XML with `annotations` and images."""
        heads = ((name, source.head_of(name)) for name in xml_files(source))
        return [name for name, head in heads if is_cvat(head) and b"<image " in head]

    def read_file(self, source: Source, name: str, reading: Reading) -> Iterator[ReadImage]:
        """Every image, one at a time."""
        path = source.place(name)
        for element in xml_elements(path, frozenset({"meta", "image"})):
            if element.tag == "meta":
                cvat_shapes.read_labels(element, reading, str(path))
                continue
            try:
                yield _image(element, reading, str(path))
            except DataError as error:
                reading.broken(error)

    def names_in(self, path: Path) -> Iterator[str]:
        """Of its images."""
        for element in xml_elements(path, frozenset({"image"})):
            yield (element.get("name") or "").replace("\\", "/")

    def write(self, export: Export) -> None:
        """A file for each part, image by image."""
        for part in export.parts:
            name = f"{part.name}.xml" if part.name else "annotations.xml"
            tags = dict[str, None]()
            with export.out.text(name) as file:
                file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n')
                for number, image in enumerate(part.images()):
                    tags |= dict.fromkeys(image.flags)
                    file.write(_text(_element(image, number, export)))
                # CVAT reads the meta data wherever they stand; the tags are known only now.
                meta = Element("meta")
                cvat_shapes.labels(SubElement(meta, "task"), export.classes, list(tags))
                file.write(f"{_text(meta)}</annotations>\n")


def _text(element: Element) -> str:
    return tostring(element, encoding="unicode") + "\n"


def _image(element: Element, reading: Reading, path: str) -> ReadImage:
    place = f"{path}: image {element.get('id', '')} ('{element.get('name', '')}')"
    name = safe_name(element.get("name") or "", place)
    width = parsed_whole(element.get("width") or "", f"{place}: 'width'")
    height = parsed_whole(element.get("height") or "", f"{place}: 'height'")
    whole = size(width, height, place)
    shapes = [
        (shape, f"{place}: shape number {number}")
        for number, shape in enumerate((one for one in element if one.tag in SHAPES), start=1)
    ]
    instances = cvat_shapes.instances(shapes, "", whole, reading)
    flags = tuple(encodable(one.get("label") or "", place) for one in element.iterfind("tag"))
    return ReadImage(name, place, *whole, tuple(instances), (), tuple(flag for flag in flags if flag))


def _element(image: ExportImage, number: int, export: Export) -> Element:
    said = {"id": str(number), "name": image.name, "width": str(image.width), "height": str(image.height)}
    element = Element("image", said)
    for one in image.instances:
        kind = export.class_of(one)
        for shape in cvat_shapes.elements(one, kind, image, polygons=export.polygons, losses=export.losses):
            shape.set("label", kind.name)
            element.append(shape)
    for flag in image.flags:
        SubElement(element, "tag", label=flag, source="manual")
    return element
