"""The program as `main.py` runs it, which tells when it is on the screen: a line of JSON for each first.

Run as `python -m tests.bench.start_probe STARTED [PATH...]`; STARTED is the clock (`time.monotonic`) when the
process was asked for. It ends by itself once the engine is there.
"""

from __future__ import annotations

import json
import sys
import time

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication, QMainWindow, QWidget

import gui.app
import main
from gui.splash import Splash


class _Firsts(QObject):
    """Watches the application's events; what was painted is on the screen when the loop turns again."""

    def __init__(self, started: float) -> None:
        super().__init__()
        self._started = started
        self._told: set[str] = set()

    def tell(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            print(json.dumps({what: time.monotonic() - self._started}), flush=True)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        if event.type() == QEvent.Type.Paint and isinstance(watched, QWidget):
            window = watched.window()
            if isinstance(window, QMainWindow):
                QTimer.singleShot(0, lambda: self._painted(window))
            elif isinstance(window, Splash):
                self.tell("splash")
        elif event.type() == QEvent.Type.Close and isinstance(watched, Splash):
            self.tell("input")
            QTimer.singleShot(0, QApplication.closeAllWindows)
        return False

    def _painted(self, window: QMainWindow) -> None:
        self.tell("window")
        if window.editor.shown is not None:  # type: ignore[attr-defined]
            self.tell("picture")


def probe(started: float, arguments: list[str]) -> int:
    """Run the program and tell; returns its exit code."""
    firsts, make = _Firsts(started), gui.app.application

    def application() -> QApplication:
        made = make()
        made.installEventFilter(firsts)
        return made

    gui.app.application = application
    return main.main(arguments)


if __name__ == "__main__":
    sys.exit(probe(float(sys.argv[1]), sys.argv[2:]))
