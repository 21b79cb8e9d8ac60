"""Small texts that a project keeps by name, such as its scale. Knows the table `meta`, not what they say.

A name with ":" and a file's path behind it is that file's own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping


def read(connection: sqlite3.Connection, prefix: str) -> dict[str, str]:
    """The notes whose names begin so, by name."""
    rows = connection.execute(
        "SELECT key, value FROM meta WHERE substr(key, 1, length(?1)) = ?1 ORDER BY key", (prefix,)
    )
    return dict(rows.fetchall())


def write(connection: sqlite3.Connection, changes: Mapping[str, str | None]) -> None:
    """Keep notes by name, or drop those that are None."""
    for key, value in changes.items():
        if value is None:
            connection.execute("DELETE FROM meta WHERE key = ?", (key,))
        else:
            connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))


def follow(connection: sqlite3.Connection, renamed: Iterable[tuple[str, str]]) -> None:
    """Files have other paths, old to new: what was noted of them stays theirs, also where two swap theirs."""
    paths = dict(renamed)
    if not paths:
        return
    moved: dict[str, str | None] = {}
    for key, value in connection.execute("SELECT key, value FROM meta WHERE instr(key, ':') > 0").fetchall():
        name, _, path = key.partition(":")
        if path in paths:
            moved.setdefault(key, None)
            moved[f"{name}:{paths[path]}"] = value
    write(connection, moved)
