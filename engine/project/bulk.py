"""Many images at once: what an import writes in one transaction, and what an export reads in one.

The rows come packed, as they lie in the database: nothing here decodes a mask that need not be. Functions
that take a connection run inside the caller's transaction. Knows the tables `instance`, `ignore_region`,
`image_state`, `image_facts`, `op` and `meta`.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from engine.document.codec import from_bytes, to_bytes
from engine.document.diff import Diff, Source
from engine.document.packing import pack
from engine.document.records import IMAGE_STATE_ID, ImageState, Instance, Provenance, Record, ReviewState
from engine.project import facts, rows
from engine.project.classes import resolve, standing

_IMPORT = "Import"
_UNDO_IMPORT = "Undo import"
_EXTRA = "extra"
_PROPOSED = frozenset({Provenance.PREDICTED.value})
_TOGETHER = 400  # images

COLUMNS = "id, class_id, provenance, score, x0, y0, x1, y1, z, track_id, extra, mask"
"""Of an instance's row, in this order."""


Row: TypeAlias = tuple[
    int, int, str, float | None, object, object, object, object, int, int | None, object, object, float
]
"""As `COLUMNS`, followed by the area in pixels."""


@dataclass(frozen=True, slots=True)
class ImageRows:
    """One image of an import. ignore: id and packed mask of each ignore region.

    extra: JSON text of what another format knows of the image, empty for nothing. reviewed: a person is known
    to have called the image right; that is more than what a model proposes here.
    """

    media_id: int
    width: int
    height: int
    rows: tuple[Row, ...]
    ignore: tuple[tuple[int, bytes], ...]
    flags: tuple[str, ...] = ()
    extra: str = ""
    reviewed: bool = False


@dataclass(slots=True)
class Imported:
    """What an import changed. kept: images that are reviewed and were left alone."""

    images: int = 0
    instances: int = 0
    already_there: int = 0
    kept: int = 0


def row_of(one: Instance) -> Row:
    """An instance as its row has it, the mask packed, followed by its area."""
    x0, y0, x1, y1 = one.box_xyxy or (None, None, None, None)
    mask = None if one.mask is None else pack(one.mask)
    return (
        one.id, one.class_id, one.provenance.value, one.score, x0, y0, x1, y1, one.z, one.track_id,
        rows.extra_of(one), mask, facts.area_of(one),
    )  # fmt: skip


def put_images(
    connection: sqlite3.Connection,
    images: Iterable[ImageRows],
    *,
    batch_id: str,
    format_name: str,
    class_ids: Mapping[int, int],
    reviewed: bool,
) -> Imported:
    """Add what an import brings to its images; what is there stays, and a reviewed image is left alone.

    class_ids: the project's class of each class of the rows. reviewed: an image that nobody has touched
    becomes reviewed. A record whose id is there already is passed over, so that a second import adds nothing.
    A proposal gives way to what a person made of it, and all of them on an image that comes as reviewed.
    """
    connection.execute("INSERT OR IGNORE INTO batch (id, started) VALUES (?, ?)", (batch_id, time.time()))
    done, taking = Imported(), _Taking(connection, batch_id, format_name)
    states = rows.read_states(connection)
    has_records = {
        media_id
        for table in ("instance", "ignore_region")
        for (media_id,) in connection.execute(f"SELECT DISTINCT media_id FROM {table}")
    }
    for image in images:
        state = states.get(image.media_id, ImageState())
        if state.review is ReviewState.REVIEWED:
            done.kept += 1
            continue
        is_first = image.media_id not in has_records
        there = {} if is_first else _there(connection, image.media_id)
        is_untouched = _PROPOSED.issuperset(there.values())
        gone = _giving_way(image, there, all_of_them=image.reviewed and is_untouched)
        if gone:
            _remove(connection, image.media_id, gone, batch_id)
            there = {id_: provenance for id_, provenance in there.items() if id_ not in gone}
        new = [_classed(row, class_ids) for row in image.rows if row[0] not in there]
        ignore = [(id_, mask) for id_, mask in image.ignore if id_ not in there]
        done.already_there += len(image.rows) - len(new)
        takes = (reviewed and state.review is ReviewState.UNLABELLED) or (image.reviewed and is_untouched)
        taking.add(image, new, ignore, state, reviewed=takes, is_first=is_first)
        done.images += 1
        done.instances += len(new)
    taking.flush()
    return done


def _there(connection: sqlite3.Connection, media_id: int) -> dict[int, str]:
    """The provenance of each record of an image; empty for an ignore region."""
    return dict(
        connection.execute(
            "SELECT id, provenance FROM instance WHERE media_id = ?1"
            " UNION ALL SELECT id, '' FROM ignore_region WHERE media_id = ?1",
            (media_id,),
        )
    )


def _giving_way(image: ImageRows, there: Mapping[int, str], *, all_of_them: bool) -> set[int]:
    """The proposals that go: those that come as a person's, or all."""
    brought = {row[0] for row in image.rows if row[2] not in _PROPOSED}
    proposed = {id_ for id_, provenance in there.items() if provenance in _PROPOSED}
    return proposed if all_of_them else proposed & brought


def _remove(connection: sqlite3.Connection, media_id: int, ids: set[int], batch_id: str) -> None:
    """Remove proposals, so that undoing the import brings them back."""
    diff = Diff(removed=rows.read_records(connection, media_id, ids, raw=True))
    rows.apply_diff(connection, media_id, diff)
    connection.execute(
        "INSERT INTO op (media_id, name, source, batch_id, time, diff) VALUES (?, ?, ?, ?, ?, ?)",
        (media_id, _IMPORT, Source.IMPORT, batch_id, time.time(), to_bytes(diff)),
    )


def _classed(row: Row, class_ids: Mapping[int, int]) -> Row:
    return (row[0], class_ids[row[1]], *row[2:])


class _Taking:
    """Images that are taken in, some hundred at a time: a statement for all of them, not one for each."""

    def __init__(self, connection: sqlite3.Connection, batch_id: str, format_name: str) -> None:
        self._connection, self._batch_id, self._format = connection, batch_id, format_name
        self._instances = list[tuple[object, ...]]()
        self._regions = list[tuple[object, ...]]()
        self._sizes = list[tuple[int, int, int]]()
        self._states = list[tuple[object, ...]]()
        self._ops = list[tuple[object, ...]]()
        self._extras = list[tuple[str, str]]()
        self._facts = list[tuple[int, list[facts.Fact]]]()

    def add(
        self,
        image: ImageRows,
        new: list[Row],
        ignore: list[tuple[int, bytes]],
        state: ImageState,
        *,
        reviewed: bool,
        is_first: bool,
    ) -> None:
        """Take one image in: its records, facts and state, and in the journal which records came."""
        media_id = image.media_id
        self._instances += [(media_id, *row[:-1]) for row in new]
        self._regions += [(media_id, *region) for region in ignore]
        self._sizes.append((image.width, image.height, media_id))
        found = [(row[0], row[1], row[-1], row[3], row[2]) for row in new]
        if is_first:
            self._facts.append((media_id, found))
        else:
            facts.add(self._connection, media_id, found)
        becomes = ReviewState.REVIEWED if reviewed else state.review
        flags = tuple(dict.fromkeys((*state.flags, *image.flags)))
        after = replace(state, review=becomes, flags=flags)
        self._states.append((media_id, becomes.value, json.dumps(flags)))
        # Ids are enough: an import is taken back by them, and never made again from here.
        light: dict[int, Record] = {
            row[0]: Instance(row[0], row[1], provenance=Provenance(row[2])) for row in new
        }
        light |= {id_: Instance(id_, 0) for id_, _ in ignore}
        changed = {IMAGE_STATE_ID: (state, after)} if after != state else {}
        diff = to_bytes(Diff(light, changed))
        self._ops.append((media_id, _IMPORT, Source.IMPORT, self._batch_id, time.time(), diff))
        if image.extra:
            self._extras.append((_key(self._format, media_id), image.extra))
        if len(self._ops) >= _TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Write what has gathered."""
        put = self._connection.executemany
        marks = ", ".join("?" * 13)
        put(f"INSERT INTO instance (media_id, {COLUMNS}) VALUES ({marks})", self._instances)
        put("INSERT INTO ignore_region (media_id, id, mask) VALUES (?, ?, ?)", self._regions)
        put("UPDATE media SET width = ?, height = ? WHERE id = ? AND width = 0", self._sizes)
        put(
            "INSERT INTO image_state (media_id, review, flags) VALUES (?, ?, ?)"
            " ON CONFLICT (media_id) DO UPDATE SET review = excluded.review, flags = excluded.flags",
            self._states,
        )
        put(
            "INSERT INTO op (media_id, name, source, batch_id, time, diff) VALUES (?, ?, ?, ?, ?, ?)",
            self._ops,
        )
        put("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", self._extras)
        facts.add_first(self._connection, self._facts)
        for gathered in (self._instances, self._regions, self._sizes, self._states, self._ops, self._extras,
                         self._facts):  # fmt: skip
            gathered.clear()


def undo_import(connection: sqlite3.Connection, batch_id: str) -> int:
    """Take an import back; what a person has touched since stays. Returns how many images changed."""
    ops = connection.execute(
        "SELECT seq, media_id, diff FROM op WHERE batch_id = ? AND source = ? AND undone = 0"
        " ORDER BY seq DESC",
        (batch_id, Source.IMPORT),
    ).fetchall()
    return len({media_id for seq, media_id, data in ops if _undo_one(connection, seq, media_id, data)})


def _undo_one(connection: sqlite3.Connection, seq: int, media_id: int, data: bytes) -> bool:
    connection.execute("UPDATE op SET undone = 1 WHERE seq = ?", (seq,))
    before = rows.read_records(connection, media_id, raw=True)
    brought = from_bytes(data, before)
    later = connection.execute(
        "SELECT diff FROM op WHERE media_id = ? AND source = ? AND seq > ?", (media_id, Source.USER, seq)
    ).fetchall()
    touched = {id_ for (diff,) in later for id_ in from_bytes(diff, before).ids}
    after = {
        id_: record
        for id_, record in before.items()
        if id_ not in brought.added or id_ in touched or not _is_as_brought(record, brought.added[id_])
    }
    state = before[IMAGE_STATE_ID]
    assert isinstance(state, ImageState)
    if state.review is not ReviewState.REVIEWED:  # else a person has said meanwhile that all is there
        after |= {id_: record for id_, record in brought.removed.items() if id_ not in after}
    if IMAGE_STATE_ID in brought.updated and not later and state == brought.updated[IMAGE_STATE_ID][1]:
        after[IMAGE_STATE_ID] = brought.updated[IMAGE_STATE_ID][0]
    diff = Diff.between(before, after)
    if diff.is_empty:
        return False
    rows.apply_diff(connection, media_id, diff)
    connection.execute(
        "INSERT INTO op (media_id, name, source, time, diff) VALUES (?, ?, ?, ?, ?)",
        (media_id, _UNDO_IMPORT, Source.IMPORT, time.time(), to_bytes(diff)),
    )
    return True


def _is_as_brought(record: Record, brought: Record) -> bool:
    if not isinstance(record, Instance) or not isinstance(brought, Instance):
        return True
    # An older journal says nothing of the provenance: what it brought was imported.
    return record.provenance in (brought.provenance, Provenance.IMPORTED)


# What other formats know and this project does not


def put_extra(
    connection: sqlite3.Connection, format_name: str, value: str, media_id: int | None = None
) -> None:
    """Keep JSON text for the next export to a format: of one image, or of the whole file."""
    connection.execute(
        "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (_key(format_name, media_id), value)
    )


def read_extra(
    connection: sqlite3.Connection, format_name: str, media_id: int | None = None
) -> dict[str, object]:
    """What `put_extra` kept; empty where there is nothing."""
    row = connection.execute(
        "SELECT value FROM meta WHERE key = ?", (_key(format_name, media_id),)
    ).fetchone()
    found = json.loads(row[0]) if row else {}
    return found if isinstance(found, dict) else {}


def _key(format_name: str, media_id: int | None) -> str:
    return f"{_EXTRA}:{format_name}" + ("" if media_id is None else f":{media_id}")


# Reading


def labelled_media(connection: sqlite3.Connection, *, proposals: bool) -> dict[int, bool]:
    """The images that somebody labelled, by id, and whether each is reviewed."""
    reviewed = {
        id_: True
        for (id_,) in connection.execute(
            "SELECT media_id FROM image_state WHERE review = ?", (ReviewState.REVIEWED.value,)
        )
    }
    where = "" if proposals else " WHERE provenance != 'predicted'"
    others = connection.execute(f"SELECT DISTINCT media_id FROM instance{where}")
    return dict.fromkeys((id_ for (id_,) in others), False) | reviewed


@dataclass(frozen=True, slots=True)
class KnownImage:
    """What is known of an image. extra: what another format alone knows of it, as it was imported."""

    media_id: int
    records: dict[int, Record]
    extra: dict[str, object]


def read_many(
    connection: sqlite3.Connection, media_ids: Sequence[int], format_name: str, *, packed: bool = False
) -> Iterator[KnownImage]:
    """Each image with the classes that stand. format_name: whose own knowledge comes too.

    packed: masks make their bitmaps when they are asked for.
    """
    gone = standing(connection)
    for start in range(0, len(media_ids), _TOGETHER):
        some = media_ids[start : start + _TOGETHER]
        found = rows.read_many(connection, some, packed=packed)
        extras = _read_extras(connection, format_name, some)
        for media_id in some:
            records = resolve(gone, found[media_id]) if gone else found[media_id]
            extra = extras.get(_key(format_name, media_id))
            yield KnownImage(media_id, records, extra if isinstance(extra, dict) else {})


def _read_extras(
    connection: sqlite3.Connection, format_name: str, media_ids: Sequence[int]
) -> dict[str, object]:
    keys = [_key(format_name, media_id) for media_id in media_ids]
    query = f"SELECT key, value FROM meta WHERE key IN ({', '.join('?' * len(keys))})"
    return {key: json.loads(value) for key, value in connection.execute(query, keys)}
