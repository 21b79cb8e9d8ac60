"""The project as a whole: a copy of it in one file, and its move to another folder."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from gui.commands.registry import Context, command, translated
from gui.dialogs.confirm import confirmed
from gui.dialogs.unsaved import may_leave
from gui.opening import move_and_open, restore_and_open


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
        "The project was copied to {}. File > Restore a backup makes it the project of a folder again."
    ).format(path)
    desk.background.run(
        lambda: project.backup_to(path), lambda _none: desk.noticed.emit(told), desk.failed.emit
    )


def _ask_place(parent: QWidget, context: Context) -> tuple[Path] | None:
    folder = context.desk.folder
    if folder is None or not may_leave(parent, context.desk):
        return None
    title = translated("The folder where the pictures are now")
    chosen = QFileDialog.getExistingDirectory(parent, title, str(folder.parent))
    if not chosen:
        return None
    wanted = confirmed(
        parent,
        translated("Move the project"),
        translated("Move the project from {} to {}?").format(folder, chosen),
        translated(
            "Classes, instances and their history go along. Pictures stay where they are: those in the new "
            "folder are known again by their content."
        ),
        translated("Move"),
    )
    return (Path(chosen),) if wanted else None


@command(
    "file.move",
    "Mo&ve the project to another folder…",
    menu=("File",),
    section="project",
    when=lambda context: context.desk.project is not None and not context.desk.read_only_reason,
    ask=_ask_place,
    icon="folder",
    hint="For pictures that lie elsewhere now. A folder that is moved as a whole takes its project along",
)
def move(context: Context, to: Path) -> None:
    """Move the project on a thread and open it there."""
    folder = context.desk.folder
    if folder is not None and not context.desk.read_only_reason:
        context.desk.open_by(to, partial(move_and_open, folder, to))


def _ask_copy_and_place(parent: QWidget, context: Context) -> tuple[Path, Path] | None:
    if not may_leave(parent, context.desk):
        return None
    copies = translated("Copies of projects (*.db)")
    copy, _ = QFileDialog.getOpenFileName(parent, translated("The backup to restore"), "", copies)
    if not copy:
        return None
    title = translated("The folder with the pictures, for the restored project")
    folder = QFileDialog.getExistingDirectory(parent, title, str(Path(copy).parent))
    return (Path(copy), Path(folder)) if folder else None


@command(
    "file.restore",
    "Res&tore a backup…",
    menu=("File",),
    section="project",
    ask=_ask_copy_and_place,
    icon="restore",
    hint="Make a backup the project of a folder that has none yet; the backup stays, and no work is replaced",
)
def restore(context: Context, copy: Path, to: Path) -> None:
    """Restore the copy on a thread and open its project there."""
    context.desk.open_by(to, partial(restore_and_open, copy, to))
