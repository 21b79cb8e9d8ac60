"""Undo and redo."""

from __future__ import annotations

from gui.commands.registry import Context, command

_MENU = ("Edit",)


def _can_undo(context: Context) -> bool:
    return context.editor.tool.is_busy or bool(context.desk.saving.past.done)


def _can_redo(context: Context) -> bool:
    return not context.editor.tool.is_busy and bool(context.desk.saving.past.undone)


@command(
    "edit.undo",
    "&Undo",
    menu=_MENU,
    section="history",
    shortcuts=("Ctrl+Z",),
    when=_can_undo,
    icon="undo",
    hint="Take back the last edit of this image, also one of an earlier session",
    repeats=True,
)
def undo(context: Context) -> None:
    """Take back the image's last edit; while something is drawn, its last point."""
    context.desk.saving.undo()


@command(
    "edit.redo",
    "&Redo",
    menu=_MENU,
    section="history",
    shortcuts=("Ctrl+Shift+Z", "Ctrl+Y"),
    when=_can_redo,
    icon="redo",
    repeats=True,
)
def redo(context: Context) -> None:
    """Repeat what was undone last."""
    context.desk.saving.redo()
