"""Cameras: the newest frame wins, a lost one is found again, and a password is in no word."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.errors import MediaError
from engine.media import live
from engine.media.live import Camera, Frames, Kind, Source, Stage, source_of
from engine.media.picture import Rgb
from tests.engine.media import films
from tests.engine.media.streams import loopback

SECRET = "geheim"


def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.005)


def newest(camera: Camera) -> Rgb:
    found: list[Rgb] = []

    def is_there() -> bool:
        taken = camera.take()
        if taken is not None:
            found.append(taken)
        return bool(found)

    until(is_there)
    return found[-1]


class Feed:
    """Stands in for a camera: each turn of `go` sends a frame of that grey, or fails."""

    def __init__(self) -> None:
        self.opened = 0
        self.next: list[int | str] = []
        self._turn = threading.Semaphore(0)

    def send(self, *frames: int | str) -> None:
        for frame in frames:
            self.next.append(frame)
            self._turn.release()

    def __call__(self, _source: Source, closing: threading.Event) -> Frames:
        self.opened += 1
        while not closing.is_set():
            if not self._turn.acquire(timeout=0.02):
                continue
            frame = self.next.pop(0)
            if isinstance(frame, str):
                raise MediaError(frame)
            yield None if frame < 0 else np.full((2, 3, 3), frame, np.uint8)


FAKE = Source(Kind.WEBCAM, "webcam 0", "0")


def test_that_the_newest_frame_wins_and_the_others_are_counted() -> None:
    feed = Feed()
    camera = Camera(FAKE, feed=feed)
    feed.send(1, 2, 3, 4)
    until(lambda: camera.status.received == 4)
    taken = camera.take()
    assert taken is not None
    assert taken[0, 0, 0] == 4
    assert camera.take() is None, "once"
    feed.send(5, -1)
    until(lambda: camera.status.received == 6)
    status = camera.status
    assert (status.stage, status.dropped) == (Stage.LIVE, 4)
    assert status.rate > 0
    camera.close()
    assert camera.status.stage is Stage.CLOSED


def test_that_a_lost_camera_is_tried_again_at_growing_intervals_until_it_is_back() -> None:
    feed = Feed()
    camera = Camera(FAKE, feed=feed, back_off=(0.01, 0.05, 0.2))
    feed.send(1)
    newest(camera)
    feed.send("gone", "gone", "gone", "gone")
    until(lambda: feed.opened == 5)
    told = camera.status
    feed.send(9)
    assert newest(camera)[0, 0, 0] == 9
    assert told.stage is Stage.LOST
    assert told.sentence == "gone; it is tried again in 0.2 s."
    assert camera.status.stage is Stage.LIVE
    feed.send("gone")
    until(lambda: camera.status.stage is Stage.LOST or feed.opened > 5)
    feed.send(1)
    assert newest(camera)[0, 0, 0] == 1
    camera.close()


def test_that_a_camera_that_was_never_there_is_told_once_and_not_tried_again() -> None:
    feed = Feed()
    camera = Camera(FAKE, feed=feed)
    feed.send("Nobody there")
    until(lambda: camera.status.stage is Stage.FAILED)
    assert camera.status.sentence == "Nobody there."
    assert feed.opened == 1
    camera.close()


def test_that_frames_over_the_network_are_the_films(tmp_path: Path) -> None:
    with loopback(tmp_path) as server:
        camera = Camera(source_of(server.address))
        seen = {films.number_of(newest(camera)) for _ in range(12)}
        assert len(seen) > 6
        assert seen <= set(range(150))
        assert camera.status.stage is Stage.LIVE
        camera.close()


def test_that_a_stream_that_stops_and_starts_again_is_followed(tmp_path: Path) -> None:
    with loopback(tmp_path) as server:
        camera = Camera(source_of(server.address), back_off=(0.05,))
        newest(camera)
        server.stop()
        until(lambda: camera.status.stage is Stage.LOST)
        assert "tried again" in camera.status.sentence
        server.start()
        until(lambda: camera.status.stage is Stage.LIVE)
        newest(camera)
        assert server.connections >= 2
        camera.close()


def test_that_a_silent_camera_is_given_up_after_a_time_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "OPEN_SECONDS", 0.3)
    monkeypatch.setattr(live, "READ_SECONDS", 0.3)
    with loopback(tmp_path, is_silent=True) as server:
        camera = Camera(source_of(server.address))
        until(lambda: camera.status.stage is Stage.FAILED, 5)
        assert "does not answer within 0.3 seconds" in camera.status.sentence
        camera.close()


def test_that_a_password_opens_the_camera_and_is_in_no_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    told = []
    with caplog.at_level(logging.DEBUG), loopback(tmp_path, password=f"me:{SECRET}") as server:
        secret = server.address.replace("//", f"//me:{SECRET}@") + f"?pwd={SECRET}"
        source = source_of(secret)
        camera = Camera(source, back_off=(0.02,))
        newest(camera)
        server.stop()
        until(lambda: camera.status.stage is Stage.LOST)
        told += [camera.status.sentence, repr(source), repr(camera.status), source.name]
        camera.close()
        server.start()
        wrong = Camera(source_of(server.address.replace("//", f"//me:{SECRET}2@")))
        until(lambda: wrong.status.stage is Stage.FAILED)
        told += [wrong.status.sentence]
        assert "wants a user and a password" in wrong.status.sentence
        wrong.close()
    told += [caplog.text, *capfd.readouterr()]
    assert SECRET not in "".join(told)
    assert source.name == server.address


@pytest.mark.parametrize(
    "address", [f"tcp://me:{SECRET}@host:1", f"rtsp://me:{SECRET}@", f"ftp://{SECRET}@x/a.mp4"]
)
def test_that_no_other_protocol_is_opened(address: str) -> None:
    with pytest.raises(MediaError, match="address begins with") as caught:
        source_of(address)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("text", ["", "nothing here.mp4", "12345"])
def test_that_what_is_no_camera_is_told(text: str) -> None:
    with pytest.raises(MediaError, match="There is no camera"):
        source_of(text)


def test_that_nobody_at_an_address_is_told_in_a_sentence() -> None:
    camera = Camera(source_of(f"rtsp://me:{SECRET}@127.0.0.1:9/x"))
    until(lambda: camera.status.stage is Stage.FAILED)
    assert camera.status.sentence == "rtsp://127.0.0.1:9/x cannot be read (Connection refused)."
    camera.close()


def test_that_a_file_is_played_by_its_own_clock_over_and_over(tmp_path: Path) -> None:
    film = films.write_film(tmp_path / "a.mp4", 20, rate=100)
    camera = Camera(source_of(str(film)))
    began = time.monotonic()
    until(lambda: camera.status.received > 45)
    took = time.monotonic() - began
    assert 0.4 <= took < 5
    camera.close()


def test_that_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video at all" * 100)
    camera = Camera(source_of(str(tmp_path / "a.mp4")))
    until(lambda: camera.status.stage is Stage.FAILED)
    assert "a.mp4" in camera.status.sentence
    camera.close()


class Device:
    """Stands in for OpenCV's webcam: two frames of blue, then it is pulled out."""

    def __init__(self, number: int) -> None:
        self._left = 2 if number == 0 else 0
        self._is_open = number == 0

    def isOpened(self) -> bool:  # noqa: N802
        return self._is_open

    def set(self, _what: int, _value: float) -> bool:
        return True

    def read(self) -> tuple[bool, Rgb | None]:
        self._left -= 1
        return self._left >= 0, np.full((4, 5, 3), (200, 0, 0), np.uint8) if self._left >= 0 else None

    def release(self) -> None:
        self._is_open = False


def test_that_a_webcam_gives_rgb_and_one_that_is_not_there_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", Device)
    camera = Camera(source_of("0"), back_off=(60.0,))
    assert newest(camera)[0, 0].tolist() == [0, 0, 200]
    until(lambda: camera.status.stage is Stage.LOST)
    camera.close()
    none = Camera(source_of("7"))
    until(lambda: none.status.stage is Stage.FAILED)
    assert none.status.sentence.startswith("Webcam 7 cannot be read: is it plugged in")
    none.close()
