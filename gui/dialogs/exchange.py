"""Asks about imports and exports: what would come is shown before it comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPlainTextEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from engine.errors import DataError
from engine.exchange.exporting import ExportOptions, Which
from engine.exchange.importing import Summary
from engine.exchange.splitting import parse_shares
from engine.formats.registry import Format, Holds, formats
from gui.commands.registry import translated
from gui.counts import counted
from gui.theme import SPACE, TIGHT, WIDE

_MOST_SHOWN = 8
_WIDTH, _LIST_HEIGHT = 480, 160
_FIRST_FORMAT = "coco"


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
    dialog = SummaryDialog(parent, summary, title, go, choice)
    wanted = dialog.exec() == QDialog.DialogCode.Accepted
    answer = dialog.choice.isChecked()
    dialog.deleteLater()
    return answer if wanted else None


class SummaryDialog(QDialog):
    """What would come, what of it is left out and why, and one choice. go: the button's text."""

    def __init__(self, parent: QWidget, summary: Summary, title: str, go: str, choice: QCheckBox) -> None:
        super().__init__(parent)
        self.setObjectName("import")
        self.setWindowTitle(title)
        first, *rest = summary.lines()
        wrong = summary.other_size + summary.problems
        shown = [one for one in rest if one not in wrong]
        layout = QVBoxLayout(self)
        layout.setContentsMargins(WIDE, WIDE, WIDE, WIDE)
        layout.setSpacing(SPACE)
        layout.addWidget(_wrapped(first, "heading"))
        for sentence in shown:
            layout.addWidget(_wrapped(sentence))
        self.broken = QPlainTextEdit("\n".join(wrong))
        self.broken.setReadOnly(True)
        self.broken.setAccessibleName(self.tr("What is broken"))
        self.broken.setMaximumHeight(_LIST_HEIGHT)
        self.broken.setVisible(bool(wrong))
        if wrong:
            layout.addSpacing(SPACE)
            layout.addWidget(_wrapped(self.tr("Broken, and left out:"), "heading"))
            layout.addWidget(self.broken)
        self.choice = choice
        layout.addSpacing(SPACE)
        layout.addWidget(choice)
        layout.addStretch()
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.take = buttons.addButton(go, QDialogButtonBox.ButtonRole.AcceptRole)
        self.take.setProperty("primary", True)
        self.take.setEnabled(summary.images > 0)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)
        self.setMinimumWidth(_WIDTH)


def _wrapped(text: str, role: str = "") -> QLabel:
    made = QLabel(text)
    made.setWordWrap(True)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    if role:
        made.setProperty("role", role)
    return made


def ask_conflicts(parent: QWidget, paths: Sequence[str]) -> str | None:
    """What becomes of label files of others: "overwrite", "import" or "leave"; None for later."""
    box = QMessageBox(parent)
    box.setObjectName("conflicts")
    box.setWindowTitle(translated("Label files changed by others"))
    box.setIcon(QMessageBox.Icon.Warning)
    shown = [*paths[:_MOST_SHOWN], *(["…"] if len(paths) > _MOST_SHOWN else [])]
    said = counted(
        len(paths),
        translated("1 label file beside the pictures was not written here, or was changed since."),
        translated("{} label files beside the pictures were not written here, or were changed since."),
    )
    box.setText(said)
    box.setInformativeText(
        translated("They are as they were. Their labels can be imported, or be replaced by the project's.")
        + "\n\n"
        + "\n".join(shown)
    )
    take = box.addButton(translated("Import them…"), QMessageBox.ButtonRole.AcceptRole)
    replace_ = box.addButton(translated("Replace them"), QMessageBox.ButtonRole.DestructiveRole)
    leave = box.addButton(translated("Leave them"), QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(take)
    box.setEscapeButton(leave)
    box.exec()
    clicked = box.clickedButton()
    answers = {id(take): "import", id(replace_): "overwrite", id(leave): "leave"}
    answer = answers.get(id(clicked))
    box.deleteLater()
    return answer


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
    """Format, images, exactness, split, pictures."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("export")
        self.setWindowTitle(self.tr("Export labels"))
        self.setMinimumWidth(_WIDTH)
        self.format = QComboBox()
        for name, one in formats().items():
            if one.can_write:
                self.format.addItem(one.title, name)
        self.format.setCurrentIndex(self.format.findData(_FIRST_FORMAT))
        self.holds = _wrapped("", "muted")
        self.images = QComboBox()
        for text, which in (
            (self.tr("All that are labelled"), Which.LABELLED),
            (self.tr("Those that are reviewed"), Which.REVIEWED),
            (self.tr("All of the folder"), Which.ALL),
        ):
            self.images.addItem(text, which)
        self.exact = QCheckBox(self.tr("Refuse rather than change a pixel"))
        self.polygons = QCheckBox(self.tr("Polygons instead of RLE or masks"))
        self.proposals = QCheckBox(self.tr("Also proposals that nobody has looked at"))
        self.copies = QCheckBox(self.tr("Copy the pictures beside the labels"))
        self.split = QLineEdit()
        self.split.setPlaceholderText(self.tr("None, or shares such as {}").format("train=80,val=10,test=10"))
        self.seed = QSpinBox()
        self.seed.setMaximum(1_000_000)
        self.by_folder = QCheckBox(self.tr("Keep the images of a folder together"))
        for widget, name in (
            (self.format, self.tr("Format")),
            (self.images, self.tr("Images")),
            (self.split, self.tr("Split")),
            (self.seed, self.tr("Seed of the split")),
        ):
            widget.setAccessibleName(name)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.start = buttons.addButton(self.tr("Choose a folder…"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.start.setProperty("primary", True)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(WIDE, WIDE, WIDE, WIDE)
        layout.setSpacing(WIDE)
        layout.addLayout(self._form())
        layout.addWidget(buttons)
        self.format.currentIndexChanged.connect(self._refresh)
        self.split.textChanged.connect(self._refresh)
        self._refresh()

    def _form(self) -> QFormLayout:
        form = QFormLayout()
        form.setHorizontalSpacing(WIDE)
        form.setVerticalSpacing(SPACE)
        told = QVBoxLayout()
        told.setSpacing(TIGHT)
        told.addWidget(self.format)
        told.addWidget(self.holds)
        form.addRow(self.tr("Format"), told)
        form.addRow(self.tr("Images"), self.images)
        for box in (self.proposals, self.exact, self.polygons, self.copies):
            form.addRow("", box)
        form.addRow(self.tr("Split"), self.split)
        form.addRow(self.tr("Seed"), self.seed)
        form.addRow("", self.by_folder)
        return form

    @property
    def options(self) -> ExportOptions:
        """As chosen; the folder is asked for afterwards."""
        text = self.split.text().strip()
        return ExportOptions(
            str(self.format.currentData()),
            Path(),
            exact=self.exact.isChecked() and self.exact.isEnabled(),
            polygons=self.polygons.isChecked() and self.polygons.isEnabled(),
            proposals=self.proposals.isChecked(),
            which=Which(self.images.currentData()),
            shares=parse_shares(text) if text else None,
            seed=self.seed.value(),
            group="folder" if self.by_folder.isChecked() else "",
            copy_pictures=self.copies.isChecked(),
        )

    def _refresh(self) -> None:
        one = formats()[str(self.format.currentData())]
        self.holds.setText(self._lost(one))
        self.polygons.setEnabled(one.has_polygons)
        self.exact.setEnabled(Holds.MASKS in one.holds)
        is_split = bool(self.split.text().strip())
        self.seed.setEnabled(is_split)
        self.by_folder.setEnabled(is_split)
        try:
            _ = self.options
        except DataError:
            self.start.setEnabled(False)
        else:
            self.start.setEnabled(True)

    def _lost(self, one: Format) -> str:
        """What the format has no place for, in a sentence."""
        places = (
            (Holds.OVERLAP, self.tr("overlaps")),
            (Holds.KEYPOINTS, self.tr("keypoints")),
            (Holds.TRACKS, self.tr("tracks")),
            (Holds.ATTRIBUTES, self.tr("attributes")),
            (Holds.SCORES, self.tr("scores")),
            (Holds.IGNORE, self.tr("ignore regions")),
            (Holds.FLAGS, self.tr("flags")),
        )
        if Holds.MASKS not in one.holds:
            return self.tr("Boxes alone: masks become their boxes.")
        missing = [name for flag, name in places if flag not in one.holds]
        if not missing:
            return self.tr("Holds masks exactly, and all else.")
        return self.tr("Holds masks exactly; has no place for {}.").format(", ".join(missing))
