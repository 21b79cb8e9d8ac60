"""Asks for a class: type a part of its name, press Enter."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Slot
from PySide6.QtGui import QColor, QIcon, QKeyEvent, QPixmap
from PySide6.QtWidgets import QDialog, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from engine.document.records import ClassDef
from gui.commands.registry import Context
from gui.dialogs.palette import matches
from gui.theme import SPACE

_MOVES = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
_SWATCH = 14


def ask_class(parent: QWidget, context: Context) -> tuple[int] | None:
    """The id of the class to give; None where the person backs out."""
    dialog = ClassDialog(parent, context.editor.classes)
    wanted = dialog.exec() == QDialog.DialogCode.Accepted
    class_id = dialog.class_id
    dialog.deleteLater()
    return (class_id,) if wanted and class_id is not None else None


class ClassDialog(QDialog):
    """A line to type in and the classes that fit, the best one chosen."""

    def __init__(self, parent: QWidget | None, classes: tuple[ClassDef, ...]) -> None:
        super().__init__(parent)
        self.setObjectName("choose-class")
        self.setWindowTitle(self.tr("Change class"))
        self.resize(320, 360)
        self._classes = classes
        self.line = QLineEdit()
        self.line.setPlaceholderText(self.tr("Type a class"))
        self.line.setAccessibleName(self.tr("Find a class"))
        self.line.setClearButtonEnabled(True)
        self.line.textChanged.connect(self._fill)
        self.line.installEventFilter(self)
        self.list = QListWidget()
        self.list.setAccessibleName(self.tr("Classes"))
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setIconSize(QSize(_SWATCH, _SWATCH))
        self.list.itemClicked.connect(self._choose)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE, SPACE, SPACE, SPACE)
        layout.setSpacing(SPACE)
        layout.addWidget(self.line)
        layout.addWidget(self.list)
        self._fill()
        self.line.setFocus()

    @property
    def class_id(self) -> int | None:
        """The chosen class; None where no class fits what was typed."""
        item = self.list.currentItem() if self.list.count() else None
        return None if item is None else int(item.data(Qt.ItemDataRole.UserRole))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Arrow keys in the line move through the list, Enter takes the class."""
        if watched is self.line and isinstance(event, QKeyEvent) and event.type() is QEvent.Type.KeyPress:
            if event.key() in _MOVES:
                self.list.event(event)
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._choose()
                return True
        return super().eventFilter(watched, event)

    @Slot()
    def _fill(self) -> None:
        costs = [(matches(self.line.text(), one.name), one) for one in self._classes]
        self.list.clear()
        for _, one in sorted(
            ((cost, one) for cost, one in costs if cost is not None), key=lambda each: each[0]
        ):
            swatch = QPixmap(_SWATCH, _SWATCH)
            swatch.fill(QColor(one.color))
            item = QListWidgetItem(QIcon(swatch), one.name)
            # As text: an id has 62 bits, more than Qt makes of a Python number.
            item.setData(Qt.ItemDataRole.UserRole, str(one.id))
            self.list.addItem(item)
        self.list.setCurrentRow(0)

    @Slot()
    def _choose(self) -> None:
        if self.class_id is not None:
            self.accept()
