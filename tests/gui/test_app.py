"""Ctrl+C in the terminal that the window is started from."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PySide6.QtGui import QCloseEvent, QPaintEvent
from PySide6.QtWidgets import QApplication, QWidget

import main
from gui import app


class Page(QWidget):
    """A window at which the signal comes: while it is painted, or before the loop has begun."""

    def __init__(self, *, when_painted: bool) -> None:
        super().__init__()
        self.was_closed = False
        self.was_closed_in_a_painting = False
        self._is_painting = False
        self._when_painted = when_painted

    def start_engine(self, then: Callable[[], None]) -> None:
        then()

    def begin(self, _paths: Sequence[Path]) -> None:
        if not self._when_painted:
            signal.raise_signal(signal.SIGINT)

    def tell(self, sentence: str) -> None:
        raise AssertionError(sentence)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        self._is_painting = True
        if self._when_painted:
            signal.raise_signal(signal.SIGINT)
        self._is_painting = False

    def closeEvent(self, _event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        self.was_closed = True
        self.was_closed_in_a_painting |= self._is_painting


@pytest.mark.parametrize("when_painted", [True, False])
def test_that_ctrl_c_closes_the_window_once_the_loop_is_free(
    application: QApplication, when_painted: bool
) -> None:
    page = Page(when_painted=when_painted)
    assert app.run(lambda _settings: page, ()) == 0
    assert page.was_closed
    assert not page.was_closed_in_a_painting
    page.deleteLater()


def test_that_ctrl_c_ends_a_start_as_the_system_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raised as an exception it aborts Qt's imports, or is swallowed by them."""
    found: list[object] = []

    def run(*_anything: object) -> int:
        found.append(signal.getsignal(signal.SIGINT))
        return 0

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(app, "run", run)
    assert main.open_window(()) == 0
    assert found == [signal.SIG_DFL]
    assert signal.getsignal(signal.SIGINT) is before
