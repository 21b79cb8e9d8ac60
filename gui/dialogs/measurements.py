"""The measurements in a window of their own, open beside the work; and the question for a scale."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Slot
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QLineEdit,
    QRadioButton,
    QWidget,
)

from engine.errors import DataError
from engine.measure.scale import Scale, parse_scale
from gui.commands.registry import Context, translated
from gui.dialogs.beside import Beside
from gui.measuring import Measuring
from gui.panels.measurements import MeasurementsPanel
from gui.panels.parts import bar, column, label


class MeasurementsDialog(Beside):
    """Follows the shown image while it is open."""

    def __init__(self, parent: QWidget, context: Context) -> None:
        super().__init__(parent, context)
        self.setWindowTitle(translated("Measurements"))
        self._desk = context.desk
        self.measuring = Measuring(context.desk)
        self.measuring.setParent(self)
        self.measuring.failed.connect(context.desk.failed)
        self.measuring.said.connect(context.desk.noticed)
        self.panel = MeasurementsPanel(context.desk, self.measuring)
        self.panel.scale_asked.connect(self._ask_scale)
        self.panel.write_asked.connect(self._ask_file)
        column(self, margin=0).addWidget(self.panel)
        self.resize(860, 640)
        self.measuring.refresh()

    def done(self, result: int) -> None:
        """However it is closed."""
        self.measuring.close()
        super().done(result)

    @Slot()
    def _ask_scale(self) -> None:
        dialog = ScaleDialog(self, self.measuring.scale, self.measuring.file_scale)
        if dialog.exec() == QDialog.DialogCode.Accepted:
            self.measuring.keep_scale(dialog.scale, for_image=dialog.for_image.isChecked())
        dialog.deleteLater()

    @Slot()
    def _ask_file(self) -> None:
        folder = self._desk.folder
        chosen, _ = QFileDialog.getSaveFileName(
            self, translated("Write measurements"), f"{folder.name if folder else ''} measurements.csv",
            translated("Tables (*.csv)"),
        )  # fmt: skip
        if chosen:
            self.measuring.write(Path(chosen).with_suffix(".csv"))


class ScaleDialog(QDialog):
    """How long a pixel is, for the image or the project. `scale` is None where nothing is written."""

    def __init__(self, parent: QWidget, now: Scale, stated: Scale) -> None:
        super().__init__(parent)
        self.setWindowTitle(translated("Scale"))
        self.scale: Scale | None = None
        self.text = QLineEdit("" if now.is_pixels else str(now))
        self.text.setPlaceholderText(translated("Such as 0.35 µm; empty for pixels"))
        self.text.setAccessibleName(translated("Length of a pixel"))
        self.for_project = QRadioButton(translated("For every image of the project"))
        self.for_image = QRadioButton(translated("For this image and its frames only"))
        self.for_project.setChecked(True)
        self.problem = label(role="error")
        self.problem.setWordWrap(True)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = column(self)
        form = QFormLayout()
        form.addRow(translated("One pixel is"), self.text)
        layout.addLayout(form)
        if not stated.is_pixels:
            told = translated("The file states {}; an empty line goes back to it.").format(stated)
            layout.addWidget(label(told, role="muted"))
        layout.addWidget(self.for_project)
        layout.addWidget(self.for_image)
        layout.addWidget(self.problem)
        layout.addLayout(bar(None, buttons))
        self.resize(420, self.sizeHint().height())

    def accept(self) -> None:
        """Take what is written, or say why it is no scale."""
        text = self.text.text().strip()
        try:
            self.scale = parse_scale(text) if text else None
        except DataError as error:
            self.problem.setText(str(error))
            return
        super().accept()
