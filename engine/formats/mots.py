"""MOTS: objects tracked over the frames of a sequence, as 16-bit PNGs or as lines of text with RLE.

A pixel is class * 1000 + instance; 10000 counts neither way. A sequence is a folder of pictures in natural
order. No pixel belongs to two objects. Source: https://www.vision.rwth-aachen.de/page/mots, and Datumaro's
`labels.txt` for the names of classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import numpy as np

from engine.document.masks import Mask, from_rle, to_rle
from engine.document.records import IgnoreRegion, Instance, Provenance
from engine.errors import DataError
from engine.formats.checks import labels_of, parsed_whole
from engine.formats.reading import Pictures, ReadImage, Reading
from engine.formats.registry import Format, Holds, register
from engine.formats.source import Source
from engine.formats.writing import Export, ExportImage, Losses, covered_union, painted
from engine.media.scan import natural_key

IGNORED = 10_000
_PER_CLASS = 1000
_MOST_LINES = 20_000_000


class Tracks:
    """The number, 0..999, of each object within its class and sequence: the same in all frames."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._numbers: dict[tuple[str, int], dict[int, int]] = {}

    def value(self, sequence: str, class_number: int, one: Instance) -> int:
        """class * 1000 + instance; 0 where a class has more than 1000 objects in a sequence."""
        known = self._numbers.setdefault((sequence, class_number), {})
        track = one.track_id
        if track is None:
            self._losses.dropped("instances without a track are each given one")
            track = -one.id
        if track not in known:
            # A number that has the class in it already stays; a plain one is that within the class.
            said = track - class_number * _PER_CLASS if track >= _PER_CLASS else track
            taken = set(known.values())
            wanted = said if 0 <= said < _PER_CLASS and said not in taken else 0
            while wanted in taken:
                wanted += 1
            if wanted >= _PER_CLASS:
                self._losses.changed(f"instances beyond {_PER_CLASS} of a class in a sequence are left out")
                return 0
            known[track] = wanted
        return class_number * _PER_CLASS + known[track]


def sequence_of(name: str) -> str:
    """The folder of a picture, which is its sequence."""
    parent = str(PurePosixPath(name).parent)
    return "sequence" if parent == "." else parent


def _names(source: Source) -> list[str]:
    for name in source.files:
        if PurePosixPath(name).name == "labels.txt":
            lines = [line.strip() for line in source.read_text(name).splitlines()]
            names = [line for line in lines if line]
            if len(set(names)) < len(names):
                raise DataError(f"{source.root / name} names a class twice.")
            return names
    return []


def _class_id(number: int, names: Sequence[str], reading: Reading, place: str) -> int:
    name = names[number - 1] if 0 < number <= len(names) else {1: "car", 2: "pedestrian"}.get(number)
    return reading.classes.named(name or f"class {number}", place).id


def _made(
    value: int, mask: Mask, names: Sequence[str], reading: Reading, place: str
) -> Instance | IgnoreRegion:
    if value == IGNORED:
        return IgnoreRegion(0, mask)
    number = value // _PER_CLASS
    if not number:
        raise DataError(f"{place} holds the value {value}, which is no class * 1000 + instance.")
    class_id = _class_id(number, names, reading, place)
    return Instance(0, class_id, mask, provenance=Provenance.IMPORTED, track_id=value)


def _image(
    picture: str, place: str, whole: tuple[int, int], found: Sequence[Instance | IgnoreRegion]
) -> ReadImage:
    instances = tuple(one for one in found if isinstance(one, Instance))
    ignore = tuple(one for one in found if isinstance(one, IgnoreRegion))
    return ReadImage(picture, place, *whole, instances, ignore)


@register
class MotsPng(Format):
    """`instances/<sequence>/<frame>.png`."""

    name = "mots-png"
    title = "MOTS PNG"
    holds = Holds.MASKS | Holds.TRACKS | Holds.IGNORE | Holds.NEGATIVES
    picture_folders = ("images",)

    def sniff(self, source: Source) -> bool:
        """PNGs of 16-bit grey in a folder `instances`."""
        return any(_is_grey16(source.head_of(name)) for name in _pngs(source)[:20])

    def read(self, source: Source, reading: Reading) -> Iterator[ReadImage]:
        """Every PNG."""
        names = _names(source)
        for name in _pngs(source):
            place = str(source.root / name)
            stem = str(PurePosixPath(name.partition("instances/")[2]).with_suffix(""))
            folder = name.partition("instances/")[0].strip("/")
            picture = reading.pictures.of_stem(f"{folder}/images/{stem}" if folder else stem)
            whole = reading.pictures.size(picture) if picture else None
            try:
                if picture is None or whole is None:
                    yield ReadImage(picture or stem, place)
                    continue
                values = labels_of(source.read_labels(name, whole))
                found = [_made(value, mask, names, reading, place) for value, mask in values]
                yield _image(picture, place, whole, found)
            except DataError as error:
                reading.broken(error)

    def write(self, export: Export) -> None:
        """A PNG for each picture, and the classes' names."""
        for part in export.parts:
            tracks, folder = Tracks(export.losses), f"{part.name}/" if part.name else ""
            for image in part.images():
                name = f"{folder}instances/{sequence_of(image.name)}/{PurePosixPath(image.stem).name}"
                frame = f"#{image.frame}" if image.frame else ""
                export.out.png(f"{name}{frame}.png", _pixels(image, tracks, export))
            with export.out.text(f"{folder}instances/labels.txt") as file:
                file.writelines(f"{one.name}\n" for one in export.classes)

    def picture_place(self, name: str, part: str) -> str:
        """In the folder of its sequence."""
        place = f"images/{sequence_of(name)}/{PurePosixPath(name).name}"
        return f"{part}/{place}" if part else place


def _pixels(image: ExportImage, tracks: Tracks, export: Export) -> np.ndarray:
    sequence = sequence_of(image.name)
    values = [tracks.value(sequence, export.class_number(one) + 1, one) for one in image.instances]
    pixels = painted(image, values, np.uint16, export.losses)
    void = covered_union([region.mask for region in image.ignore]).to_full(image.height, image.width)
    pixels[void & (pixels == 0)] = IGNORED
    return pixels


def _pngs(source: Source) -> list[str]:
    return [name for name in source.files if "instances/" in name and name.lower().endswith(".png")]


def _is_grey16(head: bytes) -> bool:
    return head[:8] == b"\x89PNG\r\n\x1a\n" and head[24:26] == b"\x10\x00"


@register
class MotsTxt(Format):
    """`<sequence>.txt`, a line for each object of each frame: frame, id, class, height, width, RLE."""

    name = "mots-txt"
    title = "MOTS text"
    holds = Holds.MASKS | Holds.TRACKS | Holds.IGNORE

    def sniff(self, source: Source) -> bool:
        """Lines of five numbers and an RLE."""
        return any(_is_lines(source.head_of(name)) for name in _texts(source)[:50])

    def read(self, source: Source, reading: Reading) -> Iterator[ReadImage]:
        """Every frame of every file, whose name is that of the pictures' folder."""
        names = _names(source)
        for name in _texts(source):
            if not source.is_folder or _is_lines(source.head_of(name)):
                yield from self._read_file(source, name, names, reading)

    def _read_file(
        self, source: Source, name: str, names: Sequence[str], reading: Reading
    ) -> Iterator[ReadImage]:
        frames: dict[int, list[tuple[str, list[str]]]] = {}
        lines = source.read_text(name).splitlines()
        if len(lines) > _MOST_LINES:
            raise DataError(f"{source.root / name} has more than {_MOST_LINES:,} lines.")
        for number, line in enumerate(lines, start=1):
            place = f"{source.root / name}: line {number}"
            words = line.split()
            try:
                if len(words) == 6:
                    frames.setdefault(parsed_whole(words[0], f"{place}: the frame"), []).append(
                        (place, words)
                    )
                elif words:
                    raise DataError(f"{place} does not have frame, id, class, height, width and RLE.")
            except DataError as error:
                reading.broken(error)
        pictures = Sequences(reading.pictures, str(PurePosixPath(name).with_suffix("")))
        for frame in sorted(frames):
            picture = pictures.of(frame)
            place = frames[frame][0][0]
            whole = reading.pictures.size(picture) if picture else None
            if picture is None or whole is None:
                yield ReadImage(picture or f"{name} frame {frame}", place)
                continue
            found = []
            for where, words in frames[frame]:
                try:
                    found.append(_of_line(words, whole, names, reading, where))
                except DataError as error:
                    reading.broken(error)
            yield _image(picture, place, whole, found)

    def write(self, export: Export) -> None:
        """A file for each sequence; frames are numbered as the pictures are, or from 1."""
        for part in export.parts:
            folder = f"{part.name}/" if part.name else ""
            tracks, by_sequence = Tracks(export.losses), dict[str, list[tuple[str, list[str]]]]()
            for image in part.images():
                sequence = sequence_of(image.name)
                by_sequence.setdefault(sequence, []).append((image.name, _lines(image, tracks, export)))
            for sequence, frames in by_sequence.items():
                numbers = frame_numbers([name for name, _ in frames])
                with export.out.text(f"{folder}{sequence}.txt") as file:
                    for name, lines in sorted(frames, key=lambda one: numbers[one[0]]):
                        file.writelines(f"{numbers[name]} {line}\n" for line in lines)
            with export.out.text(f"{folder}labels.txt") as file:
                file.writelines(f"{one.name}\n" for one in export.classes)


class Sequences:
    """The pictures of one sequence, by the number of their frame."""

    def __init__(self, pictures: Pictures, sequence: str) -> None:
        wanted = PurePosixPath(sequence)
        folders = {str(PurePosixPath(name).parent) for name in pictures.names}
        own = [one for one in folders if PurePosixPath(one).name == wanted.name or one == sequence]
        chosen = own[0] if len(own) == 1 else next(iter(folders)) if len(folders) == 1 else "."
        names = [name for name in pictures.names if str(PurePosixPath(name).parent) == chosen]
        self._by_number = {number: name for name, number in frame_numbers(names).items()}

    def of(self, frame: int) -> str | None:
        """The picture of a frame; None where there is none."""
        return self._by_number.get(frame)


def frame_numbers(names: Sequence[str]) -> dict[str, int]:
    """The number of each picture: that of its name where all are such, and differ; else from 1 in order."""
    stems = [PurePosixPath(name.partition("#")[0]).stem for name in names]
    if all(stem.isdecimal() and len(stem) < 10 for stem in stems) and len({int(s) for s in stems}) == len(
        stems
    ):
        return {name: int(stem) for name, stem in zip(names, stems, strict=True)}
    return {name: place for place, name in enumerate(sorted(names, key=natural_key), start=1)}


def _texts(source: Source) -> list[str]:
    return [
        name for name in source.files if name.endswith(".txt") and PurePosixPath(name).name != "labels.txt"
    ]


def _is_lines(head: bytes) -> bool:
    lines = head.split(b"\n")[:5]
    words = lines[0].split()
    return len(words) == 6 and all(word.isdigit() for word in words[:5]) and not words[5].isdigit()


def _of_line(
    words: Sequence[str], whole: tuple[int, int], names: Sequence[str], reading: Reading, place: str
) -> Instance | IgnoreRegion:
    value, number, height, width = (parsed_whole(word, place) for word in words[1:5])
    if (width, height) != whole:
        raise DataError(
            f"{place} is of {width} x {height} pixels, but its picture is {whole[0]} x {whole[1]}."
        )
    try:
        mask = from_rle({"size": [height, width], "counts": words[5]}, height=height, width=width)
    except ValueError as e:
        raise DataError(f"{place}: {e}.") from e
    if mask.is_empty:
        raise DataError(f"{place}: its mask has no pixel.")
    if value == IGNORED or number == IGNORED // _PER_CLASS:
        return IgnoreRegion(0, mask)
    return Instance(
        0, _class_id(number, names, reading, place), mask, provenance=Provenance.IMPORTED, track_id=value
    )


def _lines(image: ExportImage, tracks: Tracks, export: Export) -> list[str]:
    lines = []
    for value, mask in labels_of(_pixels(image, tracks, export).astype(np.int64)):
        rle = to_rle(mask, image.height, image.width)["counts"]
        lines.append(f"{value} {value // _PER_CLASS} {image.height} {image.width} {rle}")
    return lines
