"""Asks which images to label, and how."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QRadioButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from gui import counts
from gui.commands.registry import Context
from gui.theme import SPACE, WIDE


def ask_label(
    parent: QWidget, context: Context
) -> tuple[tuple[str, ...], tuple[str, ...] | None, bool] | None:
    """Paths, classes to store (None: all) and whether to do again what is up to date; None: backed out."""
    dialog = LabelDialog(parent, context)
    wanted = dialog.exec() == QDialog.DialogCode.Accepted
    answer = (dialog.paths, dialog.chosen_classes, dialog.again.isChecked())
    dialog.deleteLater()
    return answer if wanted else None


class LabelDialog(QDialog):
    """All, unlabelled, a range of the list, or what is selected in it."""

    def __init__(self, parent: QWidget, context: Context) -> None:
        super().__init__(parent)
        self.setObjectName("label")
        self.setWindowTitle(self.tr("Label the folder"))
        self._context = context
        count = len(context.desk.order)
        self.all = QRadioButton(self.tr("All images of the folder"))
        self.unlabelled = QRadioButton(self.tr("Only images without labels"))
        self.range = QRadioButton(self.tr("From number"))
        self.selection = QRadioButton(self.tr("What is selected in the list"))
        self.selection.setEnabled(bool(context.desk.selected))
        self.first, self.last = QSpinBox(), QSpinBox()
        for box, name, value in (
            (self.first, self.tr("First image"), 1),
            (self.last, self.tr("Last image"), count),
        ):
            box.setRange(1, max(count, 1))
            box.setValue(value)
            box.setAccessibleName(name)
            box.setMinimumWidth(84)
            box.valueChanged.connect(self._on_range)
        self._group = QButtonGroup(self)
        for button in (self.unlabelled, self.all, self.range, self.selection):
            self._group.addButton(button)
        self._group.buttonToggled.connect(self._count)
        self.classes = QLineEdit()
        self.classes.setPlaceholderText(self.tr("all that {} knows").format(context.proposals.model))
        self.classes.setAccessibleName(self.tr("Classes to store"))
        self.again = QCheckBox(self.tr("Also images whose proposals are up to date"))
        self._summary = QLabel()
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.start = self._buttons.addButton(self.tr("Label"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.start.setProperty("primary", True)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        self._lay_out()
        self.unlabelled.setChecked(True)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(WIDE, WIDE, WIDE, WIDE)
        layout.setSpacing(SPACE)
        model = QLabel(
            self.tr("The model <b>{}</b> proposes instances. Reviewed images are left alone.").format(
                self._context.proposals.model
            )
        )
        layout.addWidget(model)
        layout.addSpacing(SPACE)
        layout.addWidget(self.unlabelled)
        layout.addWidget(self.all)
        span = QHBoxLayout()
        for widget in (self.range, self.first, QLabel(self.tr("to")), self.last):
            span.addWidget(widget)
        span.addStretch()
        layout.addLayout(span)
        layout.addWidget(self.selection)
        layout.addSpacing(SPACE)
        layout.addWidget(QLabel(self.tr("Classes, with commas between")))
        layout.addWidget(self.classes)
        layout.addWidget(self.again)
        layout.addSpacing(SPACE)
        layout.addWidget(self._summary)
        layout.addWidget(self._buttons)

    @property
    def paths(self) -> tuple[str, ...]:
        """The images that are chosen, as paths in the folder."""
        jobs, desk = self._context.jobs, self._context.desk
        if self.unlabelled.isChecked():
            return jobs.images(unlabelled_only=True)
        if self.range.isChecked():
            return jobs.images(media_ids=desk.order[self.first.value() - 1 : self.last.value()])
        if self.selection.isChecked():
            return jobs.images(media_ids=desk.selected)
        return jobs.images()

    @property
    def chosen_classes(self) -> tuple[str, ...] | None:
        """The names of the classes to store, None for all."""
        names = tuple(name.strip() for name in self.classes.text().split(",") if name.strip())
        return names or None

    @Slot()
    def _on_range(self) -> None:
        self.range.setChecked(True)
        self._count()

    @Slot()
    def _count(self) -> None:
        count = len(self.paths)
        self.start.setEnabled(count > 0)
        self._summary.setText(counts.images(count))
