"""The application around the window: its look, the splash, the engine's start, faults, the end."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol

from PySide6.QtCore import QEvent, QObject, QRect, QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QFont, QImageReader, QPainter, QPixmap
from PySide6.QtWidgets import QApplication, QSplashScreen

from engine import __version__, applog
from gui import theme
from gui.settings import Settings

_log = logging.getLogger(__name__)
_SIGNALS_MS = 300
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
    splash = QSplashScreen(_picture(app.devicePixelRatio()))
    splash.show()
    app.processEvents()  # the one place: the splash must be seen before what it covers up
    window = make_window(settings)
    before = sys.excepthook
    sys.excepthook = _to_log_and(window.tell)
    interrupted = signal.signal(signal.SIGINT, lambda _number, _frame: app.quit())
    beat = QTimer(interval=_SIGNALS_MS)  # Python sees a signal only when it is called
    beat.timeout.connect(lambda: None)
    beat.start()
    # Torch's import holds the interpreter for a quarter of a second at a time: nobody types meanwhile.
    deaf = _Deaf()
    app.installEventFilter(deaf)

    def ready() -> None:
        app.removeEventFilter(deaf)
        splash.close()

    window.show()
    splash.raise_()
    window.start_engine(ready)
    window.begin(paths)
    try:
        return app.exec()
    finally:
        app.removeEventFilter(deaf)
        beat.stop()
        splash.deleteLater()
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


def _picture(ratio: float) -> QPixmap:
    """The splash: the name, what it is, that the engine is being started."""
    width, height = 460, 240
    pixmap = QPixmap(round(width * ratio), round(height * ratio))
    pixmap.setDevicePixelRatio(ratio)
    now = theme.colors()
    pixmap.fill(QColor(now.surface))
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    blobs = ((340, 60, 84, now.accent), (392, 108, 58, now.good), (330, 128, 46, now.warning))
    for x, y, side, color in blobs:
        tint = QColor(color)
        tint.setAlphaF(0.55)
        painter.setBrush(tint)
        painter.drawEllipse(QRectF(x - side / 2, y - side / 2, side, side))
    painter.setPen(QColor(now.text))
    font = QFont(painter.font())
    font.setPointSizeF(24)
    font.setBold(True)
    painter.setFont(font)
    painter.drawText(QRect(32, 70, 300, 44), Qt.AlignmentFlag.AlignLeft, "Maskwright")
    font.setPointSizeF(10.5)
    font.setBold(False)
    painter.setFont(font)
    painter.setPen(QColor(now.muted))
    left = Qt.AlignmentFlag.AlignLeft
    painter.drawText(
        QRect(34, 120, 260, 24), left, QApplication.translate("Splash", "Propose, correct, learn.")
    )
    painter.drawText(
        QRect(34, 196, 380, 24),
        left,
        QApplication.translate("Splash", "Version {}  ·  starting the engine…").format(__version__),
    )
    painter.setPen(QColor(now.line))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(QRectF(0.5, 0.5, width - 1, height - 1))
    painter.end()
    return pixmap
