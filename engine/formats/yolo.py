"""YOLO's text files: polygons, boxes, or boxes with keypoints, in shares of the picture's size.

`labels/<picture>.txt` has a line for each object, `data.yaml` the classes (Ultralytics; Darknet's `obj.names`
and `classes.txt` are read too). A line holds one polygon: parts and holes are joined to it by cuts of no
width. Source: https://docs.ultralytics.com/datasets/segment/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from engine.document.records import ClassDef, Instance, Keypoint, Provenance
from engine.errors import DataError
from engine.formats import yaml_subset
from engine.formats.beside import FileNames
from engine.formats.checks import near, parsed_number, parsed_whole, ring, shortened
from engine.formats.outline import centre_rule, one_ring_of
from engine.formats.reading import ReadImage, Reading
from engine.formats.registry import Format, Holds, register
from engine.formats.source import Source, read_bytes
from engine.formats.writing import Export, ExportImage, Losses

_NAME_FILES = ("obj.names", "classes.txt", "_darknet.labels")
_NOT_LABELS = frozenset(
    {*_NAME_FILES, "readme.txt", "train.txt", "val.txt", "test.txt", "notes.txt", "labels.txt"}
)
_MOST_LINES = 100_000
_MOST_KEYPOINTS = 1000


@dataclass(frozen=True, slots=True)
class _Layout:
    """What the files around the labels say. keypoints: how many, and numbers of each; (0, 0) for none.

    file: that which says so. keypoint_names: of each class, where they are said.
    """

    classes: Sequence[str] = ()
    labels: tuple[str, ...] = ()
    keypoints: tuple[int, int] = (0, 0)
    file: str = ""
    keypoint_names: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    def names_of(self, number: int) -> tuple[str, ...]:
        """The keypoints of a class."""
        known = self.keypoint_names.get(number, ())
        return (*known, *(f"keypoint {n + 1}" for n in range(len(known), self.keypoints[0])))


class _Yolo(Format):
    """What the three kinds share."""

    picture_folders = ("images",)

    def read(self, source: Source, reading: Reading) -> Iterator[ReadImage]:
        """Every label file; its picture has the same name, in `images` where the file is in `labels`."""
        layout = _layout(source)
        if not layout.labels:
            if not _texts(source):
                raise DataError(f"{source.path} holds no label files (*.txt).")
            raise DataError(
                f"Nothing beside the label files of {source.path} says what their classes are called: put "
                "the data.yaml there that the detector was trained with, or a classes.txt with a name a line."
            )
        for number, name in enumerate(layout.classes):
            reading.classes.add(name, f"{layout.file}: class {number}", id_=number + 1)
        for name in layout.labels:
            place = str(source.root / name)
            try:
                yield _read_file(source, name, layout, reading, place)
            except DataError as error:
                reading.broken(error)

    def _write(self, export: Export, line: Callable[[Instance, ExportImage], str], more: str = "") -> None:
        for part in export.parts:
            names = FileNames()
            folder = f"labels/{part.name}" if part.name else "labels"
            for image in part.images():
                with export.out.text(f"{folder}/{names.of(image)}.txt") as file:
                    for one in image.instances:
                        written = line(one, image)
                        if written:
                            file.write(f"{export.class_number(one)} {written}\n")
        with export.out.text("data.yaml") as file:
            file.write("path: .\n")
            for part in export.parts:
                file.write(f"{part.name or 'train'}: images{'/' if part.name else ''}{part.name}\n")
            if not any(part.name == "val" for part in export.parts):
                last = export.parts[-1].name
                file.write(f"val: images{'/' if last else ''}{last}\n")
            file.write(f"{more}names:\n")
            for number, kind in enumerate(export.classes):
                file.write(f"  {number}: {yaml_subset.quoted(kind.name)}\n")


@register
class YoloSeg(_Yolo):
    """A polygon a line."""

    name = "yolo-seg"
    title = "YOLO polygons"
    holds = Holds.MASKS | Holds.OVERLAP | Holds.NEGATIVES | Holds.RINGS

    def sniff(self, source: Source) -> bool:
        """Label files of which one has a polygon, and no keypoints are declared."""
        return _kind(source) == "seg"

    def write(self, export: Export) -> None:
        """`labels/<part>/<picture>.txt` and `data.yaml`."""
        self._write(export, lambda one, image: _polygon(one, image, export.losses))


@register
class YoloDetect(_Yolo):
    """A box a line."""

    name = "yolo-detect"
    title = "YOLO boxes"
    holds = Holds.BOXES | Holds.NEGATIVES

    def sniff(self, source: Source) -> bool:
        """Label files of boxes alone."""
        return _kind(source) == "detect"

    def write(self, export: Export) -> None:
        """`labels/<part>/<picture>.txt` and `data.yaml`."""
        self._write(export, _box)


@register
class YoloPose(_Yolo):
    """A box and keypoints a line; every class has as many."""

    name = "yolo-pose"
    title = "YOLO boxes with keypoints"
    holds = Holds.BOXES | Holds.KEYPOINTS | Holds.NEGATIVES

    def sniff(self, source: Source) -> bool:
        """Label files beside a `data.yaml` that declares keypoints."""
        return _kind(source) == "pose"

    def write(self, export: Export) -> None:
        """`labels/<part>/<picture>.txt` and `data.yaml` with `kpt_shape`."""
        count = max((len(one.keypoints) for one in export.classes), default=0) or 1

        def line(one: Instance, image: ExportImage) -> str:
            points = [*one.keypoints[:count], *(Keypoint(0, 0, 0),) * (count - len(one.keypoints))]
            numbers = [
                value
                for p in points
                for value in (_short(p.x / image.width), _short(p.y / image.height), str(p.visibility))
            ]
            if len(one.keypoints) > count:
                export.losses.dropped("keypoints beyond those of the classes")
            return f"{_box(one, image)} {' '.join(numbers)}"

        self._write(export, line, f"kpt_shape: [{count}, 3]\n{_keypoint_names(export.classes)}")


def _keypoint_names(classes: Sequence[ClassDef]) -> str:
    lines = "".join(
        f"  {number}: [{', '.join(map(yaml_subset.quoted, one.keypoints))}]\n"
        for number, one in enumerate(classes)
    )
    return f"kpt_names:\n{lines}"


def _kind(source: Source) -> str:
    """ "seg", "detect", "pose" or nothing, from the first lines of some files."""
    try:
        layout = _layout(source)
    except DataError:
        return ""
    if not layout.labels or not layout.classes:
        return ""
    found = ""
    for name in layout.labels[:200]:
        for line in source.head_of(name).decode("utf-8", "replace").splitlines()[:50]:
            words = line.split()
            if not words:
                continue
            if not all(_is_number(word) for word in words):
                return ""
            found = "seg" if len(words) > 6 or found == "seg" else "detect"
    return "pose" if layout.keypoints[0] else found or "detect"


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _texts(source: Source) -> list[str]:
    return [
        name
        for name in source.files
        if name.lower().endswith(".txt") and PurePosixPath(name).name.lower() not in _NOT_LABELS
        and "imagesets" not in name.lower()
    ]  # fmt: skip


def _layout(source: Source) -> _Layout:
    texts = _texts(source)
    in_labels = [name for name in texts if "labels" in PurePosixPath(name).parts[:-1]]
    for place in _around(source.root):
        for file in [*sorted(place.glob("*.yaml")), *sorted(place.glob("*.yml"))]:
            data = yaml_subset.parse(_small_text(file), str(file))
            if "names" in data:
                return _Layout(
                    _names(data["names"], str(file)),
                    tuple(in_labels or texts),
                    _keypoint_shape(data, str(file)),
                    str(file),
                    _keypoint_names_of(data, str(file)),
                )
        for name in _NAME_FILES:
            file = place / name
            if file.is_file():
                lines = [line.strip() for line in _small_text(file).splitlines()]
                classes = [line for line in lines if line]
                return _Layout(classes, tuple(in_labels or texts), (0, 0), str(file))
    return _Layout()


def _around(folder: Path) -> list[Path]:
    """The folder, and those above where it is one of the labels alone, as a person may point at it."""
    found = [folder]
    while found[-1].name in ("labels", "train", "val", "valid", "test") and len(found) < 3:
        found.append(found[-1].parent)
    return found


def _small_text(place: Path) -> str:
    try:
        return read_bytes(Source(place.parent).place(place.name), 4 << 20).decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise DataError(f"{place} is not text in UTF-8: save it as UTF-8.") from e


def _names(value: yaml_subset.Value, place: str) -> list[str]:
    if isinstance(value, dict):
        numbered = {parsed_whole(key, f"{place}: 'names'"): str(name) for key, name in value.items()}
        if sorted(numbered) != list(range(len(numbered))):
            raise DataError(f"{place}: the classes under 'names' are not numbered from 0 on.")
        return [numbered[number] for number in range(len(numbered))]
    if isinstance(value, list):
        return [str(name) for name in value]
    raise DataError(f"{place}: 'names' must be a list of classes.")


def _keypoint_shape(data: dict[str, yaml_subset.Value], place: str) -> tuple[int, int]:
    value = data.get("kpt_shape")
    if value is None:
        return 0, 0
    if isinstance(value, list) and len(value) == 2 and all(type(one) is int for one in value):
        count, numbers = (parsed_whole(str(one), place) for one in value)
        if 0 < count <= _MOST_KEYPOINTS and numbers in (2, 3):
            return count, numbers
    raise DataError(f"{place}: 'kpt_shape' must be how many keypoints, and 2 or 3.")


def _keypoint_names_of(data: dict[str, yaml_subset.Value], place: str) -> dict[int, tuple[str, ...]]:
    value = data.get("kpt_names")
    if not isinstance(value, dict):
        return {}
    return {
        parsed_whole(key, f"{place}: 'kpt_names'"): tuple(map(str, names[:_MOST_KEYPOINTS]))
        for key, names in value.items()
        if isinstance(names, list)
    }


def _read_file(source: Source, name: str, layout: _Layout, reading: Reading, place: str) -> ReadImage:
    picture = _picture_of(name, reading)
    found = reading.pictures.size(picture) if picture in reading.pictures.names else None
    if found is None:
        return ReadImage(picture, place)
    width, height = found
    lines = source.read_text(name).splitlines()
    if len(lines) > _MOST_LINES:
        raise DataError(f"{place} has {len(lines):,} lines, more than any picture has objects.")
    instances = list[Instance]()
    for number, line in enumerate(lines, start=1):
        where = f"{place}: line {number}"
        try:
            if line.strip():
                instances.append(_instance(line.split(), width, height, layout, reading, where))
        except DataError as error:
            reading.broken(error)
    return ReadImage(picture, place, width, height, tuple(instances))


def _picture_of(name: str, reading: Reading) -> str:
    path = PurePosixPath(name)
    parts = ["images" if part == "labels" else part for part in path.parts[:-1]]
    stem = str(PurePosixPath(*parts, path.stem))
    for one in (stem, stem.removeprefix("images/"), str(path.with_suffix("")), path.stem):
        found = one if one in reading.pictures.names else reading.pictures.of_stem(one)
        if found is not None:
            return found
    return path.stem


def _instance(
    words: Sequence[str], width: int, height: int, layout: _Layout, reading: Reading, place: str
) -> Instance:
    number = parsed_whole(words[0], f"{place}: the class")
    if not 0 <= number < len(layout.classes):
        raise DataError(f"{place} is of class {shortened(words[0])}, but there are {len(layout.classes)}.")
    class_id = number + 1
    if len(words) > 2_000_001:
        raise DataError(f"{place} has more points than any polygon.")
    values = [parsed_number(word, f"{place}: a coordinate") for word in words[1:]]
    count, numbers = layout.keypoints
    if count:
        if len(values) != 4 + count * numbers:
            raise DataError(f"{place} has {len(values)} numbers, not 4 and {count} keypoints of {numbers}.")
        points = tuple(_keypoints(values[4:], numbers, width, height, place))
        names = layout.names_of(number)
        reading.classes.with_keypoints(class_id, names)
        box = _corners(values[:4], width, height, place)
        return Instance(0, class_id, None, box, provenance=Provenance.IMPORTED, keypoints=points)
    if len(values) in (4, 5):
        score = values[4] if len(values) == 5 else None
        box = _corners(values[:4], width, height, place)
        return Instance(0, class_id, None, box, score=score, provenance=Provenance.IMPORTED)
    scaled = [value * (height if n % 2 else width) for n, value in enumerate(values)]
    points_ = ring(_at_corners(scaled), width, height, place)
    mask = centre_rule([points_], height, width)
    if mask.is_empty:
        box = (min(points_[0::2]), min(points_[1::2]), max(points_[0::2]), max(points_[1::2]))
        return Instance(0, class_id, None, box, provenance=Provenance.IMPORTED)
    return Instance(0, class_id, mask, provenance=Provenance.IMPORTED, rings=(points_,))


def _at_corners(values: Sequence[float]) -> list[float]:
    """The numbers without the crumbs of dividing and multiplying again; near a whole one, that."""
    return [round(value) if abs(value - round(value)) < 1e-6 else round(value, 9) for value in values]


def _corners(xywh: Sequence[float], width: int, height: int, place: str) -> tuple[float, float, float, float]:
    x, y, wide, high = xywh
    if wide < 0 or high < 0:
        raise DataError(f"{place}: its box has a negative width or height.")
    edges = ((x - wide / 2) * width, (y - high / 2) * height, (x + wide / 2) * width, (y + high / 2) * height)
    near(edges, width, height, place)
    x0, y0, x1, y1 = _at_corners(edges)
    return x0, y0, x1, y1


def _keypoints(
    values: Sequence[float], numbers: int, width: int, height: int, place: str
) -> Iterator[Keypoint]:
    for at in range(0, len(values), numbers):
        x, y = _at_corners((values[at] * width, values[at + 1] * height))
        seen = 2 if numbers == 2 and (x or y) else 0
        if numbers == 3:
            seen = int(values[at + 2]) if values[at + 2] in (0, 1, 2) else -1
            if seen < 0:
                raise DataError(f"{place}: a keypoint's visibility is not 0, 1 or 2.")
        near((x, y), width, height, place)
        yield Keypoint(x, y, seen)


def _polygon(one: Instance, image: ExportImage, losses: Losses) -> str:
    points = one_ring_of(one, image.height, image.width, centre_rule)
    inside = all(0 <= x <= image.width for x in points[0::2]) and all(
        0 <= y <= image.height for y in points[1::2]
    )
    if not inside:  # a program that reads it refuses what lies outside the picture
        bare = Instance(one.id, one.class_id, one.mask)
        points = one_ring_of(bare, image.height, image.width, centre_rule)
    if not points:
        losses.changed("masks without a pixel in the picture are left out")
        return ""
    return " ".join(_short(v / (image.height if n % 2 else image.width)) for n, v in enumerate(points))


def _box(one: Instance, image: ExportImage) -> str:
    x0, y0, x1, y1 = one.bounds_xyxy
    shares = ((x0 + x1) / 2 / image.width, (y0 + y1) / 2 / image.height,
              (x1 - x0) / image.width, (y1 - y0) / image.height)  # fmt: skip
    return " ".join(_short(value) for value in shares)


def _short(value: float) -> str:
    return f"{value:.15g}"
