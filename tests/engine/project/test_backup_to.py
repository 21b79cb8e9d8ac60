"""A copy that a person asks for holds everything and opens as the project it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engine.errors import ProjectError
from engine.project import Project
from tests.engine.project.making import adding, drawn, everything, ids, quick_check


def test_that_a_copy_is_the_project_with_the_last_edit(
    project: Project, folder: Path, tmp_path: Path
) -> None:
    media_id = ids(project)[0]
    made = project.ensure_class("car")
    project.save(media_id, adding(drawn(made.id)), name="Draw")  # not waited for
    copy = tmp_path / "Käse 1.db"
    copy.write_bytes(b"an older copy")
    project.backup_to(copy)
    assert quick_check(copy) == "ok"
    other = tmp_path / "other"
    shutil.copytree(folder, other, ignore=shutil.ignore_patterns(".maskwright"))
    (other / ".maskwright").mkdir()
    shutil.copyfile(copy, other / ".maskwright" / "project.db")
    with Project.open(other) as again:
        assert everything(again) == everything(project)
        assert again.undo(media_id) is not None


def test_that_a_copy_does_not_take_the_place_of_the_project(project: Project, tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="is the project itself"):
        project.backup_to(project.database)
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    with pytest.raises(ProjectError, match=r"file/copy\.db"):
        project.backup_to(tmp_path / "file" / "copy.db")


def test_that_a_project_for_reading_can_be_copied(project: Project, folder: Path, tmp_path: Path) -> None:
    project.ensure_class("car")
    with Project.open(folder, read_only=True) as reader:
        reader.backup_to(tmp_path / "copy.db")
    assert quick_check(tmp_path / "copy.db") == "ok"
