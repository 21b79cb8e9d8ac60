"""Small name plates over instances: class, and score for a proposal. They never cover one another."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPixmap

from gui.canvas.colors import Rgb8

_KEPT = 1024
_READABLE = 0.3  # small white letters on a strong colour are read better than WCAG 2 counts (0.18)
_PAD_X, _PAD_Y = 5.0, 1.5
_CELL_WIDE, _CELL_HIGH = 14, 5  # view pixels; places are given out in such cells


@dataclass(frozen=True, slots=True, eq=False)
class Plate:
    """A plate on a view. offset: from the box's corner, view pixels."""

    pixmap: QPixmap
    offset: QPointF


class Chips:
    """Makes plates and finds places for them; `begin` starts a view with none on it."""

    def __init__(self) -> None:
        self._drawn: dict[tuple[str, Rgb8, bool, float], QPixmap] = {}
        self._taken: set[tuple[int, int]] = set()
        self._area = QRectF()
        self._ratio = 1.0
        self._font = QFont()

    def begin(self, painter: QPainter, area: QRectF) -> None:
        """Start anew, for a painter in view pixels. area: the view."""
        self._taken.clear()
        self._area = area
        self._ratio = painter.device().devicePixelRatioF()
        self._font = painter.font()

    def place(
        self, text: str, rgb: Rgb8, box: QRectF, *, strong: bool = False, always: bool = False
    ) -> Plate | None:
        """A plate over the upper left corner of a box; None where another one lies."""
        ratio = self._ratio
        pixmap = self._pixmap(text, rgb, strong)
        width, height = pixmap.width() / ratio, pixmap.height() / ratio
        x = min(max(box.left(), self._area.left() + 2), self._area.right() - width - 2)
        y = box.top() - height - 3
        if y < self._area.top() + 2:
            y = max(box.top() + 3, self._area.top() + 2)
        rows = range(int(y) // _CELL_HIGH, int(y + height) // _CELL_HIGH + 1)
        columns = range(int(x) // _CELL_WIDE, int(x + width) // _CELL_WIDE + 1)
        cells = {(column, row) for column in columns for row in rows}
        if not always and not cells.isdisjoint(self._taken):
            return None
        self._taken |= cells
        return Plate(pixmap, QPointF(x, y) - box.topLeft())

    def _pixmap(self, text: str, rgb: Rgb8, strong: bool) -> QPixmap:
        key = (text, rgb, strong, self._ratio)
        found = self._drawn.get(key)
        if found is None:
            if len(self._drawn) >= _KEPT:
                self._drawn.clear()
            found = self._drawn[key] = plate(text, rgb, strong, self._ratio, self._font)
        return found


def plate(text: str, rgb: Rgb8, strong: bool, ratio: float, font: QFont) -> QPixmap:
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
    return QColor(0, 0, 0) if light > _READABLE else QColor(255, 255, 255)
