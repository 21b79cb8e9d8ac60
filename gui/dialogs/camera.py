"""Asks for a camera: a webcam's number, an address, or a video file that is played as one."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFileDialog, QLineEdit, QPushButton, QWidget

from engine.errors import MediaError
from engine.media.live import Source, source_of
from engine.media.scan import VIDEO_SUFFIXES
from gui.commands.registry import Context, translated
from gui.panels.parts import bar, column, label


def ask_camera(parent: QWidget, _context: Context) -> tuple[Source] | None:
    """Which camera to open; None where the person backs out."""
    dialog = CameraDialog(parent)
    wanted = dialog.exec() == QDialog.DialogCode.Accepted
    source = dialog.source
    dialog.deleteLater()
    return (source,) if wanted and source is not None else None


class CameraDialog(QDialog):
    """A line for the source. What is typed is kept nowhere: it may hold a password."""

    def __init__(self, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle(translated("Open a camera"))
        self.source: Source | None = None
        self.text = QLineEdit("0")
        self.text.setAccessibleName(translated("Camera"))
        self.text.selectAll()
        self.browse = QPushButton(translated("Video file…"))
        self.browse.clicked.connect(self._ask_file)
        told = label(
            translated(
                "A webcam's number (0 is the first), an address such as rtsp://HOST/STREAM or "
                "http://HOST/STREAM, or a video file."
            ),
            role="muted",
        )
        told.setWordWrap(True)
        self.problem = label(role="error")
        self.problem.setWordWrap(True)
        self.problem.hide()
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = column(self)
        layout.addWidget(told)
        layout.addLayout(bar(self.text, self.browse))
        layout.addWidget(self.problem)
        layout.addStretch(1)
        layout.addLayout(bar(None, buttons))
        self.setFixedWidth(480)
        self.adjustSize()

    def accept(self) -> None:
        """Take what is typed, or say why it is no camera."""
        try:
            self.source = source_of(self.text.text())
        except MediaError as error:
            self.problem.setText(str(error))
            self.problem.show()
            self.adjustSize()
            return
        super().accept()

    def _ask_file(self) -> None:
        kinds = " ".join(f"*{suffix}" for suffix in VIDEO_SUFFIXES)
        chosen, _ = QFileDialog.getOpenFileName(
            self, translated("Play a video as a camera"), "", f"{translated('Videos')} ({kinds})"
        )
        if chosen:
            self.text.setText(chosen)
