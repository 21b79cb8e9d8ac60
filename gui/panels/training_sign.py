"""A word in the status bar that a training is on, for when nobody sees its panel. One click leads there."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QDockWidget, QToolButton

from gui import theme
from gui.panels.jobs import in_words
from gui.tuning import Stage, Training, Tuning


class TrainingSign(QToolButton):
    """Seen while a training is under way and its dock is not."""

    def __init__(self, tuning: Tuning, dock: QDockWidget) -> None:
        super().__init__()
        self._tuning, self._dock = tuning, dock
        self.setIcon(theme.icon("train"))
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setAutoRaise(True)
        self.setToolTip(self.tr("Show the training"))
        self.setAccessibleName(self.toolTip())
        self.clicked.connect(self._lead)
        tuning.changed.connect(self.refresh)
        dock.visibilityChanged.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Say how far it is."""
        training = self._tuning.training
        is_on = training is not None and not training.stage.is_over
        self.setVisible(is_on and not self._dock.isVisible())
        if training is not None and is_on:
            self.setText(self._told(training))
            self.setAccessibleName(self.text())

    @Slot()
    def _lead(self) -> None:
        self._dock.show()
        self._dock.raise_()

    def _told(self, training: Training) -> str:
        match training.stage:
            case Stage.STARTING:
                return self.tr("Getting ready to learn")
            case Stage.PAUSED:
                return self.tr("Learning is paused")
            case Stage.JUDGING:
                return self.tr("Comparing old and new model")
            case Stage.STOPPING:
                return self.tr("Learning stops")
            case _:
                told = self.tr("Learning, {:.0%}").format(training.progress)
                if training.seconds_left is None:
                    return told
                return f"{told} · {self.tr('{} left').format(in_words(training.seconds_left))}"
