"""CVAT 1.1 for video: tracks of shapes over the frames of a sequence of pictures, or of a video file.

A frame is the number of a picture in natural order, unless the file's own list of frames, which this program
adds to the meta data, says otherwise. A shape holds until its track's next one; CVAT writes out one for every
frame. Source: CVAT's documentation of its XML format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from xml.etree.ElementTree import Element, SubElement, tostring

from engine.document.records import Instance
from engine.errors import DataError
from engine.formats import cvat_shapes
from engine.formats.checks import encodable, parsed_whole, size
from engine.formats.cvat import is_cvat, xml_files
from engine.formats.cvat_shapes import SHAPES
from engine.formats.reading import ReadImage, Reading
from engine.formats.registry import FileFormat, Holds, register
from engine.formats.source import Source, safe_name, xml_elements
from engine.formats.writing import Export, ExportImage, Part
from engine.media.scan import natural_key

_FRAMES = "maskwright_frames"
_LAST_FRAME = 100_000_000


@dataclass(slots=True)
class _Frames:
    """What the meta data say of frames. size: of all of them, where they say so."""

    names: dict[int, str] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    video: str = ""


@register
class CvatVideo(FileFormat):
    """`annotations.xml` with tracks."""

    name = "cvat-video"
    title = "CVAT for video"
    holds = (
        Holds.MASKS | Holds.OVERLAP | Holds.BOXES | Holds.KEYPOINTS | Holds.ATTRIBUTES | Holds.TRACKS
        | Holds.RINGS
    )  # fmt: skip
    picture_folders = ("images",)
    has_polygons = True

    def files_of(self, source: Source) -> Sequence[str]:
        """XML with `annotations` and tracks."""
        return [name for name in xml_files(source) if _is_of_video(source.head_of(name))]

    def read_file(self, source: Source, name: str, reading: Reading) -> Iterator[ReadImage]:
        """Every frame that has a shape."""
        path = source.place(name)
        frames = _Frames()
        found: dict[int, list[Instance]] = {}
        for element in xml_elements(path, frozenset({"meta", "track"})):
            if element.tag == "meta":
                cvat_shapes.read_labels(element, reading, str(path))
                frames = _meta(element, reading, str(path))
                continue
            try:
                _read_track(element, frames, found, reading, str(path))
            except DataError as error:
                reading.broken(error)
        in_order = sorted(reading.pictures.names, key=natural_key)
        for frame in sorted(found):
            place = f"{path}: frame {frame}"
            if frames.names:
                picture = frames.names.get(frame, "")
            elif frames.video:
                picture = f"{frames.video}#{frame}" if frame else frames.video
            else:
                picture = in_order[frame] if frame < len(in_order) else ""
            whole = frames.size or (0, 0)
            yield ReadImage(picture or f"frame {frame}", place, *whole, tuple(found[frame]))

    def write(self, export: Export) -> None:
        """A file for each part."""
        for part in export.parts:
            _write_part(part, export)


def _is_of_video(head: bytes) -> bool:
    return is_cvat(head) and b"<image " not in head and (b"<track" in head or b"interpolation" in head)


def _meta(element: Element, reading: Reading, place: str) -> _Frames:
    frames = _Frames()
    for one in element.iter(_FRAMES):
        for frame in one.iterfind("frame"):
            number = parsed_whole(frame.get("id") or "", f"{place}: a frame")
            frames.names[number] = safe_name(frame.get("name") or "", place)
    original = element.find(".//original_size")
    if original is not None:
        width, height = (
            parsed_whole(original.findtext(key) or "", f"{place}: {key}") for key in ("width", "height")
        )
        frames.size = size(width, height, place)
    said = encodable((element.findtext("source") or "").strip(), place)
    if said in reading.pictures.names:
        frames.video = said
    return frames


def _read_track(
    element: Element, frames: _Frames, found: dict[int, list[Instance]], reading: Reading, path: str
) -> None:
    track = parsed_whole(element.get("id") or "", f"{path}: a track's id")
    place = f"{path}: track {track}"
    label = element.get("label") or ""
    by_frame: dict[int, list[tuple[Element, str]]] = {}
    for shape in element:
        if shape.tag not in SHAPES:
            continue
        try:
            frame = parsed_whole(shape.get("frame") or "", f"{place}: 'frame'")
            if not 0 <= frame <= _LAST_FRAME:
                raise DataError(f"{place}: there is no frame {frame}.")
            if shape.get("outside") != "1":
                by_frame.setdefault(frame, []).append((shape, f"{place}: frame {frame}"))
        except DataError as error:
            reading.broken(error)
    for frame, shapes in by_frame.items():
        whole = _size_of(frame, frames, reading)
        if whole is None:  # the picture is missing, which is told of the whole frame
            found.setdefault(frame, [])
            continue
        made = cvat_shapes.instances(shapes, label, whole, reading)
        found.setdefault(frame, []).extend(replace(one, track_id=track) for one in made)


def _size_of(frame: int, frames: _Frames, reading: Reading) -> tuple[int, int] | None:
    if frames.size is not None:
        return frames.size
    if frames.names:
        known = reading.pictures.find(frames.names.get(frame, ""))
        return reading.pictures.size(known[0]) if known else None
    if frames.video:
        return reading.pictures.size(frames.video)
    in_order = sorted(reading.pictures.names, key=natural_key)
    return reading.pictures.size(in_order[frame]) if frame < len(in_order) else None


def _write_part(part: Part, export: Export) -> None:
    tracks: dict[object, dict[str, list[Element]]] = {}
    labels: dict[object, str] = {}
    ids: dict[object, int | None] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for image in part.images():
        sizes[image.name] = (image.width, image.height)
        for one in image.instances:
            key = _track_of(one, image, tracks, export)
            kind = export.class_of(one)
            labels[key], ids[key] = kind.name, one.track_id
            shapes = cvat_shapes.elements(one, kind, image, polygons=export.polygons, losses=export.losses)
            tracks.setdefault(key, {})[image.name] = list(shapes)
    order = sorted(sizes, key=natural_key)
    numbers = {name: frame for frame, name in enumerate(order)}
    with export.out.text(f"{part.name}.xml" if part.name else "annotations.xml") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n')
        file.write(_text(_meta_of(order, sizes, export)))
        taken = set[int]()
        for key, shapes_ in tracks.items():
            said = ids[key]
            track = said if said is not None and said >= 0 and said not in taken else 0
            while track in taken:
                track += 1
            taken.add(track)
            file.write(_text(_track(track, labels[key], shapes_, numbers)))
        file.write("</annotations>\n")


def _track_of(one: Instance, image: ExportImage, tracks: Mapping[object, object], export: Export) -> object:
    key: object = (one.track_id, one.class_id)
    there = tracks.get(key)
    if one.track_id is not None and not (isinstance(there, dict) and image.name in there):
        return key
    export.losses.dropped("instances without a track of their own are each given one")
    return image.name, one.id


def _meta_of(order: Sequence[str], sizes: Mapping[str, tuple[int, int]], export: Export) -> Element:
    meta = Element("meta")
    task = SubElement(meta, "task")
    for key, value in (("size", str(len(order))), ("mode", "interpolation"), ("start_frame", "0"),
                       ("stop_frame", str(max(len(order) - 1, 0)))):  # fmt: skip
        SubElement(task, key).text = value
    cvat_shapes.labels(task, export.classes)
    if len(set(sizes.values())) == 1:
        original = SubElement(task, "original_size")
        width, height = sizes[order[0]]
        SubElement(original, "width").text, SubElement(original, "height").text = str(width), str(height)
    names = SubElement(meta, _FRAMES)
    for frame, name in enumerate(order):
        SubElement(names, "frame", id=str(frame), name=name)
    return meta


def _track(
    track: int, label: str, shapes: Mapping[str, Sequence[Element]], numbers: Mapping[str, int]
) -> Element:
    element = Element("track", id=str(track), label=label, source="manual")
    frames = sorted((numbers[name], found) for name, found in shapes.items())
    last = len(numbers) - 1
    there = {frame for frame, _ in frames}
    for frame, found in frames:
        for shape in found:
            shape.set("frame", str(frame))
            shape.set("keyframe", "1")
            shape.set("outside", "0")
            element.append(shape)
            if frame < last and frame + 1 not in there:
                gone = Element(shape.tag, {**shape.attrib, "frame": str(frame + 1), "outside": "1"})
                gone.extend(list(shape))
                element.append(gone)
    return element


def _text(element: Element) -> str:
    return tostring(element, encoding="unicode") + "\n"
