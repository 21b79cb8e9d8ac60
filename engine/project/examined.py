"""What a model made of images beyond its proposals: its doubts, and where it disagrees with a person.

Knows the table `examined`; what the figures mean is `engine.tuning`'s business.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum

from engine.document.records import Box


class ConflictKind(StrEnum):
    """How a model and a person disagree on an object of a reviewed image."""

    FORGOTTEN = "forgotten"  # the model is sure of an object where nobody labelled one
    DOUBTED = "doubted"  # the person labelled one where the model sees nothing
    OTHER_CLASS = "other class"
    OUTLINE = "outline"  # they agree on the object and not on its pixels


@dataclass(frozen=True, slots=True)
class Conflict:
    """One disagreement. instance: the person's, None where there is none. box: where it is, image pixels.

    class_name: what the model says it is, or what the person said where the model sees nothing. weight:
    0..1, how much it looks like a mistake.
    """

    kind: ConflictKind
    box_xyxy: Box
    class_name: str
    weight: float
    instance: int | None = None


@dataclass(frozen=True, slots=True)
class Examined:
    """Of one image. key: names model and content. doubt: 0..1, None for a reviewed image."""

    media_id: int
    key: str
    doubt: float | None = None
    conflicts: tuple[Conflict, ...] = ()

    @property
    def weight(self) -> float:
        """How much the image looks like one with a mistake, 0..1: by its worst conflict."""
        return max((one.weight for one in self.conflicts), default=0.0)


def read(connection: sqlite3.Connection) -> dict[int, Examined]:
    """Every image that was examined, by its id."""
    rows = connection.execute("SELECT media_id, key, doubt, conflicts FROM examined")
    return {media_id: Examined(media_id, key, doubt, from_json(text)) for media_id, key, doubt, text in rows}


def write(connection: sqlite3.Connection, examined: Examined) -> None:
    """Put down what was found; an older finding of the image is replaced."""
    text = to_json(examined.conflicts)
    connection.execute(
        "INSERT OR REPLACE INTO examined (media_id, key, doubt, conflicts) VALUES (?, ?, ?, ?)",
        (examined.media_id, examined.key, examined.doubt, text),
    )


def to_json(conflicts: Iterable[Conflict]) -> str:
    """As the project holds them."""
    return json.dumps([asdict(one) for one in conflicts])


def from_json(text: str) -> tuple[Conflict, ...]:
    """What `to_json` wrote."""
    return tuple(
        Conflict(**{**one, "kind": ConflictKind(one["kind"]), "box_xyxy": tuple(one["box_xyxy"])})
        for one in json.loads(text)
    )
