"""From panel to panel with the keyboard: on the canvas Tab means instances, so it does not lead out of it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QDockWidget, QMainWindow, QWidget

from gui.commands.registry import Context, command, nothing


def _next(parent: QWidget, _context: Context) -> None:
    _go(parent, 1)


def _previous(parent: QWidget, _context: Context) -> None:
    _go(parent, -1)


command(
    "panels.next", "Next &panel", menu=("View",), section="panels", shortcuts=("F6",), ask=_next,
    hint="The keyboard goes to the next panel or back to the picture",
)(nothing)  # fmt: skip


command(
    "panels.previous", "Previous pane&l", menu=("View",), section="panels", shortcuts=("Shift+F6",),
    ask=_previous,
)(nothing)  # fmt: skip


def _go(parent: QWidget, by: int) -> None:
    """Give the keyboard to the next place that takes it: the middle, then each panel that is seen."""
    window = parent.window()
    if not isinstance(window, QMainWindow):
        return
    middle = window.centralWidget()
    places = [*([middle] if middle else []), *window.findChildren(QDockWidget)]
    doors = [(place, door) for place in places if (door := _door(place)) is not None]
    here = QApplication.focusWidget()
    at = next((n for n, (place, _) in enumerate(doors) if here and place.isAncestorOf(here)), None)
    if doors:
        start = at if at is not None else -1 if by > 0 else 0
        _, door = doors[(start + by) % len(doors)]
        door.activateWindow()
        door.setFocus(Qt.FocusReason.TabFocusReason)


def _door(place: QWidget) -> QWidget | None:
    """What takes the keyboard first in a place: rather a list or a line than a button."""
    seen = [
        one for one in place.findChildren(QWidget) if one.isEnabled() and not one.visibleRegion().isEmpty()
    ]
    for policy in (Qt.FocusPolicy.StrongFocus, Qt.FocusPolicy.TabFocus):
        for one in seen:
            if one.focusPolicy() & policy == policy:
                return one
    return None
