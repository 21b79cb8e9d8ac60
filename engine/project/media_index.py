"""The media table: which files and frames a project has, and what became of them.

Writes what `matching` worked out. Knows the table and the folder's files; never looks inside a
picture. Functions that take a connection run on the writer thread, inside its transaction.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from engine.document.records import MediaItem
from engine.errors import MediaError, ProjectError
from engine.media.files import system_path
from engine.media.scan import ScannedFile, content_hash
from engine.project import contrasts, notes
from engine.project.matching import KnownFile, Match, Plan, match_files

_log = logging.getLogger(__name__)

_HAS_RECORDS = """EXISTS (SELECT 1 FROM instance WHERE media_id = media.id)
    OR EXISTS (SELECT 1 FROM ignore_region WHERE media_id = media.id)
    OR EXISTS (SELECT 1 FROM image_state WHERE media_id = media.id)"""


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What a refresh noticed, as paths relative to the folder; `renamed` holds (old, new) pairs."""

    added: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()


def report(plan: Plan) -> ScanReport:
    """The plan, for people."""
    return ScanReport(
        added=tuple(file.path for file in plan.added),
        renamed=tuple((match.known.path, match.file.path) for match in plan.renamed),
        changed=tuple(match.file.path for match in plan.changed),
        missing=tuple(item.path for item in plan.missing),
        returned=tuple(match.file.path for match in plan.returned),
    )


def compare(connection: sqlite3.Connection, folder: Path, found: Iterable[ScannedFile]) -> Plan:
    """Work out what became of the files; reads the table and, where needed, files. Writes nothing."""
    unknown = {file.path: file for file in found}
    frames: dict[tuple[str, int, int, str, int], list[int]] = {}
    rows = connection.execute(
        "SELECT path, size, mtime_ns, content_hash, missing, id FROM media ORDER BY frame"
    )
    present = []
    for path, size, mtime_ns, content, missing, media_id in rows:
        file = unknown.get(path)
        if not missing and file is not None and file.size == size and file.mtime_ns == mtime_ns:
            present.append(path)
        else:
            frames.setdefault((path, size, mtime_ns, content, missing), []).append(media_id)
    for path in present:
        unknown.pop(path, None)
    known = [
        KnownFile(tuple(ids), path, size, mtime_ns, content, missing=bool(missing))
        for (path, size, mtime_ns, content, missing), ids in frames.items()
    ]
    return match_files(known, list(unknown.values()), lambda path: _hash_or_nothing(folder / path))


def apply(connection: sqlite3.Connection, plan: Plan) -> None:
    """Write a plan to the table."""
    leaving = [(media_id,) for match in plan.renamed for media_id in match.known.media_ids]
    leaving += [(media_id,) for item in plan.missing for media_id in item.media_ids]
    # First all leave their names, so that two files may swap theirs.
    connection.executemany("UPDATE media SET missing = 1 WHERE id = ?", leaving)
    for match in plan.changed:
        _apply_change(connection, match)
    for match in (*plan.renamed, *plan.returned, *plan.touched):
        _apply_same(connection, match)
    notes.follow(connection, ((match.known.path, match.file.path) for match in plan.renamed))
    connection.executemany(
        "INSERT INTO media (path, size, mtime_ns) VALUES (?, ?, ?)",
        ((file.path, file.size, file.mtime_ns) for file in plan.added),
    )


def read_items(connection: sqlite3.Connection) -> tuple[MediaItem, ...]:
    """Every item, sorted by path and frame."""
    rows = connection.execute(
        "SELECT id, path, frame, width, height, content_hash, missing FROM media ORDER BY path, frame, id"
    )
    known = contrasts.read(connection)
    own, usual = known.own, known.usual
    # Spelt out: 100,000 rows are read here before a person sees the list.
    return tuple(
        [
            MediaItem(
                id_, path, frame, width, height, content, missing == 1, own.get(path, usual) if own else usual
            )
            for id_, path, frame, width, height, content, missing in rows
        ]
    )


def read_changed(connection: sqlite3.Connection) -> frozenset[int]:
    """The ids of items whose file holds other content than their instances were made for."""
    return frozenset(row[0] for row in connection.execute("SELECT id FROM media WHERE changed = 1"))


def accept_change(connection: sqlite3.Connection, media_id: int) -> None:
    """Take the instances as made for the file's present content."""
    connection.execute("UPDATE media SET changed = 0, labelled_hash = '' WHERE id = ?", (media_id,))


def set_size(connection: sqlite3.Connection, media_id: int, width: int, height: int) -> None:
    """Record the picture's size as shown."""
    connection.execute("UPDATE media SET width = ?, height = ? WHERE id = ?", (width, height, media_id))


def add_frames(connection: sqlite3.Connection, path: str, frames: Iterable[int]) -> None:
    """Give the file at `path` rows for these frames; those that are there stay as they are."""
    row = connection.execute(
        "SELECT size, mtime_ns, content_hash FROM media WHERE path = ? AND missing = 0 ORDER BY frame",
        (path,),
    ).fetchone()
    if row is None:
        raise ProjectError(f"The project knows no file {path}: refresh it first.")
    connection.executemany(
        "INSERT OR IGNORE INTO media (path, frame, size, mtime_ns, content_hash) VALUES (?, ?, ?, ?, ?)",
        ((path, frame, *row) for frame in frames),
    )


def frame_item(connection: sqlite3.Connection, path: str, frame: int) -> MediaItem | None:
    """The item of one frame of the file at `path`; None where it has no row."""
    row = connection.execute(
        """SELECT id, path, frame, width, height, content_hash FROM media
        WHERE path = ? AND frame = ? AND missing = 0""",
        (path, frame),
    ).fetchone()
    if row is None:
        return None
    return replace(MediaItem(*row), contrast=contrasts.read(connection).of(path))


def blank_frames(connection: sqlite3.Connection) -> frozenset[int]:
    """The ids of frames, beyond the first of their file, of which nothing is recorded."""
    rows = connection.execute(f"SELECT id FROM media WHERE frame > 0 AND NOT ({_HAS_RECORDS})")
    return frozenset(row[0] for row in rows)


def check_known(connection: sqlite3.Connection, media_id: int) -> None:
    """Raises ProjectError for an id that the project does not have."""
    if connection.execute("SELECT 1 FROM media WHERE id = ?", (media_id,)).fetchone() is None:
        raise ProjectError(f"The project has no image with the id {media_id}: refresh it first.")


def known_file(connection: sqlite3.Connection, media_id: int) -> KnownFile:
    """The file of an item with all its frames. Raises ProjectError for an unknown id."""
    check_known(connection, media_id)
    row = connection.execute(
        "SELECT path, size, mtime_ns, content_hash, missing FROM media WHERE id = ?", (media_id,)
    ).fetchone()
    path, size, mtime_ns, content, missing = row
    # A missing file may share its name with others; its frames are not told apart here.
    siblings = connection.execute(
        "SELECT id FROM media WHERE path = ? AND missing = 0 ORDER BY frame", (path,)
    )
    ids = (media_id,) if missing else tuple(id_ for (id_,) in siblings)
    return KnownFile(ids, path, size, mtime_ns, content, missing=bool(missing))


def hash_file(known: KnownFile, folder: Path) -> Match | None:
    """Read and hash the file as it is now; None where its hash is known and size and time still agree.

    Raises MediaError where it cannot be read.
    """
    place = folder / known.path
    try:
        stat = Path(system_path(place)).stat()
    except OSError as e:
        raise MediaError(
            f"{place} cannot be read ({e.strerror or e}): bring it back or refresh the project."
        ) from e
    file = ScannedFile(known.path, stat.st_size, stat.st_mtime_ns)
    if known.content_hash and (file.size, file.mtime_ns) == (known.size, known.mtime_ns):
        return None
    return Match(known, file, content_hash(place))


def apply_hash(connection: sqlite3.Connection, match: Match) -> None:
    """Write what `hash_file` found: the file's hash, or that it changed since it was last seen.

    Nothing, where more was found out meanwhile: what was read then may be another file by now.
    """
    known, file = match.known, match.file
    if known_file(connection, known.media_ids[0]) != known:
        return
    same_stat = (file.size, file.mtime_ns) == (known.size, known.mtime_ns)
    if match.content_hash == known.content_hash or (not known.content_hash and same_stat):
        _apply_same(connection, match)
    else:
        _apply_change(connection, match)


def _apply_same(connection: sqlite3.Connection, match: Match) -> None:
    """The same content at its present place, whether or not it was labelled there."""
    content = match.content_hash or match.known.content_hash
    file = match.file
    connection.executemany(
        "UPDATE media SET path = ?, size = ?, mtime_ns = ?, content_hash = ?, missing = 0 WHERE id = ?",
        ((file.path, file.size, file.mtime_ns, content, media_id) for media_id in match.known.media_ids),
    )


def _apply_change(connection: sqlite3.Connection, match: Match) -> None:
    """Other content under the same name: the instances stay, and the item is flagged where it has any.

    A change back to the content that was labelled ends the flag.
    """
    file, new = match.file, match.content_hash
    ids = [(media_id,) for media_id in match.known.media_ids]
    connection.executemany(
        f"""UPDATE media SET labelled_hash = content_hash, changed = 1
        WHERE id = ? AND changed = 0 AND ({_HAS_RECORDS})""",
        ids,
    )
    connection.executemany(
        """UPDATE media SET size = ?, mtime_ns = ?, content_hash = ?, width = 0, height = 0, missing = 0
        WHERE id = ?""",
        ((file.size, file.mtime_ns, new, media_id) for (media_id,) in ids),
    )
    connection.executemany(
        """UPDATE media SET changed = 0, labelled_hash = ''
        WHERE id = ? AND changed = 1 AND labelled_hash = content_hash AND labelled_hash != ''""",
        ids,
    )


def _hash_or_nothing(path: Path) -> str:
    try:
        return content_hash(path)
    except MediaError as e:
        _log.warning("%s", e)
        return ""
