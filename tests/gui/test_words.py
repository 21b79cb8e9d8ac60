"""Everything that a person can do or read has words: in their language, and for those who do not see it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QLineEdit,
    QProgressBar,
    QSlider,
    QWidget,
)

from gui.dialogs.attributes import AttributesDialog
from gui.dialogs.choose_class import ClassDialog
from gui.dialogs.classes import MergeDialog, NameDialog
from gui.dialogs.exchange import ExportDialog
from gui.dialogs.label import LabelDialog
from gui.dialogs.measurements import MeasurementsDialog
from gui.dialogs.models import ModelDialog
from gui.dialogs.palette import Palette
from gui.dialogs.shortcuts import ShortcutPage
from gui.dialogs.statistics import StatisticsDialog
from gui.main_window import MainWindow
from gui.settings import Settings
from tests.gui.drive import CLASSES

GUI = Path(__file__).resolve().parents[2] / "gui"
CONTROLS = (
    QAbstractButton, QAbstractItemView, QAbstractSpinBox, QComboBox, QLineEdit, QProgressBar, QSlider,
)  # fmt: skip
SHOWN = frozenset(
    {"setText", "setWindowTitle", "setToolTip", "setPlaceholderText", "setTitle", "setInformativeText"}
    | {
        "addAction",
        "addMenu",
        "addTab",
        "addRow",
        "addButton",
        "setAccessibleName",
        "setAccessibleDescription",
    }
    | {"QLabel", "QPushButton", "QCheckBox", "QRadioButton", "QGroupBox", "QToolBar", "QMenu", "QDockWidget"}
)
"""Calls whose text arguments a person reads."""
NAMES = frozenset({"Maskwright", "train=80,val=10,test=10"})


@pytest.fixture
def window(application: QApplication) -> Iterator[MainWindow]:
    made = MainWindow(Settings())
    made.show()
    yield made
    made.close()


def is_part_of_another(one: QWidget) -> bool:
    """Whether it belongs to a control of Qt's that has a name: the list of a combo box, say."""
    above = one.parentWidget()
    while above is not None:
        if isinstance(above, (QAbstractSpinBox, QAbstractItemView, QComboBox, QLineEdit)):
            return True
        above = above.parentWidget()
    return one.objectName().startswith("qt_")


def nameless(top: QWidget) -> list[str]:
    """The controls in a window that a screen reader has no name for."""
    found = []
    for one in top.findChildren(QWidget):
        if not isinstance(one, CONTROLS) or is_part_of_another(one):
            continue
        if not QAccessible.queryAccessibleInterface(one).text(QAccessible.Text.Name).strip():
            above = one.parentWidget()
            found.append(f"{type(one).__name__} in {type(above).__name__ if above else type(top).__name__}")
    return found


def test_that_every_control_of_the_window_and_its_dialogs_has_a_name(window: MainWindow) -> None:
    context = window.context
    dialogs: list[QDialog] = [
        AttributesDialog(window, (("side", "left"),), 1),
        ClassDialog(window, CLASSES),
        ExportDialog(window),
        LabelDialog(window, context),
        MeasurementsDialog(window, context),
        MergeDialog(window, CLASSES, CLASSES[0].id),
        ModelDialog(window, context.models),
        NameDialog(window, "Class", "", ("bolt",)),
        Palette(window, context),
        ShortcutPage(window, context.settings),
        StatisticsDialog(window, context),
    ]
    found = [name for top in (window, *dialogs) for name in nameless(top)]
    assert not found, "\n".join(found)


def untranslated(tree: ast.AST) -> list[tuple[int, str]]:
    """Words that a call shows as they stand, without asking for the person's language."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called not in SHOWN:
            continue
        for given in node.args:
            text = given.value if isinstance(given, ast.Constant) else ""
            if isinstance(text, str) and re.search(r"[A-Za-z]{3}", text) and text not in NAMES:
                found.append((node.lineno, text))
    return found


def test_that_every_word_of_the_window_can_be_translated() -> None:
    found = [
        f"{path.relative_to(GUI)}:{line}: {text}"
        for path in sorted(GUI.rglob("*.py"))
        for line, text in untranslated(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []


def test_that_a_word_that_cannot_be_translated_is_noticed() -> None:
    assert untranslated(ast.parse('label.setText("Nothing here")')) == [(1, "Nothing here")]
    assert untranslated(ast.parse('label.setText(self.tr("Nothing here"))')) == []
