"""A copy of a project made the project of a folder again. No picture is touched, and no work is written over.

In its folder a refresh finds the pictures by their content. Knows where projects lie and how one is copied.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from engine.errors import ProjectError
from engine.project.connect import connect_for_reading, copy_database, is_damage, told
from engine.project.health import COMPANIONS, check_pages
from engine.project.location import Place, find_place
from engine.project.lock import FileLock, HeldError
from engine.project.opening import LOCK_NAME
from engine.project.schema import check_version

_WORK = ("class", "instance", "ignore_region", "image_state", "op", "class_op", "held_out", "examined")
"""The tables that are empty as long as nobody has done anything in a project."""


def restore_project(copy: Path, folder: Path) -> None:
    """Make a copy, as `Project.backup_to` wrote it, the project of a folder that has none, or a blank one.

    The copy stays as it is; it may be of an older version. Raises ProjectError, with nothing changed.
    """
    _check(copy)
    place = find_place(folder, None, create=True)
    if place.unwritable:
        raise ProjectError(f"Nothing can be restored to {folder}: {place.unwritable}.")
    try:
        lock = FileLock.acquire(place.database.with_name(LOCK_NAME))
    except HeldError as e:
        raise ProjectError(f"{e} has the project of {folder} open: close it there, then try again.") from e
    except OSError as e:
        raise ProjectError(f"{place.database.parent} cannot be locked ({e}): check the disk.") from e
    try:
        if not _is_blank(place):
            raise ProjectError(
                f"{folder} has a project with work in it, which is never written over: choose another folder "
                f"with the pictures, or merge {copy.name} into that project."
            )
        _put(copy, place.database)
    finally:
        lock.release()


def _check(copy: Path) -> None:
    try:
        with contextlib.closing(connect_for_reading(copy, immutable=True)) as connection:
            is_project = check_version(connection, copy) > 0
    except sqlite3.Error as e:
        if not is_damage(e, copy):
            raise told(e, copy) from e
        is_project = False
    if not is_project:
        raise ProjectError(f"{copy} is no copy of a project: choose a file that a backup wrote.")


def _is_blank(place: Place) -> bool:
    """Whether nobody would miss what is there: a folder's project is made as the folder is looked at."""
    if not place.database.exists():
        return not any(place.database.parent.glob("*/*.db"))  # those are a project to repair
    try:
        with contextlib.closing(connect_for_reading(place.database)) as connection:
            check_version(connection, place.database)
            there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            return not any(
                connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()
                for table in _WORK
                if table in there
            )
    except sqlite3.Error:
        return False  # damaged: it is repaired by opening it


def _put(copy: Path, database: Path) -> None:
    try:
        for suffix in COMPANIONS:  # a blank project's log would be played into the copy
            database.with_name(database.name + suffix).unlink(missing_ok=True)
        with contextlib.closing(connect_for_reading(copy, immutable=True)) as connection:
            copy_database(connection, database, check=check_pages)
    except sqlite3.Error as e:
        if is_damage(e, copy):
            raise ProjectError(f"{copy} is damaged ({e}): choose an older backup.") from e
        raise told(e, database) from e
    except OSError as e:
        raise ProjectError(f"{database} cannot be written ({e.strerror or e}): check the disk.") from e
