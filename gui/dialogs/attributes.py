"""Asks for the attributes of instances: a table of names and values."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gui.commands.registry import Context
from gui.theme import SPACE, WIDE

Attributes = tuple[tuple[str, str], ...]


def ask_attributes(parent: QWidget, context: Context) -> tuple[Attributes] | None:
    """The attributes that all selected instances get; None where the person backs out.

    The table begins with what they all have in common.
    """
    selected = context.editor.selected
    common = tuple(
        pair for pair in selected[0].attributes if all(pair in one.attributes for one in selected)
    )  # fmt: skip
    dialog = AttributesDialog(parent, common, len(selected))
    wanted = dialog.exec() == QDialog.DialogCode.Accepted
    attributes = dialog.attributes
    dialog.deleteLater()
    return (attributes,) if wanted else None


class AttributesDialog(QDialog):
    """Rows of name and value; there is always an empty one to write in, and emptied ones are dropped."""

    def __init__(self, parent: QWidget | None, attributes: Attributes, count: int) -> None:
        super().__init__(parent)
        self.setObjectName("attributes")
        self.setWindowTitle(self.tr("Attributes"))
        self.resize(420, 320)
        head = QLabel(
            self.tr("Of the selected instance:")
            if count == 1
            else self.tr("Of all {} selected instances:").format(count)
        )
        self.table = QTableWidget(0, 2)
        self.table.setAccessibleName(self.tr("Attributes"))
        self.table.setHorizontalHeaderLabels([self.tr("Name"), self.tr("Value")])
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.table.verticalHeader().hide()
        for name, value in (*attributes, ("", "")):
            self._add(name, value)
        self.table.itemChanged.connect(self._keep_an_empty_row)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )  # fmt: skip
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(WIDE, WIDE, WIDE, WIDE)
        layout.setSpacing(SPACE)
        layout.addWidget(head)
        layout.addWidget(self.table)
        layout.addWidget(buttons)
        self.table.setFocus(Qt.FocusReason.OtherFocusReason)

    @property
    def attributes(self) -> Attributes:
        """Names with their values as they stand; of a name given twice, the last value."""
        rows = [(self._text(row, 0), self._text(row, 1)) for row in range(self.table.rowCount())]
        return tuple({name: value for name, value in rows if name}.items())

    def _text(self, row: int, column: int) -> str:
        item = self.table.item(row, column)
        return item.text().strip() if item is not None else ""

    def _add(self, name: str, value: str) -> None:
        row = self.table.rowCount()
        self.table.insertRow(row)
        self.table.setItem(row, 0, QTableWidgetItem(name))
        self.table.setItem(row, 1, QTableWidgetItem(value))

    @Slot()
    def _keep_an_empty_row(self) -> None:
        if self._text(self.table.rowCount() - 1, 0):
            self._add("", "")
