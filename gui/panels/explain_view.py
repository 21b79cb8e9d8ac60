"""The picture of an explanation with what is drawn over it: boxes by level or by fate, feature maps, masks.

Zoomed and moved as the canvas is: the wheel zooms to the pointer, a drag moves, a double click fits. A click
says where it was. Knows layers and colours; nothing of networks.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QSizePolicy, QWidget

from gui import theme
from gui.camera import Camera
from gui.layers import Heat, Ink, Layer

INKS: dict[Ink, str] = {
    Ink.P2: "#e69f00",
    Ink.P3: "#56b4e9",
    Ink.P4: "#12b886",
    Ink.P5: "#f0e442",
    Ink.P6: "#d986b8",
    Ink.KEPT: "#12b886",
    Ink.LOW_SCORE: "#b3bac4",
    Ink.SMALL: "#d986b8",
    Ink.BEATEN: "#ff6b35",
    Ink.SURPLUS: "#56b4e9",
    Ink.CHOSEN: "#ffffff",
    Ink.BEFORE: "#ffffff",
}
"""Colours over a picture, the same in both schemes; told apart with any eyes (Okabe and Ito, 2008)."""

_ZOOM = 1.25
_STEP = 64.0  # view pixels of an arrow key
_MARGIN = 8.0
_VEIL = 0.75  # how much a feature map hides of the picture
_MASK = 0.7  # how much the surest cell of a mask does
_FAINT = 0.4
_UNDER = QColor(0, 0, 0, 150)  # a dark line under a strong one, so that it shows on any ground


class ExplainView(QWidget):
    """Shows a picture of image size `width` x `height`, whatever its own number of pixels is."""

    clicked = Signal(float, float)  # image pixels
    stepped = Signal(int)  # 1 or -1: the next or the previous object is wanted

    def __init__(self) -> None:
        super().__init__()
        self._picture: QImage | None = None
        self._pixels: NDArray[np.uint8] | None = None  # what the QImage lies over
        self._size = (1.0, 1.0)
        self._layers: Sequence[Layer] = ()
        self._heat: QImage | None = None
        self._heat_size = (1.0, 1.0)
        self._camera = Camera()
        self._is_fitted = True
        self._pressed: QPointF | None = None
        self._is_dragged = False
        self.setAccessibleName(self.tr("Explained picture"))
        self.setAccessibleDescription(
            self.tr("Left and right go from object to object, plus and minus zoom, F fits the picture.")
        )
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(240, 180)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        theme.theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(640, 520)

    @property
    def camera(self) -> Camera:
        """How the picture lies in the view."""
        return self._camera

    # What is shown

    def take_picture(self, pixels: NDArray[np.uint8] | None, width: int = 1, height: int = 1) -> None:
        """Show a picture (H x W x 3 uint8 RGB, C-contiguous) of an image of that size, or none."""
        self._pixels = pixels
        self._layers, self._heat = (), None
        if pixels is None:
            self._picture = None
        else:
            rows, columns = pixels.shape[:2]
            self._picture = QImage(pixels.data, columns, rows, 3 * columns, QImage.Format.Format_RGB888)
            if self._size != (width, height):
                self._size, self._is_fitted = (float(width), float(height)), True
        self._fit_where_fitted()
        self.update()

    def draw(self, layers: Sequence[Layer], heat: Heat | None) -> None:
        """Draw these over the picture."""
        self._layers = layers
        self._heat = _colored(heat) if heat is not None else None
        if heat is not None:
            self._heat_size = (heat.width, heat.height)
        self.update()

    def fit(self) -> None:
        """Show the whole picture."""
        self._is_fitted = True
        self._fit_where_fitted()
        self.update()

    def _fit_where_fitted(self) -> None:
        if self._is_fitted:
            self._camera = Camera.fitting(
                *self._size, view_width=self.width(), view_height=self.height(), margin=_MARGIN
            )

    def _move_to(self, camera: Camera) -> None:
        self._camera, self._is_fitted = camera, False
        self.update()

    # Input

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        at = event.position()
        notches = event.angleDelta().y() / 120
        self._move_to(self._camera.zoomed(_ZOOM**notches, at=(at.x(), at.y())))

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        self._pressed, self._is_dragged = event.position(), False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        if self._pressed is None:
            return
        way = event.position() - self._pressed
        if self._is_dragged or way.manhattanLength() >= QApplication.startDragDistance():
            self._is_dragged, self._pressed = True, event.position()
            self._move_to(self._camera.moved(way.x(), way.y()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        is_click = self._pressed is not None and not self._is_dragged and self._picture is not None
        self._pressed = None
        if is_click and event.button() == Qt.MouseButton.LeftButton:
            at = event.position()
            self.clicked.emit(*self._camera.to_image(at.x(), at.y()))

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        self._pressed = None
        self.fit()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        middle = (self.width() / 2, self.height() / 2)
        match event.key():
            case Qt.Key.Key_Left:
                self.stepped.emit(-1)
            case Qt.Key.Key_Right:
                self.stepped.emit(1)
            case Qt.Key.Key_Up:
                self._move_to(self._camera.moved(0, _STEP))
            case Qt.Key.Key_Down:
                self._move_to(self._camera.moved(0, -_STEP))
            case Qt.Key.Key_Plus | Qt.Key.Key_Equal:
                self._move_to(self._camera.zoomed(_ZOOM, at=middle))
            case Qt.Key.Key_Minus:
                self._move_to(self._camera.zoomed(1 / _ZOOM, at=middle))
            case Qt.Key.Key_F:
                self.fit()
            case _:
                super().keyPressEvent(event)

    # Drawing

    def resizeEvent(self, _event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        self._fit_where_fitted()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.colors().canvas))
        if self._picture is None:
            return
        whole = self._in_view(0, 0, *self._size)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self._camera.scale < _CELLS_SHOW)
        painter.drawImage(whole, self._picture)
        if self._heat is not None:
            painter.save()
            painter.setClipRect(whole)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
            painter.drawImage(self._in_view(0, 0, *self._heat_size), self._heat)
            painter.restore()
        for layer in self._layers:
            self._draw(painter, layer)

    def _in_view(self, x0: float, y0: float, x1: float, y1: float) -> QRectF:
        return QRectF(QPointF(*self._camera.to_view(x0, y0)), QPointF(*self._camera.to_view(x1, y1)))

    def _draw(self, painter: QPainter, layer: Layer) -> None:
        at = (self._camera.x, self._camera.y) * 2
        placed = layer.boxes_xyxy * self._camera.scale + np.array(at, np.float32)
        seen = (
            (placed[:, 2] >= 0) & (placed[:, 3] >= 0)
            & (placed[:, 0] <= self.width()) & (placed[:, 1] <= self.height())
        )  # fmt: skip
        rects = [QRectF(x0, y0, x1 - x0, y1 - y0) for x0, y0, x1, y1 in placed[seen].tolist()]
        color = QColor(INKS[layer.ink])
        if layer.is_faint:
            color.setAlphaF(_FAINT)
        width = 2.0 if layer.is_strong else 1.0
        style = Qt.PenStyle.DashLine if layer.is_dashed else Qt.PenStyle.SolidLine
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if layer.cells:
            faint = QColor(color)
            faint.setAlphaF(0.45)
            painter.setPen(QPen(faint, 0))
            for rect in rects:
                painter.drawLines(_grid(rect, layer.cells))
        if layer.is_strong:
            painter.setPen(QPen(_UNDER, width + 2))
            painter.drawRects(rects)
        pen = QPen(color, width, style)
        pen.setCosmetic(True)
        pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        painter.setPen(pen)
        painter.drawRects(rects)


_CELLS_SHOW = 4.0  # view pixels an image pixel from which on pixels are shown as they are


def _grid(rect: QRectF, cells: int) -> list[QLineF]:
    """The lines between cells x cells parts of a rectangle; none where they would fill it."""
    if min(rect.width(), rect.height()) < 4 * cells:
        return []
    lines = []
    for n in range(1, cells):
        x, y = rect.left() + rect.width() * n / cells, rect.top() + rect.height() * n / cells
        lines.append(QLineF(x, rect.top(), x, rect.bottom()))
        lines.append(QLineF(rect.left(), y, rect.right(), y))
    return lines


def _colored(heat: Heat) -> QImage:
    """Values from dark violet to yellow; low ones are clear where they do not hide the picture."""
    colors = cv2.applyColorMap(heat.values, cv2.COLORMAP_INFERNO if heat.hides else cv2.COLORMAP_VIRIDIS)
    if heat.hides:
        alpha = np.full(heat.values.shape, round(255 * _VEIL), np.uint8)
    else:
        alpha = np.rint(heat.values * _MASK).astype(np.uint8)
    return image_of(np.dstack((colors, alpha)))


def image_of(bgra: NDArray[np.uint8]) -> QImage:
    """H x W x 4 uint8, blue green red alpha, as an image of its own."""
    height, width = bgra.shape[:2]
    pixels = np.ascontiguousarray(bgra)
    # `copy` holds the interpreter's lock: a blink, for no picture here is larger than what the network sees.
    return QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_ARGB32).copy()
