"""Films and cameras in the real program: opened by name, dropped, watched, and kept as pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from engine.document.records import ReviewState
from tests.engine.media.films import number_of, write_film
from tests.engine.media.streams import Loopback, loopback
from tests.gui.making import folder_of
from tests.journeys.person import Person, quiet
from tests.journeys.test_window import drop


def test_that_a_film_is_opened_by_its_name_and_by_a_drop(
    at_the_window: Callable[..., int], tmp_path: Path
) -> None:
    clip, other = tmp_path / "one" / "clip.mp4", tmp_path / "two" / "other.mkv"
    for film in (clip, other):
        film.parent.mkdir()
        write_film(film, 40)

    def steps(person: Person) -> None:
        quiet(person)
        person.see("clip.mp4")
        frames = person.window.frames
        person.wait(lambda: frames.clip is not None and frames.clip.count == 40)
        frames.go(17)
        person.wait(lambda: person.window.editor.shown and person.window.editor.shown.item.frame == 17)
        assert person.window.editor.shown is not None
        assert number_of(person.window.editor.shown.pixels) == 17
        assert "clip.mp4, frame 17" in person.window.windowTitle()
        drop(person.window, other)
        person.see("other.mkv")
        person.wait(lambda: frames.clip is not None and frames.clip.path == "other.mkv")

    assert at_the_window([str(clip)], steps) == 0


def test_that_a_camera_is_watched_and_a_snapshot_becomes_an_image_with_its_proposals(
    at_the_window: Callable[..., int], tmp_path: Path
) -> None:
    folder = folder_of(tmp_path / "pictures", ("a.png",))

    def steps(person: Person) -> None:
        window = person.window
        person.wait(lambda: window.live.is_seen)
        person.wait(lambda: window.desk.project is not None and window.bridge.is_ready, 60)
        person.wait(lambda: "live" in window.windowTitle() and "geheim" not in window.windowTitle())
        person.wait(lambda: window.live.behind is not None, 120)
        person.do("camera.freeze")
        person.do("camera.snapshot")
        person.wait(lambda: len(window.desk.media) == 2, 60)
        (made,) = (item for item in window.desk.media if item.path.startswith("camera "))
        person.wait(lambda: window.desk.state_of(made.id).review is ReviewState.PROPOSED, 120)
        assert window.editor.shown is None, "the camera stays in view"
        assert np.asarray(cv2.imread(str(folder / made.path))).shape == (48, 64, 3)
        person.do("camera.close")
        person.wait(lambda: window.editor.shown)
        assert window.live.source is None

    def without_a_project(person: Person) -> None:
        window = person.window
        person.wait(lambda: window.live.is_seen and window.stack.currentWidget() is window.canvas)
        person.do("camera.close")
        person.wait(lambda: window.stack.currentWidget() is window.welcome)

    with loopback(tmp_path, password="me:geheim") as server:
        assert at_the_window(["camera", address_of(server)], without_a_project) == 0
        assert at_the_window(["camera", address_of(server), str(folder)], steps) == 0


def address_of(server: Loopback) -> str:
    return server.address.replace("//", "//me:geheim@")
