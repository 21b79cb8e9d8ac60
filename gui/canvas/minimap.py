"""The whole picture, small, in the view's corner, with the part that is seen: shown where not all is seen."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from gui.camera import Camera
from gui.canvas.pyramid import Scaled, image_over

_SIDE = 168  # view pixels of its longer side
_GAP = 12  # to the view's edges


class Minimap:
    """Give it the picture, the view's size and the camera; ask it where it is."""

    def __init__(self) -> None:
        self._pyramid: Scaled | None = None
        self._small = QImage()
        self._rect = QRectF()
        self._seen = QRectF()

    def set_picture(self, pyramid: Scaled | None) -> None:
        """Take another picture, or the same with more of it built."""
        self._pyramid = pyramid
        self._small = QImage()

    def place(self, camera: Camera, view_width: int, view_height: int) -> None:
        """The view is of that size and seen through that camera."""
        self._rect = QRectF()
        if self._pyramid is None:
            return
        height, width = self._pyramid.size_at(0)
        over_x, over_y = width * camera.scale - view_width, height * camera.scale - view_height
        if max(over_x, over_y) < 1 or min(view_width, view_height) < 2 * _SIDE:
            return
        scale = _SIDE / max(height, width)
        wide, high = max(width * scale, 8.0), max(height * scale, 8.0)
        self._rect = QRectF(view_width - wide - _GAP, view_height - high - _GAP, wide, high)
        x0, y0 = camera.to_image(0, 0)
        x1, y1 = camera.to_image(view_width, view_height)
        seen = QRectF(
            QPointF(x0 / width * wide, y0 / height * high), QPointF(x1 / width * wide, y1 / height * high)
        )
        self._seen = seen.translated(self._rect.topLeft()) & self._rect

    @property
    def area(self) -> QRect:
        """Where it is, its frame included; empty while it is hidden. View pixels."""
        return self._rect.toAlignedRect().adjusted(-4, -4, 4, 4) if not self._rect.isEmpty() else QRect()

    def contains(self, at: QPointF) -> bool:
        """Whether a point of the view lies in it."""
        return not self._rect.isEmpty() and self._rect.contains(at)

    def camera_at(self, at: QPointF, camera: Camera) -> Camera:
        """The camera that has the picture's point under `at` in the middle of the view."""
        if self._pyramid is None or self._rect.isEmpty():
            return camera
        height, width = self._pyramid.size_at(0)
        x = (at.x() - self._rect.x()) / self._rect.width() * width
        y = (at.y() - self._rect.y()) / self._rect.height() * height
        view_width = self._rect.right() + _GAP
        view_height = self._rect.bottom() + _GAP
        now = camera.to_view(min(max(x, 0.0), width), min(max(y, 0.0), height))
        return camera.moved(view_width / 2 - now[0], view_height / 2 - now[1])

    def paint(self, painter: QPainter) -> None:
        """Draw it. painter: in view pixels."""
        if self._rect.isEmpty() or self._pyramid is None:
            return
        ratio = painter.device().devicePixelRatioF()
        if self._small.isNull():
            self._small = self._made(self._pyramid, ratio)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self._rect.adjusted(-3, -3, 3, 3), QColor(0, 0, 0, 110))
        painter.drawImage(self._rect, self._small)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self._rect, QColor(0, 0, 0, 90))
        painter.drawImage(self._seen, self._small, self._in_small(self._seen))
        painter.setPen(QPen(QColor(0, 0, 0, 160), 3))
        painter.drawRect(self._seen)
        painter.setPen(QPen(QColor(255, 255, 255), 1.4))
        painter.drawRect(self._seen)
        painter.restore()

    def _in_small(self, rect: QRectF) -> QRectF:
        across, down = self._small.width() / self._rect.width(), self._small.height() / self._rect.height()
        moved = rect.translated(-self._rect.topLeft())
        return QRectF(moved.x() * across, moved.y() * down, moved.width() * across, moved.height() * down)

    @staticmethod
    def _made(pyramid: Scaled, ratio: float) -> QImage:
        level = pyramid.level_for(_SIDE * ratio / max(pyramid.size_at(0)))
        whole = pyramid.image(level)
        if whole is not None:
            return whole
        height, width = pyramid.size_at(level)
        picked = pyramid.region(level, 0, 0, width, height)
        return image_over(picked).copy()  # of a few hundred pixels a side: the array goes, the copy stays
