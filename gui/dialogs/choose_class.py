"""Asks for a class: type a part of its name, press Enter."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QDialog, QListWidgetItem, QWidget

from engine.document.records import ClassDef
from gui import theme
from gui.commands.registry import Context
from gui.dialogs.find import FindDialog, matches

_ID = Qt.ItemDataRole.UserRole


def ask_class(parent: QWidget, context: Context) -> tuple[int] | None:
    """The id of the class to give; None where the person backs out."""
    dialog = ClassDialog(parent, context.editor.classes)
    wanted = dialog.exec() == QDialog.DialogCode.Accepted
    class_id = dialog.class_id
    dialog.deleteLater()
    return (class_id,) if wanted and class_id is not None else None


class ClassDialog(FindDialog):
    """The classes that fit what is typed."""

    def __init__(self, parent: QWidget | None, classes: tuple[ClassDef, ...]) -> None:
        self._classes = classes
        super().__init__(parent, self.tr("Type a class"))
        self.setObjectName("choose-class")
        self.setWindowTitle(self.tr("Change class"))
        self.list.setAccessibleName(self.tr("Classes"))
        self.resize(320, 360)

    @property
    def class_id(self) -> int | None:
        """The chosen class; None where no class fits what was typed."""
        return None if self.marked is None else int(self.marked.data(_ID))

    def fill(self, wanted: str) -> None:
        """The classes whose names have these letters."""
        costs = [(matches(wanted, one.name), one) for one in self._classes]
        fitting = [(cost, one) for cost, one in costs if cost is not None]
        for _, one in sorted(fitting, key=lambda each: each[0]):
            item = QListWidgetItem(theme.swatch_icon(one.color), one.name)
            item.setData(_ID, one.id)
            self.list.addItem(item)

    @Slot()
    def take(self) -> None:
        """Answer the marked class."""
        if self.class_id is not None:
            self.accept()
