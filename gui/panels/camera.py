"""The line under a camera's picture: freeze, snapshot, what the model finds, and how the camera does."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from engine.media.live import Stage
from gui import theme
from gui.counts import counted
from gui.live import Live
from gui.panels.parts import action_button, bar, label, line

ACTIONS = ("camera.freeze", "camera.snapshot", "camera.look", "camera.close")
"""The commands that are its buttons."""


class CameraBar(QWidget):
    """Hidden while no camera is open. actions: those of ACTIONS."""

    def __init__(self, live: Live, actions: Sequence[QAction]) -> None:
        super().__init__()
        self._live = live
        self._freeze = actions[0]
        self.setAccessibleName(self.tr("Camera"))
        self.told = label()
        self.told.setMinimumWidth(1)  # a long sentence must not push the panels aside
        self.told.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.told.setAccessibleName(self.tr("How the camera does"))
        buttons = [action_button(action, says=number == 1) for number, action in enumerate(actions)]
        self.shoot = buttons[1]
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(line())
        row = bar(buttons[0], self.shoot, buttons[2], self.told, buttons[3])
        row.setContentsMargins(theme.SPACE, theme.TIGHT, theme.SPACE, theme.TIGHT)
        row.setSpacing(theme.TIGHT)
        row.setStretch(3, 1)
        layout.addLayout(row)
        live.changed.connect(self._take)
        self._take()

    @Slot()
    def _take(self) -> None:
        live = self._live
        self.setVisible(live.source is not None)
        if live.source is None:
            return
        self._freeze.setIcon(theme.icon("play" if live.is_frozen else "pause"))
        is_lost = live.status.stage is Stage.LOST
        if (self.told.property("role") == "error") != is_lost:
            self.told.setProperty("role", "error" if is_lost else "")
            self.told.style().polish(self.told)
        self.told.setText(self._in_words())
        self.told.setToolTip(self.told.text())

    def _in_words(self) -> str:
        live, status = self._live, self._live.status
        assert live.source is not None
        if status.stage is Stage.LOST:
            return status.sentence
        if live.size is None:
            return self.tr("Waiting for {}…").format(live.source.name)
        words = [
            live.source.name,
            "{} × {}".format(*live.size),
            self.tr("{:.0f} frames/s").format(status.rate),
            counted(status.dropped, self.tr("1 dropped"), self.tr("{} dropped")),
        ]
        if live.behind is not None:
            words.append(self.tr("model {:.2f} s behind").format(live.behind))
        if live.is_frozen:
            words.append(self.tr("frozen") if live.is_seen else self.tr("behind the image"))
        return "  ·  ".join(words)
