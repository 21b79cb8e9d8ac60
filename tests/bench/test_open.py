"""A known project of 100,000 files in the whole window: when the list is there, when all is; the pauses."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import cv2
import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from engine.project import Project
from engine.project.media_index import ScanReport
from gui.main_window import MainWindow
from gui.settings import Settings
from tests.bench.conftest import Row

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

IMAGES = 100_000
FIRST_PAINT_S, STILL_S = 0.5, 0.25


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("many")
    _, encoded = cv2.imencode(".jpg", np.full((40, 60, 3), 99, np.uint8))
    for number in range(IMAGES):
        inside = place / f"folder_{number // 1000:03}"
        if number % 1000 == 0:
            inside.mkdir()
        (inside / f"image_{number:06}.jpg").write_bytes(encoded.tobytes())
    with Project.open(place) as project:
        project.refresh()
    return place


def test_that_100_000_files_open_at_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: Row
) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    application = QApplication.instance() or QApplication(["bench"])
    looked_through, look = threading.Event(), Project.refresh

    def refresh(project: Project) -> ScanReport:
        try:
            return look(project)
        finally:
            looked_through.set()

    monkeypatch.setattr(Project, "refresh", refresh)
    window = MainWindow(Settings())
    window.resize(1600, 1000)
    window.show()
    application.processEvents()

    steps: dict[str, float] = {}
    conditions = {
        "the list is painted": lambda: window.media_list.model.rowCount() == IMAGES,
        "the first picture": lambda: window.editor.shown is not None,
        "all, the folder looked through too": looked_through.is_set,
    }
    still, used = 0.0, time.thread_time()
    began = time.perf_counter()
    window.desk.open([folder])
    while len(steps) < len(conditions):
        assert time.perf_counter() < began + 120
        turned = time.perf_counter()
        application.processEvents()
        now = time.perf_counter()
        still = max(still, now - turned)
        for what, is_so in conditions.items():
            if what not in steps and is_so():
                application.processEvents()  # what was changed is painted
                steps[what] = time.perf_counter() - began
        time.sleep(0.002)
    used = time.thread_time() - used
    window.close()
    application.processEvents()
    for what, seconds in steps.items():
        row(f"100,000 files opened: {what}", f"{seconds:.2f} s", "", "")
    row(
        "100,000 files opened: longest pause", f"{still * 1000:.0f} ms", f"{used:.2f} s on the GUI thread", ""
    )
    assert steps["the list is painted"] <= FIRST_PAINT_S
    assert still <= STILL_S
