"""The application around the window: its look, the splash, the engine's start, faults, the end."""

from __future__ import annotations

import gc
import logging
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol

import psutil
from PySide6.QtCore import QEvent, QObject, QRect, Qt, QTimer
from PySide6.QtGui import QImageReader
from PySide6.QtWidgets import QApplication

from engine import __version__, applog
from gui import theme
from gui.settings import Settings
from gui.splash import Splash

_log = logging.getLogger(__name__)
_SIGNALS_MS = 300
_PAINTED_MS = 30
_INPUT = frozenset(
    {
        QEvent.Type.MouseButtonPress,
        QEvent.Type.MouseButtonRelease,
        QEvent.Type.MouseButtonDblClick,
        QEvent.Type.Wheel,
        QEvent.Type.KeyPress,
        QEvent.Type.KeyRelease,
        QEvent.Type.ShortcutOverride,
        QEvent.Type.Shortcut,
        QEvent.Type.DragEnter,
        QEvent.Type.Drop,
        QEvent.Type.TouchBegin,
    }
)


class Window(Protocol):
    """What is run."""

    def frameGeometry(self) -> QRect:  # noqa: N802 - Qt's name
        """Where on the screen it is."""

    def show(self) -> None:
        """Come up."""

    def start_engine(self, then: Callable[[], None]) -> None:
        """Begin to import what inference needs; `then` is called when that is over."""

    def begin(self, paths: Sequence[Path]) -> None:
        """Open these, or greet the person."""

    def tell(self, sentence: str) -> None:
        """Show a sentence."""


def run(make_window: Callable[[Settings], Window], paths: Sequence[Path]) -> int:
    """Run the application until its window is closed; returns the exit code."""
    app = application()
    settings = Settings()
    theme.choose(settings.choices.theme)
    splash = Splash()
    splash.show_now()
    window = make_window(settings)
    before = sys.excepthook
    sys.excepthook = _to_log_and(window.tell)
    # From the loop: a signal also comes in the middle of a painting, where closing the window would crash,
    # and before there is a loop that could be left.
    interrupted = signal.signal(signal.SIGINT, lambda _number, _frame: QTimer.singleShot(0, app, app.quit))
    beat = QTimer(interval=_SIGNALS_MS)  # Python sees a signal only when it is called
    beat.timeout.connect(lambda: None)
    beat.start()
    # Torch's import holds the interpreter for a quarter of a second at a time: nobody types meanwhile.
    deaf = _Deaf()
    app.installEventFilter(deaf)

    def ready() -> None:
        gc.freeze()  # torch alone is 200,000 objects: to look for garbage among them stops the window
        app.removeEventFilter(deaf)
        splash.close()
        _log.info("window ready %.1f s after the start", time.time() - psutil.Process().create_time())

    window.show()
    splash.stay_before(window.frameGeometry())
    window.begin(paths)
    # Once the window is painted: torch would hold it up.
    QTimer.singleShot(_PAINTED_MS, splash, lambda: window.start_engine(ready))
    try:
        with applog.crashes_told():
            return app.exec()
    finally:
        app.removeEventFilter(deaf)
        beat.stop()
        splash.deleteLater()
        gc.unfreeze()  # else libraries count as leaked what nobody collects at the end, and say so
        signal.signal(signal.SIGINT, interrupted)
        sys.excepthook = before


def application() -> QApplication:
    """The process's QApplication, dressed; made where there is none yet."""
    found = QApplication.instance()
    if isinstance(found, QApplication):
        app = found
    else:
        QApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
        app = QApplication(sys.argv[:1])
    app.setApplicationName("Maskwright")
    app.setApplicationDisplayName("Maskwright")
    app.setApplicationVersion(__version__)
    app.setDesktopFileName("maskwright")
    app.setWindowIcon(theme.icon("select"))
    QImageReader.setAllocationLimit(0)
    theme.apply(app)
    return app


class _Deaf(QObject):
    """Swallows what a person does, but for closing the window."""

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        return event.type() in _INPUT


def _to_log_and(
    tell: Callable[[str], None],
) -> Callable[[type[BaseException], BaseException, TracebackType | None], None]:
    def hook(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        tell(applog.record_fault(error))

    return hook
