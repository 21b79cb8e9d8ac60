"""Labelling many images: begin, stop, go on, undo."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from gui import counts
from gui.commands.registry import Context, command, translated
from gui.dialogs.confirm import confirmed
from gui.dialogs.label import ask_label

_MENU = ("Model",)


def _writable(context: Context) -> bool:
    return context.desk.project is not None and not context.desk.read_only_reason


@command(
    "batch.label",
    "Label the &folder…",
    menu=_MENU,
    section="batch",
    shortcuts=("Ctrl+B",),
    when=lambda context: _writable(context) and not context.jobs.is_running,
    ask=ask_label,
    icon="label-folder",
    hint="Propose instances for many images in the background; reviewed ones are left alone",
)
def label(context: Context, paths: tuple[str, ...], classes: tuple[str, ...] | None, again: bool) -> None:
    """Propose instances for these images of the project."""
    context.jobs.label(paths, classes=classes, again=again)


@command(
    "batch.cancel",
    "Stop labelling",
    menu=_MENU,
    section="batch",
    when=lambda context: context.jobs.is_running,
    icon="stop",
)
def cancel(context: Context) -> None:
    """Stop after the image at hand."""
    context.jobs.cancel()


@command(
    "batch.go_on",
    "Continue labelling",
    menu=_MENU,
    section="batch",
    when=lambda context: _writable(context) and context.jobs.can_go_on,
    icon="play",
)
def go_on(context: Context) -> None:
    """Go on where the last run stopped."""
    context.jobs.go_on()


def _ask_undo(parent: QWidget, context: Context) -> tuple[str] | None:
    batch = context.jobs.batches[0]
    wanted = confirmed(
        parent,
        translated("Undo the last labelling run"),
        translated("Remove the proposals of the last labelling run from {}?").format(
            counts.images(batch.images)
        ),
        translated("What you accepted, corrected or drew stays, and so do reviewed images."),
        translated("Remove"),
    )
    return (batch.id,) if wanted else None


@command(
    "batch.undo",
    "Undo the last labelling run…",
    menu=_MENU,
    section="batch",
    when=lambda context: _writable(context) and not context.jobs.is_running and bool(context.jobs.batches),
    ask=_ask_undo,
    icon="undo",
)
def undo(context: Context, batch_id: str) -> None:
    """Take back what a run proposed and nobody touched."""
    context.jobs.undo_batch(batch_id)
