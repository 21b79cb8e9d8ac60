"""Records of one image to table rows and back, and a Diff to the statements that apply it.

An update writes only the columns that the diff changed, so that an edit and its undo leave alone
what somebody else wrote meanwhile. Applying a diff twice is the same as once. Knows the tables
`instance`, `ignore_region` and `image_state`; runs inside the caller's transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from engine.document.diff import Diff
from engine.document.many import from_stored
from engine.document.masks import Mask, pack, unpack_all
from engine.document.records import (
    IMAGE_STATE_ID,
    Box,
    IgnoreRegion,
    ImageState,
    Instance,
    Keypoint,
    Provenance,
    Record,
    ReviewState,
)
from engine.errors import ProjectError
from engine.project import facts
from engine.project.classes import resolve_records

_Columns: TypeAlias = dict[str, object]

_PROVENANCES = {one.value: one for one in Provenance}  # an enumeration looks a value up much slower
_PLAIN = frozenset({int, float, str, type(None)})
_encoder = json.JSONEncoder(separators=(",", ":"))

_INSTANCE = "id, class_id, provenance, score, x0, y0, x1, y1, z, track_id, extra, mask"


def read_records(
    connection: sqlite3.Connection, media_id: int, keys: Collection[int] | None = None, *, raw: bool = False
) -> dict[int, Record]:
    """An image's records, all or those of `keys`, keyed as in a Document.

    The image's state is among all of them even where nobody set it. `raw`: with the classes as they
    were written, gone ones too; else as they stand.
    """
    records: dict[int, Record] = {}
    if keys is None or IMAGE_STATE_ID in keys:
        records[IMAGE_STATE_ID] = read_state(connection, media_id)
    rows = list(_rows_of(connection, "instance", _INSTANCE, media_id, keys))
    masks = _unpack_all(media_id, [row[-1] for row in rows])
    for row, mask in zip(rows, masks, strict=True):
        instance = _instance(row, mask)
        records[instance.id] = instance
    for region_id, packed in _rows_of(connection, "ignore_region", "id, mask", media_id, keys):
        (unpacked,) = _unpack_all(media_id, [packed])
        assert unpacked is not None
        records[_int(region_id)] = IgnoreRegion(_int(region_id), unpacked)
    return records if raw else resolve_records(connection, records)


def read_many(
    connection: sqlite3.Connection, media_ids: Sequence[int], *, packed: bool = False
) -> dict[int, dict[int, Record]]:
    """`read_records` of some images at once, with the classes as they were written.

    packed: masks whose bitmaps are made when they are asked for; else all of them together.
    """
    found: dict[int, dict[int, Record]] = {id_: {IMAGE_STATE_ID: ImageState()} for id_ in media_ids}
    among = f"media_id IN ({', '.join('?' * len(media_ids))})"
    for media_id, review, flags, skip in connection.execute(
        f"SELECT media_id, review, flags, skip FROM image_state WHERE {among}", media_ids
    ):
        found[media_id][IMAGE_STATE_ID] = ImageState(
            ReviewState(review), tuple(json.loads(flags)), bool(skip)
        )
    rows = connection.execute(
        f"SELECT {_INSTANCE}, media_id FROM instance WHERE {among} ORDER BY rowid", media_ids
    ).fetchall()
    masks = _unpack_all(rows[0][-1] if rows else 0, [row[-2] for row in rows], packed=packed)
    for row, mask in zip(rows, masks, strict=True):
        instance = _instance(row[:-1], mask)
        found[row[-1]][instance.id] = instance
    regions = connection.execute(
        f"SELECT media_id, id, mask FROM ignore_region WHERE {among} ORDER BY rowid", media_ids
    )
    for media_id, region_id, stored in regions:
        (mask,) = _unpack_all(media_id, [stored], packed=packed)
        assert mask is not None
        found[media_id][region_id] = IgnoreRegion(region_id, mask)
    return found


def read_state(connection: sqlite3.Connection, media_id: int) -> ImageState:
    """What is known of the image as a whole."""
    row = connection.execute(
        "SELECT review, flags, skip FROM image_state WHERE media_id = ?", (media_id,)
    ).fetchone()
    return (
        ImageState()
        if row is None
        else ImageState(ReviewState(row[0]), tuple(json.loads(row[1])), bool(row[2]))
    )


def read_states(connection: sqlite3.Connection) -> dict[int, ImageState]:
    """Of every image that somebody touched."""
    found = connection.execute("SELECT media_id, review, flags, skip FROM image_state")
    reviews = {state.value: state for state in ReviewState}
    # Spelt out: there may be 100,000, and hardly any has a flag.
    return {
        media_id: ImageState(reviews[review], tuple(json.loads(flags)) if flags != "[]" else (), skip == 1)
        for media_id, review, flags, skip in found
    }


def apply_diff(connection: sqlite3.Connection, media_id: int, diff: Diff) -> None:
    """Write a diff of one image. Raises sqlite3.IntegrityError for an unknown image or class."""
    for key, record in diff.removed.items():
        _remove(connection, media_id, key, record)
    for key, record in diff.added.items():
        _add(connection, media_id, key, record)
    for key, (old, new) in diff.updated.items():
        _update(connection, media_id, key, old, new)
    facts.note(connection, media_id, diff)


def _rows_of(
    connection: sqlite3.Connection, table: str, columns: str, media_id: int, keys: Collection[int] | None
) -> Iterator[tuple[object, ...]]:
    query = f"SELECT {columns} FROM {table} WHERE media_id = ?"
    if keys is None:
        yield from connection.execute(f"{query} ORDER BY rowid", (media_id,))
        return
    for key in keys:
        yield from connection.execute(f"{query} AND id = ?", (media_id, key))


def _add(connection: sqlite3.Connection, media_id: int, key: int, record: Record) -> None:
    match record:
        case ImageState():
            _update(connection, media_id, key, ImageState(), record)
        case Instance():
            _insert(connection, "instance", media_id, key, _instance_columns(record))
        case IgnoreRegion():
            _insert(connection, "ignore_region", media_id, key, {"mask": record.mask})


def _remove(connection: sqlite3.Connection, media_id: int, key: int, record: Record) -> None:
    match record:
        case ImageState():
            _update(connection, media_id, key, record, ImageState())
        case Instance():
            connection.execute("DELETE FROM instance WHERE media_id = ? AND id = ?", (media_id, key))
        case IgnoreRegion():
            connection.execute("DELETE FROM ignore_region WHERE media_id = ? AND id = ?", (media_id, key))


def _update(connection: sqlite3.Connection, media_id: int, key: int, old: Record, new: Record) -> None:
    match old, new:
        case ImageState(), ImageState():
            connection.execute(
                "INSERT OR IGNORE INTO image_state (media_id, review) VALUES (?, ?)",
                (media_id, ReviewState.UNLABELLED),
            )
            changes = _changes(_state_columns(old), _state_columns(new))
            _set(connection, "image_state", "media_id = ?", (media_id,), changes)
        case Instance(), Instance():
            changes = _changes(_instance_columns(old), _instance_columns(new))
            if not _set(connection, "instance", "media_id = ? AND id = ?", (media_id, key), changes):
                _add(connection, media_id, key, new)
        case IgnoreRegion(), IgnoreRegion():
            if not _set(
                connection, "ignore_region", "media_id = ? AND id = ?", (media_id, key), {"mask": new.mask}
            ):
                _add(connection, media_id, key, new)
        case _:
            _remove(connection, media_id, key, old)
            _add(connection, media_id, key, new)


def _insert(connection: sqlite3.Connection, table: str, media_id: int, key: int, columns: _Columns) -> None:
    names = ", ".join(columns)
    marks = ", ".join("?" * len(columns))
    connection.execute(
        f"INSERT OR REPLACE INTO {table} (media_id, id, {names}) VALUES (?, ?, {marks})",
        (media_id, key, *_stored(columns.values())),
    )


def _set(
    connection: sqlite3.Connection, table: str, where: str, place: tuple[int, ...], changes: _Columns
) -> bool:
    """Set columns of one row; False where there is no such row."""
    if not changes:
        return connection.execute(f"SELECT 1 FROM {table} WHERE {where}", place).fetchone() is not None
    names = ", ".join(f"{name} = ?" for name in changes)
    cursor = connection.execute(
        f"UPDATE {table} SET {names} WHERE {where}", (*_stored(changes.values()), *place)
    )
    return cursor.rowcount > 0


def _changes(old: _Columns, new: _Columns) -> _Columns:
    return {name: value for name, value in new.items() if value != old[name]}


def _stored(values: Iterable[object]) -> list[object]:
    return [_storable(value) for value in values]


def _storable(value: object) -> object:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Mask):
        return pack(value)
    if isinstance(value, np.generic):  # a number of a prediction, which SQLite would take for a blob
        return value.item()
    return value


def _state_columns(state: ImageState) -> _Columns:
    return {"review": state.review.value, "flags": json.dumps(state.flags), "skip": int(state.skip)}


def _instance_columns(instance: Instance) -> _Columns:
    x0, y0, x1, y1 = instance.box_xyxy or (None, None, None, None)
    return {
        "class_id": instance.class_id,
        "provenance": instance.provenance.value,
        "score": instance.score,
        "x0": x0,
        "y0": y0,
        "x1": x1,
        "y1": y1,
        "z": instance.z,
        "track_id": instance.track_id,
        "extra": extra_of(instance),
        "mask": instance.mask,
    }


def extra_of(instance: Instance) -> str | None:
    """What few instances have, as JSON text: keypoints, attributes, rings."""
    rare: dict[str, object] = {}
    if instance.keypoints:
        rare["keypoints"] = [
            (float(point.x), float(point.y), int(point.visibility)) for point in instance.keypoints
        ]
    if instance.attributes:
        rare["attributes"] = instance.attributes
    if instance.rings:
        rare["rings"] = instance.rings
    return _encoder.encode(rare) if rare else None


def _instance(row: tuple[object, ...], mask: Mask | None) -> Instance:
    id_, class_id, provenance, score, x0, y0, x1, y1, z, track_id, extra, _packed = row
    assert isinstance(id_, int)
    assert isinstance(class_id, int)
    assert isinstance(z, int)
    plain = Instance(
        id_,
        class_id,
        mask,
        None if x0 is None else _box(x0, y0, x1, y1),
        score if isinstance(score, float) else None,
        _PROVENANCES[str(provenance)],
        z,
        track_id=None if track_id is None else _int(track_id),
    )
    if not isinstance(extra, str):
        return plain
    rare = json.loads(extra)
    return replace(
        plain,
        keypoints=tuple(Keypoint(*point) for point in rare.get("keypoints", ())),
        attributes=tuple((name, value) for name, value in rare.get("attributes", ())),
        rings=tuple(tuple(ring) for ring in rare.get("rings", ())),
    )


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value


def _box(*edges: object) -> Box | None:
    numbers = [edge for edge in edges if isinstance(edge, float)]
    return (numbers[0], numbers[1], numbers[2], numbers[3]) if len(numbers) == 4 else None


def _unpack_all(media_id: int, columns: Sequence[object], *, packed: bool = False) -> list[Mask | None]:
    """The masks of stored columns; None for NULL. media_id: of the image, or of the first of several."""
    stored = [data for data in columns if isinstance(data, bytes)]
    try:
        masks = iter(from_stored(stored) if packed else unpack_all(stored))
    except ValueError as e:
        raise ProjectError(
            f"A mask of the image with the id {media_id} is damaged in the project ({e})."
        ) from e
    return [next(masks) if isinstance(data, bytes) else None for data in columns]
