"""Takes the pictures of docs/screenshots: the real program on a copy of the samples, step by step.

Run as `make screenshots`; a name, trays or screws, takes a part. Without a display Qt draws offscreen.
Settings and project are thrown away after.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.document.records import Instance, Provenance

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from gui.main_window import MainWindow

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "screenshots"
SAMPLES = ROOT / "resources" / "samples"
_WIDTH, _HEIGHT = 1280, 800
_PICTURE = (512, 384)  # the samples' size
_WAIT_S = 900.0  # for the model on a busy machine
_NEARER = 2.2  # than the whole picture, for a correction
_REVIEWED, _STEPS = 18, (10, 40)  # images to learn from, and the steps of each training
_FIRST, _LATER = "tray_900018.jpg", "tray_900034.jpg"  # shown before and after labelling the folder


def take(folder: Path, steps_of: Callable[[object], None]) -> list[BaseException]:
    """Run the program on the folder and take pictures; returns what went wrong."""
    from PySide6.QtCore import QTimer

    from gui.app import run
    from gui.main_window import MainWindow
    from gui.settings import Settings

    faults: list[BaseException] = []

    def make(settings: Settings) -> MainWindow:
        settings.change(theme="light")
        window = MainWindow(settings)
        window.resize(_WIDTH, _HEIGHT)

        def steps() -> None:
            try:
                steps_of(window)
            except BaseException as error:  # noqa: BLE001 - told below; the window must close all the same
                faults.append(error)
            finally:
                window.close()

        QTimer.singleShot(0, window, steps)
        return window

    run(make, [folder])
    return faults


def _steps(window: object) -> None:
    from gui.dialogs.palette import Palette
    from gui.dialogs.statistics import StatisticsDialog
    from gui.main_window import MainWindow

    assert isinstance(window, MainWindow)
    editor = window.editor

    def do(command: str) -> None:
        window.actions_.refresh()
        window.actions_[command].trigger()

    def show(name: str) -> None:
        desk = window.desk
        desk.show(next(item.id for item in desk.media if item.path == name))
        _until(lambda: editor.shown is not None and editor.shown.item.path == name and editor.visible)

    _until(lambda: window.desk.media)
    show(_FIRST)
    _save(window, "proposals")

    one = min(editor.visible, key=_from_the_middle)
    editor.select([one.id])
    do("predict.accept")
    editor.select([one.id])
    do("tool.vertex")
    x0, y0, x1, y1 = one.bounds_xyxy
    canvas, camera = window.canvas, editor.camera
    x, y = camera.to_view((x0 + x1) / 2, (y0 + y1) / 2)
    camera = camera.moved(canvas.width() / 2 - x, canvas.height() / 2 - y)
    editor.set_camera(camera.zoomed(_NEARER, at=(canvas.width() / 2, canvas.height() / 2)))
    _save(window, "correction")
    do("tool.select")
    do("view.fit")

    do("image.accept")
    show(_LATER)
    window.jobs.label(window.jobs.images())
    _until(lambda: window.jobs.run is not None and window.jobs.run.done >= 9)
    _save(window, "labelling")
    _until(lambda: not window.jobs.is_running)

    do("view.theme_dark")
    _save(window, "dark")
    do("view.theme_light")
    do("help.palette")
    palette = window.findChild(Palette)
    assert palette is not None
    palette.line.setText("in")
    _save(window, "palette", palette)
    palette.close()
    do("classes.statistics")
    dialog = window.findChild(StatisticsDialog)
    assert dialog is not None
    _settle(1.0)
    _place(window, dialog)
    _save(window, "statistics", dialog)
    dialog.close()
    show(_FIRST)
    _explain(window)


def _explain(window: MainWindow) -> None:
    """What suppression removed around an object in the middle of the shown image."""
    from gui.dialogs.explain import ExplainDialog
    from gui.layers import Step

    window.actions_.refresh()
    window.actions_["explain.show"].trigger()
    dialog = window.findChild(ExplainDialog)
    assert dialog is not None
    steps = dialog.panel.steps
    steps.setCurrentIndex([steps.tabData(n) for n in range(steps.count())].index(Step.SUPPRESSION))
    _until(lambda: dialog.explaining.shown)
    dialog.resize(1060, 660)
    window.editor.select([min(window.editor.visible, key=_from_the_middle).id])
    _save(dialog, "explain")
    dialog.close()


def _learning(window: object) -> None:
    """A training, what came of it, the versions, and what the model says against a label."""
    from engine.messages import FineTune
    from gui.dialogs.verdict import VerdictDialog
    from gui.dialogs.versions import VersionsDialog
    from gui.main_window import MainWindow

    assert isinstance(window, MainWindow)
    tuning, disputes = window.tuning, window.disputes

    def do(command: str) -> None:
        window.actions_.refresh()
        window.actions_[command].trigger()

    def learn(steps: int) -> VerdictDialog:
        assert window.desk.folder is not None
        tuning.learn(FineTune(window.desk.folder, base="starter", iterations=steps, seed=1))
        _until(lambda: len(tuning.losses) >= 0.7 * steps or not tuning.is_running)
        if steps == _STEPS[-1]:
            _save(window, "training")
        _until(lambda: not tuning.is_running)
        _settle(1.0)
        (sheet,) = window.findChildren(VerdictDialog)
        return sheet

    window.proposals.set_predicts_by_itself(False)
    _until(lambda: window.editor.shown)
    for steps in _STEPS:
        sheet = learn(steps)
        if steps == _STEPS[-1]:
            _place(window, sheet)
            _save(window, "verdict", sheet)
        sheet.close()
    do("tune.versions")
    dialog = window.findChild(VersionsDialog)
    assert dialog is not None
    _until(lambda: window.versions.listed)
    dialog.mark(window.versions.listed[0].name)
    _place(window, dialog)
    _save(window, "versions", dialog)
    dialog.close()
    window.training.hide()
    do("review.check")
    _until(lambda: window.review.mistakes and not window.review.is_looking)
    do("review.next_mistake")
    _until(lambda: disputes.current is not None and not disputes.is_waiting)
    _save(window, "mistake")


def _place(window: QWidget, dialog: QWidget) -> None:
    """In the middle of the window."""
    dialog.move(window.x() + (_WIDTH - dialog.width()) // 2, window.y() + (_HEIGHT - dialog.height()) // 2)


def _review(folder: Path, count: int) -> None:
    """Label the first of the samples as they are in truth, as if a person had."""
    from engine.document.diff import Diff
    from engine.document.records import IMAGE_STATE_ID, ImageState, Record, ReviewState, new_id
    from engine.project import Project
    from engine.train.sources import load_labelled

    truth = load_labelled(SAMPLES / "truth.json", SAMPLES)
    names = {one.id: one.name for one in truth.classes}
    with Project.open(folder) as project:
        project.refresh()
        items = {item.path: item for item in project.media()}
        for image in sorted(truth.images, key=lambda one: one.path.name)[:count]:
            added: dict[int, Record] = {}
            for one in image.instances:
                class_id = project.ensure_class(names[one.class_id]).id
                drawn = replace(one, id=new_id(), class_id=class_id, provenance=Provenance.DRAWN)
                added[drawn.id] = drawn
            state = {IMAGE_STATE_ID: (ImageState(), ImageState(ReviewState.REVIEWED))}
            project.save(items[image.path.name].id, Diff(added=added, updated=state), name="Review").result()


def _from_the_middle(one: Instance) -> float:
    x0, y0, x1, y1 = one.bounds_xyxy
    return float(abs(x0 + x1 - _PICTURE[0]) + abs(y0 + y1 - _PICTURE[1]))


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + _WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the window did not come to the next step")
        _settle(0.02)


def _settle(seconds: float) -> None:
    """Let timers, thumbnails and drawing go on for so long."""
    from PySide6.QtCore import QCoreApplication

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QCoreApplication.processEvents()
        time.sleep(0.005)


def _save(window: object, name: str, dialog: object = None) -> None:
    """Write the window as it looks, with a dialog over it where there is one."""
    from PySide6.QtCore import QRect
    from PySide6.QtGui import QColor, QPainter
    from PySide6.QtWidgets import QWidget

    from gui import theme

    assert isinstance(window, QWidget)
    _settle(1.2)
    seen = window.grab()
    if isinstance(dialog, QWidget):
        place = QRect(dialog.pos() - window.pos(), dialog.size())
        painter = QPainter(seen)
        painter.drawPixmap(place, dialog.grab())
        painter.setPen(QColor(theme.colors().line))
        painter.drawRect(place)
        painter.end()
    path = OUT / f"{name}.png"
    if not seen.save(str(path), "PNG", 0):
        raise OSError(f"{path} cannot be written")
    print(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1024:.0f} KB")


def main() -> int:
    """The exit code: 0 where all pictures were taken."""
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="maskwright-screenshots-") as home:
        for name in ("CONFIG", "DATA", "STATE", "CACHE"):
            os.environ[f"XDG_{name}_HOME"] = str(Path(home) / name)
        os.environ["LOCALAPPDATA"] = str(Path(home) / "local")
        if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")) and sys.platform == "linux":
            os.environ["QT_QPA_PLATFORM"] = "offscreen"
        faults = []
        for name, steps in (("trays", _steps), ("screws", _learning)):
            if sys.argv[1:] and name not in sys.argv[1:]:
                continue
            folder = Path(home) / name
            shutil.copytree(SAMPLES, folder, ignore=shutil.ignore_patterns("*.json"))
            if steps is _learning:
                _review(folder, _REVIEWED)
            faults += take(folder, steps)
    for fault in faults:
        print(f"error: {fault!r}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
