"""Which keys run which command: those it came with, or those the person gave it."""

from __future__ import annotations

from PySide6.QtGui import QKeySequence

from gui.commands.registry import COMMANDS, Command
from gui.settings import Settings


def shortcuts_of(one: Command, settings: Settings) -> tuple[str, ...]:
    """The command's keys as they are now, in Qt's portable writing."""
    own = settings.choices.shortcuts.get(one.id)
    return one.shortcuts if own is None else own


def shown_shortcut(one: Command, settings: Settings) -> str:
    """The first of them as this system writes it; empty where there is none."""
    found = shortcuts_of(one, settings)
    return QKeySequence(found[0]).toString(QKeySequence.SequenceFormat.NativeText) if found else ""


def holder_of(shortcut: str, settings: Settings) -> Command | None:
    """The command that these keys run now."""
    wanted = QKeySequence(shortcut)
    for one in COMMANDS.values():
        if any(QKeySequence(each) == wanted for each in shortcuts_of(one, settings)):
            return one
    return None


def give(one: Command, shortcut: str, settings: Settings) -> Command | None:
    """Have these keys run that command alone; returns the one that had them before."""
    before = holder_of(shortcut, settings)
    if before is not None and before.id != one.id:
        wanted = QKeySequence(shortcut)
        left = [each for each in shortcuts_of(before, settings) if QKeySequence(each) != wanted]
        settings.set_shortcuts(before.id, left)
    settings.set_shortcuts(one.id, (shortcut,) if shortcut else ())
    return before if before is not None and before.id != one.id else None
