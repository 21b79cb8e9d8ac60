"""The project as a whole: a copy of it in one file."""

from __future__ import annotations

import time
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from gui.commands.registry import Context, command, translated


def _ask_copy(parent: QWidget, context: Context) -> tuple[Path] | None:
    folder = context.desk.folder
    name = f"{folder.name if folder else 'project'} {time.strftime('%Y-%m-%d')}.db"
    chosen, _ = QFileDialog.getSaveFileName(
        parent, translated("Back up the project"), name, translated("Copies of projects (*.db)")
    )
    return (Path(chosen).with_suffix(".db"),) if chosen else None


@command(
    "file.backup",
    "&Back up the project…",
    menu=("File",),
    section="project",
    when=lambda context: context.desk.project is not None,
    ask=_ask_copy,
    icon="backup",
    hint="Write all classes, instances and their history to one file; the pictures are not in it",
)
def backup(context: Context, path: Path) -> None:
    """Copy the project to a file, on a thread."""
    desk, project = context.desk, context.desk.project
    if project is None:
        return
    desk.saving.flush_put_off()
    told = translated(
        "The project was copied to {}. To use the copy, put it in the place of {} while that is closed."
    ).format(path, project.database)
    desk.background.run(
        lambda: project.backup_to(path), lambda _none: desk.noticed.emit(told), desk.failed.emit
    )
