"""The command palette: type a part of a command's name, press Enter."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gui.commands.keys import shown_shortcut
from gui.commands.registry import COMMANDS, Command, Context, in_menu_order, translated
from gui.theme import SPACE, colors

_MOVES = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
_UNUSABLE = 1_000_000  # stands behind everything that can be run


def show_palette(parent: QWidget, context: Context) -> None:
    """Open the palette over the window; what is chosen runs when it has closed."""
    window = parent.window()
    palette = Palette(window, context)
    palette.move(window.mapToGlobal(QPoint((window.width() - palette.width()) // 2, window.height() // 8)))
    palette.open()


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


class Palette(QDialog):
    """A line to type in and the commands that fit."""

    def __init__(self, parent: QWidget, context: Context) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self.setObjectName("palette")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(560, 420)
        self._window = parent
        self._context = context
        self.line = QLineEdit()
        self.line.setPlaceholderText(self.tr("Type a command"))
        self.line.setAccessibleName(self.tr("Find a command"))
        self.line.setClearButtonEnabled(True)
        self.line.textChanged.connect(self._fill)
        self.line.returnPressed.connect(self._run)
        self.line.installEventFilter(self)
        self.list = QListWidget()
        self.list.setAccessibleName(self.tr("Commands"))
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.itemClicked.connect(self._run)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE, SPACE, SPACE, SPACE)
        layout.setSpacing(SPACE)
        layout.addWidget(self.line)
        layout.addWidget(self.list)
        self._fill()
        self.line.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Arrow keys in the line move through the list."""
        if watched is self.line and isinstance(event, QKeyEvent) and event.type() is QEvent.Type.KeyPress:
            if event.key() in _MOVES:
                self.list.event(event)
                return True
            if event.key() == Qt.Key.Key_Escape:
                self.reject()
                return True
        return super().eventFilter(watched, event)

    @Slot()
    def _fill(self) -> None:
        found: list[tuple[int, int, Command]] = []
        for number, one in enumerate(in_menu_order(COMMANDS.values())):
            if one.id == "help.palette":
                continue
            where = " ".join(translated(part).replace("&", "") for part in one.menu)
            cost = matches(self.line.text(), one.plain_title)
            if cost is None:
                cost = matches(self.line.text(), f"{where} {one.plain_title}")
            if cost is not None:
                found.append((cost + (0 if one.when(self._context) else _UNUSABLE), number, one))
        self.list.clear()
        for cost, _, one in sorted(found, key=lambda each: each[:2]):
            self._add(one, usable=cost < _UNUSABLE)
        self.list.setCurrentRow(0)

    def _add(self, one: Command, *, usable: bool) -> None:
        item = QListWidgetItem()
        item.setData(Qt.ItemDataRole.UserRole, one.id)
        item.setData(Qt.ItemDataRole.AccessibleTextRole, one.plain_title)
        item.setToolTip(translated(one.hint))
        if not usable:
            item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEnabled)
        row = QWidget()
        box = QHBoxLayout(row)
        box.setContentsMargins(SPACE, 5, SPACE, 5)
        now = colors()
        where = " › ".join(translated(part).replace("&", "") for part in one.menu)
        name = QLabel(one.plain_title)
        name.setStyleSheet(f"color: {now.text if usable else now.disabled}; background: transparent")
        place = QLabel(where)
        keys = QLabel(shown_shortcut(one, self._context.settings))
        for label in (place, keys):
            label.setStyleSheet(f"color: {now.muted if usable else now.disabled}; background: transparent")
        box.addWidget(name)
        box.addWidget(place)
        box.addStretch()
        box.addWidget(keys)
        item.setSizeHint(row.sizeHint())
        self.list.addItem(item)
        self.list.setItemWidget(item, row)

    @Slot()
    def _run(self) -> None:
        item = self.list.currentItem()
        if not self.list.count() or not item.flags() & Qt.ItemFlag.ItemIsEnabled:
            return
        chosen, window, context = COMMANDS[item.data(Qt.ItemDataRole.UserRole)], self._window, self._context
        self.accept()
        chosen.start(window, context)
