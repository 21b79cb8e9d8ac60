"""Measurements: the table in a window beside the work."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from gui.commands.registry import Context, command
from gui.dialogs.measurements import show_measurements


def _show(parent: QWidget, context: Context) -> None:
    show_measurements(parent, context)


@command(
    "measure.show",
    "&Measurements…",
    menu=("Instance",),
    section="measure",
    shortcuts=("Ctrl+Shift+M",),
    when=lambda context: context.desk.project is not None,
    ask=_show,
    icon="ruler",
    hint="Areas, lengths, shapes and brightness of this image or the project, in pixels or units",
)
def show(_context: Context) -> None:
    """The window that opened is all."""
