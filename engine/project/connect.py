"""Opens SQLite connections the way a project needs them, and tells their errors to people.

Knows SQLite's modes and error codes; knows no tables.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

from engine.errors import ProjectError
from engine.files import replacing

_BUSY_SECONDS = 5.0
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
_READ_ONLY = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN})
_OUT_OF_REACH = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
_COPY_PAGES = 2048  # 8 MiB a step: a writer waits for one step at most


class DamageError(sqlite3.DatabaseError):
    """The pages of a database do not agree; the text says where."""


class _StoppedError(Exception):
    """A copy was given up between two steps."""


def connect_for_writing(path: Path, *, network: bool, create: bool = False) -> sqlite3.Connection:
    """The writing connection: WAL on a local disk, a rollback journal elsewhere. Raises sqlite3.Error.

    Every commit is on the disk when it returns: `synchronous` is FULL, and EXTRA with a rollback
    journal, which a power cut could otherwise bring back from the dead.
    """
    connection = _connect(path, "mode=rwc" if create else "mode=rw")
    try:
        if network or not _try_wal(connection):
            # Exclusive while switching: leaving WAL needs no shared memory then.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA locking_mode = NORMAL")
            connection.execute("PRAGMA synchronous = EXTRA")
        else:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA journal_size_limit = 67108864")
        connection.execute("PRAGMA fullfsync = ON")  # macOS: fsync alone stops at the disk's cache
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -16000")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def connect_for_reading(path: Path, *, immutable: bool = False) -> sqlite3.Connection:
    """A connection that cannot write. `immutable` reads a file that nobody can change, without locks."""
    connection = _connect(path, "mode=ro&immutable=1" if immutable else "mode=ro")
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA cache_size = -16000")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def uses_wal(connection: sqlite3.Connection) -> bool:
    """Whether the database keeps a write-ahead log."""
    return bool(connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal")


class Readers:
    """Reading connections for any thread: as many as are ever used at once, closed together."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection; what was read inside one `with` belongs to one state of the database."""
        with self._lock:
            if self._closed:
                raise ProjectError("The project is closed: open it again.")
            connection = self._idle.pop() if self._idle else None
        connection = connection or self._connect()
        try:
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            # What failed here may fail for ever; a fresh connection costs a millisecond.
            connection.close()
            raise
        self._give_back(connection)

    def close(self) -> None:
        """Close the idle connections now and those still lent when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()


def copy_database(
    connection: sqlite3.Connection,
    target: Path,
    *,
    stop: Callable[[], bool] = lambda: False,
    check: Callable[[sqlite3.Connection], None] = lambda _copy: None,
) -> bool:
    """Write a copy of the open database to `target`, which then holds the whole new one or is as it was.

    Returns False where `stop` said so between steps. Raises sqlite3.Error, OSError, and what `check`
    raises about the copy.
    """

    def between_steps(_status: int, _remaining: int, _total: int) -> None:
        if stop():
            raise _StoppedError

    try:
        with replacing(target, durable=True) as part, contextlib.closing(sqlite3.connect(part)) as copy:
            copy.execute("PRAGMA journal_mode = OFF")  # a copy that fails is thrown away, and so needs none
            connection.backup(copy, pages=_COPY_PAGES, progress=between_steps, sleep=0.002)
            check(copy)
    except _StoppedError:
        return False
    return True


def is_damage(error: sqlite3.Error, path: Path) -> bool:
    """Whether the database file itself is broken, and not out of reach, which SQLite calls malformed too."""
    return _speaks_of_damage(error) and not _reading_fault(path)


def told(error: sqlite3.Error, path: Path) -> ProjectError:
    """The error as one sentence that says what to do; raise it `from` the error."""
    code = _code(error)
    if code == sqlite3.SQLITE_FULL:
        return ProjectError(f"The disk that holds {path} is full: free some space and save again.")
    if (_speaks_of_damage(error) or code in _OUT_OF_REACH) and (fault := _reading_fault(path)):
        return ProjectError(f"{path} cannot be read ({fault}): see that its drive is there and try again.")
    if _speaks_of_damage(error):
        return ProjectError(
            f"The project database {path} is damaged ({error}): close it and open it again to repair it."
        )
    if code in _BUSY:
        return ProjectError(f"Another program keeps {path} locked: close it there and save again.")
    if code in _READ_ONLY:
        return ProjectError(
            f"The project database {path} cannot be opened for this ({error}): check its permissions."
        )
    if code == sqlite3.SQLITE_CONSTRAINT:
        return ProjectError(
            f"{path} has no such image or class ({error}): refresh the project and try again."
        )
    if code == sqlite3.SQLITE_IOERR:
        return ProjectError(
            f"The disk that holds {path} reports an error ({error}): check the disk and save again."
        )
    return ProjectError(f"The project database {path} refuses this: {error}.")


def _speaks_of_damage(error: sqlite3.Error) -> bool:
    return isinstance(error, DamageError) or _code(error) in _DAMAGED


def _reading_fault(path: Path) -> str:
    """Why a database or its log cannot be read to its end; empty where it can."""
    for file in (path, path.with_name(f"{path.name}-wal")):
        try:
            with file.open("rb") as content:
                while content.read(1 << 20):
                    pass
        except OSError as e:
            if file == path or not isinstance(e, FileNotFoundError):
                return e.strerror or type(e).__name__
    return ""


def _code(error: sqlite3.Error) -> int | None:
    extended: int | None = getattr(error, "sqlite_errorcode", None)
    return None if extended is None else extended & 0xFF


def _connect(path: Path, query: str) -> sqlite3.Connection:
    # pathlib's as_uri puts a share's host where SQLite refuses one.
    name = urllib.parse.quote(os.fsencode(path.as_posix()))
    uri = f"file://{'' if name.startswith('/') else '/'}{name}?{query}"
    return sqlite3.connect(
        uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )


def _try_wal(connection: sqlite3.Connection) -> bool:
    try:
        row = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    except sqlite3.OperationalError as e:
        # Damage and full disks are told as what they are; the rest means "no shared memory here".
        if _code(e) in _DAMAGED or _code(e) == sqlite3.SQLITE_FULL:
            raise
        return False
    return bool(row[0] == "wal")
