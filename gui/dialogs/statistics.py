"""The statistics in a window of their own, open beside the work."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QWidget

from gui.commands.registry import Context, translated
from gui.panels.parts import column
from gui.panels.statistics import StatisticsPanel
from gui.panels.surveyor import Surveyor


class StatisticsDialog(QDialog):
    """Follows the project while it is open."""

    def __init__(self, parent: QWidget, context: Context) -> None:
        super().__init__(parent)
        self.setWindowTitle(translated("Statistics"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        surveyor = Surveyor(context.desk)
        surveyor.setParent(self)
        self.panel = StatisticsPanel(context.desk, surveyor)
        column(self, margin=0).addWidget(self.panel)
        self.resize(460, 640)
        surveyor.refresh()


def show_statistics(parent: QWidget, context: Context) -> None:
    """Open the window, or bring the open one to the front."""
    for one in parent.findChildren(StatisticsDialog):
        one.raise_()
        one.activateWindow()
        return
    StatisticsDialog(parent, context).show()
