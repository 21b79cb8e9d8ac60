"""What the window's tests share: no display, one application, and nothing left behind by a test."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator

os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ.setdefault("QT_LOGGING_RULES", "qt.qpa.fonts=false")

from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

Wait = Callable[..., None]


@pytest.fixture(scope="session")
def application() -> QApplication:
    """The one QApplication of the test run."""
    found = QApplication.instance()
    made = found if isinstance(found, QApplication) else QApplication(["maskwright-tests"])
    made.setQuitOnLastWindowClosed(False)
    return made


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings, data and logs of the tests never meet those of the person who runs them."""
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DOCUMENTS_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home" / name.lower()))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "home" / "local"))


@pytest.fixture(autouse=True)
def nothing_left_behind(application: QApplication, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails a test that leaves a window, a thread or a message of Qt's behind."""
    threads = set(threading.enumerate())
    told: list[str] = []

    def tell(kind: QtMsgType, _context: object, message: str) -> None:
        if kind is not QtMsgType.QtDebugMsg and "This plugin does not support" not in message:
            told.append(message)

    def fail(kind: type[BaseException], error: BaseException, _trace: object) -> None:
        told.append(f"{kind.__name__} in a slot: {error}")

    monkeypatch.setattr(sys, "excepthook", fail)
    before = qInstallMessageHandler(tell)
    yield
    gc.unfreeze()  # what opening a project kept from the collector
    _settle()
    left = [widget for widget in application.topLevelWidgets() if not widget.isHidden()]
    names = [f"{type(widget).__name__} {widget.objectName()!r}" for widget in left]
    for widget in left:  # so that the next test does not fail for it too
        widget.close()
        widget.deleteLater()
    _settle()
    qInstallMessageHandler(before)
    assert names == [], "a test must close its windows"
    deadline = time.monotonic() + 5
    while (late := set(threading.enumerate()) - threads) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [thread.name for thread in late] == [], "a test must end its threads"
    assert told == [], "Qt complained"


@pytest.fixture
def wait(application: QApplication) -> Wait:
    """`wait(lambda: ...)`: turn Qt's loop until that is true; fails after `seconds`."""

    def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "what was waited for did not come"
            application.processEvents()
            time.sleep(0.002)

    return until


def _settle() -> None:
    """Carry out what was put off: deletions above all."""
    gc.collect()
    for _ in range(3):
        QCoreApplication.processEvents()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
