"""The one question before something that is not done lightly."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMessageBox, QWidget

from gui.dialogs.confirm import confirmed


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [("Undo", True), ("Cancel", False), (Qt.Key.Key_Return, True), (Qt.Key.Key_Escape, False)],
)
def test_that_only_the_button_that_says_so_does_it(
    application: QApplication, request: pytest.FixtureRequest, answer: str | Qt.Key, wanted: bool
) -> None:
    parent = QWidget()
    request.addfinalizer(parent.deleteLater)
    seen: list[tuple[str, str, str]] = []

    def reply() -> None:
        box = application.activeModalWidget()
        assert isinstance(box, QMessageBox)
        seen.append((box.windowTitle(), box.text(), box.informativeText()))
        if isinstance(answer, Qt.Key):
            QTest.keyClick(box, answer)
        else:
            next(one for one in box.buttons() if one.text().replace("&", "") == answer).click()

    QTimer.singleShot(0, parent, reply)
    assert confirmed(parent, "Batch", "Undo the batch?", "It labelled 12 images.", "Undo") is wanted
    assert seen == [("Batch", "Undo the batch?", "It labelled 12 images.")]
    application.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert not parent.findChildren(QMessageBox), "nothing of it is left behind"
