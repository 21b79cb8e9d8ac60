"""Frames are made ahead within a bound, in order; late ones are dropped and counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np

from engine.errors import MediaError
from engine.media.picture import Rgb
from engine.media.playing import Ahead


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def numbered(frame: int) -> Rgb:
    return np.full((2, 2, 3), frame, np.uint8)


def test_that_frames_come_in_order_and_wait_within_their_bytes() -> None:
    made: list[int] = []

    def make(frame: int) -> Rgb:
        made.append(frame)
        return numbered(frame)

    ahead = Ahead(range(10, 30), make, max_bytes=5 * 12)
    until(lambda: len(made) == 5)
    shown: list[tuple[int, Rgb]] = []
    while len(shown) < 20:
        if (found := ahead.take(len(shown))) is not None:
            shown.append(found)
        assert len(made) <= len(shown) + 6
    assert [(place, int(pixels[0, 0, 0])) for place, pixels in shown] == [(n, 10 + n) for n in range(20)]
    until(lambda: ahead.is_over)
    assert ahead.dropped == 0
    ahead.close()


def test_that_late_frames_are_dropped_and_the_thread_skips_to_what_is_due() -> None:
    go = threading.Semaphore(3)
    made: list[int] = []

    def make(frame: int) -> Rgb:
        go.acquire()
        made.append(frame)
        return numbered(frame)

    ahead = Ahead(range(100), make)
    until(lambda: len(made) == 3)
    until(lambda: len(ahead._ready) == 3)
    found = ahead.take(50)
    assert found is not None
    assert found[0] == 2
    assert ahead.dropped == 2
    go.release(2)  # the one it waits for, and the one after that
    until(lambda: len(made) == 5)
    assert made == [0, 1, 2, 3, 50]
    assert ahead.dropped == 2 + 46
    go.release(1000)
    ahead.close()


def test_that_a_frame_that_cannot_be_made_ends_it_with_a_sentence() -> None:
    def make(frame: int) -> Rgb:
        if frame == 2:
            raise MediaError("clip.mp4: frame 2 is damaged")
        return numbered(frame)

    ahead = Ahead(range(9), make)
    until(lambda: bool(ahead.problem))
    assert ahead.take(1) is not None
    until(lambda: ahead.is_over)
    assert ahead.problem == "clip.mp4: frame 2 is damaged"
    ahead.close()


def test_that_closing_ends_a_thread_that_waits_for_room() -> None:
    ahead = Ahead(range(1000), numbered, max_bytes=12)
    until(lambda: len(ahead._ready) > 0)
    ahead.close()
    assert not ahead._thread.is_alive()
