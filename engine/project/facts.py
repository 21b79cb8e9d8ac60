"""A few numbers of every instance, kept beside the instances so that 100,000 images are surveyed at once.

The table `image_facts` holds one blob an image, an array of `_FACT`, written in the transaction that
writes the instances. It can be made again from them, and nothing else depends on it. Knows the tables
`instance` and `image_facts`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.document.diff import Diff
from engine.document.masks import unpack
from engine.document.records import Instance, Provenance
from engine.project.classes import standing

Fact: TypeAlias = tuple[int, int, float, float | None, str]
"""Of an instance: id, class, area in pixels, score, provenance."""

PROVENANCES = tuple(Provenance)
"""By the number under which a fact has them. Only ever append to Provenance."""

_NUMBERS = {provenance.value: number for number, provenance in enumerate(PROVENANCES)}
_PROPOSED = _NUMBERS[Provenance.PREDICTED]
_FACT = np.dtype(
    [("id", "<i8"), ("class_id", "<i8"), ("area", "<f4"), ("score", "<f4"), ("provenance", "u1")]
)


@dataclass(frozen=True, slots=True)
class Use:
    """How many instances on how many images."""

    instances: int = 0
    images: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What images hold, as columns: M images with an instance, N instances.

    media_ids: M int64, ascending. image: N int64, ascending, index into media_ids. class_ids: N int64.
    provenance: N uint8, index into PROVENANCES. scores: N float32, NaN for none. areas: N float32, pixels.
    """

    media_ids: NDArray[np.int64]
    image: NDArray[np.int64]
    class_ids: NDArray[np.int64]
    provenance: NDArray[np.uint8]
    scores: NDArray[np.float32]
    areas: NDArray[np.float32]

    @property
    def is_proposal(self) -> NDArray[np.bool_]:
        """N bool: which instances nobody has looked at."""
        return np.asarray(self.provenance == _PROPOSED)

    def seen_at(self, score: float) -> Survey:
        """Without the proposals below a score; an image keeps its place even where nothing is left."""
        return self._only(~(self.is_proposal & (self.scores < score)))

    def of_class(self, class_ids: Collection[int]) -> Survey:
        """Only the instances of some classes; an image keeps its place even where nothing is left."""
        return self._only(np.isin(self.class_ids, np.fromiter(class_ids, np.int64)))

    @property
    def use(self) -> Use:
        """How many instances there are, on how many images."""
        return Use(len(self.image), len(np.unique(self.image)))

    @property
    def counts(self) -> NDArray[np.int64]:
        """M: instances of each image."""
        return np.bincount(self.image, minlength=len(self.media_ids)).astype(np.int64, copy=False)

    @property
    def best(self) -> NDArray[np.float32]:
        """M: the highest score of each image; NaN where no instance has one."""
        return self._extreme(np.fmax)

    @property
    def worst(self) -> NDArray[np.float32]:
        """M: the lowest score of each image; NaN where no instance has one."""
        return self._extreme(np.fmin)

    @property
    def uncertainty(self) -> NDArray[np.float64]:
        """M: how doubtful each image's proposals are, 0..1; NaN without proposals.

        The mean over the proposals of 1 - |2s - 1|, which is 1 at a score s of one half and 0 at both
        ends, weighed by s. A score is about the chance that there is an object: so this is the doubt of
        an expected object, and the dozens of proposals near nothing that every image has do not drown it.
        """
        scores = np.where(self.is_proposal & ~np.isnan(self.scores), self.scores, 0.0)
        count = len(self.media_ids)
        weight = np.bincount(self.image, scores, count)
        doubt = np.bincount(self.image, scores * (1.0 - np.abs(2.0 * scores - 1.0)), count)
        uncertainty = np.full(count, np.nan)
        np.divide(doubt, weight, out=uncertainty, where=weight > 0)
        return uncertainty

    def replaced(self, media_ids: Collection[int], newer: Survey) -> Survey:
        """This survey with what `newer` says of some images in the place of what it said itself."""
        kept = self._only(~np.isin(self.media_ids[self.image], np.fromiter(media_ids, np.int64)))
        owners = np.concatenate((kept.media_ids[kept.image], newer.media_ids[newer.image]))
        order = np.argsort(owners, kind="stable")
        there, image = np.unique(owners[order], return_inverse=True)
        return Survey(
            there,
            image.astype(np.int64, copy=False),
            np.concatenate((kept.class_ids, newer.class_ids))[order],
            np.concatenate((kept.provenance, newer.provenance))[order],
            np.concatenate((kept.scores, newer.scores))[order],
            np.concatenate((kept.areas, newer.areas))[order],
        )

    def _extreme(self, better: np.ufunc) -> NDArray[np.float32]:
        extremes = np.full(len(self.media_ids), np.nan, np.float32)
        if len(self.image):
            there, starts = np.unique(self.image, return_index=True)
            extremes[there] = better.reduceat(self.scores, starts)
        return extremes

    def _only(self, keep: NDArray[np.bool_]) -> Survey:
        return Survey(
            self.media_ids,
            self.image[keep],
            self.class_ids[keep],
            self.provenance[keep],
            self.scores[keep],
            self.areas[keep],
        )


EMPTY = Survey(
    np.empty(0, np.int64),
    np.empty(0, np.int64),
    np.empty(0, np.int64),
    np.empty(0, np.uint8),
    np.empty(0, np.float32),
    np.empty(0, np.float32),
)
"""Of a project without instances."""


def note(connection: sqlite3.Connection, media_id: int, diff: Diff) -> None:
    """Bring an image's facts up to a diff that has just been written to the instances."""
    changed = {id_: new for id_, (_, new) in diff.updated.items()} | dict(diff.added)
    now = {id_: record for id_, record in changed.items() if isinstance(record, Instance)}
    gone = [id_ for id_, record in diff.removed.items() if isinstance(record, Instance)]
    if not now and not gone:
        return
    row = connection.execute("SELECT facts FROM image_facts WHERE media_id = ?", (media_id,)).fetchone()
    facts = np.frombuffer(row[0] if row else b"", _FACT)
    facts = facts[~np.isin(facts["id"], np.array([*now, *gone], np.int64))]
    # The rest comes of the row: an update wrote only the columns that it changed.
    found = (
        (id_, *values)
        for id_, record in now.items()
        for values in connection.execute(
            "SELECT class_id, ?, score, provenance FROM instance WHERE media_id = ? AND id = ?",
            (area_of(record), media_id, id_),
        )
    )
    _write(connection, media_id, np.concatenate((facts, _facts(found))))


def add(connection: sqlite3.Connection, media_id: int, found: Collection[Fact]) -> None:
    """Note instances that have just been added to an image."""
    if not found:
        return
    row = connection.execute("SELECT facts FROM image_facts WHERE media_id = ?", (media_id,)).fetchone()
    before = np.frombuffer(row[0] if row else b"", _FACT)
    _write(connection, media_id, np.concatenate((before, _facts(found))))


def add_first(connection: sqlite3.Connection, found: Sequence[tuple[int, Collection[Fact]]]) -> None:
    """Note instances that have just been added to images without any, each with its id."""
    facts = _facts(fact for _, some in found for fact in some)
    edges = np.cumsum([0, *(len(some) for _, some in found)]).tolist()
    connection.executemany(
        "INSERT INTO image_facts (media_id, facts) VALUES (?, ?)",
        (
            (media_id, facts[start:end].tobytes())
            for (media_id, some), start, end in zip(found, edges, edges[1:], strict=False)
            if some
        ),
    )


def fill(connection: sqlite3.Connection) -> None:
    """Make the facts of all images from their instances."""
    connection.execute("DELETE FROM image_facts")
    for (media_id,) in connection.execute("SELECT DISTINCT media_id FROM instance").fetchall():
        rows = connection.execute(
            "SELECT id, class_id, score, provenance, mask, (x1 - x0) * (y1 - y0) FROM instance"
            " WHERE media_id = ?",
            (media_id,),
        )
        found = (
            (id_, class_id, _stored_area(mask, box_area), score, provenance)
            for id_, class_id, score, provenance, mask, box_area in rows
        )
        _write(connection, media_id, _facts(found))


def survey(connection: sqlite3.Connection, media_ids: Collection[int] | None = None) -> Survey:
    """What all images hold, or some. What belongs to a deleted class is left out."""
    query = "SELECT media_id, facts FROM image_facts"
    if media_ids is None:
        rows = connection.execute(f"{query} ORDER BY media_id").fetchall()
    else:
        one = f"{query} WHERE media_id = ?"
        rows = [row for id_ in sorted(set(media_ids)) for row in connection.execute(one, (id_,))]
    facts = np.frombuffer(b"".join(row[1] for row in rows), _FACT)
    lengths = np.fromiter((len(row[1]) // _FACT.itemsize for row in rows), np.int64, len(rows))
    found = Survey(
        np.fromiter((row[0] for row in rows), np.int64, len(rows)),
        np.repeat(np.arange(len(rows)), lengths),
        facts["class_id"].copy(),
        facts["provenance"].copy(),
        facts["score"].copy(),
        facts["area"].copy(),
    )
    return _resolved(connection, found)


def _resolved(connection: sqlite3.Connection, found: Survey) -> Survey:
    deleted: list[int] = []
    for old, new in standing(connection).items():
        if new is None:
            deleted.append(old)
        else:
            found.class_ids[found.class_ids == old] = new
    return found._only(~np.isin(found.class_ids, np.array(deleted, np.int64))) if deleted else found


def _facts(rows: Iterable[Fact]) -> NDArray[np.void]:
    return np.array(
        [
            (id_, class_id, area, np.nan if score is None else score, _NUMBERS[provenance])
            for id_, class_id, area, score, provenance in rows
        ],
        _FACT,
    )


def _write(connection: sqlite3.Connection, media_id: int, facts: NDArray[np.void]) -> None:
    if len(facts):
        connection.execute(
            "INSERT OR REPLACE INTO image_facts (media_id, facts) VALUES (?, ?)", (media_id, facts.tobytes())
        )
    else:
        connection.execute("DELETE FROM image_facts WHERE media_id = ?", (media_id,))


def area_of(instance: Instance) -> float:
    """Pixels of the mask, or of the box where there is none."""
    if instance.mask is not None:
        return float(instance.mask.area)
    x0, y0, x1, y1 = instance.bounds_xyxy
    return float((x1 - x0) * (y1 - y0))


def _stored_area(mask: bytes | None, box_area: float | None) -> float:
    if mask is None:
        return box_area or 0.0
    try:
        return float(unpack(mask).area)
    except ValueError:  # damaged: whoever opens the image is told
        return 0.0
