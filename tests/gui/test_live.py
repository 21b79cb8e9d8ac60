"""A camera in the window: newest frames with what the model finds, freezing, snapshots, images beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication

from engine.errors import MediaError
from engine.media import live as media_live
from engine.media.frame_files import write_new_png
from engine.media.live import Frames, Source, Stage, source_of
from engine.media.picture import Rgb
from engine.messages import Failed, Finished, LabelFolder, Predicted, PredictPixels
from gui.bridge import Bridge
from gui.desk import Desk
from gui.dialogs.camera import CameraDialog
from gui.editor import Editor
from gui.live import Live
from gui.panels.camera import ACTIONS, CameraBar
from gui.proposals import Proposals
from gui.settings import Settings
from tests.engine.media.streams import loopback
from tests.gui.conftest import Wait
from tests.gui.making import HEIGHT, WIDTH, Engine, folder_of, prediction


class Lens:
    """What the cameras of a test see: `show` sends frames of these greys, `fail` loses the camera."""

    def __init__(self) -> None:
        self._next: list[int | str] = []
        self._turn = threading.Semaphore(0)

    def show(self, *greys: int | str) -> None:
        for grey in greys:
            self._next.append(grey)
            self._turn.release()

    def __call__(self, _source: Source, closing: threading.Event) -> Frames:
        while not closing.is_set():
            if self._turn.acquire(timeout=0.01):
                grey = self._next.pop(0)
                if isinstance(grey, str):
                    raise MediaError(grey)
                yield np.full((HEIGHT, WIDTH, 3), grey, np.uint8)


class Watch:
    """A project and a camera before it. `seen`: the pictures that went to the screen."""

    def __init__(self, folder: Path | None, settings: Settings, wait: Wait) -> None:
        self.wait, self.engine, self.editor = wait, Engine(), Editor()
        self.desk = Desk(self.editor)
        self.proposals = Proposals(self.editor, self.desk, cast(Bridge, self.engine), settings)
        self.live = Live(self.desk, cast(Bridge, self.engine), self.proposals)
        self.seen: list[Rgb] = []
        self.told: list[str] = []
        self.live.moving.connect(self.seen.append)
        self.live.failed.connect(self.told.append)
        self.live.said.connect(self.told.append)
        self.desk.failed.connect(self.told.append)
        if folder is not None:
            self.desk.open([folder])
            wait(lambda: self.editor.shown)

    @property
    def grey(self) -> int:
        """Of the last picture on the screen, in a corner where nothing is found."""
        return int(self.seen[-1][-1, -1, 0]) if self.seen else -1

    def looks(self) -> list[int]:
        """Orders to look at a frame that wait for an answer."""
        return [n for n, (request, _) in self.engine.asked.items() if isinstance(request, PredictPixels)]

    def answer(self, *scores: float) -> int:
        """The model answers; the grey of the frame that it looked at."""
        self.wait(self.looks)
        (order,) = self.looks()
        request, _ = self.engine.asked.pop(order)
        assert isinstance(request, PredictPixels)
        self.engine.predicted.emit(Predicted(order, 0, prediction(*scores)))
        self.engine.ended.emit(Finished(order))
        return int(request.pixels[0, 0, 0])

    def names(self) -> list[str]:
        return sorted(item.path for item in self.desk.media)


@pytest.fixture
def lens(monkeypatch: pytest.MonkeyPatch) -> Lens:
    made = Lens()
    monkeypatch.setattr(media_live, "frames_of", made)
    return made


Open = Callable[..., Watch]


@pytest.fixture
def watch(application: QApplication, tmp_path: Path, wait: Wait) -> Iterator[Open]:
    made: list[Watch] = []

    def open_(*, with_project: bool = True) -> Watch:
        folder = folder_of(tmp_path / "pictures") if with_project else None
        made.append(Watch(folder, Settings(tmp_path / "settings.json"), wait))
        return made[-1]

    yield open_
    for one in made:
        one.live.stop()
        one.desk.close()


def test_that_the_newest_frame_is_on_the_screen_and_nothing_can_be_edited(watch: Open, lens: Lens) -> None:
    one = watch()
    one.live.open(source_of("0"))
    assert one.editor.shown is None
    lens.show(10, 20, 30)
    one.wait(lambda: one.grey == 30)
    lens.show(40)
    one.wait(lambda: one.grey == 40)
    assert one.live.size == (WIDTH, HEIGHT)


def test_that_the_model_looks_at_the_newest_frame_only_and_its_finds_are_drawn(
    watch: Open, lens: Lens
) -> None:
    one = watch()
    one.live.open(source_of("0"))
    lens.show(10)
    one.wait(one.looks)
    for grey in (20, 30, 40):
        lens.show(grey)
        one.wait(lambda grey=grey: one.grey == grey)
    assert len(one.looks()) == 1
    assert one.answer(0.9, 0.2) == 10
    one.wait(lambda: one.live.behind is not None)
    assert one.answer(0.9, 0.2) == 40, "those in between were passed over"
    one.wait(lambda: one.seen[-1].std() > 1)
    drawn = one.seen[-1]
    assert not np.array_equal(drawn[6:18, 3:11], np.full((12, 8, 3), 40, np.uint8))
    assert (drawn[22:, 14:] == 40).all(), "what is below the threshold is not drawn"


def test_that_a_frozen_frame_stays_and_is_looked_at(watch: Open, lens: Lens) -> None:
    one = watch()
    one.live.open(source_of("0"))
    lens.show(10)
    one.wait(lambda: one.grey == 10)
    one.answer()
    lens.show(20)
    one.wait(lambda: one.grey == 20)
    one.live.freeze()
    lens.show(30)
    assert one.answer(0.9) == 20
    one.wait(lambda: one.seen[-1].std() > 1)
    assert one.grey == 20
    one.live.go_on()
    one.wait(lambda: one.grey == 30)


def test_that_a_snapshot_is_a_new_picture_of_the_project_with_proposals(
    watch: Open, lens: Lens, tmp_path: Path
) -> None:
    one = watch()
    one.live.open(source_of("0"))
    lens.show(77)
    one.wait(lambda: one.grey == 77)
    one.answer(0.9)
    one.wait(lambda: one.seen[-1].std() > 1)
    folder = tmp_path / "pictures"
    one.live.snapshot(folder)
    one.live.snapshot(folder)
    one.wait(lambda: len(one.names()) == 5)
    made = [name for name in one.names() if name.startswith("camera ")]
    assert len(made) == 2
    for name in made:
        assert np.all(np.asarray(cv2.imread(str(folder / name))) == 77), "without what was drawn over it"
        assert f"Snapshot: {name}" in one.told
    orders = {
        order: request for order, (request, _) in one.engine.asked.items() if isinstance(request, LabelFolder)
    }
    assert sorted(request.only for request in orders.values()) == sorted((name,) for name in made)
    for order in orders:
        one.engine.ended.emit(Finished(order))
    assert one.editor.shown is None, "the camera goes on"
    lens.show(78)
    one.wait(lambda: one.grey == 78)


def test_that_without_a_project_the_folder_of_the_first_snapshot_becomes_one(
    watch: Open, lens: Lens, tmp_path: Path
) -> None:
    one = watch(with_project=False)
    one.live.open(source_of("0"))
    lens.show(5)
    one.wait(lambda: one.grey == 5)
    (tmp_path / "new").mkdir()
    one.desk.open([tmp_path / "new"])
    one.live.snapshot(tmp_path / "new")
    one.wait(lambda: len(one.names()) == 1)
    assert one.editor.shown is None
    one.live.close()
    one.wait(lambda: one.editor.shown is not None)


def test_that_an_image_that_is_opened_takes_the_cameras_place_until_it_goes_on(
    watch: Open, lens: Lens
) -> None:
    one = watch()
    one.live.open(source_of("0"))
    lens.show(10)
    one.wait(lambda: one.grey == 10)
    one.desk.show(one.desk.order[1])
    one.wait(lambda: one.editor.shown)
    assert one.live.is_frozen
    assert not one.live.is_seen
    before = len(one.seen)
    lens.show(20)
    one.answer(0.9)
    one.wait(lambda: one.live.status.received == 2)
    assert len(one.seen) == before
    one.live.go_on()
    one.wait(lambda: one.grey == 20)
    assert one.editor.shown is None


def test_that_a_camera_that_is_not_there_is_told_and_the_image_comes_back(watch: Open, lens: Lens) -> None:
    one = watch()
    one.live.open(source_of("3"))
    lens.show("Webcam 3 cannot be read")
    one.wait(lambda: one.told)
    assert one.told == ["Webcam 3 cannot be read."]
    assert one.live.source is None
    one.wait(lambda: one.editor.shown)


def test_that_a_model_that_fails_is_told_once_and_frames_go_on(watch: Open, lens: Lens) -> None:
    one = watch()
    one.live.open(source_of("0"))
    lens.show(10)
    one.wait(one.looks)
    (order,) = one.looks()
    one.engine.asked.pop(order)
    one.engine.ended.emit(Failed(order, "The model is gone."))
    assert one.told == ["The model is gone."]
    assert not one.live.looks
    lens.show(20)
    one.wait(lambda: one.grey == 20)
    assert not one.looks()


def test_that_the_line_says_how_the_camera_does(
    watch: Open, lens: Lens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_live, "BACK_OFF", (30.0,))
    one = watch()
    bar = CameraBar(one.live, [QAction(name) for name in ACTIONS])
    assert bar.isHidden()
    one.live.open(source_of("0"))
    assert "Waiting for webcam 0" in bar.told.text()
    lens.show(1, 2, 3)
    one.wait(lambda: "48 × 32" in bar.told.text() and "dropped" in bar.told.text())
    one.answer()
    one.wait(lambda: "behind" in bar.told.text())
    one.live.freeze()
    assert "frozen" in bar.told.text()
    lens.show("The plug was pulled")
    one.wait(lambda: one.live.status.stage is Stage.LOST)
    assert bar.told.text().startswith("The plug was pulled; it is tried again in")
    assert bar.told.property("role") == "error"
    one.live.close()
    assert bar.isHidden()
    bar.close()


def test_that_the_dialog_takes_a_camera_or_says_why_not(application: QApplication) -> None:
    dialog = CameraDialog(None)
    dialog.text.setText("ftp://me:geheim@host/x")
    dialog.accept()
    assert "begins with rtsp://" in dialog.problem.text()
    assert "geheim" not in dialog.problem.text()
    assert dialog.result() == 0
    dialog.text.setText("rtsp://me:geheim@host:554/x")
    dialog.accept()
    assert dialog.source is not None
    assert dialog.source.name == "rtsp://host:554/x"
    dialog.deleteLater()


def test_that_a_stream_of_this_machine_comes_to_the_screen(watch: Open, tmp_path: Path) -> None:
    one = watch()
    with loopback(tmp_path) as server:
        one.live.open(source_of(server.address))
        one.wait(lambda: len(one.seen) > 3)
        assert one.seen[-1].shape == (48, 64, 3)
        one.live.close()
        one.wait(lambda: one.editor.shown)


def test_that_a_new_picture_never_takes_the_place_of_another(tmp_path: Path) -> None:
    pixels = np.full((4, 5, 3), 9, np.uint8)
    (tmp_path / "shot.png").write_bytes(b"somebody's")
    assert write_new_png(tmp_path, "shot", pixels).name == "shot 2.png"
    assert write_new_png(tmp_path, "shot", pixels).name == "shot 3.png"
    assert (tmp_path / "shot.png").read_bytes() == b"somebody's"
    with pytest.raises(MediaError, match="cannot be written"):
        write_new_png(tmp_path / "none", "shot", pixels)
