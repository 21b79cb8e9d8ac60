"""How the model sees the shown image, in a window beside the work."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from gui.commands.registry import Context, translated
from gui.dialogs.beside import Beside
from gui.explaining import Explaining
from gui.panels.explain import ExplainPanel
from gui.panels.parts import column


class ExplainDialog(Beside):
    """Follows the shown image and the selection while it is open."""

    def __init__(self, parent: QWidget, context: Context) -> None:
        super().__init__(parent, context)
        self.setWindowTitle(translated("How the model sees this image"))
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
