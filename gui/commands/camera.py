"""A camera that is open: freeze it, take snapshots into the project, let it go."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from gui.commands.registry import Context, command, translated

_MENU = ("Image", "Camera")


def _is_open(context: Context) -> bool:
    return context.live is not None and context.live.source is not None


def _is_seen(context: Context) -> bool:
    return context.live is not None and context.live.is_seen


@command(
    "camera.freeze", "&Freeze or go on", menu=_MENU, section="camera", shortcuts=("Ctrl+Shift+F",),
    when=_is_open, icon="pause", hint="Keep the frame that is seen; click the picture for the same",
    checked=lambda context: context.live is not None and context.live.is_frozen,
)  # fmt: skip
def freeze(context: Context) -> None:
    """Hold the picture, or show the newest frames again."""
    if context.live is not None:
        context.live.toggle()


def _ask_folder(parent: QWidget, context: Context) -> tuple[Path] | None:
    """The open project's folder; another where there is none that can be written."""
    if context.desk.folder is not None and not context.desk.read_only_reason:
        return (context.desk.folder,)
    chosen = QFileDialog.getExistingDirectory(parent, translated("The folder for snapshots"))
    return (Path(chosen),) if chosen else None


@command(
    "camera.snapshot", "&Snapshot", menu=_MENU, section="camera", shortcuts=("Ctrl+Shift+S",),
    when=_is_seen, ask=_ask_folder, icon="image",
    hint="Keep this frame as a picture in the project's folder, with the model's proposals",
)  # fmt: skip
def snapshot(context: Context, folder: Path) -> None:
    """Write the frame that is seen as a new picture; without a project its folder becomes one."""
    if context.live is None:
        return
    if context.desk.project is None:
        context.desk.open([folder])
    context.live.snapshot(folder)


@command(
    "camera.look", "Find &objects", menu=_MENU, section="camera", when=_is_open, icon="predict",
    checked=lambda context: context.live is not None and context.live.looks,
    hint="Have the model look at the newest frame again and again",
)  # fmt: skip
def look(context: Context) -> None:
    """Draw what the model finds into the picture, or show it as it is."""
    if context.live is not None:
        context.live.set_looks(not context.live.looks)


@command("camera.close", "&Close the camera", menu=_MENU, section="end", when=_is_open, icon="close")
def close(context: Context) -> None:
    """Let the camera go; the image that was shown before comes back."""
    if context.live is not None:
        context.live.close()
