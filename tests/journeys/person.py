"""Somebody at the real window: runs `main()` offscreen and does what a person would."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

import main
from engine.document.records import Instance
from gui.commands.registry import COMMANDS
from gui.dialogs.palette import Palette
from gui.dialogs.shortcuts import ShortcutPage
from gui.main_window import MainWindow
from gui.saving import Kept
from gui.splash import Splash

Wait = Callable[..., None]
Steps = Callable[["Person"], None]
SAMPLES = Path(main.__file__).parent / "resources" / "samples"


@dataclass
class Person:
    """Somebody at the window."""

    window: MainWindow
    wait: Wait
    said: list[str] = field(default_factory=list)

    @property
    def shown(self) -> str:
        shown = self.window.editor.shown
        return shown.item.path if shown else ""

    @property
    def instances(self) -> tuple[Instance, ...]:
        document = self.window.editor.document
        return document.instances if document else ()

    def do(self, command: str) -> None:
        """Choose a command, as its menu entry would."""
        action = self.window.actions_[command]
        self.window.actions_.refresh()
        assert action.isEnabled(), f"{command} cannot be run now"
        action.trigger()

    def see(self, name: str) -> None:
        """Wait until an image is shown."""
        self.wait(lambda: self.shown == name)

    def press(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        """A key on whatever has the focus."""
        QTest.keyClick(QApplication.focusWidget() or self.window, key, modifiers)

    def at(self, x: float, y: float) -> QPoint:
        """Where a point of the image is on the canvas."""
        seen = self.window.editor.camera.to_view(x, y)
        return QPoint(round(seen[0]), round(seen[1]))

    def click(self, x: float, y: float) -> None:
        """On the image."""
        QTest.mouseClick(self.window.canvas, Qt.MouseButton.LeftButton, pos=self.at(x, y))

    def menu(self, x: float, y: float) -> None:
        """The right button on the image."""
        at = self.at(x, y)
        place = self.window.canvas.mapToGlobal(at)
        event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, place)
        QApplication.sendEvent(self.window.canvas, event)

    def drag(self, *points: tuple[float, float]) -> None:
        """Along these points of the image."""
        canvas = self.window.canvas
        QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=self.at(*points[0]))
        for point in points[1:]:
            QTest.mouseMove(canvas, self.at(*point))
            QApplication.processEvents()
        QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=self.at(*points[-1]))

    def saved(self) -> None:
        """Wait until all is on the disk."""
        self.wait(lambda: self.window.desk.saving.state.kept is Kept.SAVED)


@pytest.fixture
def at_the_window(application: QApplication, wait: Wait) -> Callable[..., int]:
    """Run `main()` with these arguments; `steps` are what the person does, then the window is closed."""

    def run(arguments: list[str], steps: Steps) -> int:
        faults: list[BaseException] = []

        is_over = False

        def begin() -> None:
            windows = [one for one in application.topLevelWidgets() if isinstance(one, MainWindow)]
            if not windows or not windows[0].isVisible():
                if not is_over:
                    QTimer.singleShot(20, application, begin)
                return
            (window,) = windows
            try:
                splashes = [one for one in application.topLevelWidgets() if isinstance(one, Splash)]
                wait(lambda: all(one.isHidden() for one in splashes), 120)
                steps(Person(window, wait))
            except BaseException as error:  # noqa: BLE001 - raised again below, outside Qt's loop
                faults.append(error)
            finally:
                for popup in application.topLevelWidgets():
                    if isinstance(popup, (Palette, ShortcutPage)):
                        popup.close()
                window.close()
                application.quit()

        QTimer.singleShot(0, application, begin)
        code = main.main(arguments)
        is_over = True
        if faults:
            raise faults[0]
        return code

    return run


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """Three of the bundled pictures."""
    folder = tmp_path / "trays"
    folder.mkdir()
    for path in sorted(SAMPLES.glob("*.jpg"))[:3]:
        shutil.copyfile(path, folder / path.name)
    return folder


def quiet(person: Person) -> None:
    """No model in this test."""
    person.window.proposals.set_predicts_by_itself(False)


def draw_two(person: Person) -> None:
    """Two boxes of a class, the left one first."""
    COMMANDS["classes.add"].run(person.window.context, "bolt")
    person.wait(lambda: person.window.editor.classes)
    person.do("tool.box")
    person.drag((4, 4), (12, 14), (16, 20))
    person.drag((24, 4), (32, 14), (40, 20))
    assert len(person.instances) == 2
