"""Asks what to do where a project is about to be let go with edits that the disk has refused."""

from __future__ import annotations

from PySide6.QtWidgets import QMessageBox, QWidget

from gui.commands.registry import translated
from gui.desk import Desk


def may_leave(parent: QWidget, desk: Desk) -> bool:
    """Whether the open project may be let go: nothing would be lost, or the person says so."""
    if not desk.unsaved_problem:
        return True
    box = QMessageBox(parent)
    box.setObjectName("unsaved")
    box.setIcon(QMessageBox.Icon.Warning)
    box.setWindowTitle(translated("Not everything is saved"))
    box.setText(desk.unsaved_problem)
    box.setInformativeText(
        translated("Make room or bring the disk back, and try again; or lose these edits for good.")
    )
    again = box.addButton(translated("Stay and try again"), QMessageBox.ButtonRole.AcceptRole)
    lose = box.addButton(translated("Lose the edits"), QMessageBox.ButtonRole.DestructiveRole)
    box.setDefaultButton(again)
    box.setEscapeButton(again)
    box.exec()
    if box.clickedButton() is lose:
        return True
    desk.saving.retry()
    return False
