"""What a person made of an image's proposals, out of the journal. Knows the tables `op` and `prediction`.

A proposal keeps its id whatever becomes of it, so that what was proposed and what stands now tell the story.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.document.codec import from_bytes
from engine.document.diff import Diff, Source
from engine.document.records import IMAGE_STATE_ID, ImageState, Instance, Record, ReviewState
from engine.errors import ProjectError


@dataclass(frozen=True, slots=True)
class ReviewPast:
    """How an image was reviewed.

    proposed: what the last batch proposed, by id. weights: SHA-256 of the model that did, empty where none
    did. rejected: ids of proposals that the person removed one by one; those that were hidden when the
    image was accepted are not among them. edits: how many steps the person took after the proposals, the
    accepting itself not counted. time: of the last step, in seconds since 1970.
    """

    media_id: int
    proposed: Mapping[int, Instance] = field(default_factory=dict)
    weights: str = ""
    rejected: frozenset[int] = frozenset()
    edits: int = 0
    time: float = 0.0


def last_reviewed(connection: sqlite3.Connection, count: int) -> tuple[int, ...]:
    """The images that a person reviewed last, the latest first; by the last step on each."""
    rows = connection.execute(
        """SELECT op.media_id FROM op JOIN image_state ON image_state.media_id = op.media_id
        WHERE source = ? AND undone = 0 AND review = ?
        GROUP BY op.media_id ORDER BY max(seq) DESC LIMIT ?""",
        (Source.USER, ReviewState.REVIEWED, count),
    )
    return tuple(media_id for (media_id,) in rows)


def last_edits(connection: sqlite3.Connection, media_id: int | None = None) -> dict[int, int]:
    """Of each image, or of one, a number that is another after every step on it, done, undone or redone."""
    where, values = ("", ()) if media_id is None else (" WHERE media_id = ?", (media_id,))
    found = connection.execute(
        f"SELECT media_id, max(seq), sum(undone) FROM op{where} GROUP BY media_id", values
    )
    return {media_id: 1_000_000 * undone + seq for media_id, seq, undone in found}


def read(connection: sqlite3.Connection, media_id: int) -> ReviewPast:
    """How the image came to be what it is. Raises ProjectError for a damaged journal."""
    proposing = connection.execute(
        """SELECT prediction.seq, key, diff FROM prediction JOIN op ON op.seq = prediction.seq
        WHERE prediction.media_id = ? AND op.undone = 0 ORDER BY prediction.seq DESC LIMIT 1""",
        (media_id,),
    ).fetchone()
    seq, key, diff = proposing or (0, "", None)
    proposed = {
        id_: record
        for id_, record in (_read(media_id, diff).added if diff is not None else {}).items()
        if isinstance(record, Instance)
    }
    rejected, edits, latest = set[int](), 0, 0.0
    for time, data in connection.execute(
        "SELECT time, diff FROM op WHERE media_id = ? AND source = ? AND undone = 0 AND seq > ? ORDER BY seq",
        (media_id, Source.USER, seq),
    ):
        step = _read(media_id, data)
        latest = max(latest, time)
        accepting = _is_accepting(step)
        edits += not accepting
        if not accepting:
            rejected |= step.removed.keys() & proposed.keys()
            rejected -= step.added.keys()
    words = str(key).split(" ")
    weights = words[1] if len(words) > 1 else ""
    return ReviewPast(media_id, proposed, weights, frozenset(rejected), edits, latest)


def _is_accepting(step: Diff) -> bool:
    """Whether this step made the image reviewed and drew nothing: what it removed had been hidden."""
    _, state = step.updated.get(IMAGE_STATE_ID, (None, None))
    return isinstance(state, ImageState) and state.review is ReviewState.REVIEWED and not step.added


def _read(media_id: int, data: bytes) -> Diff:
    known: dict[int, Record] = {IMAGE_STATE_ID: ImageState()}
    try:
        return from_bytes(data, known)
    except ValueError as e:
        raise ProjectError(f"An edit of the image with the id {media_id} cannot be read: {e}.") from e
