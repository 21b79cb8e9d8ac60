"""What a tool is making, drawn over the picture: lines, handles and the brush. Also where that lies."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from gui.camera import Camera
from gui.canvas.chips import plate
from gui.canvas.colors import Rgb8
from gui.tools.tool import Caption, Disc, Handles, Line, Look, Mark, Painted, Points, Shape

_HANDLE = 3.5  # half a handle's side, view pixels
_MARK = 6.0  # the radius of a click's mark, view pixels
_CAPTION = (0.0, 26.0, 420.0, 4.0)  # how far a caption reaches left, up, right and down, view pixels
_MARGIN = 12  # that no pen, handle or cross reaches beyond
_DARK = QColor(0, 0, 0, 170)
_LIGHT = QColor(255, 255, 255)
_GUIDE = QColor(255, 255, 255, 220)
MARKED: Rgb8 = (255, 176, 0)
"""The colour of marks, and of what is grabbed."""
_ACTIVE = QColor(*MARKED)
_ON, _OFF = QColor("#1a7f37"), QColor("#c0262d")


def bounds_of(shapes: Iterable[Shape], camera: Camera) -> QRect:
    """The part of the view that the shapes may cover."""
    whole = QRectF()
    for shape in shapes:
        match shape:
            case Line(points=points) | Handles(points=points) if len(points):
                (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
            case Disc(x=x, y=y, radius=radius):
                x0, y0, x1, y1 = x - radius, y - radius, x + radius, y + radius
            case Mark(x=x, y=y):
                x0, y0, x1, y1 = x, y, x, y
            case Caption(x=x, y=y):
                left, up, right, down = _CAPTION
                at = QPointF(*camera.to_view(x, y))
                whole |= QRectF(at, at).adjusted(-left, -up, right, down)
                continue
            case _:
                continue
        whole |= QRectF(QPointF(*camera.to_view(x0, y0)), QPointF(*camera.to_view(x1, y1))).adjusted(
            -_MARGIN, -_MARGIN, _MARGIN, _MARGIN
        )
    return whole.toAlignedRect()


def draw(painter: QPainter, shapes: Iterable[Shape], camera: Camera, rgb: Rgb8) -> None:
    """Draw the shapes. painter: in view pixels. rgb: of the class that is being made."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for shape in shapes:
        match shape:
            case Line():
                _line(painter, shape, camera, QColor(*rgb))
            case Handles():
                _handles(painter, shape, camera)
            case Disc():
                _disc(painter, shape, camera)
            case Mark():
                _mark(painter, shape, camera)
            case Caption():
                _caption(painter, shape, camera, rgb)
            case Painted():
                pass  # a part of the raster


def _in_view(points: Points, camera: Camera) -> list[QPointF]:
    placed = points * camera.scale + np.array([camera.x, camera.y])
    return [QPointF(x, y) for x, y in placed.tolist()]


def _line(painter: QPainter, line: Line, camera: Camera, color: QColor) -> None:
    polygon = QPolygonF(_in_view(line.points, camera))
    draw_ = painter.drawPolygon if line.closed else painter.drawPolyline
    over = {Look.OUTLINE: color, Look.ACTIVE: _ACTIVE}.get(line.look, _GUIDE)
    pen = QPen(over, 1.2 if line.look is Look.GUIDE else 2.0)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    under = QPen(_DARK, pen.widthF() + 1.8)
    under.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(under)
    draw_(polygon)
    if line.look is Look.GUIDE:
        pen.setDashPattern([4, 3])
    painter.setPen(pen)
    draw_(polygon)


def _handles(painter: QPainter, handles: Handles, camera: Camera) -> None:
    is_active = handles.look is Look.ACTIVE
    half = _HANDLE + 1 if is_active else _HANDLE
    painter.setPen(QPen(QColor(0, 0, 0, 210), 1.2))
    painter.setBrush(_ACTIVE if is_active else _LIGHT)
    for at in _in_view(handles.points, camera):
        painter.drawRect(QRectF(at.x() - half, at.y() - half, 2 * half, 2 * half))
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _disc(painter: QPainter, disc: Disc, camera: Camera) -> None:
    middle, radius = QPointF(*camera.to_view(disc.x, disc.y)), disc.radius * camera.scale
    painter.setPen(QPen(_DARK, 3))
    painter.drawEllipse(middle, radius, radius)
    pen = QPen(_LIGHT, 1.4)
    if disc.erases:
        pen.setDashPattern([3, 3])
    painter.setPen(pen)
    painter.drawEllipse(middle, radius, radius)
    if radius < 3:  # too small to be found: a cross around it
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            painter.drawLine(middle + QPointF(4 * dx, 4 * dy), middle + QPointF(8 * dx, 8 * dy))


def _mark(painter: QPainter, mark: Mark, camera: Camera) -> None:
    middle = QPointF(*camera.to_view(mark.x, mark.y))
    painter.setPen(QPen(_LIGHT, 1.6))
    painter.setBrush(_ON if mark.positive else _OFF)
    painter.drawEllipse(middle, _MARK, _MARK)
    arm = _MARK - 2.5
    painter.drawLine(middle - QPointF(arm, 0), middle + QPointF(arm, 0))
    if mark.positive:
        painter.drawLine(middle - QPointF(0, arm), middle + QPointF(0, arm))
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _caption(painter: QPainter, caption: Caption, camera: Camera, rgb: Rgb8) -> None:
    pixmap = plate(caption.text, rgb, True, painter.device().devicePixelRatioF(), painter.font())
    x, y = camera.to_view(caption.x, caption.y)
    high = pixmap.deviceIndependentSize().height()
    painter.drawPixmap(QPointF(round(x), round(max(y - high - 3, 2))), pixmap)
