"""Saved is said after the commit; what the disk refuses is kept and written first when it can be."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.document.masks import Mask
from engine.document.records import Instance, new_id
from engine.errors import ProjectError
from engine.project import Project, opening
from engine.project.connect import connect_for_writing
from tests.engine.project.making import adding, drawn, ids, instances_of, quick_check


class FullDisk:
    """Lets a project's database grow only while there is room."""

    def __init__(self) -> None:
        self.is_full = False

    def connect(self, path: Path, *, network: bool, create: bool = False) -> sqlite3.Connection:
        connection = connect_for_writing(path, network=network, create=create)
        if self.is_full:
            connection.execute("PRAGMA max_page_count = 1")  # SQLite takes the present size for the least
        return connection

    def fill(self, project: Project) -> None:
        self.is_full = True
        project._write(lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchone())


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FullDisk:
    made = FullDisk()
    monkeypatch.setattr(opening, "connect_for_writing", made.connect)
    return made


def big(class_id: int) -> Instance:
    """An instance that needs many pages."""
    import numpy as np

    return Instance(new_id(), class_id, Mask.from_full(np.random.default_rng(0).random((900, 900)) < 0.5))


def in_database(project: Project) -> int:
    """Instances that another program would find now."""
    connection = sqlite3.connect(f"file:{project.database}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM instance").fetchone()[0])
    finally:
        connection.close()


def test_that_saved_is_said_after_the_commit(project: Project) -> None:
    class_id, media_id = project.ensure_class("cell").id, ids(project)[0]
    seen: list[int] = []
    for _ in range(20):
        future = project.save(media_id, adding(drawn(class_id)), name="Draw")
        future.add_done_callback(lambda _: seen.append(in_database(project)))
        future.result()
    project.flush()
    assert seen == list(range(1, 21))


def test_that_edits_of_many_threads_are_all_saved_in_each_threads_order(project: Project) -> None:
    class_id, media = project.ensure_class("cell").id, ids(project)

    def work(media_id: int) -> None:
        found = drawn(class_id)
        for _ in range(15):
            project.save(media_id, adding(found), name="Draw")
            project.undo(media_id)
            project.redo(media_id)
            assert found.id in instances_of(project, media_id)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, media))


def test_that_queued_edits_share_a_commit(project: Project) -> None:
    class_id, media_id = project.ensure_class("cell").id, ids(project)[0]
    project.flush()
    begun, go = threading.Event(), threading.Event()

    def block(_connection: sqlite3.Connection) -> None:
        begun.set()
        assert go.wait(10)

    statements: list[str] = []
    project._write(lambda connection: connection.set_trace_callback(statements.append))
    blocked = project._queue(block)
    assert begun.wait(10)
    futures = [project.save(media_id, adding(drawn(class_id)), name="Draw") for _ in range(10)]
    assert project.unsaved == 10
    go.set()
    for future in (blocked, *futures):
        future.result()
    project._write(lambda connection: connection.set_trace_callback(None))
    assert project.unsaved == 0
    assert sum(statement.startswith("INSERT INTO op") for statement in statements) == 10
    assert statements.count("COMMIT") <= 5, "of the tracing, the blocking, the ten edits, and a content hash"


def test_that_a_loaded_document_has_the_edits_that_are_still_queued(project: Project) -> None:
    class_id, media_id = project.ensure_class("cell").id, ids(project)[0]
    for count in range(1, 20):
        project.save(media_id, adding(drawn(class_id)), name="Draw")
        assert len(instances_of(project, media_id)) == count


def test_that_a_full_disk_is_told_and_the_edit_kept_until_there_is_room(
    disk: FullDisk, project: Project
) -> None:
    class_id, media_id = project.ensure_class("cell").id, ids(project)[0]
    disk.fill(project)
    first, second = big(class_id), drawn(class_id)
    with pytest.raises(ProjectError, match=r"disk that holds .*project\.db is full: free some space"):
        project.save(media_id, adding(first), name="Draw").result()
    assert project.unsaved == 1
    with pytest.raises(ProjectError, match="full"):
        project.flush()
    assert instances_of(project, media_id) == {first.id}, "the person still sees what is not saved"
    with pytest.raises(ProjectError, match="full"):
        project.undo(media_id)
    assert project.unsaved == 1, "only edits are kept, not questions"
    disk.is_full = False
    project.save(media_id, adding(second), name="Draw").result()
    assert project.unsaved == 0
    assert in_database(project) == 2
    assert project.undo(media_id) is not None
    assert instances_of(project, media_id) == {first.id}, "the older edit was written first"


def test_that_retry_writes_what_was_refused(disk: FullDisk, project: Project) -> None:
    class_id, media_id = project.ensure_class("cell").id, ids(project)[0]
    disk.fill(project)
    with pytest.raises(ProjectError, match="full"):
        project.save(media_id, adding(big(class_id)), name="Draw").result()
    with pytest.raises(ProjectError, match="full"):
        project.retry().result()
    disk.is_full = False
    project.retry().result()
    assert (project.unsaved, in_database(project)) == (0, 1)


def test_that_closing_says_how_many_edits_are_lost(disk: FullDisk, folder: Path) -> None:
    project = Project.open(folder)
    project.refresh()
    class_id, media_id = project.ensure_class("cell").id, ids(project)[0]
    project.flush()
    disk.fill(project)
    project.save(media_id, adding(big(class_id)), name="Draw")
    with pytest.raises(ProjectError, match="1 edits could not be written"):
        project.close()
    disk.is_full = False
    with Project.open(folder) as project:
        assert not project.read_only, "the lock was given back all the same"
        assert quick_check(project.database) == "ok"


def test_that_an_edit_whose_commit_was_reported_as_failed_is_written_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    class_id, media_id = project.ensure_class("cell").id, ids(project)[0]
    project.flush()
    writer = project._writer
    assert writer is not None
    real = writer._transaction
    answers: Iterator[bool] = iter([True, False])

    def lose_the_answer(jobs: list[object]) -> list[object]:
        outcomes = real(jobs)  # type: ignore[arg-type]  # a private type of the writer's
        if next(answers, False):
            raise sqlite3.OperationalError("disk I/O error")
        return list(outcomes)

    monkeypatch.setattr(writer, "_transaction", lose_the_answer)
    found = drawn(class_id)
    with pytest.raises(ProjectError):
        project.save(media_id, adding(found), name="Draw").result()
    project.retry().result()
    with project._reading() as connection:
        assert connection.execute("SELECT count(*) FROM op").fetchone()[0] == 1
    assert project.undo(media_id) is not None
    assert project.undo(media_id) is None


def test_that_a_fault_of_the_program_reaches_its_caller_and_nobody_else(project: Project) -> None:
    class_id, media_id = project.ensure_class("cell").id, ids(project)[0]
    broken = project.save(media_id, None, name="Draw")  # type: ignore[arg-type]  # the fault
    with pytest.raises(AttributeError):
        broken.result()
    project.save(media_id, adding(drawn(class_id)), name="Draw").result()


def test_that_a_closed_project_says_so(folder: Path) -> None:
    project = Project.open(folder)
    project.close()
    project.close()
    with pytest.raises(ProjectError, match="closed"):
        project.media()
    with pytest.raises(ProjectError, match="closed"):
        project.ensure_class("cell")
