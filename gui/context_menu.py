"""What the right button offers, as the commands that can be run just there. Knows nothing of what they do."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QMenu, QWidget

from gui.actions import Actions
from gui.commands.registry import Context

Groups = tuple[tuple[str, ...], ...]

INSTANCES: Groups = (
    ("predict.accept", "predict.reject"),
    ("shape.class", "shape.attributes"),
    ("selection.cut", "selection.copy", "selection.duplicate"),
    ("shape.union", "shape.subtract", "shape.intersect", "shape.merge"),
    ("shape.split", "shape.fill_holes", "shape.smooth", "shape.simplify", "shape.snap", "shape.fit"),
    ("shape.raise", "shape.lower"),
    ("shape.delete",),
)
"""Of the selected ones."""

PICTURE: Groups = (
    ("image.accept", "image.skip", "image.flags"),
    ("predict.run", "predict.accept_all", "predict.reject_all"),
    ("selection.all", "selection.paste", "selection.copy_previous"),
    ("view.fit", "view.actual_size", "view.hide_all"),
    ("explain.show",),
)
"""Where nothing is selected."""


def show_menu(parent: QWidget, actions: Actions, context: Context, at: QPoint) -> None:
    """Open the menu of what is selected on the picture. at: on the screen."""
    menu = QMenu(parent)
    menu.setObjectName("context")
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    actions.refresh()
    for group in INSTANCES if context.editor.selection else PICTURE:
        menu.addSeparator()
        menu.addActions([actions[id_] for id_ in group if actions[id_].isEnabled()])
    menu.popup(at)
