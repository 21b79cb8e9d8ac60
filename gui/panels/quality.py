"""The quality on the images reviewed last: a figure, edits an image, and a bar for each image."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QDockWidget, QSizePolicy, QToolButton, QWidget

from gui import theme
from gui.panels.parts import column, label
from gui.quality import Quality, explained, in_brief, of_which

_MOST = 20  # bars that there is room for
_HIGH, _LEAST = 22, 2  # of a bar, pixels; the least so that a 0 is seen
_POOR, _FAIR = 0.5, 0.8  # up to which a bar has the colour of danger, and of a warning


class QualityView(QWidget):
    """Hidden until an image with proposals was reviewed."""

    def __init__(self, quality: Quality) -> None:
        super().__init__()
        self._quality = quality
        self.title, self.told, self.bars = label(role="heading"), label(), QualityBars()
        self.told.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = column(self, margin=0)
        layout.setSpacing(theme.TIGHT)
        for widget in (self.title, self.told, self.bars):
            layout.addWidget(widget)
        quality.changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show what is known now."""
        now = self._quality.now
        brief = in_brief(now)
        self.setVisible(bool(brief))
        self.title.setText(of_which(now))
        self.told.setText(brief)
        self.setToolTip(explained(now))
        self.setAccessibleName(f"{self.title.text()}: {brief}")
        self.setAccessibleDescription(explained(now))
        self.bars.take([one.quality for one in reversed(now.images)] if now is not None else [])


class QualityBars(QWidget):
    """One bar an image, the latest at the right."""

    def __init__(self) -> None:
        super().__init__()
        self.shares: list[float] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.theme().changed.connect(self.update)

    def take(self, shares: list[float]) -> None:
        """Show these, 0..1, the oldest first."""
        self.shares = shares[-_MOST:]
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(160, _HIGH)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        now, painter = theme.colors(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        step = min(self.width() / _MOST, 12.0)
        for place, share in enumerate(self.shares):
            high = max(share * _HIGH, _LEAST)
            color = now.danger if share < _POOR else now.warning if share < _FAIR else now.good
            painter.setBrush(QColor(color))
            painter.drawRoundedRect(QRectF(place * step, _HIGH - high, step - 2, high), 1.5, 1.5)


class QualitySign(QToolButton):
    """The figure in the status bar, while the training's panel does not show it. One click leads there."""

    def __init__(self, quality: Quality, dock: QDockWidget) -> None:
        super().__init__()
        self._quality, self._dock = quality, dock
        self.setAutoRaise(True)
        self.clicked.connect(self._lead)
        quality.changed.connect(self.refresh)
        dock.visibilityChanged.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show what is known now."""
        now = self._quality.now
        self.setText(in_brief(now))
        self.setToolTip(f"{of_which(now)}\n{explained(now)}")
        self.setAccessibleName(f"{of_which(now)}: {self.text()}")
        self.setVisible(bool(self.text()) and not self._dock.isVisible())

    @Slot()
    def _lead(self) -> None:
        self._dock.show()
        self._dock.raise_()
