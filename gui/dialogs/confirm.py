"""One question before something that is not done lightly."""

from __future__ import annotations

from PySide6.QtWidgets import QMessageBox, QWidget


def confirmed(parent: QWidget, title: str, question: str, explained: str, doing: str) -> bool:
    """Whether the person wants it. doing: what the button says that does it; the other one is Cancel."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle(title)
    box.setText(question)
    box.setInformativeText(explained)
    does = box.addButton(doing, QMessageBox.ButtonRole.AcceptRole)
    box.addButton(QMessageBox.StandardButton.Cancel)
    box.setDefaultButton(does)
    box.exec()
    wanted = box.clickedButton() is does
    box.deleteLater()
    return wanted
