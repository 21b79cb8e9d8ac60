"""The room that a screen has for a window. Knows no window of ours."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QSize
from PySide6.QtWidgets import QWidget

_FRAME = QSize(16, 64)  # what a window manager puts round a window, the title above and below alike


def first_place(size: QSize, available: QRect) -> QRect:
    """Where a window that nobody has placed yet goes: in the middle of the screen, and all of it on it.

    size: wanted. available: what the screen leaves to windows.
    """
    place = QRect(QPoint(), size.boundedTo(available.size() - _FRAME))
    place.moveCenter(available.center())
    return place


def fit(window: QWidget) -> None:
    """Make a window no larger than its screen, before it is shown."""
    window.resize(window.size().boundedTo(window.screen().availableGeometry().size() - _FRAME))


def grow(window: QWidget) -> None:
    """Make a window as large as what it holds, and move it so that all of it stays on the screen."""
    window.adjustSize()
    place, available = window.frameGeometry(), window.screen().availableGeometry()
    bottom_right = available.bottomRight() - QPoint(place.width() - 1, place.height() - 1)
    x = max(available.left(), min(place.x(), bottom_right.x()))
    window.move(x, max(available.top(), min(place.y(), bottom_right.y())))
