"""The statistics in a window of their own, open beside the work."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from gui.commands.registry import Context, translated
from gui.dialogs.beside import Beside
from gui.panels.parts import column
from gui.panels.statistics import StatisticsPanel
from gui.panels.surveyor import Surveyor


class StatisticsDialog(Beside):
    """Follows the project while it is open."""

    def __init__(self, parent: QWidget, context: Context) -> None:
        super().__init__(parent, context)
        self.setWindowTitle(translated("Statistics"))
        surveyor = Surveyor(context.desk)
        surveyor.setParent(self)
        self.panel = StatisticsPanel(context.desk, surveyor)
        column(self, margin=0).addWidget(self.panel)
        self.resize(460, 640)
        surveyor.refresh()
