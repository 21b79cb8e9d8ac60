"""What stands where the picture will be is read whole."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QApplication

from gui.panels.parts import Line
from gui.panels.welcome import Message


@pytest.mark.parametrize("width", [300, 700, 1200])
def test_that_a_long_sentence_is_not_cut(application: QApplication, width: int) -> None:
    message = Message()
    message.resize(width, 400)
    message.tell(
        "broken.png: the file is damaged, and this says at some length how (in /a/folder/of/pictures) " * 2
    )
    message.show()
    application.processEvents()
    label = message._label
    assert label.height() >= label.heightForWidth(label.width())
    assert label.geometry().right() <= width
    message.close()
    message.deleteLater()


def test_that_a_line_without_room_ends_in_dots_and_tells_the_rest(application: QApplication) -> None:
    line = Line()
    line.setText("Click to select, again for the one beneath")
    line.resize(60, 20)
    narrow = line.grab().toImage()
    assert line.minimumSizeHint().width() < 60 or line.sizePolicy().horizontalPolicy().name == "Ignored"
    assert line.toolTip() == line.text()
    line.setText("Click to select, and something else after it")
    assert line.grab().toImage() == narrow
    line.deleteLater()
