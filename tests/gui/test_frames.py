"""Films in the window: exact frames as images, playing and scrubbing as pictures, marks, frames as files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from engine.document.records import ReviewState
from engine.media.image import read_rgb
from engine.media.picture import Rgb
from engine.project import Project
from gui.canvas.view import CanvasView
from gui.desk import Desk
from gui.editor import Editor
from gui.frames import Frames
from gui.panels.surveyor import Surveyor
from gui.panels.timeline import LABELLED, PROPOSED, REVIEWED, Timeline
from tests.engine.media.films import number_of, write_film
from tests.gui.making import drawn, picture, proposal

Wait = Callable[..., None]
COUNT = 120


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("film") / "clip.mp4"
    return write_film(path, COUNT, rate=60, options={"g": "30"}).read_bytes()


@pytest.fixture
def folder(tmp_path: Path, film: bytes) -> Path:
    made = tmp_path / "clips"
    picture(made / "a.png")
    (made / "clip.mp4").write_bytes(film)
    picture(made / "z.png")
    return made


@pytest.fixture
def desk(application: QApplication) -> Iterator[Desk]:
    made = Desk(Editor())
    yield made
    made.close()


@pytest.fixture
def frames(desk: Desk, folder: Path, wait: Wait) -> Iterator[Frames]:
    """The film is open at its first frame."""
    made = Frames(desk)
    desk.open([folder / "clip.mp4"])
    wait(lambda: desk.editor.shown is not None and made.clip is not None)
    yield made
    made.stop()


def shown(desk: Desk) -> tuple[str, int, int] | None:
    """Path and frame of the image in the editor, and the number that its pixels show."""
    one = desk.editor.shown
    return None if one is None else (one.item.path, one.item.frame, number_of(one.pixels))


def listed(desk: Desk) -> list[tuple[str, int]]:
    return [(item.path, item.frame) for item in desk.media]


def go(frames: Frames, desk: Desk, wait: Wait, frame: int) -> None:
    frames.go(frame)
    wait(lambda: shown(desk) == ("clip.mp4", frame, frame))


def label(desk: Desk, name: str = "bolt") -> None:
    assert desk.project is not None
    assert desk.editor.shown is not None
    class_id = desk.project.ensure_class(name).id
    with desk.editor.edit("Draw"):
        desk.editor.shown.document.add(drawn(class_id))


def test_that_a_film_opens_on_its_first_frame_as_one_image(frames: Frames, desk: Desk) -> None:
    assert shown(desk) == ("clip.mp4", 0, 0)
    assert frames.clip is not None
    assert (frames.clip.count, round(frames.clip.rate)) == (COUNT, 60)
    assert listed(desk) == [("a.png", 0), ("clip.mp4", 0), ("z.png", 0)]


def test_that_a_frame_is_listed_once_it_holds_something_and_is_kept(
    frames: Frames, desk: Desk, wait: Wait, folder: Path
) -> None:
    go(frames, desk, wait, 77)
    go(frames, desk, wait, 78)
    assert len(desk.media) == 3
    label(desk)
    assert listed(desk) == [("a.png", 0), ("clip.mp4", 0), ("clip.mp4", 78), ("z.png", 0)]
    assert desk.project is not None
    desk.project.flush()
    with Project.open(folder, read_only=True) as project:
        (item,) = (one for one in project.media() if one.frame == 78)
        assert len(project.load(item.id).instances) == 1
        assert {one.frame for one in project.media() if one.path == "clip.mp4"} == {0, 77, 78}
        assert len(project.blank_frames()) == 1


def test_that_next_image_leaves_the_film_where_the_list_goes_on(
    frames: Frames, desk: Desk, wait: Wait
) -> None:
    go(frames, desk, wait, 50)
    assert desk.step(1)
    wait(lambda: desk.editor.shown is not None and desk.editor.shown.item.path == "z.png")
    assert desk.step(-1)
    wait(lambda: shown(desk) == ("clip.mp4", 0, 0))


def test_that_frames_in_quick_succession_are_pictures_until_the_last_rests(
    frames: Frames, desk: Desk, wait: Wait
) -> None:
    moved: list[int] = []
    frames.moving.connect(lambda pixels: moved.append(number_of(pixels)))
    for frame in range(10, 60, 5):
        frames.go(frame)
    wait(lambda: shown(desk) == ("clip.mp4", 55, 55))
    assert desk.project is not None
    in_project = {item.frame for item in desk.project.media() if item.path == "clip.mp4"}
    assert 55 in in_project
    assert len(in_project) <= 4  # the first, the last, and not those that were passed over


def test_that_a_film_plays_by_the_clock_and_pauses_on_the_frame_that_is_seen(
    frames: Frames, desk: Desk, wait: Wait
) -> None:
    go(frames, desk, wait, 30)
    seen: list[tuple[int, int]] = []
    frames.moving.connect(lambda pixels: seen.append((frames.frame, number_of(pixels))))
    frames.play()
    assert desk.editor.shown is None  # nothing can be edited that is not seen
    wait(lambda: len(seen) >= 3)
    frames.pause()
    at = frames.frame
    wait(lambda: shown(desk) == ("clip.mp4", at, at))
    assert all(frame == number for frame, number in seen)
    assert [frame for frame, _ in seen] == sorted({frame for frame, _ in seen})
    assert not frames.is_playing


def test_that_a_film_stops_on_its_last_frame_and_plays_again_from_the_first(
    frames: Frames, desk: Desk, wait: Wait
) -> None:
    go(frames, desk, wait, COUNT - 4)
    frames.play()
    wait(lambda: shown(desk) == ("clip.mp4", COUNT - 1, COUNT - 1))
    frames.play()
    wait(lambda: frames.frame < COUNT // 2)
    frames.pause()


def test_that_what_is_drawn_is_saved_before_a_film_plays_and_seen_while_it_does(
    frames: Frames, desk: Desk, wait: Wait
) -> None:
    go(frames, desk, wait, 5)
    label(desk)
    seen: dict[int, Rgb] = {}
    frames.moving.connect(lambda pixels: seen.setdefault(frames.frame, pixels))
    go(frames, desk, wait, 4)
    plain = desk.editor.shown
    frames.play()
    wait(lambda: len(seen) > 1 and min(seen) <= 5)
    frames.pause()
    if 5 in seen:  # a machine under load may have dropped it
        assert plain is not None
        inside = np.s_[4:10, 4:10]
        assert np.abs(seen[5][inside].astype(int) - plain.pixels[inside]).mean() > 5
    assert desk.project is not None
    desk.project.flush()
    assert sum(len(desk.project.load(item.id).instances) for item in desk.media) == 1


@pytest.fixture
def timeline(frames: Frames, desk: Desk, wait: Wait) -> Iterator[Timeline]:
    actions = [QAction("x") for _ in range(3)]
    made = Timeline(frames, desk, Surveyor(desk), actions, [QAction("y")])
    made.resize(900, 40)
    made.show()
    yield made
    made.close()
    made.deleteLater()


def test_that_frames_on_record_are_marked_by_their_state(
    frames: Frames, desk: Desk, timeline: Timeline, wait: Wait
) -> None:
    go(frames, desk, wait, 20)
    label(desk)
    go(frames, desk, wait, 60)
    label(desk)
    with desk.editor.edit("Accept"):
        assert desk.editor.document is not None
        desk.editor.document.accept_image(set())
    assert desk.project is not None
    item = desk.project.frame_item("clip.mp4", 90)
    class_id = desk.editor.classes[0].id if desk.editor.classes else desk.project.classes()[0].id
    desk.project.put_proposals(item.id, [proposal(class_id)], key="k", batch_id="label 1")
    desk.reread()
    wait(lambda: timeline.scrubber.marks == {20: LABELLED, 60: REVIEWED, 90: PROPOSED})
    assert timeline.scrubber.accessibleDescription() == "1 reviewed, 1 labelled, 1 proposed"


def test_that_the_timeline_goes_where_it_is_clicked_and_by_its_keys(
    frames: Frames, desk: Desk, timeline: Timeline, wait: Wait
) -> None:
    scrubber = timeline.scrubber
    at = QPoint(round(scrubber.place_of(40)), scrubber.height() // 2)
    QTest.mouseClick(scrubber, Qt.MouseButton.LeftButton, pos=at)
    wait(lambda: shown(desk) == ("clip.mp4", frames.frame, frames.frame) and abs(frames.frame - 40) <= 1)
    start = frames.frame
    for key, by in ((Qt.Key.Key_Right, 1), (Qt.Key.Key_Left, -1), (Qt.Key.Key_PageUp, 60)):
        before = frames.frame
        QTest.keyClick(scrubber, key)
        assert frames.frame == before + by
    QTest.keyClick(scrubber, Qt.Key.Key_Home)
    wait(lambda: shown(desk) == ("clip.mp4", 0, 0))
    QTest.keyClick(scrubber, Qt.Key.Key_End)
    wait(lambda: shown(desk) == ("clip.mp4", COUNT - 1, COUNT - 1))
    assert start != frames.frame
    assert timeline.time.text() == "0:01.98 / 0:01.98"
    timeline.number.setValue(3)
    wait(lambda: shown(desk) == ("clip.mp4", 3, 3))


def test_that_the_timeline_is_there_for_films_only(
    frames: Frames, desk: Desk, timeline: Timeline, wait: Wait
) -> None:
    assert timeline.isVisible()
    desk.step(1)
    wait(lambda: desk.editor.shown is not None and desk.editor.shown.item.path == "z.png")
    assert not timeline.isVisible()


def test_that_the_pages_of_a_stack_are_frames(desk: Desk, tmp_path: Path, wait: Wait) -> None:
    pages = [Image.fromarray(np.full((32, 48), 40 * n, np.uint8)) for n in range(5)]
    path = tmp_path / "stack" / "z.tif"
    path.parent.mkdir()
    pages[0].save(path, save_all=True, append_images=pages[1:])
    frames = Frames(desk)
    desk.open([path])
    wait(lambda: frames.clip is not None and desk.editor.shown is not None)
    assert frames.clip is not None
    assert (frames.clip.count, frames.clip.index) == (5, None)
    frames.go(3)
    wait(lambda: desk.editor.shown is not None and desk.editor.shown.item.frame == 3)
    assert desk.editor.shown is not None
    assert desk.editor.shown.pixels[0, 0].tolist() == [120, 120, 120]
    frames.stop()


def test_that_frames_are_written_as_files_when_asked_and_not_twice(
    frames: Frames, desk: Desk, tmp_path: Path, wait: Wait
) -> None:
    out = tmp_path / "png"
    said: list[str] = []
    frames.said.connect(said.append)
    frames.export(out, 50)
    wait(lambda: said)
    names = sorted(path.name for path in out.iterdir())
    assert names == ["clip_000000.png", "clip_000050.png", "clip_000100.png"]
    assert number_of(read_rgb(out / "clip_000050.png")) == 50
    before = (out / "clip_000050.png").stat().st_mtime_ns
    (out / "clip_000100.png").unlink()
    frames.export(out, 50)
    wait(lambda: len(said) == 2)
    assert (out / "clip_000050.png").stat().st_mtime_ns == before
    assert (out / "clip_000100.png").exists()


def test_that_a_moving_picture_takes_no_tool_and_a_click_pauses(
    desk: Desk, frames: Frames, wait: Wait, application: QApplication
) -> None:
    view = CanvasView(desk.editor)
    view.resize(300, 200)
    view.show()
    frames.moving.connect(view.show_moving)
    view.moving_pressed.connect(frames.pause)
    frames.play()
    wait(lambda: frames.frame > 2)
    before = view.grab().toImage()
    assert before.pixelColor(150, 100) != before.pixelColor(1, 1)
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(150, 100))
    assert not frames.is_playing
    wait(lambda: shown(desk) is not None)
    review = cast(ReviewState, desk.state_of(desk.editor.shown.item.id).review if desk.editor.shown else None)
    assert review is ReviewState.UNLABELLED
    view.stop()
    view.close()
    view.deleteLater()
