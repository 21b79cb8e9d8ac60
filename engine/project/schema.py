"""The tables of a project database, and how an older one becomes a newer one.

A version is counted in `PRAGMA user_version`. A new database is version 0 with no table in it, and
takes the same road as an old one. Knows tables; what stands in them is the affair of other modules.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from engine.errors import ProjectError
from engine.project import facts
from engine.project.connect import copy_database

APPLICATION_ID = 0x4D53_4B57  # "MSKW", so that `file` and we can tell whose database it is

Migration: TypeAlias = Callable[[sqlite3.Connection], None]

_TABLES_1 = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    # One row a frame; the rows of one file share path, size, mtime and hashes. `labelled_hash` is the
    # content that the instances were made for, set while `changed` says that the file holds another.
    """CREATE TABLE media (
        id INTEGER PRIMARY KEY,
        path TEXT NOT NULL,
        frame INTEGER NOT NULL DEFAULT 0 CHECK (frame >= 0),
        width INTEGER NOT NULL DEFAULT 0,
        height INTEGER NOT NULL DEFAULT 0,
        content_hash TEXT NOT NULL DEFAULT '',
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        missing INTEGER NOT NULL DEFAULT 0 CHECK (missing IN (0, 1)),
        changed INTEGER NOT NULL DEFAULT 0 CHECK (changed IN (0, 1)),
        labelled_hash TEXT NOT NULL DEFAULT ''
    ) STRICT""",
    # A missing file may leave its name to another one.
    "CREATE UNIQUE INDEX media_place ON media (path, frame) WHERE missing = 0",
    """CREATE TABLE class (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        color TEXT NOT NULL,
        position INTEGER NOT NULL,
        keypoints TEXT NOT NULL DEFAULT '[]',
        skeleton TEXT NOT NULL DEFAULT '[]'
    ) STRICT""",
    # Instance ids are random; the row ids follow the order of writing, so that one image's rows lie
    # together. `extra` is JSON of the rare fields, NULL where all of them are empty.
    """CREATE TABLE instance (
        media_id INTEGER NOT NULL REFERENCES media (id),
        id INTEGER NOT NULL,
        class_id INTEGER NOT NULL REFERENCES class (id),
        provenance TEXT NOT NULL,
        score REAL,
        x0 REAL, y0 REAL, x1 REAL, y1 REAL,
        z INTEGER NOT NULL DEFAULT 0,
        track_id INTEGER,
        extra TEXT,
        mask BLOB
    ) STRICT""",
    "CREATE UNIQUE INDEX instance_place ON instance (media_id, id)",
    """CREATE TABLE ignore_region (
        media_id INTEGER NOT NULL REFERENCES media (id),
        id INTEGER NOT NULL,
        mask BLOB NOT NULL
    ) STRICT""",
    "CREATE UNIQUE INDEX ignore_region_place ON ignore_region (media_id, id)",
    """CREATE TABLE image_state (
        media_id INTEGER PRIMARY KEY REFERENCES media (id),
        review TEXT NOT NULL,
        flags TEXT NOT NULL DEFAULT '[]',
        skip INTEGER NOT NULL DEFAULT 0 CHECK (skip IN (0, 1))
    ) STRICT""",
    "CREATE TABLE batch (id TEXT PRIMARY KEY, started REAL NOT NULL) STRICT",
    # `diff` holds old and new values: read backwards it is its own inverse. `seen` is the last edit by
    # anybody else on the image when this one was made, undone or redone. `uid` keeps an
    # edit whose commit was reported as failed, and was not, from being written twice.
    """CREATE TABLE op (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        media_id INTEGER NOT NULL REFERENCES media (id),
        name TEXT NOT NULL,
        source TEXT NOT NULL,
        batch_id TEXT REFERENCES batch (id),
        time REAL NOT NULL,
        undone INTEGER NOT NULL DEFAULT 0 CHECK (undone IN (0, 1)),
        seen INTEGER NOT NULL DEFAULT 0,
        uid INTEGER UNIQUE,
        diff BLOB NOT NULL
    ) STRICT""",
    "CREATE INDEX op_media ON op (media_id, source, undone, seq)",
    "CREATE INDEX op_batch ON op (batch_id, seq) WHERE batch_id IS NOT NULL",
    # The last row of an image is the proposals it shows; undoing a batch removes its rows.
    """CREATE TABLE prediction (
        seq INTEGER PRIMARY KEY REFERENCES op (seq),
        media_id INTEGER NOT NULL REFERENCES media (id),
        key TEXT NOT NULL,
        batch_id TEXT NOT NULL REFERENCES batch (id)
    ) STRICT""",
    "CREATE INDEX prediction_media ON prediction (media_id, seq)",
)


def _to_1(connection: sqlite3.Connection) -> None:
    for statement in _TABLES_1:
        connection.execute(statement)


_TABLES_2 = (
    # A class that was merged or deleted stays as a row: instances and the journal may name it. Two
    # classes that stand never share a name.
    """CREATE TABLE new_class (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        color TEXT NOT NULL,
        position INTEGER NOT NULL,
        keypoints TEXT NOT NULL DEFAULT '[]',
        skeleton TEXT NOT NULL DEFAULT '[]',
        gone INTEGER NOT NULL DEFAULT 0 CHECK (gone IN (0, 1)),
        merged_into INTEGER REFERENCES class (id)
    ) STRICT""",
    """INSERT INTO new_class (id, name, color, position, keypoints, skeleton)
    SELECT id, name, color, position, keypoints, skeleton FROM class""",
    "DROP TABLE class",
    "ALTER TABLE new_class RENAME TO class",
    "CREATE UNIQUE INDEX class_name ON class (name) WHERE gone = 0",
    # `before` and `after` are JSON of the class rows that a step changed.
    """CREATE TABLE class_op (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        time REAL NOT NULL,
        undone INTEGER NOT NULL DEFAULT 0 CHECK (undone IN (0, 1)),
        before TEXT NOT NULL,
        after TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE image_facts (
        media_id INTEGER PRIMARY KEY REFERENCES media (id),
        facts BLOB NOT NULL
    ) STRICT""",
)


def _to_2(connection: sqlite3.Connection) -> None:
    for statement in _TABLES_2:
        connection.execute(statement)
    facts.fill(connection)


_TABLES_3 = (
    # Which reviewed images are kept to measure on, never to learn from. Near-duplicates and the frames of
    # one file are one family and always on the same side. A row is written once and never changed.
    """CREATE TABLE held_out (
        media_id INTEGER PRIMARY KEY REFERENCES media (id),
        family INTEGER NOT NULL,
        held_out INTEGER NOT NULL CHECK (held_out IN (0, 1)),
        likeness BLOB NOT NULL
    ) STRICT""",
)


def _to_3(connection: sqlite3.Connection) -> None:
    for statement in _TABLES_3:
        connection.execute(statement)


_TABLES_4 = (
    # What the model of `key` makes of an image: doubts of its own answer where nobody has reviewed it,
    # else where it disagrees with the person, as JSON. It can be made again; nothing else depends on it.
    """CREATE TABLE examined (
        media_id INTEGER PRIMARY KEY REFERENCES media (id),
        key TEXT NOT NULL,
        doubt REAL,
        conflicts TEXT NOT NULL DEFAULT '[]'
    ) STRICT""",
)


def _to_4(connection: sqlite3.Connection) -> None:
    for statement in _TABLES_4:
        connection.execute(statement)


#: The step at index n makes version n + 1 of version n. Only ever append.
MIGRATIONS: tuple[Migration, ...] = (_to_1, _to_2, _to_3, _to_4)


def migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring an open database to the newest version in one transaction, after a copy of an older one.

    The copy lies beside it as `<name>.v<version>.bak`. A failed step leaves the database as it was.
    Raises ProjectError for another program's database and for one of a newer Maskwright; sqlite3.Error.
    """
    version = check_version(connection, path, len(migrations))
    if version == len(migrations):
        return
    if _has_tables(connection):
        copy_database(connection, path.with_name(f"{path.name}.v{version}.bak"))
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in migrations[version:]:
            step(connection)
        if connection.execute("PRAGMA foreign_key_check").fetchone():
            raise ProjectError(
                f"{path} could not be brought to version {len(migrations)}; it was left as it was."
            )
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("PRAGMA foreign_keys = ON")


def check_version(connection: sqlite3.Connection, path: Path, known: int = len(MIGRATIONS)) -> int:
    """The database's version. Raises ProjectError for one that is not ours or newer than `known`."""
    owner: int = connection.execute("PRAGMA application_id").fetchone()[0]
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if owner != APPLICATION_ID and _has_tables(connection):
        raise ProjectError(f"{path} is a database of another program: move it away to make a project here.")
    if version > known:
        raise ProjectError(
            f"{path} was written by a newer Maskwright (version {version} of its layout, "
            f"this one knows {known}): update Maskwright to open it."
        )
    return version


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None
