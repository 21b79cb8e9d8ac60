"""What changing classes asks a person: a name, a colour, what to merge, whether to delete."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QColorDialog,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QWidget,
)

from engine.document.records import ClassDef
from engine.project.facts import Use
from gui import counts, theme
from gui.commands.registry import Context, translated
from gui.counts import counted
from gui.panels.parts import bar, column, label

_ID = Qt.ItemDataRole.UserRole


class NameDialog(QDialog):
    """Asks for the name of a class; one that is taken cannot be given."""

    def __init__(self, parent: QWidget, title: str, name: str, taken: Collection[str]) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self._taken = frozenset(taken)
        self._was = name
        self.field = QLineEdit(name)
        self.field.setMinimumWidth(280)
        self.field.setAccessibleName(self.tr("Name of the class"))
        self.field.selectAll()
        self.problem = label(role="error")
        self.buttons = _buttons(self)
        layout = column(self, margin=theme.WIDE)
        layout.addWidget(label(self.tr("Name")))
        layout.addWidget(self.field)
        layout.addWidget(self.problem)
        layout.addWidget(self.buttons)
        self.field.textChanged.connect(self._check)
        self._check()

    @property
    def name(self) -> str:
        """What was written, tidied."""
        return " ".join(self.field.text().split())

    @Slot()
    def _check(self) -> None:
        taken = self.name in self._taken and self.name != self._was
        self.problem.setText(self.tr("There is a class of this name already.") if taken else "")
        _ok(self.buttons).setEnabled(bool(self.name) and not taken)


class MergeDialog(QDialog):
    """Asks which classes become one, and which of them stays."""

    def __init__(self, parent: QWidget, classes: Sequence[ClassDef], chosen: int | None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Merge classes"))
        self.list = QListWidget()
        self.list.setAccessibleName(self.tr("Classes to merge"))
        self.list.setSpacing(3)
        self.into = QComboBox()
        self.into.setAccessibleName(self.tr("The class that stays"))
        for one in classes:
            item = QListWidgetItem(theme.swatch_icon(one.color), one.name)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked if one.id == chosen else Qt.CheckState.Unchecked)
            item.setData(_ID, one.id)
            self.list.addItem(item)
            self.into.addItem(theme.swatch_icon(one.color), one.name, one.id)
        self.told = label(role="muted")
        self.told.setWordWrap(True)
        self.buttons = _buttons(self, self.tr("Merge"))
        layout = column(self, margin=theme.WIDE)
        layout.addWidget(label(self.tr("Make the instances of these classes")))
        layout.addWidget(self.list, 1)
        layout.addLayout(bar(label(self.tr("instances of")), self.into, None))
        layout.addWidget(self.told)
        layout.addWidget(self.buttons)
        self.resize(360, 420)
        self.list.itemChanged.connect(self._check)
        self.into.currentIndexChanged.connect(self._check)
        other = next((n for n, one in enumerate(classes) if one.id != chosen), 0)
        self.into.setCurrentIndex(other)
        self._check()

    @property
    def merged(self) -> tuple[int, ...]:
        """Ids of the classes that go."""
        items = (self.list.item(row) for row in range(self.list.count()))
        checked = (item.data(_ID) for item in items if item.checkState() is Qt.CheckState.Checked)
        return tuple(id_ for id_ in checked if id_ != self.into.currentData())

    @Slot()
    def _check(self) -> None:
        count = len(self.merged)
        told = counted(
            count, self.tr("1 class goes; this can be undone."), self.tr("{} classes go; this can be undone.")
        )
        self.told.setText(told if count else self.tr("Tick the classes that go."))
        _ok(self.buttons).setEnabled(bool(count))


class DeleteDialog(QDialog):
    """Asks whether a class shall go with its instances; counts them meanwhile."""

    def __init__(self, parent: QWidget, one: ClassDef) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Delete a class"))
        self.question = label(self.tr('Delete the class "{}"?').format(one.name), "heading")
        self.question.setWordWrap(True)
        self.told = label(self.tr("Counting its instances …"))
        self.told.setWordWrap(True)
        self.buttons = _buttons(self, self.tr("Delete"))
        layout = column(self, margin=theme.WIDE)
        layout.addWidget(self.question)
        layout.addWidget(self.told)
        layout.addWidget(label(self.tr("This can be undone."), "muted"))
        layout.addWidget(self.buttons)
        self.setMinimumWidth(360)

    def count(self, use: Use) -> None:
        """Say what goes with it."""
        if use.instances:
            instances = counts.instances(use.instances)
            images = counts.images(use.images)
            self.told.setText(
                self.tr("With it goes what is labelled so: {} on {}, by a model or by hand.").format(
                    instances, images
                )
            )
        else:
            self.told.setText(self.tr("No image has an instance of it."))
        self.adjustSize()


def ask_new_name(parent: QWidget, context: Context) -> tuple[str] | None:
    """The name of a class to be."""
    names = [one.name for one in context.editor.classes]
    dialog = NameDialog(parent, translated("Add a class"), "", names)
    return (dialog.name,) if _accepted(dialog) else None


def ask_name(parent: QWidget, context: Context) -> tuple[int, str] | None:
    """Another name for the chosen class."""
    one = chosen(context)
    if one is None:
        return None
    names = [other.name for other in context.editor.classes]
    dialog = NameDialog(parent, translated("Rename the class"), one.name, names)
    return (one.id, dialog.name) if _accepted(dialog) and dialog.name != one.name else None


def ask_color(parent: QWidget, context: Context) -> tuple[int, str] | None:
    """Another colour for the chosen class."""
    one = chosen(context)
    if one is None:
        return None
    dialog = QColorDialog(QColor(one.color), parent)
    dialog.setOption(QColorDialog.ColorDialogOption.DontUseNativeDialog)
    dialog.setWindowTitle(translated("Colour of {}").format(one.name))
    if not _accepted(dialog):
        return None
    color = dialog.currentColor().name()
    return (one.id, color) if color != one.color else None


def ask_merge(parent: QWidget, context: Context) -> tuple[tuple[int, ...], int] | None:
    """Which classes become instances of which."""
    dialog = MergeDialog(parent, context.editor.classes, context.editor.class_id)
    return (dialog.merged, dialog.into.currentData()) if _accepted(dialog) else None


def ask_delete(parent: QWidget, context: Context) -> tuple[int] | None:
    """Whether the chosen class shall go."""
    one, project = chosen(context), context.desk.project
    if one is None or project is None:
        return None
    dialog = DeleteDialog(parent, one)
    is_open = True

    def show(use: Use) -> None:
        if is_open:
            dialog.count(use)

    context.desk.background.run(lambda: project.survey().of_class((one.id,)).use, show)
    answer = _accepted(dialog)
    is_open = False
    return (one.id,) if answer else None


def ask_preset_to_load(parent: QWidget, _context: Context) -> tuple[Path] | None:
    """Which file of classes to load."""
    chosen_, _ = QFileDialog.getOpenFileName(
        parent, translated("Load a set of classes"), "", translated("Sets of classes (*.json)")
    )
    return (Path(chosen_),) if chosen_ else None


def ask_preset_to_save(parent: QWidget, context: Context) -> tuple[Path] | None:
    """Where to write the classes."""
    name = f"{context.desk.folder.name} classes.json" if context.desk.folder else "classes.json"
    chosen_, _ = QFileDialog.getSaveFileName(
        parent, translated("Save as a set of classes"), name, translated("Sets of classes (*.json)")
    )
    return (Path(chosen_).with_suffix(".json"),) if chosen_ else None


def chosen(context: Context) -> ClassDef | None:
    """The class that is chosen in the panel."""
    classes = {one.id: one for one in context.editor.classes}
    return classes.get(context.editor.class_id or 0)


def _accepted(dialog: QDialog) -> bool:
    answer = bool(dialog.exec())
    dialog.deleteLater()
    return answer


def _buttons(dialog: QDialog, title: str = "") -> QDialogButtonBox:
    kinds = QDialogButtonBox.StandardButton
    made = QDialogButtonBox(kinds.Ok | kinds.Cancel)
    made.accepted.connect(dialog.accept)
    made.rejected.connect(dialog.reject)
    ok = made.button(kinds.Ok)
    ok.setProperty("primary", True)
    ok.setDefault(True)
    if title:
        ok.setText(title)
    return made


def _ok(buttons: QDialogButtonBox) -> QWidget:
    return buttons.button(QDialogButtonBox.StandardButton.Ok)
