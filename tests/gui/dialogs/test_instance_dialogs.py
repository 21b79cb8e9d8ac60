"""What the dialogs on instances answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog

from engine.document.records import ClassDef
from gui.dialogs.attributes import AttributesDialog
from gui.dialogs.choose_class import ClassDialog

BIG_ID = 2**61 + 1
CLASSES = (
    ClassDef(1, "bolt", "#cc3311"),
    ClassDef(2, "nut", "#0077bb"),
    ClassDef(BIG_ID, "washer", "#009988"),
)


@pytest.fixture
def classes() -> Iterator[ClassDialog]:
    dialog = ClassDialog(None, CLASSES)
    yield dialog
    dialog.deleteLater()


def test_that_typing_part_of_a_name_and_enter_answers_the_class(classes: ClassDialog) -> None:
    QTest.keyClicks(classes.line, "wa")
    QTest.keyClick(classes.line, Qt.Key.Key_Return)
    assert classes.result() == QDialog.DialogCode.Accepted
    assert classes.class_id == BIG_ID


def test_that_arrows_move_through_the_classes_and_a_name_of_none_answers_none(classes: ClassDialog) -> None:
    chosen = [classes.class_id]
    QTest.keyClick(classes.line, Qt.Key.Key_Down)
    assert [*chosen, classes.class_id] == [1, 2]
    classes.line.setText("xyz")
    QTest.keyClick(classes.line, Qt.Key.Key_Return)
    assert classes.class_id is None
    assert classes.result() == QDialog.DialogCode.Rejected


def test_that_attributes_are_what_the_table_holds() -> None:
    dialog = AttributesDialog(None, (("side", "left"), ("worn", "yes")), 2)
    try:
        assert dialog.attributes == (("side", "left"), ("worn", "yes"))
        rows = dialog.table.rowCount()
        for row, column, text in ((0, 0, " "), (rows - 1, 0, "note"), (rows - 1, 1, " ask Ann ")):
            item = dialog.table.item(row, column)
            assert item is not None
            item.setText(text)
        assert dialog.attributes == (("worn", "yes"), ("note", "ask Ann"))
        assert dialog.table.rowCount() == rows + 1
    finally:
        dialog.deleteLater()
