"""A canvas on the screen that is not there, and its pixels as numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from engine.document.records import IgnoreRegion, Instance
from engine.media.picture import Rgb
from gui.canvas.view import CanvasView
from tests.gui.conftest import Wait
from tests.gui.drive import TestEditor


class Canvas:
    """A view of 400 x 300 over a TestEditor."""

    __test__ = False

    def __init__(self, test: TestEditor, wait: Wait) -> None:
        self.test, self.editor = test, test.editor
        self.view = CanvasView(test.editor)
        self.view.resize(400, 300)
        self.view.show()
        self._wait = wait
        self.settle()

    def settle(self) -> None:
        """Wait until the picture's levels are built and drawn."""
        QApplication.processEvents()
        pyramid = self.view._frame.pyramid
        if pyramid is not None:
            self._wait(lambda: pyramid.image(0) is not None)
        QApplication.processEvents()

    def pixels(self) -> NDArray[np.int64]:
        """What the view shows: rows x columns x red, green, blue."""
        QApplication.processEvents()
        return rgb_of_image(self.view.grab().toImage())

    def at(self, x: float, y: float) -> list[int]:
        """The colour at the middle of an image's pixel."""
        across, down = self.editor.camera.to_view(x + 0.5, y + 0.5)
        return [int(value) for value in self.pixels()[int(down), int(across)]]


def rgb_of_image(image: QImage) -> NDArray[np.int64]:
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    pixels = rows[:, : 4 * image.width()].reshape(image.height(), image.width(), 4)
    return pixels[..., 2::-1].astype(np.int64)


Open = Callable[..., Canvas]


@pytest.fixture
def open_canvas(application: QApplication, wait: Wait) -> Iterator[Open]:
    """`open_canvas(*records, pixels=...)`: a Canvas; it is closed when the test ends."""
    made: list[Canvas] = []

    def open_(*records: Instance | IgnoreRegion, pixels: Rgb | None = None) -> Canvas:
        made.append(Canvas(TestEditor(*records, pixels=pixels), wait))
        return made[-1]

    yield open_
    for one in made:
        one.view.stop()
        one.view.close()
        one.view.deleteLater()
