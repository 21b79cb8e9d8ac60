"""Opens a project database: finds it, locks it, repairs it, migrates it, or reads it as it is.

Knows in which order the parts go; each part is a module of its own.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from engine.errors import ProjectError
from engine.project import health
from engine.project.connect import (
    connect_for_reading,
    connect_for_writing,
    told,
)
from engine.project.location import Place, find_place, is_network
from engine.project.lock import FileLock, HeldError
from engine.project.schema import MIGRATIONS, check_version, migrate

LOCK_NAME = "project.lock"


class Opened:
    """An open database: how to connect to it, what was noticed, and what must be let go in the end."""

    def __init__(
        self,
        place: Place,
        *,
        network: bool,
        read: Callable[[], sqlite3.Connection],
        connection: sqlite3.Connection | None = None,
        read_only_reason: str = "",
        notices: tuple[str, ...] = (),
        lock: FileLock | None = None,
        backup: health.Backup | None = None,
        copy: tempfile.TemporaryDirectory[str] | None = None,
    ) -> None:
        self.folder = place.folder
        self.database = place.database
        self.connect_for_reading = read
        self.connection = connection  # for the writer, who closes it; None where nothing can be written
        self.read_only_reason = read_only_reason
        self.notices = notices
        self._network = network
        self._lock = lock
        self._backup = backup
        self._copy = copy

    def connect_for_writing(self) -> sqlite3.Connection:
        """The writing connection. Raises sqlite3.Error."""
        return connect_for_writing(self.database, network=self._network)

    def suspect(self) -> None:
        """Have every page checked when the project is opened next."""
        if self._lock is not None:
            self._lock.keep_marked()

    def stop_reading(self) -> None:
        """Give an unfinished backup up."""
        if self._backup is not None:
            self._backup.close()

    def close(self) -> None:
        """Let the lock and the copy go, when all connections are closed."""
        if self._lock is not None:
            self._lock.release()
        if self._copy is not None:
            self._copy.cleanup()


def open_database(folder: Path, *, read_only: bool, data_dir: Path | None) -> Opened:
    """Open the folder's project. Raises ProjectError."""
    try:
        place = find_place(folder, data_dir, create=not read_only)
    except OSError as e:
        raise ProjectError(
            f"{folder} cannot be read ({e.strerror or e}): see that its drive is there and try again."
        ) from e
    if read_only:
        return _open_for_reading(place, "The project was opened for reading only.")
    if place.unwritable:
        return _open_for_reading(place, f"The project is open for reading only: {place.unwritable}.")
    try:
        lock = FileLock.acquire(place.database.with_name(LOCK_NAME))
    except HeldError as e:
        who = f"Another Maskwright has this project open ({e}), so that it is open for reading only here"
        return _open_for_reading(place, f"{who}: close it there, then open it again.")
    except OSError as e:
        return _open_for_reading(place, f"The project is open for reading only: it cannot be locked ({e}).")
    try:
        return _open_for_writing(place, lock)
    except sqlite3.Error as e:
        lock.release()
        raise told(e, place.database) from e
    except OSError as e:
        lock.release()
        raise ProjectError(
            f"The project database {place.database} cannot be opened ({e.strerror or e}): check the disk."
        ) from e
    except BaseException:
        lock.release()
        raise


def open_copy(database: Path) -> Opened:
    """Open a copy of a project, as `backup_to` writes it, for reading. Raises ProjectError."""
    read = partial(connect_for_reading, database, immutable=True)  # nothing is to appear beside it
    place = Place(database.parent, database)
    return _opened_for_reading(place, "This is a copy: it is only read.", read)


def _open_for_writing(place: Place, lock: FileLock) -> Opened:
    database = place.database
    network = is_network(database)
    existed = database.exists()
    connection, notice = health.open_checked(database, network=network, unclean=lock.left_open)
    try:
        migrate(connection, database)
        backup = (
            health.Backup(database, lock.keep_marked) if existed and health.wants_backup(database) else None
        )
    except BaseException:
        connection.close()
        raise
    return Opened(
        place,
        network=network,
        read=lambda: connect_for_reading(database),
        connection=connection,
        notices=tuple(filter(None, (notice, _told_elsewhere(place)))),
        lock=lock,
        backup=backup,
    )


def _told_elsewhere(place: Place) -> str:
    """That the folder cannot hold its project; empty where it does."""
    if place.database.is_relative_to(place.folder):
        return ""
    return f"{place.folder} cannot be written: what you do in it is kept in {place.database.parent}."


def _open_for_reading(place: Place, reason: str) -> Opened:
    try:
        read, copy = _way_to_read(place.database)
    except sqlite3.Error as e:
        raise told(e, place.database) from e
    try:
        return _opened_for_reading(place, reason, read, copy)
    except ProjectError:
        if copy is not None:
            copy.cleanup()
        raise


def _opened_for_reading(
    place: Place,
    reason: str,
    read: Callable[[], sqlite3.Connection],
    copy: tempfile.TemporaryDirectory[str] | None = None,
) -> Opened:
    database = place.database
    try:
        with contextlib.closing(read()) as connection:
            version = check_version(connection, database)
    except sqlite3.Error as e:
        raise told(e, database) from e
    if version < len(MIGRATIONS):
        raise ProjectError(f"{database} is of an older Maskwright: open it for writing once to update it.")
    return Opened(place, network=False, read=read, read_only_reason=reason, copy=copy)


def _way_to_read(
    database: Path,
) -> tuple[Callable[[], sqlite3.Connection], tempfile.TemporaryDirectory[str] | None]:
    """How to read a database that may lie where nothing can be written, not even SQLite's shared memory."""
    try:
        connect_for_reading(database).close()
        return lambda: connect_for_reading(database), None
    except sqlite3.OperationalError:
        log = database.with_name(f"{database.name}-wal")
        if not log.exists() or log.stat().st_size == 0:
            return lambda: connect_for_reading(database, immutable=True), None
    # A log that its writer left behind holds the newest edits, and is brought in only by writing.
    copy = tempfile.TemporaryDirectory(prefix="maskwright-")
    for name in (database, log):
        shutil.copyfile(name, Path(copy.name) / name.name)
    copied = Path(copy.name) / database.name
    with contextlib.closing(connect_for_writing(copied, network=False)):
        pass
    return lambda: connect_for_reading(copied), copy
