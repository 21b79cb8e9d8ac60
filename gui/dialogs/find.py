"""A line to type in and the rows that fit it: the shape of the palette and of the question for a class."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QDialog, QLineEdit, QListWidget, QListWidgetItem, QWidget

from gui.panels.parts import column

_MOVES = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


def matches(wanted: str, text: str) -> int | None:
    """How badly `wanted` fits `text`, 0 best; None where its letters are not there in this order."""
    wanted, text = wanted.casefold().replace(" ", ""), text.casefold()
    if not wanted:
        return 0
    place, cost, last = -1, 0, -1
    for letter in wanted:
        place = text.find(letter, last + 1)
        if place < 0:
            return None
        begins_word = place == 0 or not text[place - 1].isalnum()
        cost += 0 if place == last + 1 or begins_word else 4 + place - last
        last = place
    return cost + len(text) // 8


class FindDialog(QDialog):
    """The best row is marked; arrow keys in the line mark another, Enter or a click takes the marked one."""

    def __init__(
        self, parent: QWidget | None, hint: str, flags: Qt.WindowType = Qt.WindowType.Dialog
    ) -> None:
        super().__init__(parent, flags)
        self.line = QLineEdit()
        self.line.setPlaceholderText(hint)
        self.line.setAccessibleName(hint)
        self.line.setClearButtonEnabled(True)
        self.line.textChanged.connect(self._list_anew)
        self.line.installEventFilter(self)
        self.list = QListWidget()
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.itemClicked.connect(self.take)
        layout = column(self)
        layout.addWidget(self.line)
        layout.addWidget(self.list)
        self.line.setFocus()
        self._list_anew()

    @property
    def marked(self) -> QListWidgetItem | None:
        """The row that would be taken; None where nothing fits what was typed."""
        return self.list.currentItem() if self.list.count() else None

    def fill(self, wanted: str) -> None:
        """Put the rows that fit into the empty list, the best first."""
        raise NotImplementedError

    @Slot()
    def take(self) -> None:
        """Do with the marked row what the dialog is for."""
        raise NotImplementedError

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """The line's keys that are the list's."""
        if watched is self.line and isinstance(event, QKeyEvent) and event.type() is QEvent.Type.KeyPress:
            if event.key() in _MOVES:
                self.list.event(event)
                return True
            if event.key() in _ENTER:
                self.take()
                return True
        return super().eventFilter(watched, event)

    @Slot()
    def _list_anew(self) -> None:
        self.list.clear()
        self.fill(self.line.text())
        self.list.setCurrentRow(0)
