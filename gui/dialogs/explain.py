"""How the model sees the shown image, in a window beside the work."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QWidget

from gui.commands.registry import Context, translated
from gui.explaining import Explaining
from gui.panels.explain import ExplainPanel
from gui.panels.parts import column


class ExplainDialog(QDialog):
    """Follows the shown image and the selection while it is open."""

    def __init__(self, parent: QWidget, context: Context) -> None:
        super().__init__(parent)
        self.setWindowTitle(translated("How the model sees this image"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.explaining = Explaining(context.desk, context.bridge, context.proposals)
        self.explaining.setParent(self)
        self.panel = ExplainPanel(self.explaining)
        column(self, margin=0).addWidget(self.panel)
        self.resize(1120, 700)
        self.explaining.start()

    def done(self, result: int) -> None:
        """However it is closed."""
        self.explaining.close()
        super().done(result)


def show_explanation(parent: QWidget, context: Context) -> None:
    """Open the window, or bring the open one to the front."""
    for one in parent.findChildren(ExplainDialog):
        one.raise_()
        one.activateWindow()
        return
    ExplainDialog(parent, context).show()
