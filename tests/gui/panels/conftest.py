"""An open project with the panels' surveyor, and a model's proposals on its second image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from engine.document.diff import Diff
from engine.document.document import Edit
from engine.document.records import ClassDef, Instance, ReviewState
from engine.project import Project
from gui.desk import Desk
from gui.editor import Editor
from gui.panels.surveyor import Surveyor
from gui.saving import Kept
from tests.gui.making import drawn, folder_of, proposal

Wait = Callable[..., None]


class Place:
    """The folder's images are a.png, b.png, c.png and sub/d.png: a reviewed with one bolt, b with proposals
    of a bolt (0.9) and a nut (0.55, 0.2), c untouched, d flagged "dim" and put off.
    """

    def __init__(self, desk: Desk, surveyor: Surveyor, wait: Wait) -> None:
        self.desk, self.editor, self.surveyor, self.wait = desk, desk.editor, surveyor, wait

    @property
    def project(self) -> Project:
        assert self.desk.project is not None
        return self.desk.project

    def id_of(self, path: str) -> int:
        return next(item.id for item in self.desk.media if item.path == path)

    def path_of(self, media_id: int) -> str:
        return self.desk.item(media_id).path

    def show(self, path: str) -> None:
        self.desk.show(self.id_of(path))
        self.wait(lambda: self.editor.shown is not None and self.editor.shown.item.path == path)

    def class_named(self, name: str) -> ClassDef:
        return next(one for one in self.editor.classes if one.name == name)

    @property
    def instances(self) -> tuple[Instance, ...]:
        assert self.editor.document is not None
        return self.editor.document.instances

    def settle(self) -> None:
        """Until all is saved and counted."""
        self.wait(lambda: self.desk.saving.state.kept is Kept.SAVED and not self.surveyor.is_behind)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = folder_of(tmp_path / "pictures", ("a.png", "b.png", "c.png", "sub/d.png"))
    with Project.open(made) as project:
        project.refresh()
        bolt, nut = (project.ensure_class(name).id for name in ("bolt", "nut"))
        a, b, _, d = (item.id for item in project.media())
        _edit(project, a, add=drawn(bolt), review=ReviewState.REVIEWED)
        found = [proposal(bolt, score=0.9), proposal(nut, 20, 0.55), proposal(nut, 30, 0.2)]
        project.put_proposals(b, found, key="k", batch_id="label 1")
        _edit(project, d, flags=("dim",), skip=True)
    return made


def _edit(project: Project, media_id: int, add: Instance | None = None, **state: object) -> None:
    document = project.load(media_id)
    edits: list[Edit] = []
    document.subscribe(edits.append)
    with document.edit("Edit"):
        if add is not None:
            document.add(add)
        document.replace(replace(document.state, **state))  # type: ignore[arg-type]
    diff: Diff = edits[0].diff
    project.save(media_id, diff, name="Edit").result()


@pytest.fixture
def empty_desk(application: QApplication) -> Iterator[Desk]:
    made = Desk(Editor())
    yield made
    made.close()


@pytest.fixture
def place(empty_desk: Desk, folder: Path, wait: Wait) -> Place:
    surveyor = Surveyor(empty_desk)
    empty_desk.open([folder])
    made = Place(empty_desk, surveyor, wait)
    wait(lambda: empty_desk.editor.shown and surveyor.statistics.classes)
    return made
