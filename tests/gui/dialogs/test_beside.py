"""Windows that stay open beside the work close by their button and by Escape, and end what they began."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

from gui.bridge import Bridge
from gui.commands.registry import Context
from gui.dialogs.beside import Beside
from gui.dialogs.contrast import ContrastDialog
from gui.dialogs.explain import ExplainDialog
from gui.dialogs.measurements import MeasurementsDialog
from gui.proposals import Proposals
from gui.settings import Settings
from tests.gui.making import Engine
from tests.gui.panels.conftest import Place, empty_desk, folder, place

__all__ = ["empty_desk", "folder", "place"]


@pytest.mark.parametrize("by_key", [False, True])
@pytest.mark.parametrize("kind", [ContrastDialog, MeasurementsDialog, ExplainDialog])
def test_that_it_is_gone_when_it_is_closed(place: Place, kind: type[Beside], by_key: bool) -> None:
    bridge, settings, parent = cast(Bridge, Engine()), Settings(), QWidget()
    settings.change(predicts_by_itself=False)
    proposals = Proposals(place.editor, place.desk, bridge, settings)
    context = cast(
        Context, SimpleNamespace(desk=place.desk, editor=place.editor, bridge=bridge, proposals=proposals)
    )
    kind.open_one(parent, context)
    (dialog,) = parent.findChildren(kind)
    assert dialog.screen().availableGeometry().size().boundedTo(dialog.size()) == dialog.size()
    kind.open_one(parent, context)
    assert parent.findChildren(kind) == [dialog], "a second time brings it to the front"
    if by_key:
        QTest.keyClick(dialog, Qt.Key.Key_Escape)
    else:
        dialog.close()
    place.wait(lambda: not isValid(dialog))
    kind.open_one(parent, context)
    (again,) = parent.findChildren(kind)
    again.close()
    place.wait(lambda: not isValid(again))
    parent.deleteLater()
