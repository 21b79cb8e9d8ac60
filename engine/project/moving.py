"""A project moved to another folder: for pictures that lie elsewhere now. No picture is touched.

Only the database goes; in its new folder a refresh finds the pictures by their content. Knows where
projects lie and how one is copied.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from engine.errors import ProjectError
from engine.project.health import COMPANIONS
from engine.project.location import BACKUP_DIR, find_place
from engine.project.opening import LOCK_NAME
from engine.project.project import Project


def move_project(folder: Path, to: Path) -> str:
    """Make the project of a folder, closed now, that of another, which has none.

    The old one is removed once the new one is checked and on the disk: whatever happens, one of them is
    whole. Returns a sentence where it could not be removed, else nothing. Raises ProjectError.
    """
    if to.resolve() == folder.resolve():
        raise ProjectError(f"{to} is the folder of this project already: choose another one.")
    if _has_project(to):
        raise ProjectError(f"{to} has a project of its own: open it, and merge this one into it.")
    with Project.open(folder) as project:
        if project.read_only:
            raise ProjectError(project.read_only_reason)
        project.refresh()  # so that renamed pictures are known by their content there
        old, target = project.database, find_place(to, None, create=True).database
        project.backup_to(target)
    try:
        _remove(old)
    except OSError as e:
        return (
            f"The project is in {target.parent} now, but {old.parent} cannot be removed "
            f"({e.strerror or e}): remove it yourself."
        )
    return ""


def _has_project(folder: Path) -> bool:
    try:
        find_place(folder, None, create=False)
    except ProjectError:
        return False
    return True


def _remove(database: Path) -> None:
    backups = database.parent / BACKUP_DIR
    if backups.exists():  # before the database: alone they would be a project to repair
        shutil.rmtree(backups)
    for name in (database.name, *(database.name + suffix for suffix in COMPANIONS), LOCK_NAME):
        database.with_name(name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # somebody keeps something else there
        database.parent.rmdir()
