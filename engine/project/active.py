"""Which model version a project works with, and the one before, to go back to. Knows the table `meta`."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

_ACTIVE, _PREVIOUS = "active_model", "previous_model"


@dataclass(frozen=True, slots=True)
class ActiveModel:
    """Names in the model store; empty for none: then whatever the person has chosen elsewhere counts."""

    name: str = ""
    previous: str = ""


def read(connection: sqlite3.Connection) -> ActiveModel:
    """What is active and what was before."""
    found = dict(connection.execute("SELECT key, value FROM meta WHERE key IN (?, ?)", (_ACTIVE, _PREVIOUS)))
    return ActiveModel(found.get(_ACTIVE, ""), found.get(_PREVIOUS, ""))


def activate(connection: sqlite3.Connection, name: str) -> ActiveModel:
    """Work with this one from now on; what was active becomes the one to go back to."""
    now = read(connection)
    return _write(connection, ActiveModel(name, now.name)) if name != now.name else now


def rename(connection: sqlite3.Connection, old: str, new: str) -> None:
    """Follow a version to its new name."""
    now = read(connection)
    _write(
        connection,
        ActiveModel(new if now.name == old else now.name, new if now.previous == old else now.previous),
    )


def go_back(connection: sqlite3.Connection) -> ActiveModel:
    """Work with the one before; a second time returns. Nothing changes where there is none."""
    now = read(connection)
    return _write(connection, ActiveModel(now.previous, now.name)) if now.previous else now


def _write(connection: sqlite3.Connection, models: ActiveModel) -> ActiveModel:
    connection.executemany(
        "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)",
        ((_ACTIVE, models.name), (_PREVIOUS, models.previous)),
    )
    return models
