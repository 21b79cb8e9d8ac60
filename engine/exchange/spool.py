"""What was read of label files, kept beside the project until a person has agreed to it.

A temporary SQLite file: rows as the project's database will have them, so that taking them in is copying.
It holds 500,000 instances without holding them in memory. Knows `engine.project.bulk` rows; no format.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import cast

from engine.closing import Closing
from engine.document.masks import pack
from engine.errors import DataError
from engine.formats.reading import ReadImage
from engine.project.bulk import COLUMNS, ImageRows, Row, row_of

_TABLES = f"""
CREATE TABLE image (
    n INTEGER PRIMARY KEY, path TEXT, frame INTEGER, width INTEGER, height INTEGER, flags TEXT, extra TEXT,
    reviewed INTEGER
);
CREATE TABLE instance (image INTEGER, {COLUMNS}, area);
CREATE TABLE ignore_region (image INTEGER, id, mask);
CREATE TABLE class_count (class_id INTEGER PRIMARY KEY, instances INTEGER);
"""


class Spool(Closing):
    """The file; use it as a context manager, which removes it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="maskwright-import-")
        path = Path(self._folder.name) / "spool.db"
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        for line in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -32000"):
            self._connection.execute(line)
        self._connection.executescript(_TABLES)
        self._connection.execute("BEGIN")
        self.images = 0
        self.instances = 0
        self.ignore_regions = 0
        self.by_class: dict[int, int] = {}

    def close(self) -> None:
        """Remove the file."""
        self._connection.close()
        self._folder.cleanup()

    def add(self, path: str, frame: int, image: ReadImage, size: tuple[int, int]) -> None:
        """Keep one image, whose picture is `path` and has that size as shown."""
        try:
            self._add(path, frame, image, size)
        except sqlite3.Error as e:
            raise DataError(f"{image.place} cannot be kept while it is looked at: {e}.") from e

    def _add(self, path: str, frame: int, image: ReadImage, size: tuple[int, int]) -> None:
        self.images += 1
        extra = json.dumps(dict(image.extra), separators=(",", ":")) if image.extra else ""
        self._connection.execute(
            "INSERT INTO image VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (self.images, path, frame, *size, json.dumps(image.flags), extra, image.reviewed),
        )
        rows = image.rows or tuple(map(row_of, image.instances))
        marks = ", ".join("?" * 14)
        self._connection.executemany(
            f"INSERT INTO instance VALUES ({marks})",
            ((self.images, *row) for row in rows),
        )
        self._connection.executemany(
            "INSERT INTO ignore_region VALUES (?, ?, ?)",
            ((self.images, region.id, pack(region.mask)) for region in image.ignore),
        )
        for row in rows:
            self.by_class[row[1]] = self.by_class.get(row[1], 0) + 1
        self.instances += len(rows)
        self.ignore_regions += len(image.ignore)

    def paths(self) -> Iterator[tuple[str, int]]:
        """The picture and frame of every image kept."""
        yield from self._connection.execute("SELECT path, frame FROM image ORDER BY n")

    def rows(
        self, media_ids: Mapping[tuple[str, int], int], told: Callable[[int], None] = lambda _done: None
    ) -> Iterator[ImageRows]:
        """Every image as the project takes it in. media_ids: of each picture and its frame."""
        found = self._connection.cursor()
        found.execute("SELECT n, path, frame, width, height, flags, extra, reviewed FROM image ORDER BY n")
        instances = _Grouped(self._connection.execute("SELECT * FROM instance ORDER BY image, rowid"))
        ignore = _Grouped(self._connection.execute("SELECT * FROM ignore_region ORDER BY image, rowid"))
        for n, path, frame, width, height, flags, extra, reviewed in found:
            told(n)
            mine, regions = instances.of(n), ignore.of(n)
            media_id = media_ids.get((path, frame))
            if media_id is None:  # the picture has gone since
                continue
            rows = tuple(cast(Row, row[1:]) for row in mine)
            yield ImageRows(
                media_id,
                width,
                height,
                rows,
                tuple(cast(tuple[int, bytes], row[1:]) for row in regions),
                tuple(json.loads(flags)),
                extra,
                bool(reviewed),
            )


class _Grouped:
    """Rows in the order of their image, taken image by image."""

    def __init__(self, rows: sqlite3.Cursor) -> None:
        self._rows = rows
        self._next = rows.fetchone()

    def of(self, image: int) -> list[tuple[object, ...]]:
        found = []
        while self._next is not None and self._next[0] == image:
            found.append(self._next)
            self._next = self._rows.fetchone()
        return found
