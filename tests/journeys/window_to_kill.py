"""The program with somebody at it who draws, edit after edit, and is killed: `python -m` with a folder.

Each edit that the title bar calls saved is told on a line of its own: how many instances there are then.
"""

from __future__ import annotations

import sys
from itertools import count

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

import main
from gui.commands.registry import COMMANDS
from gui.main_window import MainWindow
from gui.saving import Kept
from tests.gui.making import drawn

_MS = 5


def work() -> None:
    """Wait for the window, make a class, then draw for ever."""
    windows = [one for one in QApplication.topLevelWidgets() if isinstance(one, MainWindow)]
    if not windows or windows[0].editor.shown is None:
        QTimer.singleShot(_MS, work)
        return
    (window,) = windows
    window.proposals.set_predicts_by_itself(False)
    COMMANDS["classes.add"].run(window.context, "bolt")
    places = count()

    def draw() -> None:
        editor, state = window.editor, window.desk.saving.state
        if editor.classes and editor.document is not None and state.kept is Kept.SAVED:
            print(len(editor.document.instances), flush=True)
            with editor.edit("Brush"):
                editor.document.add(drawn(editor.classes[0].id, next(places) % 40))
        QTimer.singleShot(_MS, draw)

    draw()


if __name__ == "__main__":
    application = QApplication(sys.argv[:1])
    QTimer.singleShot(0, work)
    sys.exit(main.main(sys.argv[1:]))
