"""Window and level in a window of its own, open beside the work."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from gui.commands.registry import Context, translated
from gui.contrast import Contrasting
from gui.dialogs.beside import Beside
from gui.panels.contrast import ContrastPanel
from gui.panels.parts import column


class ContrastDialog(Beside):
    """Follows the shown image while it is open; what was tried out and not kept goes with it."""

    def __init__(self, parent: QWidget, context: Context) -> None:
        super().__init__(parent, context)
        self.setWindowTitle(translated("Window and level"))
        self.contrasting = Contrasting(context.desk)
        self.contrasting.setParent(self)
        self.panel = ContrastPanel(self.contrasting)
        column(self, margin=0).addWidget(self.panel)

    def done(self, result: int) -> None:
        """However it is closed."""
        self.contrasting.close()
        super().done(result)
