"""Where a folder's project database lies, and what kind of disk that is.

A project lies in its folder (`.maskwright/project.db`). A folder that cannot be written and holds
no project has it in the user's data directory, under the folder's resolved path. There is never
more than one truth: what the folder holds counts first, then the data directory, then a new one.
Knows nothing of SQLite.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import psutil

from engine.errors import ProjectError

PROJECT_DIR = ".maskwright"
DATABASE_NAME = "project.db"
BACKUP_DIR = "backups"

# File systems whose shared memory or locks do not hold between machines (or virtual ones): SQLite's
# write-ahead log must not be used there. An unknown "fuse." system is taken for one of them.
_NETWORK_SYSTEMS = frozenset(
    {"nfs", "nfs3", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afpfs", "webdav", "davfs", "davfs2"}
    | {"9p", "virtiofs", "vboxsf", "vmhgfs", "drvfs", "sshfs", "macfuse", "osxfuse", "afs", "ncpfs"}
    | {"ceph", "glusterfs", "lustre", "gpfs", "beegfs", "ocfs2", "gfs2"}
)


@dataclass(frozen=True, slots=True)
class Place:
    """The database file of a folder. `unwritable` says why it cannot be written, empty where it can."""

    folder: Path
    database: Path
    unwritable: str = ""


def find_place(folder: Path, data_dir: Path | None, *, create: bool) -> Place:
    """The place of the folder's project; its directory is made where `create` says so and none is there.

    Raises ProjectError where the folder is none, or no place can be written.
    """
    folder = _resolve(folder)
    inside = folder / PROJECT_DIR / DATABASE_NAME
    if _holds_project(inside):
        return Place(folder, inside, _why_unwritable(inside))
    outside = _data_place(folder, data_dir)
    if _holds_project(outside):
        return Place(folder, outside, _why_unwritable(outside))
    if not create:
        raise ProjectError(f"{folder} holds no project yet: label it, or open it for writing once.")
    for place in (inside, outside):
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if can_write(place.parent):
            return Place(folder, place)
    raise ProjectError(
        f"Neither {folder} nor {outside.parent} can be written: make room for a project in one."
    )


def can_write(folder: Path) -> bool:
    """Whether a file can be made in the folder: tried, because permissions alone do not tell."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def is_network(path: Path) -> bool:
    """Whether a path lies on a disk of another machine, or on one that may behave like it."""
    text = str(path)
    if text.startswith(("\\\\", "//")) and os.name == "nt":
        return True
    mounts = psutil.disk_partitions(all=True)
    # The longest mount point that holds the path; of two at one place, the later hides the earlier.
    holding = [
        (len(mount.mountpoint), number)
        for number, mount in enumerate(mounts)
        if _holds(mount.mountpoint, text)
    ]
    if not holding:
        return False
    mount = mounts[max(holding)[1]]
    system = mount.fstype.lower()
    return system in _NETWORK_SYSTEMS or system.startswith("fuse.") or "remote" in mount.opts.split(",")


def _holds(mountpoint: str, path: str) -> bool:
    top, inner = os.path.normcase(mountpoint), os.path.normcase(path)
    return inner == top or inner.startswith(top.rstrip(os.sep) + os.sep)


def _holds_project(database: Path) -> bool:
    # Backups without their database are a project to repair, not a place for a new one.
    return database.exists() or (database.parent / BACKUP_DIR).exists()


def _resolve(folder: Path) -> Path:
    try:
        resolved = folder.resolve(strict=True)
    except OSError as e:
        raise ProjectError(
            f"The folder {folder} cannot be opened ({e.strerror or e}): check its name."
        ) from e
    if not resolved.is_dir():
        raise ProjectError(f"{folder} is not a folder: give the folder that holds the pictures.")
    return resolved


def _data_place(folder: Path, data_dir: Path | None) -> Path:
    base = data_dir if data_dir is not None else platformdirs.user_data_path("maskwright", appauthor=False)
    key = hashlib.sha256(os.fsencode(os.path.normcase(folder))).hexdigest()[:20]
    return base / "projects" / key / DATABASE_NAME


def _why_unwritable(database: Path) -> str:
    if not can_write(database.parent):
        return f"{database.parent} cannot be written"
    if database.exists() and not os.access(database, os.W_OK):
        return f"{database} is write-protected"
    return ""
