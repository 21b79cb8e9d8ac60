"""Windows that fit their screen."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QRect, QSize
from PySide6.QtWidgets import QApplication, QLabel, QVBoxLayout, QWidget

from gui.screen import first_place, grow

WANTED, TITLE = QSize(1360, 860), 28


@pytest.mark.parametrize(
    "available",
    [
        QRect(0, 0, 1366, 728),  # a small laptop, less its bar
        QRect(1920, 24, 1280, 776),  # a second screen
        QRect(0, 0, 800, 800),
    ],
)
def test_that_a_window_is_no_larger_than_the_screen_with_room_for_its_title(available: QRect) -> None:
    place = first_place(WANTED, available)
    assert available.contains(place.adjusted(-4, -TITLE, 4, 4))
    middle = place.center() - available.center()
    assert max(abs(middle.x()), abs(middle.y())) <= 1


def test_that_a_large_screen_is_not_filled() -> None:
    place = first_place(WANTED, QRect(QPoint(), QSize(3840, 2160)))
    assert place.size() == WANTED


def test_that_a_window_that_grows_stays_on_the_screen(application: QApplication) -> None:
    window = QWidget()
    layout = QVBoxLayout(window)
    layout.addWidget(QLabel("short"))
    window.show()
    available = window.screen().availableGeometry()
    window.move(available.right() - 150, available.bottom() - 100)
    more = QLabel("long")
    more.setFixedSize(300, 400)
    layout.addWidget(more)
    more.show()
    grow(window)
    place = window.frameGeometry()
    window.close()
    assert place.height() > 400
    assert available.contains(place)
