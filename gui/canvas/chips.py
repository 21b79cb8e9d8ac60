"""Small name plates over instances: class, and score for a proposal. They never cover one another."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPixmap

from gui.canvas.colors import Rgb8

_KEPT = 1024
_PAD_X, _PAD_Y = 5.0, 1.5
_CELL = 4  # view pixels; places are given out in such cells


class Chips:
    """Draws plates on one view in one frame after the other; `begin` starts a frame."""

    def __init__(self) -> None:
        self._drawn: dict[tuple[str, Rgb8, bool, float], QPixmap] = {}
        self._taken: set[tuple[int, int]] = set()
        self._area = QRectF()

    def begin(self, area: QRectF) -> None:
        """A new frame: no plate is there yet. area: the view."""
        self._taken.clear()
        self._area = area

    def draw(
        self,
        painter: QPainter,
        text: str,
        rgb: Rgb8,
        at: QRectF,
        *,
        strong: bool = False,
        always: bool = False,
    ) -> bool:
        """Put a plate over the upper left corner of a box, in the view; False where its place is taken."""
        ratio = painter.device().devicePixelRatioF()
        pixmap = self._pixmap(text, rgb, strong, ratio, painter.font())
        width, height = pixmap.width() / ratio, pixmap.height() / ratio
        x = min(max(at.left(), self._area.left() + 2), self._area.right() - width - 2)
        y = at.top() - height - 3
        if y < self._area.top() + 2:
            y = max(at.top() + 3, self._area.top() + 2)
        cells = {
            (column, row)
            for column in range(int(x) // _CELL, int(x + width) // _CELL + 1)
            for row in range(int(y) // _CELL, int(y + height) // _CELL + 1)
        }
        if not always and not cells.isdisjoint(self._taken):
            return False
        self._taken |= cells
        painter.drawPixmap(QPointF(round(x * ratio) / ratio, round(y * ratio) / ratio), pixmap)
        return True

    def _pixmap(self, text: str, rgb: Rgb8, strong: bool, ratio: float, font: QFont) -> QPixmap:
        key = (text, rgb, strong, ratio)
        found = self._drawn.get(key)
        if found is None:
            if len(self._drawn) >= _KEPT:
                self._drawn.clear()
            found = self._drawn[key] = _plate(text, rgb, strong, ratio, font)
        return found


def _plate(text: str, rgb: Rgb8, strong: bool, ratio: float, font: QFont) -> QPixmap:
    """Dark with a stripe of the colour, or (strong) the colour itself with black or white letters."""
    font = QFont(font)
    font.setPointSizeF(max(font.pointSizeF() * 0.85, 7.0))
    metrics = QFontMetricsF(font)
    stripe = 0.0 if strong else 3.0
    width = metrics.horizontalAdvance(text) + 2 * _PAD_X + stripe
    height = metrics.height() + 2 * _PAD_Y
    pixmap = QPixmap(round(width * ratio), round(height * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    whole = QRectF(0, 0, width, height)
    painter.setBrush(QColor(*rgb) if strong else QColor(20, 20, 20, 200))
    painter.drawRoundedRect(whole, 3, 3)
    if stripe:
        painter.setBrush(QColor(*rgb))
        painter.drawRoundedRect(QRectF(0, 0, stripe + 1, height), 1.5, 1.5)
    painter.setFont(font)
    painter.setPen(letters_on(rgb) if strong else QColor(245, 245, 245))
    painter.drawText(whole.adjusted(stripe, 0, 0, 0), Qt.AlignmentFlag.AlignCenter, text)
    painter.end()
    return pixmap


def letters_on(rgb: Rgb8) -> QColor:
    """Black or white, whichever is read better on a colour (relative luminance, WCAG 2)."""
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (c / 255 for c in rgb)
    ]
    light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return QColor(0, 0, 0) if light > 0.179 else QColor(255, 255, 255)
