"""The classes panel: what it shows of a project and what a person does there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from gui.desk import Desk
from gui.panels.classes import Classes, _eye
from gui.panels.surveyor import Surveyor
from tests.gui.panels.conftest import Place


@pytest.fixture
def panel(place: Place) -> Iterator[Classes]:
    made = Classes(place.editor, place.desk, place.surveyor)
    made.resize(280, 300)
    made.show()
    yield made
    made.close()


def told(panel: Classes, row: int) -> str:
    return str(panel.model.data(panel.model.index(row), Qt.ItemDataRole.AccessibleTextRole))


def press(panel: Classes, key: Qt.Key) -> None:
    for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
        QApplication.sendEvent(panel.view, QKeyEvent(kind, key, Qt.KeyboardModifier.NoModifier))


def test_that_classes_are_listed_with_their_numbers_and_counts(panel: Classes) -> None:
    assert panel.model.stringList() == ["bolt", "nut"]
    assert told(panel, 0) == "bolt: 2 instances on 2 images\nPress 1 to choose it"
    assert told(panel, 1) == "nut: 1 instance on 1 image\nPress 2 to choose it"


def test_that_the_chosen_row_is_the_class_of_what_is_drawn_next(panel: Classes, place: Place) -> None:
    nut, bolt = place.class_named("nut"), place.class_named("bolt")
    panel.view.setCurrentIndex(panel.model.index(1))
    assert place.editor.class_id == nut.id
    place.editor.set_class(bolt.id)
    assert panel.view.currentIndex().row() == 0


def test_that_the_eye_and_the_space_bar_hide_a_class(panel: Classes, place: Place) -> None:
    nut = place.class_named("nut").id
    eye = _eye(panel.view.visualRect(panel.model.index(1))).center()
    QTest.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(eye))
    assert place.editor.sight.hidden_classes == {nut}
    assert told(panel, 1).endswith("Hidden")
    panel.view.setCurrentIndex(panel.model.index(1))
    press(panel, Qt.Key.Key_Space)
    assert place.editor.sight.hidden_classes == frozenset()


def test_that_one_class_can_be_shown_alone(panel: Classes, place: Place) -> None:
    panel.view.setCurrentIndex(panel.model.index(1))
    panel._show_only()
    assert place.editor.sight.hidden_classes == {place.class_named("bolt").id}
    panel._show_all()
    assert place.editor.sight.hidden_classes == frozenset()


def test_that_buttons_and_keys_name_commands(panel: Classes) -> None:
    asked: list[str] = []
    panel.asked.connect(asked.append)
    for one in (panel.add, panel.rename, panel.recolor, panel.merge, panel.delete):
        one.click()
    press(panel, Qt.Key.Key_F2)
    press(panel, Qt.Key.Key_Delete)
    names = [name.removeprefix("classes.") for name in asked]
    assert names == ["add", "rename", "recolor", "merge", "delete", "rename", "delete"]


def test_that_undo_says_what_it_takes_back(panel: Classes, place: Place) -> None:
    assert not panel.undo.isEnabled()
    place.project.rename_class(place.class_named("nut").id, "mother")
    place.desk.reload_classes()
    place.wait(panel.undo.isEnabled)
    assert panel.undo.toolTip().endswith("\nRename nut to mother")
    assert panel.model.stringList() == ["bolt", "mother"]


def test_that_counts_follow_what_is_edited(panel: Classes, place: Place) -> None:
    place.show("a.png")
    (bolt,) = place.instances
    assert place.editor.document is not None
    with place.editor.edit("Delete"):
        place.editor.document.remove(bolt.id)
    place.wait(lambda: told(panel, 0).startswith("bolt: 1 instance on 1 image"))


def test_that_an_empty_panel_says_what_to_do(empty_desk: Desk) -> None:
    panel = Classes(empty_desk.editor, empty_desk, Surveyor(empty_desk))
    assert panel.empty.text() == "The classes of a project are listed here."
    assert not panel.add.isEnabled()
    panel.close()
