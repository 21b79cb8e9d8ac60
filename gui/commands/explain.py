"""How the model comes to its answer: a window beside the work."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from gui.commands.registry import Context, command
from gui.dialogs.explain import show_explanation


def _show(parent: QWidget, context: Context) -> None:
    show_explanation(parent, context)


@command(
    "explain.show",
    "&Explain this image…",
    menu=("Model",),
    section="model",
    shortcuts=("Ctrl+Shift+E",),
    when=lambda context: context.editor.shown is not None,
    ask=_show,
    icon="explain",
    hint="See how the model comes to its proposals: features, anchors, RoIs, suppression and masks",
)
def show(_context: Context) -> None:
    """The window that opened is all."""
