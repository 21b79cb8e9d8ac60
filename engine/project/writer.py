"""The one thread that writes a project: what it is given, it commits in order, then says so.

Several jobs may share one transaction; each is acknowledged only after the commit. An edit that
the disk refused stays queued, and the next attempt writes it before anything newer. Knows SQL
transactions and their failures; what the jobs write is their own affair.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar, cast

from engine.document.diff import Diff
from engine.errors import ProjectError
from engine.project.connect import is_damage, told

T = TypeVar("T")
Connect: TypeAlias = Callable[[], sqlite3.Connection]

_log = logging.getLogger(__name__)

_GROUP = 64  # jobs that may share a commit: bounds how long the first one waits
_OF_THE_JOB = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError, sqlite3.InterfaceError)


@dataclass(frozen=True, slots=True)
class Unsaved:
    """An edit that is not on the disk yet: which image it changes and how."""

    media_id: int
    diff: Diff


@dataclass(eq=False, slots=True)
class _Job(Generic[T]):
    run: Callable[[sqlite3.Connection], T]
    edit: Unsaved | None
    future: Future[T] = field(default_factory=Future)


@dataclass(slots=True)
class _Outcome:
    """What a job's own run gave, told to its future after the commit."""

    value: object = None
    error: BaseException | None = None


class Writer:
    """Owns the writing connection and its thread. All methods may be called from any other thread.

    `connect` opens a new connection after a failure; `on_damage` hears of a damaged database; `on_commit` is
    called after each commit.
    """

    def __init__(
        self, path: Path, connect: Connect, connection: sqlite3.Connection, on_damage: Callable[[], None]
    ) -> None:
        self._path = path
        self._connect = connect
        self._on_damage = on_damage
        self._connection: sqlite3.Connection | None = connection
        self._wake = threading.Condition()
        self._queue: deque[_Job[object]] = deque()
        self._running: list[_Job[object]] = []
        self._refused: list[_Job[object]] = []  # edits whose future has already failed
        self._stopping = False
        self.on_commit: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._loop, name="project-writer", daemon=True)
        self._thread.start()

    def submit(self, run: Callable[[sqlite3.Connection], T], *, edit: Unsaved | None = None) -> Future[T]:
        """Queue a job; its future is done after the commit. With `edit` it is kept when the disk refuses it.

        The future raises ProjectError for a refusal, and what `run` raised for a fault of its own.
        """
        job = _Job(run, edit)
        with self._wake:
            if self._stopping:
                raise ProjectError("The project is closed: open it again.")
            self._queue.append(cast("_Job[object]", job))
            self._wake.notify()
        return job.future

    @property
    def unsaved(self) -> int:
        """How many edits are not on the disk yet."""
        with self._wake:
            return len(self._edits())

    def settle(self, media_id: int) -> tuple[Diff, ...]:
        """Wait for the image's queued edits; return, oldest first, those that the disk refused."""
        with self._wake:
            waiting = [job.future for job in (*self._running, *self._queue) if _is_of(job, media_id)]
        wait(waiting)
        with self._wake:
            return tuple(job.edit.diff for job in self._refused if job.edit and job.edit.media_id == media_id)

    def close(self) -> int:
        """Write what is queued, stop, and return how many edits the disk refused."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()
        return len(self._refused)

    def _edits(self) -> list[_Job[object]]:
        return [job for job in (*self._refused, *self._running, *self._queue) if job.edit is not None]

    def _loop(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._stopping:
                    self._wake.wait()
                taken = [self._queue.popleft() for _ in range(min(_GROUP, len(self._queue)))]
                self._running = [job for job in taken if job.future.set_running_or_notify_cancel()]
                last = self._stopping and not self._queue
            if self._running or (last and self._refused):
                self._write()
            if last:
                break
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                # With a reader elsewhere the log outlives us: leave it empty, as after a clean end.
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._connection.close()

    def _write(self) -> None:
        try:
            outcomes = self._transaction([*self._refused, *self._running])
        except sqlite3.Error as e:
            self._drop_connection()
            if is_damage(e, self._path):
                self._on_damage()
            with self._wake:
                failed, self._running = self._running, []
                self._refused += [job for job in failed if job.edit is not None]
            for job in failed:
                refusal = told(e, self._path)
                refusal.__cause__ = e
                job.future.set_exception(refusal)
            return
        with self._wake:
            done, self._running = self._running, []
            late, outcomes = outcomes[: len(self._refused)], outcomes[len(self._refused) :]
            self._refused = []
        self.on_commit()
        for outcome in late:
            if outcome.error is not None:  # its future has failed already, for the disk
                _log.error("an edit kept since the disk refused it was wrong itself: %s", outcome.error)
        for job, outcome in zip(done, outcomes, strict=True):
            if outcome.error is not None:
                job.future.set_exception(outcome.error)
            else:
                job.future.set_result(outcome.value)

    def _transaction(self, jobs: list[_Job[object]]) -> list[_Outcome]:
        if self._connection is None:
            self._connection = self._connect()
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        outcomes = []
        for job in jobs:
            connection.execute("SAVEPOINT job")
            outcome = self._run(job, connection)
            if outcome.error is not None:
                connection.execute("ROLLBACK TO job")
            connection.execute("RELEASE job")
            outcomes.append(outcome)
        connection.execute("COMMIT")
        return outcomes

    def _run(self, job: _Job[object], connection: sqlite3.Connection) -> _Outcome:
        try:
            return _Outcome(value=job.run(connection))
        except _OF_THE_JOB as e:
            fault = told(e, self._path)
            fault.__cause__ = e
            return _Outcome(error=fault)
        except sqlite3.Error:
            raise
        except BaseException as e:  # noqa: BLE001  # the job boundary: whatever it is belongs to the future
            return _Outcome(error=e)

    def _drop_connection(self) -> None:
        # What a failed write left in the connection's cache is not worth trusting; the file is.
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            connection.close()


def _is_of(job: _Job[object], media_id: int) -> bool:
    return job.edit is not None and job.edit.media_id == media_id
