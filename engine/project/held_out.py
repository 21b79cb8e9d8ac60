"""Which reviewed images are kept to measure models on: decided once for each image, never changed.

A hash of the file's content decides, and sees to it that the share of held-out images is near what was asked
for however few there are. Near-duplicates of an image, and the frames of one file, go where it went: what
was as good as learned by heart cannot be measured. Knows the tables `held_out`, `media` and `image_state`.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from engine.document.records import ReviewState
from engine.media.likeness import ALIKE, distances

MOST_ALIKE = 12
"""Near-duplicates in one family. Where a camera that stands still makes all pictures alike, they would
otherwise all be one, and nothing held out."""

MOST_OVERDUE = 1.0
"""Images that may be missing from the held-out ones, or too many among them, before the hash is overruled."""


@dataclass(frozen=True, slots=True)
class Look:
    """A newly reviewed image, as `engine.media.likeness` sees it."""

    media_id: int
    likeness: bytes


@dataclass(frozen=True, slots=True)
class _Image:
    media_id: int
    path: str
    family: int
    held_out: bool
    likeness: bytes


def read(connection: sqlite3.Connection) -> dict[int, bool]:
    """Of each image that was assigned, whether it is held out."""
    rows = connection.execute("SELECT media_id, held_out FROM held_out")
    return {media_id: held_out == 1 for media_id, held_out in rows}


def unassigned(connection: sqlite3.Connection) -> frozenset[int]:
    """The reviewed images, their files in place, that were not assigned yet."""
    rows = connection.execute(
        """SELECT media.id FROM media JOIN image_state ON media_id = media.id
        WHERE review = ? AND NOT missing AND NOT changed
        AND NOT EXISTS (SELECT 1 FROM held_out WHERE held_out.media_id = media.id)""",
        (ReviewState.REVIEWED,),
    )
    return frozenset(media_id for (media_id,) in rows)


def assign(connection: sqlite3.Connection, looks: Iterable[Look], share: float) -> None:
    """Decide on each of these images, for good. share: of all images that should be held out, 0..1."""
    known = [_Image(*row[:3], held_out=row[3] == 1, likeness=row[4]) for row in _rows(connection)]
    have = {image.media_id for image in known}
    places = dict(connection.execute("SELECT id, path || '\t' || content_hash FROM media"))
    new = [look for look in looks if look.media_id not in have and look.media_id in places]
    for look in sorted(new, key=lambda look: (_chance(places[look.media_id]), look.media_id)):
        path = places[look.media_id].partition("\t")[0]
        kin = _kin(known, path, look.likeness)
        held_out = kin.held_out if kin else _decided(known, _chance(places[look.media_id]), share)
        image = _Image(look.media_id, path, kin.family if kin else look.media_id, held_out, look.likeness)
        known.append(image)
        connection.execute(
            "INSERT INTO held_out (media_id, family, held_out, likeness) VALUES (?, ?, ?, ?)",
            (image.media_id, image.family, image.held_out, image.likeness),
        )


def _rows(connection: sqlite3.Connection) -> list[tuple[int, str, int, int, bytes]]:
    return connection.execute(
        """SELECT media_id, path, family, held_out, likeness FROM held_out
        JOIN media ON media.id = media_id ORDER BY held_out.rowid"""
    ).fetchall()


def _kin(known: list[_Image], path: str, likeness: bytes) -> _Image | None:
    """An image of the same file, else the most alike of a family that has room; None where there is none."""
    for image in known:
        if image.path == path:
            return image
    if not known:
        return None
    sizes = Counter(image.family for image in known)
    apart = distances(likeness, [image.likeness for image in known])
    order: list[int] = apart.argsort(kind="stable").tolist()
    for place in order:
        if apart[place] > ALIKE:
            return None
        if sizes[known[place].family] < MOST_ALIKE:
            return known[place]
    return None


def _decided(known: list[_Image], chance: float, share: float) -> bool:
    """By chance, unless the held-out images are too few or too many already."""
    if share <= 0:
        return False
    families = {image.family: image.held_out for image in known}
    due = share * (len(families) + 1) - sum(families.values())
    if due >= MOST_OVERDUE:
        return True
    return chance < share and due > -MOST_OVERDUE


def _chance(place: str) -> float:
    """0..1, of the file's content."""
    content = place.partition("\t")[2] or place
    return int.from_bytes(hashlib.sha256(content.encode("utf-8", "surrogateescape")).digest()[:6]) / 2**48
