"""Parts that panels are made of."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QListWidget

from gui.panels.parts import EmptyHint


def test_that_a_sentence_in_a_low_list_begins_where_it_can_be_read(application: QApplication) -> None:
    view = QListWidget()
    hint = EmptyHint(view)
    view.resize(160, 300)
    view.show()
    hint.say("Nothing here yet: draw an instance, or press I to have the model look.")
    application.processEvents()
    high = hint.alignment()
    view.resize(160, 40)
    application.processEvents()
    low = hint.alignment()
    view.close()
    assert high & Qt.AlignmentFlag.AlignVCenter
    assert low & Qt.AlignmentFlag.AlignTop
