"""Decoding ahead keeps the order, stays within its bounds and leaves nothing behind."""

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.document.contrast import AUTOMATIC, Contrast
from engine.errors import MediaError
from engine.media import prefetch
from engine.media.image import read_rgb
from engine.media.prefetch import decode_ahead
from tests.engine.media import make


@pytest.fixture
def pictures(tmp_path: Path) -> list[tuple[Path, int, Contrast]]:
    """Twelve pictures of 4 x 6 pixels (72 bytes decoded), each of its own grey."""
    files = []
    for number in range(12):
        path = tmp_path / f"{number}.png"
        path.write_bytes(make.encoded(np.full((4, 6, 3), number, np.uint8), "PNG"))
        files.append((path, 0, AUTOMATIC))
    return files


class Decoder:
    """Stands in for `read_rgb`; notes how many pictures were begun and lets only some be finished."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, turns: int = 1000) -> None:
        self.begun: list[str] = []
        self.turns = threading.Semaphore(turns)
        self._lock = threading.Lock()
        self._real = read_rgb
        monkeypatch.setattr(prefetch, "read_rgb", self)

    def __call__(self, path: Path, frame: int, contrast: Contrast, *, max_pixels: int) -> NDArray[np.uint8]:
        with self._lock:
            self.begun.append(path.name)
        assert self.turns.acquire(timeout=10)
        return self._real(path, frame, contrast, max_pixels=max_pixels)


def decoding_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def settle(decoder: Decoder, count: int) -> None:
    """Wait until ``count`` pictures were begun, and a little for one too many."""
    deadline = time.monotonic() + 5
    while len(decoder.begun) < count and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.05)


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("depth", [1, 3, 50])
def test_that_pictures_come_in_order_with_errors_in_their_places(
    pictures: list[tuple[Path, int, Contrast]], workers: int, depth: int
) -> None:
    pictures[3] = (pictures[3][0].with_name("gone.png"), 0, AUTOMATIC)
    pictures[7][0].write_bytes(b"broken")
    results = list(decode_ahead(pictures, workers=workers, depth=depth))
    assert [index for index, _ in results] == list(range(12))
    for index, result in results:
        if index in (3, 7):
            assert isinstance(result, MediaError)
            assert str(result).startswith(f"{pictures[index][0].name}: ")
        else:
            assert isinstance(result, np.ndarray)
            assert (result == index).all()


def test_that_the_frame_asked_for_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    pages = [make.page(np.full((2, 2, 1), 50 * n, np.uint8), photometric=1) for n in range(3)]
    path.write_bytes(make.tiff(*pages))
    shown = [
        result for _, result in decode_ahead([(path, n, AUTOMATIC) for n in (2, 0, 9)], workers=2, depth=3)
    ]
    assert isinstance(shown[0], np.ndarray)
    assert isinstance(shown[1], np.ndarray)
    assert (shown[0][0, 0, 0], shown[1][0, 0, 0]) == (100, 0)
    assert isinstance(shown[2], MediaError)


def test_that_nothing_is_read_before_it_is_wanted(
    pictures: list[tuple[Path, int, Contrast]], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = Decoder(monkeypatch)
    decode_ahead(pictures, workers=2, depth=2)
    assert decoder.begun == []
    assert decoding_threads() == []


def test_that_no_more_than_depth_pictures_are_begun(
    pictures: list[tuple[Path, int, Contrast]], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = Decoder(monkeypatch)
    coming = decode_ahead(pictures, workers=8, depth=4)
    next(coming)
    settle(decoder, 4)
    assert len(decoder.begun) == 4
    next(coming)
    settle(decoder, 5)
    assert len(decoder.begun) == 5
    coming.close()


def test_that_waiting_pictures_stay_within_their_bytes(
    pictures: list[tuple[Path, int, Contrast]], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = Decoder(monkeypatch)
    coming = decode_ahead(pictures, workers=8, depth=12, max_bytes=3 * 72 + 71)
    next(coming)
    settle(decoder, 3)
    assert len(decoder.begun) == 3
    assert len(list(coming)) == 11


def test_that_a_picture_larger_than_the_bound_is_still_decoded(
    pictures: list[tuple[Path, int, Contrast]],
) -> None:
    assert len(list(decode_ahead(pictures, workers=2, depth=4, max_bytes=1))) == 12


def test_that_the_cap_on_pixels_is_passed_on(pictures: list[tuple[Path, int, Contrast]]) -> None:
    (_, result), *_ = decode_ahead(pictures[:1], workers=1, depth=1, max_pixels=23)
    assert "more than the 23 allowed" in str(result)


def test_that_a_consumer_that_stops_leaves_no_thread_and_no_picture(
    pictures: list[tuple[Path, int, Contrast]], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[weakref.ref[NDArray[np.uint8]]] = []
    real = read_rgb

    def noted(path: Path, frame: int, contrast: Contrast, *, max_pixels: int) -> NDArray[np.uint8]:
        picture = real(path, frame, contrast, max_pixels=max_pixels)
        kept.append(weakref.ref(picture))
        return picture

    monkeypatch.setattr(prefetch, "read_rgb", noted)
    coming = decode_ahead(pictures, workers=2, depth=6)
    next(coming)
    coming.close()
    assert decoding_threads() == []
    gc.collect()
    assert [reference for reference in kept if reference() is not None] == []


def test_that_a_picture_taken_is_freed_when_its_consumer_lets_go(
    pictures: list[tuple[Path, int, Contrast]],
) -> None:
    coming = decode_ahead(pictures, workers=1, depth=2)
    _, picture = next(coming)
    assert isinstance(picture, np.ndarray)
    reference = weakref.ref(picture)
    del picture
    gc.collect()
    assert reference() is None
    assert len(list(coming)) == 11


def test_that_closing_begins_no_further_picture(
    pictures: list[tuple[Path, int, Contrast]], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = Decoder(monkeypatch, turns=1)
    coming = decode_ahead(pictures, workers=1, depth=12)
    next(coming)
    settle(decoder, 2)
    release = threading.Timer(0.05, decoder.turns.release)
    release.start()
    coming.close()
    release.join()
    assert len(decoder.begun) == 2
    assert decoding_threads() == []


def test_that_an_error_of_the_consumer_or_of_the_list_ends_the_threads(
    pictures: list[tuple[Path, int, Contrast]],
) -> None:
    def failing() -> Iterator[tuple[Path, int, Contrast]]:
        yield from pictures[:3]
        raise RuntimeError("the list broke")

    with pytest.raises(RuntimeError, match="the list broke"):
        list(decode_ahead(failing(), workers=2, depth=2))
    assert decoding_threads() == []
