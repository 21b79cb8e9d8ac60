"""The list of instances follows the editor, and the editor follows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication

from engine.document.records import Instance, Provenance
from engine.upgrading import DISAGREES, settle
from gui import theme
from gui.panels.instances import Instances
from tests.gui.drive import TestEditor
from tests.gui.making import drawn, proposal

LOW = replace(proposal(2, 30, 0.2), z=0)
GUESS = replace(proposal(2, 20, 0.9), z=1)
OWN = replace(drawn(1), z=2)


@pytest.fixture
def test_editor(application: QApplication) -> TestEditor:
    return TestEditor(LOW, GUESS, OWN)


@pytest.fixture
def panel(test_editor: TestEditor) -> Iterator[Instances]:
    made = Instances(test_editor.editor)
    made.resize(280, 300)
    made.show()
    yield made
    made.close()


def rows(panel: Instances) -> list[Instance]:
    return panel.model.rows


def selected(panel: Instances) -> list[int]:
    return [rows(panel)[index.row()].id for index in panel.view.selectionModel().selectedRows()]


def told(panel: Instances, row: int) -> str:
    return str(panel.model.data(panel.model.index(row), Qt.ItemDataRole.AccessibleTextRole))


def test_that_the_topmost_instance_comes_first_and_hidden_ones_on_demand(panel: Instances) -> None:
    assert rows(panel) == [OWN, GUESS]
    assert panel.summary.text() == "2 seen, 1 hidden"
    panel.hidden.setChecked(True)
    assert rows(panel) == [OWN, GUESS, LOW]
    assert told(panel, 0) == "bolt, drawn"
    assert told(panel, 1) == "nut, proposed, score 0.90"
    assert told(panel, 2) == "nut, proposed, score 0.20\nIts score is below the slider's 0.50"


def test_that_a_doubtful_mask_is_flagged(panel: Instances, test_editor: TestEditor) -> None:
    editor = test_editor.editor

    def reds() -> int:
        QApplication.processEvents()
        image = panel.view.viewport().grab().toImage()
        danger = QColor(theme.colors().danger)
        spots = ((x, y) for x in range(image.width()) for y in range(image.height()))
        return sum(image.pixelColor(x, y) == danger for x, y in spots)

    before = reds()
    assert editor.document is not None
    with editor.edit("x"):
        editor.document.replace(replace(OWN, attributes=(("side", "left"), (DISAGREES, "0.31"))))
    assert told(panel, 0) == "bolt, drawn, side: left, its mask is to be looked at"
    assert reds() > before + 5
    with editor.edit("x"):
        settle(editor.document)
    assert told(panel, 0) == "bolt, drawn, side: left"
    assert reds() == before


def test_that_the_reason_for_hiding_is_told(panel: Instances, test_editor: TestEditor) -> None:
    editor = test_editor.editor
    panel.hidden.setChecked(True)
    for sight, why in (
        (replace(editor.sight, hide_all=True), "Everything is hidden"),
        (replace(editor.sight, hidden_classes=frozenset({2})), "Its class is hidden"),
        (replace(editor.sight, suppressed=frozenset({GUESS.id})), "A better proposal"),
    ):
        editor.see(sight)
        assert why in told(panel, 1)


def test_that_selecting_goes_both_ways(panel: Instances, test_editor: TestEditor) -> None:
    editor = test_editor.editor
    editor.select([GUESS.id])
    assert selected(panel) == [GUESS.id]
    model, flags = panel.view.selectionModel(), QItemSelectionModel.SelectionFlag
    model.select(panel.model.index(0), flags.Select)
    assert set(editor.selection) == {OWN.id, GUESS.id}
    editor.select([])
    assert selected(panel) == []


def test_that_an_edit_keeps_the_selection(panel: Instances, test_editor: TestEditor) -> None:
    editor = test_editor.editor
    editor.select([OWN.id])
    assert editor.document is not None
    with editor.edit("Accept"):
        editor.document.accept(GUESS.id)
    assert selected(panel) == [OWN.id]
    assert rows(panel)[1].provenance is Provenance.ACCEPTED
    with editor.edit("Delete"):
        editor.document.remove(OWN.id)
    assert [one.id for one in rows(panel)] == [GUESS.id]
    assert editor.selection == ()


def test_that_buttons_name_commands_and_are_live_where_these_apply(
    panel: Instances, test_editor: TestEditor
) -> None:
    asked: list[str] = []
    panel.asked.connect(asked.append)
    assert not panel.accept.isEnabled()
    test_editor.editor.select([OWN.id])
    assert not panel.accept.isEnabled()
    assert panel.delete.isEnabled()
    test_editor.editor.select([GUESS.id])
    panel.accept.click()
    panel.reject.click()
    panel.accept_all.click()
    assert asked == ["predict.accept", "predict.reject", "predict.accept_all"]
    assert test_editor.edits == []


def test_that_no_button_is_live_in_a_project_for_reading(panel: Instances, test_editor: TestEditor) -> None:
    test_editor.editor.is_read_only = True
    test_editor.editor.select([GUESS.id])
    assert not any(one.isEnabled() for one in (panel.accept, panel.reject, panel.accept_all, panel.delete))


def test_that_an_instance_of_a_class_that_is_gone_is_still_listed(
    panel: Instances, test_editor: TestEditor
) -> None:
    test_editor.editor.set_classes(test_editor.editor.classes[:1])
    assert told(panel, 1).startswith("(deleted class)")


def test_that_an_empty_list_says_why(panel: Instances, test_editor: TestEditor) -> None:
    editor = test_editor.editor
    editor.see(replace(editor.sight, hide_all=True))
    assert panel.empty.text() == "All instances of this image are hidden."
    editor.show(None)
    assert panel.empty.text() == "No image is shown."
