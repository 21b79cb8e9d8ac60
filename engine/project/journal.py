"""The journal: every edit with what undoes it, so that undo outlives the program.

Each function is one step of a transaction on the writer thread. The user's edits are undone and
redone one by one; what a batch proposed is undone as a batch. Knows the tables `op`, `batch` and
`prediction`; how records become rows is the affair of `rows`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from engine.document.codec import from_bytes, to_bytes
from engine.document.diff import Diff, Source
from engine.document.records import IMAGE_STATE_ID, ImageState, Instance, Record, ReviewState
from engine.document.rules import check_allowed, without_verdict
from engine.errors import ProjectError
from engine.project.classes import resolve_diff
from engine.project.rows import apply_diff, read_records, read_state

_PROPOSE = "Propose"
_UNDO_BATCH = "Undo batch"
_CHUNK = 100


@dataclass(frozen=True, slots=True)
class Batch:
    """One run over many images.

    `started` is in seconds since 1970; `images` counts those whose proposals of this run are not undone.
    """

    id: str
    started: float
    images: int


@dataclass(frozen=True, slots=True)
class Past:
    """Names of a person's edits of one image. done: oldest first; undone: the next to redo last."""

    done: tuple[str, ...] = ()
    undone: tuple[str, ...] = ()


def save(
    connection: sqlite3.Connection, media_id: int, diff: Diff, *, name: str, source: Source, uid: int
) -> None:
    """Apply an edit and record it; once, however often it is tried with the same `uid`.

    A person's edit is written as it is, and ends what could be redone on this image. Of anybody
    else's, what no longer makes sense is left out. Raises ProtectedError where the source may not.
    """
    if connection.execute("SELECT 1 FROM op WHERE uid = ?", (uid,)).fetchone():
        return
    if source is Source.USER:
        connection.execute(
            "DELETE FROM op WHERE media_id = ? AND source = ? AND undone = 1", (media_id, Source.USER)
        )
    else:
        diff = diff.fitted_to(read_records(connection, media_id, diff.ids))
        check_allowed(diff, source, read_state(connection, media_id))
    apply_diff(connection, media_id, diff)
    _record(connection, media_id, diff, name=name, source=source, uid=uid)


def undo(connection: sqlite3.Connection, media_id: int) -> Diff | None:
    """Undo the user's last edit of the image; return what this changed, None where nothing is left."""
    return _move(connection, media_id, undone=True)


def redo(connection: sqlite3.Connection, media_id: int) -> Diff | None:
    """Redo what was undone last; return what this changed, None where nothing is left."""
    return _move(connection, media_id, undone=False)


def history(connection: sqlite3.Connection, media_id: int) -> Past:
    """What of the user's edits of the image can be undone and redone."""
    query = "SELECT name, undone FROM op WHERE media_id = ? AND source = ? ORDER BY seq"
    rows = connection.execute(query, (media_id, Source.USER)).fetchall()
    return Past(
        tuple(name for name, undone in rows if not undone),
        tuple(name for name, undone in reversed(rows) if undone),
    )


def put_proposals(
    connection: sqlite3.Connection, media_id: int, instances: Iterable[Instance], key: str, batch_id: str
) -> bool:
    """Replace the image's proposals; False, and nothing changed, where a person has reviewed it.

    Raises ProtectedError for an instance that is no proposal.
    """
    state = read_state(connection, media_id)
    if state.review is ReviewState.REVIEWED:
        return False
    # The proposals of deleted classes too: they must not come back with their class beside the new ones.
    before = read_records(connection, media_id, raw=True)
    after = {id_: record for id_, record in before.items() if not _is_proposal(record)}
    if len(after) == 1:  # nothing but the state: all there will be was made for the present content
        connection.execute("UPDATE media SET changed = 0, labelled_hash = '' WHERE id = ?", (media_id,))
    after |= {instance.id: instance for instance in instances}
    after[IMAGE_STATE_ID] = replace(state, review=ReviewState.PROPOSED)
    diff = Diff.between(before, after)
    check_allowed(diff, Source.ENGINE, state)
    connection.execute("INSERT OR IGNORE INTO batch (id, started) VALUES (?, ?)", (batch_id, time.time()))
    apply_diff(connection, media_id, diff)
    seq = _record(connection, media_id, diff, name=_PROPOSE, source=Source.ENGINE, batch_id=batch_id)
    connection.execute(
        "INSERT INTO prediction (seq, media_id, key, batch_id) VALUES (?, ?, ?, ?)",
        (seq, media_id, key, batch_id),
    )
    return True


def prediction_key(connection: sqlite3.Connection, media_id: int) -> str | None:
    """What the image's proposals were made from, None where it has none."""
    row = connection.execute(
        "SELECT key FROM prediction WHERE media_id = ? ORDER BY seq DESC LIMIT 1", (media_id,)
    ).fetchone()
    return None if row is None else str(row[0])


def batches(connection: sqlite3.Connection) -> tuple[Batch, ...]:
    """The batches, newest first."""
    rows = connection.execute(
        """SELECT batch.id, started, count(DISTINCT op.media_id) FROM batch
        LEFT JOIN op ON op.batch_id = batch.id AND op.undone = 0
        GROUP BY batch.id ORDER BY started DESC, batch.rowid DESC"""
    )
    return tuple(Batch(*row) for row in rows)


def undo_some_of_batch(connection: sqlite3.Connection, batch_id: str) -> tuple[frozenset[int], bool]:
    """Undo a part of a batch: the images that this changed, and whether the batch is undone now.

    What a person accepted, corrected or drew stays, and so does a reviewed image. Proposals that
    the batch replaced come back, unless their own batch was undone too.
    """
    rows = connection.execute(
        "SELECT seq, media_id, diff FROM op WHERE batch_id = ? AND undone = 0 ORDER BY seq DESC LIMIT ?",
        (batch_id, _CHUNK),
    ).fetchall()
    changed = [media_id for seq, media_id, diff in rows if _undo_proposals(connection, seq, media_id, diff)]
    return frozenset(changed), len(rows) < _CHUNK


def _undo_proposals(connection: sqlite3.Connection, seq: int, media_id: int, data: bytes) -> bool:
    connection.execute("UPDATE op SET undone = 1 WHERE seq = ?", (seq,))
    connection.execute("DELETE FROM prediction WHERE seq = ?", (seq,))
    before = read_records(connection, media_id, raw=True)
    state = before[IMAGE_STATE_ID]
    assert isinstance(state, ImageState)
    if state.review is ReviewState.REVIEWED:
        return False
    diff = _read(data, media_id, before)
    after = {
        id_: record for id_, record in before.items() if not (id_ in diff.added and _is_proposal(record))
    }
    left = connection.execute(
        "SELECT max(seq) FROM op WHERE media_id = ? AND batch_id IS NOT NULL AND undone = 0", (media_id,)
    ).fetchone()[0]
    if left is None or left < seq:
        unwanted = _proposed_by_undone(connection, media_id)
        for id_, record in diff.removed.items():
            if id_ not in unwanted:
                after.setdefault(id_, record)
    if left is None and state.review is ReviewState.PROPOSED:
        after[IMAGE_STATE_ID] = replace(state, review=ReviewState.UNLABELLED)
    undoing = Diff.between(before, after)
    if undoing.is_empty:
        return False
    apply_diff(connection, media_id, undoing)
    _record(connection, media_id, undoing, name=_UNDO_BATCH, source=Source.ENGINE)
    return True


def _proposed_by_undone(connection: sqlite3.Connection, media_id: int) -> set[int]:
    rows = connection.execute(
        "SELECT diff FROM op WHERE media_id = ? AND batch_id IS NOT NULL AND undone = 1", (media_id,)
    )
    return {id_ for (diff,) in rows for id_ in _read(diff, media_id, {}).added}


def _read(data: bytes, media_id: int, records: Mapping[int, Record]) -> Diff:
    try:
        return from_bytes(data, records)
    except ValueError as e:
        raise ProjectError(f"An edit of the image with the id {media_id} cannot be undone: {e}.") from e


def _move(connection: sqlite3.Connection, media_id: int, *, undone: bool) -> Diff | None:
    """Undo or redo one edit as `engine.document.history` does; one of which nothing is left is dropped."""
    order = "DESC" if undone else "ASC"
    query = f"""SELECT seq, seen, diff FROM op WHERE media_id = ? AND source = ? AND undone = ?
        ORDER BY seq {order} LIMIT 1"""
    records = read_records(connection, media_id)
    foreign = _last_foreign(connection, media_id)
    while row := connection.execute(query, (media_id, Source.USER, not undone)).fetchone():
        seq, seen, data = row
        diff = resolve_diff(connection, _read(data, media_id, records))
        if undone:
            diff = diff.invert()
        if seen != foreign:
            diff = without_verdict(diff)
        diff = diff.fitted_to(records)
        if diff.is_empty:
            connection.execute("DELETE FROM op WHERE seq = ?", (seq,))
            continue
        apply_diff(connection, media_id, diff)
        connection.execute(
            "UPDATE op SET undone = ?, seen = ?, diff = ? WHERE seq = ?",
            (undone, foreign, to_bytes(diff.invert() if undone else diff), seq),
        )
        return diff
    return None


def _record(
    connection: sqlite3.Connection,
    media_id: int,
    diff: Diff,
    *,
    name: str,
    source: Source,
    batch_id: str | None = None,
    uid: int | None = None,
) -> int:
    cursor = connection.execute(
        """INSERT INTO op (media_id, name, source, batch_id, time, seen, uid, diff)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            media_id,
            name,
            source,
            batch_id,
            time.time(),
            _last_foreign(connection, media_id),
            uid,
            to_bytes(diff),
        ),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _last_foreign(connection: sqlite3.Connection, media_id: int) -> int:
    """The last edit of the image that was not a person's; 0 where there is none."""
    row = connection.execute(
        "SELECT max(seq) FROM op WHERE media_id = ? AND source IN (?, ?)",
        (media_id, Source.ENGINE, Source.IMPORT),
    ).fetchone()
    return int(row[0] or 0)


def stamp(connection: sqlite3.Connection, media_id: int) -> tuple[int, int, int]:
    """Three numbers that are others after every edit of the image, its undoing and its redoing."""
    last, undone, count = connection.execute(
        "SELECT max(seq), total(undone), count(*) FROM op WHERE media_id = ?", (media_id,)
    ).fetchone()
    return int(last or 0), int(undone), int(count)


def _is_proposal(record: Record) -> bool:
    return isinstance(record, Instance) and record.provenance.is_proposal
