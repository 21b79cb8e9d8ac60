"""Keeps a project database sound: checks it, copies it daily, restores it; never throws one away.

What is checked when: on every opening the file's header and length (by SQLite itself); all of its
pages after an unclean end, and those of every copy before it counts as a backup. A damaged database
is moved aside and its newest sound backup put in its place. Knows files and SQLite's checks; knows
no tables.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from engine.errors import ProjectError
from engine.project.connect import (
    DamageError,
    connect_for_reading,
    connect_for_writing,
    copy_database,
    is_damage,
)
from engine.project.location import BACKUP_DIR

_KEPT_BACKUPS = 3
_BACKUP_SECONDS = 24 * 3600
COMPANIONS = ("-wal", "-shm", "-journal")

_ATTEMPTS = 2  # SQLite calls a single reading that failed damage too
_log = logging.getLogger(__name__)


def open_checked(database: Path, *, network: bool, unclean: bool) -> tuple[sqlite3.Connection, str]:
    """The writing connection to a sound database, and a sentence where it had to be restored.

    An absent database is made. After an unclean end every page is read. Raises sqlite3.Error, and
    ProjectError for a damaged database without a backup, which stays where it is.
    """
    leftovers = any(_size(_companion(database, suffix)) for suffix in ("-wal", "-journal"))
    wrong = "it is missing or empty" if not _size(database) and _backups(database) else ""
    for _ in range(0 if wrong else _ATTEMPTS):
        try:
            return _open_sound(database, network=network, check=unclean or leftovers), ""
        except sqlite3.Error as e:
            if not is_damage(e, database):
                raise
            wrong = str(e)
    notice = _restore(database, wrong)
    return connect_for_writing(database, network=network), notice


def _open_sound(database: Path, *, network: bool, check: bool) -> sqlite3.Connection:
    """Brings in what a killed writer left in the journal, and refuses a bad header or a cut end."""
    connection = connect_for_writing(database, network=network, create=True)
    try:
        if check:
            check_pages(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def wants_backup(database: Path) -> bool:
    """Whether the newest backup is a day old and older than the database, and the disk has ample room."""
    changed = max(_changed(database), _changed(_companion(database, "-wal")))
    backups = _backups(database)
    if backups:
        newest = backups[-1].stat().st_mtime
        if changed <= newest or time.time() - newest < _BACKUP_SECONDS:
            return False
    return shutil.disk_usage(database.parent).free > 5 * _size(database)


class Backup:
    """A copy being made on a thread of its own; the project is used meanwhile.

    `on_damage` is called on that thread where the copying finds the database damaged.
    """

    def __init__(self, database: Path, on_damage: Callable[[], None]) -> None:
        self._database = database
        self._on_damage = on_damage
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="project-backup", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Give an unfinished copy up and wait for the thread."""
        self._stop.set()
        self._thread.join()

    def wait(self) -> None:
        """Wait until the copy is made."""
        self._thread.join()

    def _run(self) -> None:
        folder = self._database.parent / BACKUP_DIR
        target = folder / time.strftime("project-%Y%m%d-%H%M%S.db")
        try:
            folder.mkdir(exist_ok=True)
            for unfinished in folder.glob("*.part"):
                unfinished.unlink()  # of a program that was killed
            with contextlib.closing(connect_for_reading(self._database)) as connection:
                made = copy_database(connection, target, stop=self._stop.is_set, check=check_pages)
        except (OSError, sqlite3.Error) as e:
            _log.warning("no backup of %s was made: %s", self._database, e)
            if isinstance(e, sqlite3.Error) and is_damage(e, self._database):
                self._on_damage()
            return
        if made:
            with contextlib.suppress(OSError):  # of a drive that was pulled; the next backup removes them
                for old in _backups(self._database)[:-_KEPT_BACKUPS]:
                    old.unlink()


def _restore(database: Path, reason: str) -> str:
    """Move a damaged database aside and put its newest sound backup there; return a sentence about it."""
    for backup in reversed(_backups(database)):
        if _is_sound(backup):
            break
    else:
        raise ProjectError(
            f"The project database {database} is damaged ({reason}) and has no backup: "
            "keep a copy for repair, and move it away to begin a new project."
        )
    unfinished = database.with_name(f"{database.name}.part")
    shutil.copyfile(backup, unfinished)
    with unfinished.open("rb+") as file:
        os.fsync(file.fileno())
    aside = _set_aside(database)
    unfinished.replace(database)
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(backup.stat().st_mtime))
    return (
        f"The project database was damaged ({reason}) and was replaced by its backup of {made}; "
        f"the damaged one is kept as {aside}."
    )


def check_pages(connection: sqlite3.Connection) -> None:
    """Read every page. Raises DamageError, or the sqlite3.Error that stopped the reading."""
    row = connection.execute("PRAGMA quick_check(1)").fetchone()
    if row[0] != "ok":
        raise DamageError(row[0])


def _is_sound(backup: Path) -> bool:
    """Raises sqlite3.Error where that cannot be known: an older backup is no answer to a disk that fails."""
    for _ in range(_ATTEMPTS):
        try:
            with contextlib.closing(connect_for_reading(backup, immutable=True)) as connection:
                check_pages(connection)
        except sqlite3.Error as e:
            if not is_damage(e, backup):
                raise
        else:
            return True
    return False


def _backups(database: Path) -> list[Path]:
    return sorted((database.parent / BACKUP_DIR).glob("project-*.db"))


def _set_aside(database: Path) -> Path:
    aside = database.with_name(time.strftime(f"{database.name}.damaged-%Y%m%d-%H%M%S"))
    number = 1
    while aside.exists():
        number += 1
        aside = database.with_name(time.strftime(f"{database.name}.damaged-%Y%m%d-%H%M%S-{number}"))
    for suffix in ("", *COMPANIONS):
        with contextlib.suppress(FileNotFoundError):
            _companion(database, suffix).rename(_companion(aside, suffix))
    return aside


def _companion(database: Path, suffix: str) -> Path:
    return database.with_name(database.name + suffix)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
