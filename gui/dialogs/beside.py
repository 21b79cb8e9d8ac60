"""Windows that stay open beside the work, one of a kind."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QWidget

from gui.commands.registry import Context
from gui.screen import fit


class Beside(QDialog):
    """Gone for good once it is closed."""

    def __init__(self, parent: QWidget, _context: Context) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

    @classmethod
    def open_one(cls, parent: QWidget, context: Context) -> None:
        """Open the window, or bring the open one to the front."""
        for one in parent.findChildren(cls):
            one.raise_()
            one.activateWindow()
            return
        window = cls(parent, context)
        fit(window)
        window.show()
