"""The shortcut page: every command with its keys, which can be changed."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gui.commands.keys import give, holder_of, shortcuts_of
from gui.commands.registry import COMMANDS, Command, Context, in_menu_order, translated
from gui.settings import Settings
from gui.theme import SPACE, WIDE

CANVAS_KEYS = (
    ("Accept the image and go on", "Space, tapped"),
    ("Move the picture", "Space held and drag, or the middle button"),
    ("Zoom to the pointer", "Wheel"),
    ("Size of the brush", "Ctrl+Wheel"),
    ("What can be done there", "Right button"),
    ("Finish what is drawn", "Enter"),
    ("Take back the last point", "Backspace"),
    ("Drop what is drawn, or the selection", "Esc"),
)


def show_shortcuts(parent: QWidget, context: Context) -> None:
    """Open the page."""
    ShortcutPage(parent, context.settings).open()


class ShortcutPage(QDialog):
    """A searchable list; the marked command's keys are changed below it."""

    def __init__(self, parent: QWidget, settings: Settings) -> None:
        super().__init__(parent)
        self.setObjectName("shortcuts")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Shortcuts"))
        self.resize(640, 620)
        self._settings = settings
        self.line = QLineEdit()
        self.line.setPlaceholderText(self.tr("Find a command or a key"))
        self.line.setAccessibleName(self.tr("Find a command or a key"))
        self.line.setClearButtonEnabled(True)
        self.line.textChanged.connect(self._filter)
        self.tree = QTreeWidget()
        self.tree.setAccessibleName(self.tr("Commands and their keys"))
        self.tree.setHeaderLabels([self.tr("Command"), self.tr("Keys")])
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.tree.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.header().setStretchLastSection(False)
        self.tree.setRootIsDecorated(False)
        self.tree.currentItemChanged.connect(self._on_marked)
        self.keys = QKeySequenceEdit()
        self.keys.setMaximumSequenceLength(1)
        self.keys.setClearButtonEnabled(True)
        self.keys.setAccessibleName(self.tr("New keys"))
        self.keys.keySequenceChanged.connect(self._on_keys)
        self.set = QPushButton(self.tr("Change"))
        self.set.clicked.connect(self._change)
        self.reset = QPushButton(self.tr("As it came"))
        self.reset.clicked.connect(self._reset)
        self._note = QLabel()
        self._note.setWordWrap(True)
        self._lay_out()
        self._fill()
        self._on_marked()

    def _lay_out(self) -> None:
        change = QHBoxLayout()
        change.setSpacing(SPACE)
        change.addWidget(QLabel(self.tr("New keys")))
        change.addWidget(self.keys, 1)
        change.addWidget(self.set)
        change.addWidget(self.reset)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(WIDE, WIDE, WIDE, WIDE)
        layout.setSpacing(SPACE)
        layout.addWidget(self.line)
        layout.addWidget(self.tree, 1)
        layout.addLayout(change)
        layout.addWidget(self._note)
        layout.addWidget(buttons)

    def _fill(self) -> None:
        groups: dict[str, QTreeWidgetItem] = {}
        for one in in_menu_order(COMMANDS.values()):
            path = [translated(part).replace("&", "") for part in one.menu]
            name = " › ".join(path) or self.tr("Other")
            item = QTreeWidgetItem([one.plain_title, self._keys_of(one)])
            item.setData(0, Qt.ItemDataRole.UserRole, one.id)
            item.setToolTip(0, translated(one.hint))
            self._group(groups, name).addChild(item)
        for title, keys in CANVAS_KEYS:
            fixed = QTreeWidgetItem([translated(title), translated(keys)])
            self._group(groups, self.tr("On the picture (fixed)")).addChild(fixed)
        self.tree.expandAll()

    def _group(self, groups: dict[str, QTreeWidgetItem], name: str) -> QTreeWidgetItem:
        if name not in groups:
            group = groups[name] = QTreeWidgetItem([name])
            font = group.font(0)
            font.setBold(True)
            group.setFont(0, font)
            group.setFlags(Qt.ItemFlag.ItemIsEnabled)
            group.setFirstColumnSpanned(True)
            self.tree.addTopLevelItem(group)
        return groups[name]

    def _keys_of(self, one: Command) -> str:
        native = QKeySequence.SequenceFormat.NativeText
        return "  ".join(QKeySequence(each).toString(native) for each in shortcuts_of(one, self._settings))

    def _groups(self) -> list[tuple[QTreeWidgetItem, list[QTreeWidgetItem]]]:
        """The groups with their commands."""
        places = range(self.tree.topLevelItemCount())
        groups = [group for place in places if (group := self.tree.topLevelItem(place)) is not None]
        return [
            (group, [one for row in range(group.childCount()) if (one := group.child(row)) is not None])
            for group in groups
        ]

    @property
    def _marked(self) -> Command | None:
        item = self.tree.currentItem()
        return COMMANDS.get(item.data(0, Qt.ItemDataRole.UserRole)) if item else None

    @Slot()
    def _filter(self) -> None:
        wanted = self.line.text().casefold().strip()
        for group, items in self._groups():
            for item in items:
                item.setHidden(wanted not in f"{item.text(0)} {item.text(1)}".casefold())
            group.setHidden(all(item.isHidden() for item in items))

    @Slot()
    def _on_marked(self) -> None:
        one = self._marked
        for widget in (self.keys, self.set, self.reset):
            widget.setEnabled(one is not None)
        self.keys.blockSignals(True)
        shortcuts = shortcuts_of(one, self._settings) if one else ()
        self.keys.setKeySequence(QKeySequence(shortcuts[0] if shortcuts else ""))
        self.keys.blockSignals(False)
        self.set.setEnabled(False)
        self._note.clear()

    @Slot()
    def _on_keys(self) -> None:
        one, keys = self._marked, self.keys.keySequence().toString()
        self.set.setEnabled(one is not None)
        holder = holder_of(keys, self._settings) if keys else None
        if holder is not None and one is not None and holder.id != one.id:
            self._note.setText(
                self.tr("These keys run “{}” now, which would lose them.").format(holder.plain_title)
            )
        else:
            self._note.clear()

    @Slot()
    def _change(self) -> None:
        one = self._marked
        if one is not None:
            give(one, self.keys.keySequence().toString(), self._settings)
            self._refresh()

    @Slot()
    def _reset(self) -> None:
        one = self._marked
        if one is not None:
            self._settings.set_shortcuts(one.id, None)
            self._refresh()

    def _refresh(self) -> None:
        for item in (item for _, items in self._groups() for item in items):
            one = COMMANDS.get(item.data(0, Qt.ItemDataRole.UserRole))
            if one is not None:
                item.setText(1, self._keys_of(one))
        self._on_marked()
