"""What stands where the picture will be: how to begin, or why there is no picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from gui.settings import Settings
from gui.theme import SPACE, WIDE, colors, theme

_SHOWN = 6


class Welcome(QWidget):
    """With no project open: open a folder, a recent one, or the samples."""

    chosen = Signal(object)  # Path of a recent folder

    def __init__(self, settings: Settings, actions: Sequence[QAction]) -> None:
        super().__init__()
        self._settings = settings
        self._title = QLabel("Maskwright")
        self._lead = QLabel(
            self.tr("Open a folder of pictures, or drop one here.\nA model proposes; you accept and correct.")
        )
        self._lead.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._recent_title = QLabel(self.tr("Recent folders"))
        self._recent = QVBoxLayout()
        self._recent.setSpacing(0)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE)
        buttons.addStretch()
        for number, action in enumerate(actions):
            button = QPushButton(action.text().replace("&", ""))
            button.setProperty("primary", number == 0)
            button.setToolTip(action.toolTip())
            button.clicked.connect(action.trigger)
            buttons.addWidget(button)
            if number == 0:
                self.setFocusProxy(button)
        buttons.addStretch()
        layout = QVBoxLayout(self)
        layout.setSpacing(WIDE)
        layout.addStretch(2)
        layout.addWidget(self._title, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addWidget(self._lead, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addLayout(buttons)
        layout.addSpacing(WIDE)
        layout.addWidget(self._recent_title, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addLayout(self._recent)
        layout.addStretch(3)
        settings.changed.connect(self._fill)
        theme().changed.connect(self._dress)
        self._fill()
        self._dress()

    @Slot()
    def _dress(self) -> None:
        now = colors()
        self._title.setStyleSheet(f"font-size: 28px; font-weight: 600; color: {now.text}")
        for label in (self._lead, self._recent_title):
            label.setStyleSheet(f"color: {now.muted}")

    @Slot()
    def _fill(self) -> None:
        while (item := self._recent.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        recent = self._settings.choices.recent[:_SHOWN]
        self._recent_title.setVisible(bool(recent))
        for folder in recent:
            path = Path(folder)
            button = QPushButton(f"{path.name}   —   {path.parent}")
            button.setFlat(True)
            button.setAccessibleName(self.tr("Open {}").format(folder))
            button.setCursor(Qt.CursorShape.PointingHandCursor)
            button.clicked.connect(self._choosing(path))
            self._recent.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)

    def _choosing(self, path: Path) -> Callable[[], None]:
        return lambda: self.chosen.emit(path)


class Message(QWidget):
    """A sentence in the place of the picture; like that it has the keyboard for the commands' keys."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._label = QLabel()
        self._label.setWordWrap(True)
        self._label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._label.setMaximumWidth(520)
        row = QHBoxLayout()  # of its own: a label that is aligned in a column is cut to one line
        row.addStretch(1)
        row.addWidget(self._label, 100)  # up to its greatest width
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addStretch()
        layout.addLayout(row)
        layout.addStretch()
        theme().changed.connect(self._dress)
        self._dress()

    @Slot()
    def _dress(self) -> None:
        self._label.setStyleSheet(f"color: {colors().muted}; font-size: 14px")

    def tell(self, sentence: str) -> None:
        """Show this sentence."""
        self._label.setText(sentence)
