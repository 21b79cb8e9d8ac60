"""The command palette: type a part of a command's name, press Enter."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QListWidgetItem, QWidget

from gui.commands.keys import shown_shortcut
from gui.commands.registry import COMMANDS, Command, Context, in_menu_order, translated
from gui.dialogs.find import FindDialog, matches
from gui.theme import SPACE, colors

_UNUSABLE = 1_000_000  # stands behind everything that can be run


def show_palette(parent: QWidget, context: Context) -> None:
    """Open the palette over the window; what is chosen runs when it has closed."""
    window = parent.window()
    palette = Palette(window, context)
    palette.move(window.mapToGlobal(QPoint((window.width() - palette.width()) // 2, window.height() // 8)))
    palette.open()


class Palette(FindDialog):
    """The commands that fit what is typed, with their keys; those that cannot be run now stand last."""

    def __init__(self, parent: QWidget, context: Context) -> None:
        self._window, self._context = parent, context
        super().__init__(
            parent, self.tr("Type a command"), Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint
        )
        self.setObjectName("palette")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.list.setAccessibleName(self.tr("Commands"))
        self.list.setStyleSheet("QListWidget::item { padding: 0; }")  # its rows have widgets with room enough
        self.resize(560, 420)

    def fill(self, wanted: str) -> None:
        """The commands that have these letters in their title, or in their menu's and theirs."""
        found: list[tuple[int, int, Command]] = []
        for number, one in enumerate(in_menu_order(COMMANDS.values())):
            if one.id == "help.palette":
                continue
            where = " ".join(translated(part).replace("&", "") for part in one.menu)
            cost = matches(wanted, one.plain_title)
            if cost is None:
                cost = matches(wanted, f"{where} {one.plain_title}")
            if cost is not None:
                found.append((cost + (0 if one.when(self._context) else _UNUSABLE), number, one))
        for cost, _, one in sorted(found, key=lambda each: each[:2]):
            self._add(one, usable=cost < _UNUSABLE)

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
    def take(self) -> None:
        """Run the marked command once the palette has closed."""
        item = self.marked
        if item is None or not item.flags() & Qt.ItemFlag.ItemIsEnabled:
            return
        chosen, window, context = COMMANDS[item.data(Qt.ItemDataRole.UserRole)], self._window, self._context
        self.accept()
        chosen.start(window, context)
