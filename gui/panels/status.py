"""The line at the bottom: what the tool wants, the size of the image, the zoom."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QLabel, QStatusBar

from gui.commands.registry import translated
from gui.desk import Desk
from gui.editor import Editor
from gui.panels.parts import Line
from gui.theme import SPACE


class Status(QStatusBar):
    """Knows what the editor shows."""

    def __init__(self, editor: Editor, desk: Desk) -> None:
        super().__init__()
        self._editor, self._desk = editor, desk
        self.setSizeGripEnabled(False)
        self.setContentsMargins(SPACE, 0, SPACE, 0)
        self._hint, self._place, self._size, self._zoom = Line(), QLabel(), QLabel(), QLabel()
        self.addWidget(self._hint, 1)
        for label in (self._place, self._size, self._zoom):
            label.setMinimumWidth(label.fontMetrics().horizontalAdvance("00000 × 00000") + SPACE)
            label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.addPermanentWidget(label)
        self._zoom.setAccessibleName(self.tr("Zoom"))
        editor.tool_changed.connect(self._tell_tool)
        editor.preview_changed.connect(self._tell_tool)
        editor.image_changed.connect(self._tell_image)
        editor.camera_changed.connect(self._tell_zoom)
        desk.media_changed.connect(self._tell_image)
        desk.project_changed.connect(self._tell_image)
        self._tell_tool()
        self._tell_image()

    @Slot()
    def _tell_tool(self) -> None:
        tool = self._editor.tool
        self._hint.setText(tool.note or translated(tool.hint))

    @Slot()
    def _tell_image(self) -> None:
        shown, desk = self._editor.shown, self._desk
        self._size.setText(f"{shown.size[1]} × {shown.size[0]}" if shown else "")
        self._place.setText("")
        if desk.current is not None and desk.order:
            place = desk.place_of(desk.current.id)
            if place is not None:
                self._place.setText(self.tr("{:,} of {:,}").format(place + 1, len(desk.order)))
        self._tell_zoom()

    @Slot()
    def _tell_zoom(self) -> None:
        shown = self._editor.shown
        scale = self._editor.camera.scale * self.devicePixelRatioF()  # pixels of the screen, not Qt's
        self._zoom.setText(f"{scale * 100:.0f} %" if shown else "")
