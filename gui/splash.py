"""The first thing on the screen: the program's name while its parts and the engine come up.

A widget of our own and not a QSplashScreen: that one waits a whole second in `show` where no window manager
answers. Knows no window.
"""

from __future__ import annotations

import time

from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QWidget

from engine import __version__
from gui import theme

_SIZE = 460, 240
_SEEN_S = 0.2  # at most, for the screen to take it; the start does not wait for more


class Splash(QWidget):
    """Stays in front until it is closed. It takes no input: whoever shows it sees to that."""

    def __init__(self) -> None:
        super().__init__(None, Qt.WindowType.SplashScreen | Qt.WindowType.FramelessWindowHint)
        self._is_painted = False
        self.setFixedSize(*_SIZE)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName(self.tr("Maskwright is starting"))

    def show_now(self) -> None:
        """Show it in the middle of the screen, and return when it is seen."""
        screen = QApplication.primaryScreen()
        if screen is not None:
            self._centre_on(screen.availableGeometry())
        self.show()
        deadline = time.monotonic() + _SEEN_S
        while not self._is_painted and time.monotonic() < deadline:
            QApplication.processEvents()  # the one place: nothing else is there yet that it could upset

    def stay_before(self, window: QRect) -> None:
        """Stay in front of the window that is there now, in its middle. window: where on the screen it is."""
        self._centre_on(window)
        self.raise_()

    def _centre_on(self, place: QRect) -> None:
        here = self.rect()
        here.moveCenter(place.center())
        self.move(here.topLeft())

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Three overlapping instances, the name, what it is, and what is going on."""
        self._is_painted = True
        now = theme.colors()
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), QColor(now.surface))
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            blobs = ((340, 60, 84, now.accent), (392, 108, 58, now.good), (330, 128, 46, now.warning))
            for x, y, side, color in blobs:
                tint = QColor(color)
                tint.setAlphaF(0.55)
                painter.setBrush(tint)
                painter.drawEllipse(QRectF(x - side / 2, y - side / 2, side, side))
            self._write(painter, QRect(32, 70, 300, 44), "Maskwright", 24, now.text, bold=True)
            self._write(
                painter, QRect(34, 120, 260, 24), self.tr("Propose, correct, learn."), 10.5, now.muted
            )
            words = self.tr("Version {}  ·  starting the engine…").format(__version__)
            self._write(painter, QRect(34, 196, 380, 24), words, 10.5, now.muted)
            painter.setPen(QColor(now.line))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(0.5, 0.5, self.width() - 1, self.height() - 1))

    @staticmethod
    def _write(
        painter: QPainter, room: QRect, words: str, points: float, color: str, *, bold: bool = False
    ) -> None:
        font = QFont(painter.font())
        font.setPointSizeF(points)
        font.setBold(bold)
        painter.setFont(font)
        painter.setPen(QColor(color))
        painter.drawText(room, Qt.AlignmentFlag.AlignLeft, words)
