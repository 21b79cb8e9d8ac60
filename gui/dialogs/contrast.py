"""Window and level in a window of its own, open beside the work."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QWidget

from gui.commands.registry import Context, translated
from gui.contrast import Contrasting
from gui.panels.contrast import ContrastPanel
from gui.panels.parts import column


class ContrastDialog(QDialog):
    """Follows the shown image while it is open; what was tried out and not kept goes with it."""

    def __init__(self, parent: QWidget, context: Context) -> None:
        super().__init__(parent)
        self.setWindowTitle(translated("Window and level"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.contrasting = Contrasting(context.desk)
        self.contrasting.setParent(self)
        self.panel = ContrastPanel(self.contrasting)
        column(self, margin=0).addWidget(self.panel)

    def done(self, result: int) -> None:
        """However it is closed."""
        self.contrasting.close()
        super().done(result)


def show_contrast(parent: QWidget, context: Context) -> None:
    """Open the window, or bring the open one to the front."""
    for one in parent.findChildren(ContrastDialog):
        one.raise_()
        one.activateWindow()
        return
    ContrastDialog(parent, context).show()
