"""The project is backed up from the window, and restored."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from gui.commands import project
from gui.commands.registry import Context
from tests.gui.commands.test_classes import _Parts
from tests.gui.panels.conftest import Place, empty_desk, folder, place

__all__ = ["empty_desk", "folder", "place"]


def test_that_a_backup_is_written_and_told_or_refused_and_told(place: Place, tmp_path: Path) -> None:
    context = cast("Context", _Parts(place))
    noticed: list[str] = []
    failed: list[str] = []
    place.desk.noticed.connect(noticed.append)
    place.desk.failed.connect(failed.append)
    copy = tmp_path / "copy.db"
    project.backup(context, copy)
    place.wait(lambda: noticed)
    assert str(copy) in noticed[0]
    assert copy.read_bytes()[:6] == b"SQLite"
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    project.backup(context, tmp_path / "file" / "copy.db")
    place.wait(lambda: failed)
    assert "copy.db" in failed[0]


def test_that_a_backup_is_restored_to_a_folder_and_open_there(place: Place, tmp_path: Path) -> None:
    context = cast("Context", _Parts(place))
    assert place.desk.project is not None
    copy, to = tmp_path / "copy.db", tmp_path / "elsewhere"
    to.mkdir()
    place.desk.project.ensure_class("restored")
    place.desk.project.backup_to(copy)
    project.restore(context, copy, to)
    place.wait(lambda: place.desk.folder == to)
    assert [one.name for one in place.desk.editor.classes][-1] == "restored"
