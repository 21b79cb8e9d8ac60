"""A 5 ms timer of the window's thread while the engine proposes on picture after picture.

As a person sees it: the picture shown, proposals put in and drawn.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication

from gui.main_window import MainWindow
from gui.settings import Settings
from tests.bench.conftest import Row

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

SAMPLES = Path(__file__).resolve().parents[2] / "resources" / "samples"
BEAT_MS, PICTURES = 5, 12
P99_MS, MAX_MS = 50, 250


def test_that_the_window_lives_while_the_engine_proposes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: Row
) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    application = QApplication.instance() or QApplication(["bench"])
    folder = tmp_path / "samples"
    shutil.copytree(SAMPLES, folder)
    window = MainWindow(Settings())
    window.resize(1600, 1000)
    window.show()
    window.bridge.start()
    window.desk.open([folder])

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 300
        while not condition():
            assert time.monotonic() < deadline
            application.processEvents()
            time.sleep(0.001)

    def has_proposals() -> bool:
        document = window.editor.document
        return document is not None and bool(document.instances)

    wait(has_proposals)  # the model is loaded and warm
    beats: list[float] = []
    timer = QTimer(interval=BEAT_MS, timerType=Qt.TimerType.PreciseTimer)
    timer.timeout.connect(lambda: beats.append(time.perf_counter()))
    answers = 0

    def on_answer(_event: object) -> None:
        nonlocal answers
        answers += 1
        if answers == PICTURES:
            application.exit()
        elif not window.desk.step(1):
            window.desk.step(-1)

    window.bridge.predicted.connect(on_answer)
    timer.start()
    window.proposals.predict()
    application.exec()
    timer.stop()
    window.close()
    application.processEvents()
    gaps = 1000 * np.diff(beats)
    late = gaps - BEAT_MS
    what = f"heartbeat ({BEAT_MS} ms) over {answers} answers: late by"
    row(what, f"p99 {np.percentile(late, 99):.0f} ms, max {late.max():.0f} ms", "", f"{len(gaps)} beats")
    assert np.percentile(late, 99) < P99_MS
    assert late.max() < MAX_MS
