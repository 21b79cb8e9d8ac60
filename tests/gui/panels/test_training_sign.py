"""The status bar's word on a training: there when nobody sees the panel, and the way to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDockWidget, QMainWindow

from engine.messages import Canceled, Described, Paused
from gui.panels.training_sign import TrainingSign
from tests.gui import test_tuning
from tests.gui.test_tuning import DESCRIBED, STARTED, Bench, stepped

bench = test_tuning.bench


@pytest.fixture
def seen(application: QApplication, bench: Bench) -> Iterator[tuple[TrainingSign, QDockWidget]]:
    window, dock = QMainWindow(), QDockWidget("Training")
    window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)
    dock.hide()
    sign = TrainingSign(bench.tuning, dock)
    window.statusBar().addPermanentWidget(sign)
    window.show()
    application.processEvents()
    yield sign, dock
    window.close()
    window.deleteLater()


def test_that_a_training_nobody_sees_is_told_of_and_one_click_leads_to_it(
    bench: Bench, seen: tuple[TrainingSign, QDockWidget]
) -> None:
    sign, dock = seen
    assert sign.isHidden()
    bench.learn()
    assert sign.isVisible()
    bench.hear(Described(DESCRIBED), STARTED, stepped(4))
    assert sign.text() == "Learning, 40% · 3 s left"
    bench.hear(Paused(4))
    assert sign.text() == "Learning is paused"
    QTest.mouseClick(sign, Qt.MouseButton.LeftButton)
    assert dock.isVisible()
    assert sign.isHidden(), "the panel says it all"
    dock.close()
    assert sign.isVisible()
    bench.end(Canceled)
    assert sign.isHidden()
