"""How a project's database is read and written: readers for any thread, one writer, ended together.

Knows what a queue of edits, a failing disk and a copy are; nothing of what the tables hold.
"""

from __future__ import annotations

import atexit
import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from engine.closing import Closing
from engine.errors import ProjectError
from engine.project.connect import Readers, copy_database, is_damage, told
from engine.project.health import check_pages
from engine.project.opening import Opened
from engine.project.writer import Unsaved, Writer

T = TypeVar("T")


class ProjectDatabase(Closing):
    """An open project's database. Every method may be called from any thread.

    Methods that write raise ProjectError on a project that is open for reading only; all raise it for a
    disk that fails, in a sentence.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._readers = Readers(opened.connect_for_reading)
        self._writer: Writer | None = None
        if opened.connection is not None:
            self._writer = Writer(
                opened.database, opened.connect_for_writing, opened.connection, opened.suspect
            )
        self._closed = False
        # A program that ends without closing still gets its queued edits onto the disk.
        atexit.register(self.close)

    @property
    def folder(self) -> Path:
        """The folder with the media, resolved."""
        return self._opened.folder

    @property
    def database(self) -> Path:
        """The project's database file."""
        return self._opened.database

    @property
    def read_only(self) -> bool:
        """Whether nothing can be written."""
        return bool(self._opened.read_only_reason)

    @property
    def read_only_reason(self) -> str:
        """One sentence on why nothing can be written, empty where it can."""
        return self._opened.read_only_reason

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences a person should read once: that the project was repaired from a backup, say."""
        return self._opened.notices

    @property
    def unsaved(self) -> int:
        """How many edits are not on the disk yet."""
        return self._writer.unsaved if self._writer else 0

    # Writing

    def retry(self) -> Future[None]:
        """Try again to write the edits that the disk refused; done once they are on the disk."""
        return self._queue(lambda _connection: None)

    def flush(self) -> None:
        """Wait until every edit is on the disk. Raises ProjectError where the disk refuses one."""
        if self._writer is not None:
            self.retry().result()

    def on_commit(self, call: Callable[[], None]) -> None:
        """Have this function called, on the writer's thread, after each commit: it must be quick."""
        if self._writer is not None:
            self._writer.on_commit = call

    def backup_to(self, path: Path) -> None:
        """Write a checked copy of the whole project, every edit up to now in it, to one file.

        The file is the whole copy or as it was. Put in the place of a project's database it is that
        project. Raises ProjectError.
        """
        if path.resolve() == self.database.resolve():
            raise ProjectError(f"{path} is the project itself: choose another name for the copy.")
        if not self.read_only:
            self.flush()
        try:
            with contextlib.closing(self._opened.connect_for_reading()) as connection:
                copy_database(connection, path, check=check_pages)
        except sqlite3.Error as e:
            raise told(e, path) from e
        except OSError as e:
            raise ProjectError(f"{path} cannot be written ({e.strerror or e}): choose another place.") from e

    # Ending

    def close(self) -> None:
        """Write what is queued and let the project go. A second call does nothing.

        Raises ProjectError where the disk refused edits: they are lost with this object.
        """
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        # The writer goes last: only then does SQLite fold its log into the database.
        self._opened.stop_reading()
        self._readers.close()
        refused = self._writer.close() if self._writer else 0
        self._opened.close()
        if refused:
            raise ProjectError(
                f"{refused} edits could not be written to {self.database}: the disk refused them."
            )

    # Inside

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._readers.reading() as connection:
                yield connection
        except sqlite3.Error as e:
            if is_damage(e, self.database):
                self._opened.suspect()
            raise told(e, self.database) from e

    def _queue(self, run: Callable[[sqlite3.Connection], T], edit: Unsaved | None = None) -> Future[T]:
        if self._writer is None:
            raise ProjectError(self.read_only_reason)
        return self._writer.submit(run, edit=edit)

    def _write(self, run: Callable[[sqlite3.Connection], T]) -> T:
        return self._queue(run).result()
