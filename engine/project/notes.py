"""Small texts that a project keeps by name, such as its scale. Knows the table `meta`, not what they say."""

from __future__ import annotations

import sqlite3


def read(connection: sqlite3.Connection, prefix: str) -> dict[str, str]:
    """The notes whose names begin so, by name."""
    rows = connection.execute(
        "SELECT key, value FROM meta WHERE substr(key, 1, length(?1)) = ?1 ORDER BY key", (prefix,)
    )
    return dict(rows.fetchall())


def write(connection: sqlite3.Connection, key: str, value: str | None) -> None:
    """Keep a note, or drop it."""
    if value is None:
        connection.execute("DELETE FROM meta WHERE key = ?", (key,))
    else:
        connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))
