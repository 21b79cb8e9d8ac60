"""A backup becomes a project again, and never takes the place of anybody's work."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from engine.errors import ProjectError
from engine.project import Project
from engine.project.restoring import restore_project
from tests.engine.project.making import adding, drawn, everything, ids


@pytest.fixture
def copy(project: Project, tmp_path: Path) -> Path:
    """A copy of a project with a car drawn on its first image."""
    project.save(ids(project)[0], adding(drawn(project.ensure_class("car").id)), name="Draw").result()
    made = tmp_path / "Käse 1.db"
    project.backup_to(made)
    return made


@pytest.fixture
def to(folder: Path, tmp_path: Path) -> Path:
    """The pictures elsewhere, with no project."""
    other = tmp_path / "other"
    shutil.copytree(folder, other, ignore=shutil.ignore_patterns(".maskwright"))
    return other


def test_that_a_restored_project_is_the_one_that_was_backed_up(
    project: Project, copy: Path, to: Path
) -> None:
    before = copy.read_bytes()
    restore_project(copy, to)
    with Project.open(to) as restored:
        assert everything(restored) == everything(project)
        assert restored.undo(ids(restored)[0]) is not None
    assert copy.read_bytes() == before


def test_that_a_project_nobody_has_worked_in_gives_way(project: Project, copy: Path, to: Path) -> None:
    with Project.open(to) as blank:
        blank.refresh()
    (to / ".maskwright" / "project.db-wal").write_bytes(b"left behind")
    restore_project(copy, to)
    with Project.open(to) as restored:
        assert everything(restored) == everything(project)


@pytest.mark.parametrize("work", ["class", "history", "repair"])
def test_that_work_is_never_written_over(copy: Path, to: Path, work: str) -> None:
    with Project.open(to) as there:
        there.refresh()
        media_id = ids(there)[0]
        if work != "repair":
            made = there.ensure_class("tree")
        if work == "history":
            one = drawn(made.id)
            there.save(media_id, adding(one), name="Draw").result()
            there.undo(media_id)
    database = to / ".maskwright" / "project.db"
    if work == "repair":
        (database.parent / "backups").mkdir(exist_ok=True)
        database.rename(database.parent / "backups" / "project-1.db")
    before = {path: path.read_bytes() for path in to.rglob("*.db")}
    with pytest.raises(ProjectError, match=r"never written over.*merge Käse 1\.db"):
        restore_project(copy, to)
    assert {path: path.read_bytes() for path in to.rglob("*.db")} == before


def test_that_a_project_that_is_open_is_left_alone(copy: Path, to: Path) -> None:
    with Project.open(to) as there, pytest.raises(ProjectError, match="close it there"):
        restore_project(copy, to)
    with Project.open(to) as there:
        assert not there.classes()


@pytest.mark.parametrize("content", [b"", b"no database at all", b"SQLite format 3\0 and then nothing"])
def test_that_a_file_that_is_no_backup_is_refused(to: Path, tmp_path: Path, content: bytes) -> None:
    wrong = tmp_path / "wrong.db"
    wrong.write_bytes(content)
    with pytest.raises(ProjectError, match=r"wrong\.db is no copy of a project"):
        restore_project(wrong, to)
    assert not (to / ".maskwright").exists()


def test_that_a_damaged_backup_is_told_and_leaves_nothing(copy: Path, to: Path) -> None:
    data = bytearray(copy.read_bytes())
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'instance'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    data[(page - 1) * size : page * size] = b"\xff" * size
    copy.write_bytes(data)
    with pytest.raises(ProjectError, match="choose an older backup"):
        restore_project(copy, to)
    assert not list(to.rglob("*.db"))
