"""Folders, pictures and cameras: open them, look again, save again, leave."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QFileDialog, QWidget

from engine.media.live import Source
from engine.media.scan import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from gui.commands.registry import Context, command, translated
from gui.dialogs.camera import ask_camera
from gui.dialogs.unsaved import may_leave
from gui.samples import sample_project
from gui.saving import Kept

_MENU = ("File",)


def _has_project(context: Context) -> bool:
    return context.desk.project is not None


def ask_folder(parent: QWidget, context: Context) -> tuple[Sequence[Path]] | None:
    """Which folder to open; None where the person backs out or unsaved edits would be lost."""
    if not may_leave(parent, context.desk):
        return None
    start = str(context.desk.folder.parent) if context.desk.folder else ""
    chosen = QFileDialog.getExistingDirectory(parent, translated("Open a folder of pictures"), start)
    return ([Path(chosen)],) if chosen else None


def ask_files(parent: QWidget, context: Context) -> tuple[Sequence[Path]] | None:
    """Which pictures to open; None as for `ask_folder`."""
    if not may_leave(parent, context.desk):
        return None
    start = str(context.desk.folder) if context.desk.folder else ""
    kinds = " ".join(f"*{suffix}" for suffix in (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES))
    chosen, _ = QFileDialog.getOpenFileNames(
        parent, translated("Open pictures"), start, f"{translated('Pictures and videos')} ({kinds})"
    )
    return ([Path(one) for one in chosen],) if chosen else None


@command(
    "file.open_folder",
    "&Open folder…",
    menu=_MENU,
    section="open",
    shortcuts=("Ctrl+O",),
    ask=ask_folder,
    icon="open",
    hint="Open a folder of pictures as a project",
)
def open_folder(context: Context, paths: Sequence[Path]) -> None:
    """Open a folder; what was open is let go."""
    context.desk.open(paths, lose_unsaved=True)  # `ask` has seen to what is unsaved


@command(
    "file.open_files",
    "Open &pictures…",
    menu=_MENU,
    section="open",
    shortcuts=("Ctrl+Shift+O",),
    ask=ask_files,
    icon="image",
    hint="Open the folder of a picture and show that picture",
)
def open_files(context: Context, paths: Sequence[Path]) -> None:
    """Open the folder of the pictures and show the first of them."""
    context.desk.open(paths, lose_unsaved=True)


def _ask_leave(parent: QWidget, context: Context) -> tuple[()] | None:
    return () if may_leave(parent, context.desk) else None


@command(
    "file.sample",
    "Open the &sample pictures",
    menu=_MENU,
    section="open",
    ask=_ask_leave,
    icon="images",
    hint="A dozen pictures to try everything on; they are copied, so nothing can be spoilt",
)
def open_sample(context: Context) -> None:
    """Copy the sample pictures to the person's own folder, once, and open them."""
    desk = context.desk
    desk.background.run(sample_project, lambda folder: _open(context, folder), desk.failed.emit)


def _open(context: Context, folder: Path) -> None:
    context.desk.open([folder], lose_unsaved=True)


@command(
    "file.camera", "Open &camera…", menu=_MENU, section="open", ask=ask_camera, icon="camera",
    hint="A webcam, an RTSP or HTTP stream, or a video played as one, with what the model finds in it",
)  # fmt: skip
def open_camera(context: Context, source: Source) -> None:
    """Show the newest frames of a camera."""
    if context.live is not None:
        if context.frames is not None:
            context.frames.pause()
        context.live.open(source)


@command(
    "file.refresh",
    "Look for new and changed pictures",
    menu=_MENU,
    section="project",
    shortcuts=("F5",),
    when=_has_project,
    icon="refresh",
)
def refresh(context: Context) -> None:
    """Look through the folder again."""
    context.desk.refresh()


@command(
    "file.save_again",
    "Try again to save",
    menu=_MENU,
    section="project",
    shortcuts=("Ctrl+S",),
    when=lambda context: context.desk.saving.state.kept is Kept.FAILED,
    icon="save-failed",
    hint="Every edit is saved as it is made; this is for a disk that refused one",
)
def save_again(context: Context) -> None:
    """Write what the disk refused, now."""
    context.desk.saving.retry()


@command(
    "file.close",
    "&Close the project",
    menu=_MENU,
    section="project",
    shortcuts=("Ctrl+W",),
    when=_has_project,
    ask=_ask_leave,
    icon="close",
)
def close(context: Context) -> None:
    """Let the project go; the window stays."""
    context.desk.leave()


@command("file.quit", "&Quit", menu=_MENU, section="quit", shortcuts=("Ctrl+Q",))
def leave(_context: Context) -> None:
    """Close the window, which asks where something is unsaved."""
    QCoreApplication.quit()
