"""Annotations of COCO images to records, a batch of images at a time, in this process or on other cores.

A batch is the text of its annotations, and what comes of it are records and sentences on what is broken, so
that neither needs the file. Knows COCO's annotations; no list of images, no classes.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field

from engine.document.many import from_rle_strings
from engine.document.masks import Mask, from_rle
from engine.document.records import IgnoreRegion, Instance, Keypoint, Provenance
from engine.document.rle import checked_counts, compress_counts
from engine.errors import DataError
from engine.formats.checks import (
    FlatRing,
    Object,
    as_list,
    as_object,
    box_of,
    encodable,
    filled,
    flat_numbers,
    integer,
    kept_json,
    number,
    ring,
    whole,
)
from engine.formats.coco_writing import PREFIX
from engine.formats.jsonstream import parse_element
from engine.formats.outline import coco_counts
from engine.formats.reading import have_ids
from engine.project.bulk import Row, row_of

TOGETHER = 400
"""Images of a batch."""

_MANY = 40_000
"""Annotations from which on other processes are worth their start."""

_AHEAD = 3  # batches a process that are parsed before they are asked for

_OWN_KEYS = frozenset(
    {"id", "image_id", "category_id", "bbox", "area", "iscrowd", "segmentation", "score"}
    | {"keypoints", "num_keypoints", "track_id", "attributes"}
)


@dataclass(frozen=True, slots=True)
class Head:
    """An image of the file: its id, relative name and size."""

    id: int
    name: str
    width: int
    height: int
    extra: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some images with their annotations: the place of each in the list, and its JSON.

    file: for messages. class_ids: of each category. as_rows: see `Reading.wants_rows`.
    """

    file: str
    class_ids: Mapping[int, int]
    images: tuple[tuple[Head, list[tuple[int, bytes]]], ...]
    as_rows: bool = False


@dataclass(frozen=True, slots=True)
class Records:
    """What is on an image. rows: instead of the instances."""

    instances: tuple[Instance, ...]
    ignore: tuple[IgnoreRegion, ...]
    rows: tuple[Row, ...] = ()


@dataclass(slots=True)
class Parsed:
    """The records of each image of a batch, in their order. problems: sentences on what is left out.

    keypoints: how many each class has at most.
    """

    images: list[Records] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    keypoints: dict[int, int] = field(default_factory=dict)


def parse(batches: Iterable[Batch], annotations: int) -> Iterator[tuple[Batch, Parsed]]:
    """Every batch with what comes of it, in order; on all cores where there are many annotations.

    Raises DataError for an annotation that is no JSON object, or names a key twice.
    """
    if annotations < _MANY:
        for batch in batches:
            yield batch, parse_batch(batch)
        return
    workers = os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_leave_interrupts)
    try:
        waiting = deque[tuple[Batch, Future[Parsed]]]()
        for batch in batches:
            waiting.append((batch, pool.submit(parse_batch, batch)))
            if len(waiting) > workers * _AHEAD:
                yield _result(*waiting.popleft())
        while waiting:
            yield _result(*waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts() -> None:
    """Ctrl+C in a terminal reaches every process; the one that asked for the work ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _result(batch: Batch, future: Future[Parsed]) -> tuple[Batch, Parsed]:
    try:
        return batch, future.result()
    except BrokenProcessPool:  # somebody ended the process, or there is no memory for it
        return batch, parse_batch(batch)


def parse_batch(batch: Batch) -> Parsed:
    """The records of a batch's images."""
    made = Parsed()
    found = [(head, _items(batch, head, texts, made.problems)) for head, texts in batch.images]
    _read_masks([(one, head) for head, items in found for one in items if one.counts], made.problems)
    for head, items in found:
        instances, ignore = list[Instance](), list[IgnoreRegion]()
        for one in items:
            try:
                record = None if one.is_broken else _record(one, head, batch.class_ids, len(instances))
            except DataError as error:
                made.problems.append(str(error))
                continue
            if isinstance(record, IgnoreRegion):
                ignore.append(record)
            elif record is not None:
                instances.append(record)
                if record.keypoints:
                    known = made.keypoints.get(record.class_id, 0)
                    made.keypoints[record.class_id] = max(known, len(record.keypoints))
        if batch.as_rows and have_ids(instances, ignore):
            made.images.append(Records((), tuple(ignore), tuple(map(row_of, instances))))
        else:
            made.images.append(Records(tuple(instances), tuple(ignore)))
    return made


def place_of(file: str, item: Object, position: int) -> str:
    """An annotation, for messages."""
    return f"{file}: annotation {item.get('id', f'number {position + 1}')}"


@dataclass(slots=True)
class _Item:
    """An annotation on its way. counts: its mask's compressed RLE, empty for none."""

    item: Object
    place: str
    counts: bytes
    rings: tuple[FlatRing, ...]
    mask: Mask | None = None
    is_broken: bool = False


def _items(batch: Batch, head: Head, texts: Sequence[tuple[int, bytes]], problems: list[str]) -> list[_Item]:
    found = []
    for position, data in texts:
        value = parse_element(data, f"{batch.file}: 'annotations' number {position + 1}")
        item = as_object(value, f"{batch.file}: annotation {position + 1}")
        place = place_of(batch.file, item, position)
        try:
            found.append(_Item(item, place, *_counts(item.get("segmentation"), head, place)))
        except DataError as error:
            problems.append(str(error))
    return found


def _counts(value: object, head: Head, place: str) -> tuple[bytes, tuple[FlatRing, ...]]:
    """The mask as a compressed RLE and, where it came as polygons, those. Nothing for none."""
    if value is None or value == []:
        return b"", ()
    if isinstance(value, list):
        rings = tuple(
            ring(flat_numbers(one, f"{place}: a polygon"), head.width, head.height, place) for one in value
        )
        return coco_counts(rings, head.height, head.width), rings
    if not isinstance(value, dict):
        raise DataError(f"{place}: its segmentation is neither polygons nor an RLE.")
    counts = value.get("counts")
    if (
        isinstance(counts, str)
        and counts.isascii()
        and counts
        and value.get("size") == [head.height, head.width]
    ):
        return counts.encode(), ()
    try:
        checked = checked_counts(value, height=head.height, width=head.width)
    except ValueError as e:
        raise DataError(f"{place}: {e}.") from e
    return compress_counts(checked), ()


def _read_masks(items: Sequence[tuple[_Item, Head]], problems: list[str]) -> None:
    """Make the masks of the items' counts, all at once; where one is wrong, one by one, and it is told."""
    sizes = [(head.height, head.width) for _, head in items]
    together = from_rle_strings([one.counts for one, _ in items], sizes)
    for number_, (one, head) in enumerate(items):
        try:
            one.mask = (
                together[number_]
                if together is not None
                else from_rle(
                    {"size": [head.height, head.width], "counts": one.counts},
                    height=head.height,
                    width=head.width,
                )
            )
        except ValueError as e:
            one.is_broken = True
            problems.append(f"{one.place}: {e}.")


def _record(one: _Item, head: Head, class_ids: Mapping[int, int], z: int) -> Instance | IgnoreRegion:
    item, place = one.item, one.place
    record_id, category = integer(item, "id", place), integer(item, "category_id", place)
    if category not in class_ids:
        raise DataError(f"{place} has category {category}, which the file does not list.")
    class_id = class_ids[category]
    mask = one.mask if one.mask is not None and not one.mask.is_empty else None
    box = None
    if item.get("bbox") is not None:
        box = box_of(_four(item["bbox"], place), head.width, head.height, place)
    if mask is None and box is None:
        raise DataError(f"{place} has neither a segmentation nor a bbox.")
    if item.get("iscrowd") in (1, True):
        region = mask if mask is not None else filled(box or (0, 0, 0, 0), head.width, head.height)
        return IgnoreRegion(record_id, region)
    score, track = item.get("score"), item.get("track_id")
    return Instance(
        record_id,
        class_id,
        mask,
        box if mask is None else None,
        score=None if score is None else number(score, f"{place}: its score"),
        provenance=Provenance.IMPORTED,
        z=z,
        keypoints=_keypoints(item, place),
        track_id=None if track is None else whole(track, f"{place}: 'track_id'"),
        attributes=_attributes(item, place),
        rings=one.rings,
    )


def _four(value: object, place: str) -> list[float]:
    found = flat_numbers(value, f"{place}: its bbox") if isinstance(value, list) and len(value) == 4 else []
    if len(found) != 4:
        raise DataError(f"{place}: its bbox must be four numbers: x, y, width, height.")
    return found


def _keypoints(item: Object, place: str) -> tuple[Keypoint, ...]:
    value = item.get("keypoints")
    if not value:
        return ()
    flat = as_list(value, f"{place}: 'keypoints'")
    if len(flat) % 3:
        raise DataError(f"{place}: 'keypoints' must be x, y and visibility of each.")
    points = []
    for at in range(0, len(flat), 3):
        visibility = whole(flat[at + 2], f"{place}: a keypoint's visibility")
        if visibility not in (0, 1, 2):
            raise DataError(f"{place}: a keypoint's visibility is {visibility}, not 0, 1 or 2.")
        x, y = (number(one, f"{place}: a keypoint's coordinate") for one in flat[at : at + 2])
        points.append(Keypoint(x, y, visibility))
    return tuple(points)


def _attributes(item: Object, place: str) -> tuple[tuple[str, str], ...]:
    """CVAT's and Datumaro's `attributes` by name, and every unknown key as JSON text behind a mark."""
    found: dict[str, str] = {}
    attributes = item.get("attributes")
    if isinstance(attributes, dict):
        for name, value in attributes.items():
            plain = value if isinstance(value, str) else kept_json(value, f"{place}: '{name}'")
            found[encodable(name, f"{place}: an attribute")] = encodable(plain, f"{place}: an attribute")
    elif attributes is not None:
        raise DataError(f"{place}: 'attributes' must be an object.")
    for key in item:
        if key not in _OWN_KEYS:
            found[PREFIX + encodable(key, f"{place}: a key")] = kept_json(item[key], f"{place}: '{key}'")
    return tuple(found.items())
