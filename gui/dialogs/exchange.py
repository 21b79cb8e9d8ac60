"""Asks about imports and exports: what would come is shown before it comes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QLineEdit,
    QMessageBox,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from engine.errors import DataError
from engine.exchange.exporting import ExportOptions
from engine.exchange.importing import Summary
from engine.exchange.splitting import parse_shares
from engine.formats.registry import formats
from gui.commands.registry import translated
from gui.theme import SPACE, WIDE


def ask_summary(parent: QWidget, summary: Summary) -> bool | None:
    """Whether people made the labels; None where the person does not want them."""
    people = QCheckBox(translated("People made these labels: their images count as reviewed"))
    people.setChecked(not summary.has_scores)
    text = translated("Import without what is broken") if summary.broken else translated("Import")
    return _ask(parent, summary, translated("Import labels"), text, people)


def ask_merge(parent: QWidget, summary: Summary) -> bool | None:
    """Whether to copy the pictures that are not here; None where the person does not want the merge."""
    copies = QCheckBox(translated("Copy the pictures that are not here ({:,})").format(summary.copies))
    copies.setChecked(bool(summary.copies))
    copies.setEnabled(bool(summary.copies))
    return _ask(parent, summary, translated("Merge another project"), translated("Merge"), copies)


def _ask(parent: QWidget, summary: Summary, title: str, go: str, choice: QCheckBox) -> bool | None:
    """Show a summary; whether the choice was ticked, None where the person backs out."""
    box = QMessageBox(parent)
    box.setObjectName("import")
    box.setWindowTitle(title)
    lines = summary.lines()
    box.setText(lines[0])
    box.setInformativeText("\n".join(lines[1:6]))
    if len(lines) > 6:
        box.setDetailedText("\n".join(lines[1:]))
    box.setCheckBox(choice)
    take = box.addButton(go, QMessageBox.ButtonRole.AcceptRole)
    take.setEnabled(summary.images > 0)
    box.addButton(QMessageBox.StandardButton.Cancel)
    box.exec()
    wanted = box.clickedButton() is take
    answer = choice.isChecked()
    box.deleteLater()
    return answer if wanted else None


def ask_export(parent: QWidget) -> ExportOptions | None:
    """How to export; None where the person backs out."""
    dialog = ExportDialog(parent)
    wanted = dialog.exec() == QDialog.DialogCode.Accepted
    options = dialog.options if wanted else None
    dialog.deleteLater()
    if options is None:
        return None
    chosen = QFileDialog.getExistingDirectory(parent, translated("A folder for the files"), "")
    if not chosen:
        return None
    name = f"{options.format_name} labels"
    return replace(options, out=Path(chosen) / name)


class ExportDialog(QDialog):
    """Format, exactness, split, pictures."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("export")
        self.setWindowTitle(self.tr("Export labels"))
        self.format = QComboBox()
        for name, one in formats().items():
            if one.can_write:
                self.format.addItem(one.title, name)
        self.exact = QCheckBox(self.tr("Refuse rather than change a pixel"))
        self.polygons = QCheckBox(self.tr("Polygons instead of RLE or masks"))
        self.proposals = QCheckBox(self.tr("Also proposals that nobody has looked at"))
        self.copies = QCheckBox(self.tr("Copy the pictures beside the labels"))
        self.split = QLineEdit()
        self.split.setPlaceholderText("train=80,val=10,test=10")
        self.seed = QSpinBox()
        self.seed.setMaximum(1_000_000)
        self.by_folder = QCheckBox(self.tr("Keep the images of a folder together"))
        for widget, name in (
            (self.format, self.tr("Format")),
            (self.split, self.tr("Split")),
            (self.seed, self.tr("Seed of the split")),
        ):
            widget.setAccessibleName(name)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.start = buttons.addButton(self.tr("Choose a folder…"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.start.setProperty("primary", True)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        form = QFormLayout()
        form.setSpacing(SPACE)
        form.addRow(self.tr("Format"), self.format)
        for box in (self.exact, self.polygons, self.proposals, self.copies):
            form.addRow("", box)
        form.addRow(self.tr("Split"), self.split)
        form.addRow(self.tr("Seed"), self.seed)
        form.addRow("", self.by_folder)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(WIDE, WIDE, WIDE, WIDE)
        layout.addLayout(form)
        layout.addWidget(buttons)
        self.format.currentIndexChanged.connect(self._refresh)
        self.split.textChanged.connect(self._refresh)
        self._refresh()

    @property
    def options(self) -> ExportOptions:
        """As chosen; the folder is asked for afterwards."""
        text = self.split.text().strip()
        return ExportOptions(
            str(self.format.currentData()),
            Path(),
            exact=self.exact.isChecked(),
            polygons=self.polygons.isChecked() and self.polygons.isEnabled(),
            proposals=self.proposals.isChecked(),
            shares=parse_shares(text) if text else None,
            seed=self.seed.value(),
            group="folder" if self.by_folder.isChecked() else "",
            copy_pictures=self.copies.isChecked(),
        )

    def _refresh(self) -> None:
        self.polygons.setEnabled(formats()[str(self.format.currentData())].has_polygons)
        try:
            _ = self.options
        except DataError:
            self.start.setEnabled(False)
        else:
            self.start.setEnabled(True)
