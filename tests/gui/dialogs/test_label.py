"""Which images a run of labelling would be of: all, the unlabelled, a range of the list, what is selected."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest
from PySide6.QtWidgets import QWidget

from gui.bridge import Bridge
from gui.commands.registry import Context
from gui.dialogs.label import LabelDialog
from gui.jobs import Jobs
from gui.proposals import Proposals
from gui.settings import Settings
from tests.gui.making import Engine
from tests.gui.panels.conftest import Place, empty_desk, folder, place

__all__ = ["empty_desk", "folder", "place"]


@pytest.fixture
def dialog(place: Place) -> Iterator[LabelDialog]:
    """Of a folder where a.png is reviewed and b.png has proposals."""
    bridge, settings = cast(Bridge, Engine()), Settings()
    settings.change(predicts_by_itself=False)
    proposals = Proposals(place.editor, place.desk, bridge, settings)
    jobs = Jobs(place.desk, bridge, proposals)
    place.desk.set_selected([place.id_of("c.png")])
    parent = QWidget()
    context = SimpleNamespace(desk=place.desk, jobs=jobs, proposals=proposals)
    yield LabelDialog(parent, cast(Context, context))
    parent.deleteLater()


def test_that_each_choice_names_its_images_and_says_how_many(dialog: LabelDialog) -> None:
    assert [*dialog.paths] == ["c.png", "sub/d.png"]
    dialog.all.setChecked(True)
    assert [*dialog.paths] == ["b.png", "c.png", "sub/d.png"]
    dialog.first.setValue(2)
    dialog.last.setValue(3)
    assert dialog.range.isChecked()
    assert [*dialog.paths] == ["b.png", "c.png"]
    assert "2 images" in dialog._summary.text()
    dialog.selection.setChecked(True)
    assert [*dialog.paths] == ["c.png"]
    assert "1 image" in dialog._summary.text()


def test_that_nothing_can_be_started_on_reviewed_images_alone(dialog: LabelDialog) -> None:
    dialog.first.setValue(1)
    dialog.last.setValue(1)
    assert dialog.paths == ()
    assert not dialog.start.isEnabled()


def test_that_classes_are_told_by_name(dialog: LabelDialog) -> None:
    assert dialog.chosen_classes is None
    dialog.classes.setText(" bolt,, nut ")
    assert dialog.chosen_classes == ("bolt", "nut")
