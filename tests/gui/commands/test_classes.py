"""Changing classes from the window: the project, the list and the shown document change together."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QDialog, QWidget

from engine.document.records import ClassDef
from gui.commands import classes
from gui.commands.registry import COMMANDS, Context
from gui.dialogs.classes import DeleteDialog, MergeDialog, NameDialog, ask_delete
from gui.dialogs.statistics import StatisticsDialog
from tests.gui.making import drawn, stored
from tests.gui.panels.conftest import Place, empty_desk, folder, place

__all__ = ["empty_desk", "folder", "place"]


class _Parts:
    """What these commands use of a context."""

    def __init__(self, place: Place) -> None:
        self.editor, self.desk = place.editor, place.desk


@pytest.fixture
def context(place: Place) -> Context:
    return cast("Context", _Parts(place))


def names(place: Place) -> list[str]:
    return [one.name for one in place.editor.classes]


def test_that_a_new_class_is_the_one_to_draw_with(context: Context, place: Place) -> None:
    classes.add(context, "washer")
    place.wait(lambda: "washer" in names(place))
    assert place.editor.class_id == place.class_named("washer").id


def test_that_a_merge_shows_at_once_in_the_open_image_and_can_be_undone(
    context: Context, place: Place
) -> None:
    place.show("b.png")
    bolt, nut = place.class_named("bolt").id, place.class_named("nut").id
    before = place.instances
    classes.merge(context, [nut], bolt)
    place.wait(lambda: {one.class_id for one in place.instances} == {bolt})
    assert names(place) == ["bolt"]
    assert place.editor.class_id == bolt
    classes.undo(context)
    place.wait(lambda: place.instances == before)
    assert names(place) == ["bolt", "nut"]
    classes.redo(context)
    place.wait(lambda: names(place) == ["bolt"])


def test_that_deleting_a_class_in_use_takes_its_instances_from_the_open_image(
    context: Context, place: Place
) -> None:
    place.show("a.png")
    (bolt,) = place.instances
    place.editor.select([bolt.id])
    classes.delete(context, bolt.class_id)
    place.wait(lambda: place.instances == ())
    assert place.editor.selection == ()
    assert names(place) == ["nut"]
    classes.undo(context)
    place.wait(lambda: place.instances == (bolt,))
    place.settle()
    assert place.surveyor.survey.use.instances == 4


def test_that_an_edit_on_its_way_is_kept_by_a_merge(context: Context, place: Place, folder: Path) -> None:
    place.show("c.png")
    nut, bolt = place.class_named("nut").id, place.class_named("bolt").id
    mine = drawn(nut)
    assert place.editor.document is not None
    with place.editor.edit("Draw"):
        place.editor.document.add(mine)
    classes.merge(context, [nut], bolt)
    place.wait(lambda: [one.class_id for one in place.instances] == [bolt])
    place.settle()
    assert mine.id in stored(folder, "c.png")


def test_that_the_order_is_changed_a_step_at_a_time(context: Context, place: Place) -> None:
    place.editor.set_class(place.class_named("nut").id)
    classes.up(context)
    place.wait(lambda: names(place) == ["nut", "bolt"])
    classes.up(context)  # it is the first already
    classes.down(context)
    place.wait(lambda: names(place) == ["bolt", "nut"])


def test_that_what_cannot_be_done_is_told(context: Context, place: Place) -> None:
    told: list[str] = []
    place.desk.failed.connect(told.append)
    classes.rename(context, place.class_named("nut").id, "bolt")
    place.wait(lambda: told)
    assert told == ['There is a class "bolt" already: choose another name, or merge the two.']
    assert names(place) == ["bolt", "nut"]


def test_that_nothing_to_undo_is_told(context: Context, place: Place) -> None:
    told: list[str] = []
    place.desk.noticed.connect(told.append)
    classes.undo(context)
    place.wait(lambda: told == ["There is no change of classes to undo."])


def test_that_a_set_of_classes_goes_to_another_project(
    context: Context, place: Place, tmp_path: Path
) -> None:
    told: list[str] = []
    place.desk.noticed.connect(told.append)
    path = tmp_path / "set.json"
    classes.save(context, path)
    place.wait(path.is_file)
    classes.delete(context, place.class_named("nut").id)
    place.wait(lambda: names(place) == ["bolt"])
    classes.load(context, path)
    place.wait(lambda: names(place) == ["bolt", "nut"])
    assert told[-1] == "Classes added from set.json: 1"


def test_that_a_taken_or_empty_name_cannot_be_given(application: QApplication) -> None:
    parent = QWidget()
    dialog = NameDialog(parent, "Rename", "bolt", ["bolt", "nut"])
    ok = dialog.buttons.button(dialog.buttons.StandardButton.Ok)
    for text, may in (("nut", False), ("  ", False), ("bolt", True), (" wing  nut ", True)):
        dialog.field.setText(text)
        assert ok.isEnabled() is may
    assert dialog.name == "wing nut"


def test_that_a_class_is_not_merged_into_itself(application: QApplication) -> None:
    parent = QWidget()
    known = (ClassDef(1, "a", "#112233"), ClassDef(2, "b", "#445566"), ClassDef(3, "c", "#778899"))
    dialog = MergeDialog(parent, known, chosen=1)
    assert (dialog.merged, dialog.into.currentData()) == ((1,), 2)
    dialog.into.setCurrentIndex(0)
    assert dialog.merged == ()
    assert not dialog.buttons.button(dialog.buttons.StandardButton.Ok).isEnabled()


def test_that_deleting_says_beforehand_what_goes(context: Context, place: Place) -> None:
    parent, told = QWidget(), []
    place.editor.set_class(place.class_named("nut").id)

    def look() -> None:
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, DeleteDialog)
        if "Counting" in dialog.told.text():
            QTimer.singleShot(20, look)
            return
        told.append(dialog.told.text())
        dialog.done(QDialog.DialogCode.Rejected)

    QTimer.singleShot(20, look)
    assert ask_delete(parent, context) is None
    assert "2 instances on 1 image" in told[0]


def test_that_the_statistics_open_once_and_follow(context: Context, place: Place) -> None:
    parent = QWidget()
    for _ in range(2):
        COMMANDS["classes.statistics"].start(parent, context)
    (dialog,) = parent.findChildren(StatisticsDialog)
    place.wait(lambda: len(dialog.panel.classes.bars) == 2)
    dialog.close()
