"""Small pictures in rows: how a model sees an image, now and before.

Decoded on threads and scaled to the size they are shown in. Knows files of pictures; no model, no project.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPixmap
from PySide6.QtWidgets import QSizePolicy, QWidget

from engine.errors import MediaError
from engine.media.files import system_path
from gui import theme
from gui.background import Background
from gui.panels.parts import elided


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A picture file, or its bytes, with a caption beneath it and a figure at the right of that."""

    source: bytes | Path
    caption: str = ""
    told: str = ""
    hint: str = ""


class ShotView(QWidget):
    """Shows one shot; its caption alone until it is decoded or where it cannot be."""

    clicked = Signal()

    def __init__(self, background: Background, size: QSize) -> None:
        super().__init__()
        self._background, self._size = background, size
        self._shot: Shot | None = None
        self._drawn: QPixmap | None = None
        self._asked = 0
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.theme().changed.connect(self.update)

    @property
    def shot(self) -> Shot | None:
        """What is shown, or about to be."""
        return self._shot

    @property
    def is_drawn(self) -> bool:
        """Whether there is a picture."""
        return self._drawn is not None

    def take(self, shot: Shot) -> None:
        """Show another shot; the old picture stays until the new one is decoded."""
        self._shot = shot
        self.setAccessibleName(", ".join(filter(None, (shot.caption, shot.told))))
        self.setToolTip(shot.hint or shot.caption)
        self._asked += 1
        asked, ratio = self._asked, self.devicePixelRatioF()
        size = self._size * ratio

        def decoded(image: QImage) -> None:
            if asked == self._asked:
                self._drawn = QPixmap.fromImage(image)
                self._drawn.setDevicePixelRatio(ratio)
                self.update()

        self._background.run(lambda: fitted(shot.source, size), decoded, self.setToolTip)
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return self._size + QSize(0, self.fontMetrics().height() + theme.TIGHT)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return self.sizeHint()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.clicked.emit()

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        now, painter = theme.colors(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(0, 0, self._size.width(), self._size.height())
        shape = QPainterPath()
        shape.addRoundedRect(box, 4, 4)
        painter.fillPath(shape, QColor(now.raised))
        if self._drawn is not None:
            room = self._drawn.deviceIndependentSize()
            place = QRectF(0, 0, room.width(), room.height())
            place.moveCenter(box.center())
            painter.setClipPath(shape)
            painter.drawPixmap(place.topLeft(), self._drawn)
            painter.setClipping(False)
        if self._shot is None:
            return
        metrics, middle = self.fontMetrics(), Qt.AlignmentFlag.AlignVCenter
        line = QRectF(0, box.height() + theme.TIGHT, self.width(), metrics.height())
        room_left = int(line.width()) - metrics.horizontalAdvance(self._shot.told) - theme.SPACE
        painter.setPen(QColor(now.text))
        caption = elided(painter, self._shot.caption, room_left, Qt.TextElideMode.ElideMiddle)
        painter.drawText(line, middle, caption)
        painter.setPen(QColor(now.muted))
        painter.drawText(line, middle | Qt.AlignmentFlag.AlignRight, self._shot.told)


def fitted(source: bytes | Path, size: QSize) -> QImage:
    """The picture as it fits into `size` pixels. Any thread. Raises MediaError."""
    try:
        data = np.frombuffer(source, np.uint8) if isinstance(source, bytes) else np.fromfile(
            system_path(source), np.uint8
        )  # fmt: skip
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    except (OSError, cv2.error) as e:
        raise MediaError(f"The picture {_named(source)} cannot be shown: {e}.") from e
    if pixels is None:
        raise MediaError(f"The picture {_named(source)} is damaged.")
    height, width = pixels.shape[:2]
    scale = min(size.width() / width, size.height() / height)
    wide, tall = max(round(width * scale), 1), max(round(height * scale), 1)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = np.ascontiguousarray(cv2.resize(pixels, (wide, tall), interpolation=how), np.uint8)
    # `copy` holds the interpreter's lock, for a picture of this size no longer than a blink.
    return QImage(small.data, wide, tall, small.strides[0], QImage.Format.Format_RGB888).copy()


def _named(source: bytes | Path) -> str:
    return "of the training" if isinstance(source, bytes) else str(source)
