"""The editor's own promises, beyond those of the tools."""

from __future__ import annotations

from PySide6.QtWidgets import QApplication

from tests.gui.drive import TestEditor
from tests.gui.making import drawn


def test_that_what_is_removed_is_no_longer_selected_when_others_hear_of_it(
    application: QApplication,
) -> None:
    one, other = drawn(1), drawn(1, 30)
    driven = TestEditor(one, other)
    driven.editor.select([one.id, other.id])
    heard: list[tuple[int, ...]] = []
    driven.editor.edited.connect(lambda _edit: heard.append(tuple(x.id for x in driven.editor.selected)))
    driven.editor.selection_changed.connect(lambda: heard.append(driven.editor.selection))
    with driven.editor.edit("Delete"):
        driven.document.remove(one.id)
    assert heard == [(other.id,), (other.id,)]
