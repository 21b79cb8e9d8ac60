"""YouTube-VIS: objects over the frames of videos, an RLE or nothing for each frame.

A video is a folder of pictures; an annotation is one object, its id the track. Source: the data set's own
description (https://youtube-vos.org/dataset/vis/), which is COCO's with lists over time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.document.masks import Mask, from_rle, to_rle
from engine.document.records import IgnoreRegion, Instance, Provenance
from engine.errors import DataError
from engine.formats.checks import (
    Object,
    as_list,
    as_object,
    flat_numbers,
    integer,
    objects,
    ring,
    size,
    text,
)
from engine.formats.coco_writing import categories
from engine.formats.mots import sequence_of
from engine.formats.outline import coco_rule
from engine.formats.reading import ReadImage, Reading
from engine.formats.registry import FileFormat, Holds, register
from engine.formats.source import Source, read_json, safe_name
from engine.formats.writing import Export, Part
from engine.media.scan import natural_key


@dataclass(slots=True)
class _Track:
    """An object of a video that is written: its masks by frame."""

    class_id: int
    track_id: int | None
    masks: dict[str, Mask] = field(default_factory=dict)


@register
class YoutubeVis(FileFormat):
    """`instances.json`, or `<part>/instances.json`."""

    name = "youtube-vis"
    title = "YouTube-VIS"
    holds = Holds.MASKS | Holds.OVERLAP | Holds.TRACKS | Holds.NEGATIVES
    picture_folders = ("JPEGImages", "images")

    def files_of(self, source: Source) -> Sequence[str]:
        """JSON with videos and their file names."""
        return source.files_that(lambda head: b'"videos"' in head and b'"file_names"' in head, ".json")

    def names_in(self, path: Path) -> Iterator[str]:
        """The frames of the first video."""
        data = read_json(path)
        videos = data.get("videos") if isinstance(data, dict) else None
        if isinstance(videos, list) and videos and isinstance(videos[0], dict):
            names = videos[0].get("file_names")
            yield from map(str, names if isinstance(names, list) else ())

    def read_file(self, source: Source, name: str, reading: Reading) -> Iterator[ReadImage]:
        """Every frame of every video."""
        place = str(source.root / name)
        data = as_object(source.read_json(name), place)
        class_ids = _classes(data, reading, place)
        for item, objects_, where in _videos(data, reading, place):
            try:
                yield from _read_video(item, objects_, class_ids, reading, where)
            except DataError as error:
                reading.broken(error)

    def write(self, export: Export) -> None:
        """A file for each part."""
        for part in export.parts:
            _write_part(part, export)


def _classes(data: Object, reading: Reading, place: str) -> dict[int, int]:
    """The class of each category's id."""
    class_ids: dict[int, int] = {}
    for position, item in enumerate(objects(data, "categories", place), start=1):
        where = f"{place}: category number {position}"
        number = integer(item, "id", where)
        if number in class_ids:
            raise DataError(f"{where} repeats the id {number}; ids must differ.")
        known = reading.classes.named(text(item, "name", where), where)
        if known.id in class_ids.values():
            raise DataError(f"{where} repeats the name '{known.name}'; names must differ.")
        class_ids[number] = known.id
    return class_ids


def _videos(
    data: Object, reading: Reading, place: str
) -> Iterator[tuple[Object, Sequence[tuple[Object, str]], str]]:
    """Each video with its annotations and their places, and its own place."""
    of_video: dict[int, list[tuple[Object, str]]] = {}
    videos = list(objects(data, "videos", place))
    known = {integer(item, "id", f"{place}: a video") for item in videos}
    if len(known) < len(videos):
        raise DataError(f"{place} lists two videos under one id.")
    for position, item in enumerate(objects(data, "annotations", place), start=1):
        where = f"{place}: annotation {item.get('id', f'number {position}')}"
        try:
            video = integer(item, "video_id", where)
            if video not in known:
                raise DataError(f"{where} is of video {video}, which the file does not list.")
            of_video.setdefault(video, []).append((item, where))
        except DataError as error:
            reading.broken(error)
    for item in videos:
        video = integer(item, "id", place)
        yield item, of_video.get(video, []), f"{place}: video {video}"


def _read_video(
    item: Object,
    annotations: Sequence[tuple[Object, str]],
    class_ids: dict[int, int],
    reading: Reading,
    place: str,
) -> Iterator[ReadImage]:
    names = as_list(item.get("file_names"), f"{place}: 'file_names'")
    if not all(isinstance(one, str) for one in names):
        raise DataError(f"{place}: 'file_names' must be a list of names.")
    whole = size(integer(item, "width", place), integer(item, "height", place), place)
    frames: list[list[Instance | IgnoreRegion]] = [[] for _ in names]
    for one, where in annotations:
        try:
            for frame, made in _frames_of(one, len(names), whole, class_ids, where):
                frames[frame].append(made)
        except DataError as error:
            reading.broken(error)
    for name, found in zip(names, frames, strict=True):
        try:
            picture = safe_name(str(name), place)
        except DataError as error:
            reading.broken(error)
            continue
        yield ReadImage(
            picture,
            f"{place}: {picture}",
            *whole,
            tuple(one for one in found if isinstance(one, Instance)),
            tuple(one for one in found if isinstance(one, IgnoreRegion)),
        )


def _frames_of(
    item: Object, length: int, whole: tuple[int, int], class_ids: dict[int, int], place: str
) -> list[tuple[int, Instance | IgnoreRegion]]:
    track, category = integer(item, "id", place), integer(item, "category_id", place)
    if category not in class_ids:
        raise DataError(f"{place} has category {category}, which the file does not list.")
    values = as_list(item.get("segmentations"), f"{place}: 'segmentations'")
    if len(values) != length:
        raise DataError(f"{place} has {len(values)} segmentations, but its video has {length} frames.")
    found: list[tuple[int, Instance | IgnoreRegion]] = []
    for frame, value in enumerate(values):
        if not value:
            continue
        mask, rings = _mask(value, whole, f"{place}: frame {frame}")
        if mask.is_empty:
            continue
        if item.get("iscrowd") in (1, True):
            found.append((frame, IgnoreRegion(0, mask)))
            continue
        one = Instance(
            0, class_ids[category], mask, provenance=Provenance.IMPORTED, track_id=track, rings=rings
        )
        found.append((frame, one))
    return found


def _mask(value: object, whole: tuple[int, int], place: str) -> tuple[Mask, tuple[tuple[float, ...], ...]]:
    width, height = whole
    if isinstance(value, dict):
        try:
            return from_rle(value, height=height, width=width), ()
        except ValueError as e:
            raise DataError(f"{place}: {e}.") from e
    rings = tuple(
        ring(flat_numbers(one, f"{place}: a polygon"), width, height, place) for one in as_list(value, place)
    )
    return coco_rule(rings, height, width), rings


def _write_part(part: Part, export: Export) -> None:
    videos: dict[str, dict[str, tuple[int, int]]] = {}
    tracks: dict[str, dict[object, _Track]] = {}
    for image in part.images():
        sequence = sequence_of(image.name)
        videos.setdefault(sequence, {})[image.name] = (image.width, image.height)
        mine = tracks.setdefault(sequence, {})
        for one in image.instances:
            assert one.mask is not None
            key: object = (one.track_id, one.class_id)
            if one.track_id is None or (key in mine and image.name in mine[key].masks):
                key = (image.name, one.id)
                export.losses.dropped("instances without a track of their own are each given one")
            mine.setdefault(key, _Track(one.class_id, one.track_id)).masks[image.name] = one.mask
    listed, annotations, taken = list[object](), list[object](), set[int]()
    for frames in _one_size(videos):
        names = sorted(frames, key=natural_key)
        width, height = frames[names[0]]
        video_id = len(listed) + 1
        listed.append(
            {"id": video_id, "width": width, "height": height, "length": len(names), "file_names": names}
        )
        for track in tracks[sequence_of(names[0])].values():
            if not any(name in track.masks for name in names):
                continue
            track_id = track.track_id if track.track_id is not None and track.track_id not in taken else 1
            while track_id in taken:
                track_id += 1
            taken.add(track_id)
            annotations.append(_annotation(track, track_id, video_id, names, (height, width)))
    said = {
        "videos": listed,
        "annotations": annotations,
        "categories": categories(export.classes, export.extra),
    }
    export.out.json(f"{part.name}/instances.json" if part.name else "instances.json", said)


def _one_size(videos: dict[str, dict[str, tuple[int, int]]]) -> Iterator[dict[str, tuple[int, int]]]:
    """The frames of each video; a folder with pictures of several sizes is one video for each size."""
    for frames in videos.values():
        for whole in sorted(set(frames.values())):
            yield {name: own for name, own in frames.items() if own == whole}


def _annotation(
    track: _Track, track_id: int, video_id: int, names: Sequence[str], whole: tuple[int, int]
) -> dict[str, object]:
    masks = [track.masks.get(name) for name in names]
    return {
        "id": track_id,
        "video_id": video_id,
        "category_id": track.class_id,
        "iscrowd": 0,
        "segmentations": [None if mask is None else to_rle(mask, *whole) for mask in masks],
        "areas": [None if mask is None else mask.area for mask in masks],
        "bboxes": [None if mask is None else list(mask.bbox_xywh) for mask in masks],
    }
