"""The mask AP of a project's versions, the oldest first, each with the interval that its gate gave it.

Paints what it is given; a click picks a version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui import theme
from gui.panels.parts import elided

_DOT = 4.5
_NEAR = 24  # pixels from a version's line within which the pointer means it


@dataclass(frozen=True, slots=True)
class Point:
    """One version. ap, low, high: 0..1; the interval is of its AP, given that of the model before."""

    name: str
    ap: float
    low: float
    high: float
    told: str = ""


class VersionPlot(QWidget):
    """A dot a version, joined by a line."""

    picked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.points: tuple[Point, ...] = ()
        self._marked, self._in_use = "", ""
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Mask AP over the versions"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.theme().changed.connect(self.update)

    def take(self, points: Sequence[Point], *, marked: str, in_use: str) -> None:
        """Show these. marked, in_use: names that are shown so."""
        self.points, self._marked, self._in_use = tuple(points), marked, in_use
        self.setAccessibleDescription(", ".join(f"{one.name} {one.ap:.3f}" for one in points))
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(420, 150)

    def place_of(self, point: Point) -> QPointF:
        """Where a point's dot is."""
        area = self._area()
        step = area.width() / max(len(self.points), 1)
        x = area.left() + step * (self.points.index(point) + 0.5)
        return QPointF(x, self._y(point.ap))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        near = self._near(event.position())
        self.setToolTip(near.told if near else "")

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        near = self._near(event.position())
        if near is not None and event.button() == Qt.MouseButton.LeftButton:
            self.picked.emit(near.name)

    def _near(self, at: QPointF) -> Point | None:
        near = min(self.points, key=lambda one: abs(self.place_of(one).x() - at.x()), default=None)
        return near if near and abs(self.place_of(near).x() - at.x()) <= _NEAR else None

    def _area(self) -> QRectF:
        words = self.fontMetrics()
        left = words.horizontalAdvance("0.00") + 2 * theme.SPACE
        return QRectF(self.rect()).adjusted(left, theme.SPACE, -theme.SPACE, -words.height() - theme.SPACE)

    def _range(self) -> tuple[float, float]:
        """A little more than the intervals need."""
        low = min((one.low for one in self.points), default=0.0)
        high = max((one.high for one in self.points), default=1.0)
        return max(low - 0.03, 0.0), min(high + 0.03, 1.0)

    def _y(self, ap: float) -> float:
        area, (low, high) = self._area(), self._range()
        return area.bottom() - area.height() * (ap - low) / max(high - low, 1e-6)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        now, painter, area = theme.colors(), QPainter(self), self._area()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_axis(painter, area)
        places = [self.place_of(one) for one in self.points]
        painter.setPen(QPen(QColor(now.line), 1.5))
        painter.drawPolyline(places)
        step = area.width() / max(len(self.points), 1)
        for one, at in zip(self.points, places, strict=True):
            is_used = one.name == self._in_use
            color = QColor(now.accent if is_used else now.muted)
            faint = QColor(color)
            faint.setAlphaF(0.45)
            painter.setPen(QPen(faint, 3, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawLine(QPointF(at.x(), self._y(one.low)), QPointF(at.x(), self._y(one.high)))
            painter.setPen(QPen(color, 2))
            painter.setBrush(color if is_used else QColor(now.surface))
            painter.drawEllipse(at, _DOT, _DOT)
            if one.name == self._marked:
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(QColor(now.accent), 1.5))
                painter.drawEllipse(at, _DOT + 4, _DOT + 4)
            painter.setPen(QColor(now.text if is_used else now.muted))
            name = elided(painter, one.name, int(step) - theme.TIGHT, Qt.TextElideMode.ElideMiddle)
            below = QRectF(at.x() - step / 2, area.bottom() + theme.TIGHT, step, self.fontMetrics().height())
            painter.drawText(below, Qt.AlignmentFlag.AlignCenter, name)

    def _paint_axis(self, painter: QPainter, area: QRectF) -> None:
        now, words = theme.colors(), self.fontMetrics()
        low, high = self._range()
        for ap in (low, (low + high) / 2, high):
            y = self._y(ap)
            painter.setPen(QPen(QColor(now.line), 1, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(QColor(now.muted))
            room = QRectF(0, y - words.height() / 2, area.left() - theme.SPACE, words.height())
            painter.drawText(room, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{ap:.2f}")
