"""Records for the tests of the project, and what a project holds."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import numpy as np

from engine.document.diff import Diff
from engine.document.masks import Mask
from engine.document.records import Instance, Provenance, Record, new_id
from engine.project import Project


def square(x: int = 0, y: int = 0, side: int = 4) -> Mask:
    """A square mask."""
    return Mask.from_crop(x, y, np.ones((side, side), np.bool_))


def speckled(random_: random.Random, side: int = 12) -> Mask:
    """A mask with holes and parts."""
    pixels = np.array([[random_.random() < 0.5 for _ in range(side)] for _ in range(side)])
    return Mask.from_crop(random_.randrange(50), random_.randrange(50), pixels)


def drawn(class_id: int, x: int = 0) -> Instance:
    """An instance that a person drew."""
    return Instance(new_id(), class_id, square(x))


def proposal(class_id: int, x: int = 0, score: float = 0.5) -> Instance:
    """An instance that a model predicted."""
    return Instance(new_id(), class_id, square(x), score=score, provenance=Provenance.PREDICTED)


def adding(*records: Instance) -> Diff:
    """The diff that adds them."""
    return Diff(added={record.id: record for record in records})


def ids(project: Project) -> list[int]:
    """The media ids in the order of the list."""
    return [item.id for item in project.media()]


def id_of(project: Project, path: str) -> int:
    """The id of the item at a path that is not missing."""
    (found,) = (item.id for item in project.media() if item.path == path and not item.missing)
    return found


def instances_of(project: Project, media_id: int) -> set[int]:
    """The ids of the image's instances."""
    return {instance.id for instance in project.load(media_id).instances}


def everything(project: Project) -> dict[int, Mapping[int, Record]]:
    """All records by image."""
    return {media_id: dict(project.load(media_id).records) for media_id in ids(project)}


def quick_check(database: Path) -> str:
    """SQLite's own verdict on the file."""
    with closing(sqlite3.connect(database)) as connection:
        return str(connection.execute("PRAGMA quick_check").fetchone()[0])
