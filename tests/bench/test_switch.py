"""From one image to the next in the whole window: 24 megapixels, 5,000 masks on each, out of the project.

The next image of the list is ready when it is asked for, picture and document; any other is not.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import cv2
import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from engine.document.diff import Diff, Source
from engine.document.records import Record
from engine.project import Project
from gui.main_window import MainWindow
from gui.settings import Settings
from tests.bench.conftest import Row
from tests.bench.test_canvas import CLASSES, INSTANCES, picture, shown

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

PICTURES = 6
SWITCH_MS = 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("switch")
    pixels = picture(4000, 6000)
    for number in range(PICTURES):
        cv2.imwrite(str(place / f"{number}.jpg"), np.roll(pixels, 40 * number, axis=1))
    with Project.open(place) as project:
        project.refresh()
        project.add_classes(CLASSES)
        ids = [one.id for one in project.classes()]
        for item in project.media():
            made: dict[int, Record] = {}
            for one in shown(pixels, INSTANCES, seed=item.id).document.instances:
                made[one.id] = replace(one, class_id=ids[one.class_id])
            project.save(item.id, Diff(added=made), name="Import", source=Source.IMPORT).result()
    return place


@pytest.fixture
def window(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MainWindow]:
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    application = QApplication.instance() or QApplication(["bench"])
    window = MainWindow(Settings())
    window.resize(1600, 1000)
    window.show()
    window.desk.open([folder])
    until(lambda: window.editor.shown is not None)
    rest(window)
    yield window
    window.close()
    application.processEvents()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        QApplication.processEvents()
        time.sleep(0.001)


def rest(window: MainWindow) -> None:
    """As a person who looks at an image, until what goes on behind it is over."""
    near = [item.id for item in window.desk.neighbours()]
    until(lambda: all(media_id in window.desk.loader._ready for media_id in near))
    ends = time.monotonic() + 1
    until(lambda: time.monotonic() > ends)


def is_shown(window: MainWindow, media_id: int) -> bool:
    shown = window.editor.shown
    return shown is not None and shown.item.id == media_id


def switch(window: MainWindow, ids: list[int]) -> tuple[list[float], list[float]]:
    """Milliseconds, of the clock and of all threads, from asking for each image to its being painted."""
    wall, cpu = [], []
    for media_id in ids:
        began, used = time.perf_counter(), time.process_time()
        window.desk.show(media_id)
        until(partial(is_shown, window, media_id))
        QApplication.processEvents()
        wall.append(1000 * (time.perf_counter() - began))
        cpu.append(1000 * (time.process_time() - used))
        rest(window)
    return wall, cpu


def test_that_an_image_with_5000_masks_comes_at_once(window: MainWindow, row: Row) -> None:
    order = list(window.desk.order)
    ahead = switch(window, order[1:3])
    cold = switch(window, [order[5], order[0]])
    for name, (wall, cpu) in (("the next", ahead), ("any other", cold)):
        what = f"switch to {name} image, 5,000 masks, 24 MP, worst"
        row(what, f"{max(wall):.0f} ms", f"{max(cpu):.0f} ms of the processor", "")
    assert max(*ahead[0], *cold[0]) <= SWITCH_MS
