"""The picture's levels."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from engine.media.picture import Rgb
from gui.canvas.pyramid import Pyramid, PyramidBuilder, build, halved
from gui.pictures import Coming
from tests.gui.conftest import Wait


def noise(height: int, width: int) -> Rgb:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def built(pixels: Rgb) -> Pyramid:
    pyramid = Pyramid(pixels)

    def take(level: int, made: Rgb) -> bool:
        pyramid.put(level, made)
        return True

    build(pixels, pyramid.depth, take)
    return pyramid


def test_that_half_a_picture_holds_the_means_of_two_by_two_pixels() -> None:
    pixels = noise(40, 60)
    means = pixels.reshape(20, 2, 30, 2, 3).mean(axis=(1, 3))
    assert np.abs(halved(pixels) - means).max() <= 1


@pytest.mark.parametrize(("height", "width"), [(41, 60), (40, 61), (41, 61), (3, 2), (2, 2)])
def test_that_an_odd_row_or_column_is_kept(height: int, width: int) -> None:
    pixels = noise(height, width)
    half = halved(pixels)
    assert half.shape == ((height + 1) // 2, (width + 1) // 2, 3)
    if height % 2:
        assert np.array_equal(half[-1, 0], pixels[-1, 0])
    if width % 2:
        assert np.array_equal(half[0, -1], pixels[0, -1])


def test_that_each_level_has_the_size_it_says_and_flat_colours_stay_as_they_are() -> None:
    pixels = np.full((333, 517, 3), (10, 20, 30), dtype=np.uint8)
    pyramid = built(pixels)
    assert pyramid.depth > 2
    for level in range(pyramid.depth):
        height, width = pyramid.size_at(level)
        part = pyramid.region(level, 0, 0, width, height)
        assert part.shape == (height, width, 4)
        assert np.array_equal(np.unique(part.reshape(-1, 4), axis=0), [[30, 20, 10, 255]])


def test_that_before_a_level_is_there_its_region_has_the_same_shape_and_nearly_its_colours() -> None:
    pixels = np.repeat(np.repeat(noise(40, 65), 8, axis=0), 8, axis=1)[:317, :515]
    empty, full = Pyramid(pixels), built(pixels)
    for level in range(full.depth):
        height, width = full.size_at(level)
        edges = (width // 3, height // 4, width, height)
        early, late = empty.region(level, *edges), full.region(level, *edges)
        assert early.shape == late.shape
        assert np.median(np.abs(early.astype(int) - late)) == 0


def test_that_a_picture_that_is_coming_is_waited_for_only_where_its_small_one_will_not_do() -> None:
    pixels = np.repeat(np.repeat(noise(40, 65), 8, axis=0), 8, axis=1)[:317, :515]
    small = halved(halved(pixels))
    asked: list[int] = []

    def read() -> Rgb:
        asked.append(1)
        return pixels

    coming, full = Pyramid(Coming(pixels.shape, 2, small, read)), built(pixels)
    for level in range(2, full.depth):
        height, width = full.size_at(level)
        edges = (width // 3, height // 4, width, height)
        early, late = coming.region(level, *edges), full.region(level, *edges)
        assert early.shape == late.shape
        assert np.median(np.abs(early.astype(int) - late)) == 0
    assert not asked
    assert np.array_equal(coming.region(0, 3, 5, 90, 80), full.region(0, 3, 5, 90, 80)), "pixel by pixel"
    assert asked == [1]


def test_that_the_level_for_a_scale_is_the_smallest_that_is_not_enlarged() -> None:
    pyramid = Pyramid(np.zeros((1024, 1024, 3), dtype=np.uint8))
    assert [pyramid.level_for(scale) for scale in (4, 1, 0.51, 0.5, 0.3, 0.25, 0.001)] == [
        0,
        0,
        0,
        1,
        1,
        2,
        4,
    ]


def test_that_levels_come_from_another_thread_and_the_latest_picture_wins(
    application: QApplication, wait: Wait
) -> None:
    builder = PyramidBuilder()
    threads: set[str] = set()
    told: list[Pyramid] = []
    builder._ready.connect(lambda *_: threads.add(threading.current_thread().name))
    builder.built.connect(told.append)
    builder.start(noise(600, 800))
    last = builder.start(noise(500, 700))
    wait(lambda: last.image(0) is not None)
    builder.stop()
    assert threads == {"MainThread"}, "the levels are taken on the GUI thread"
    assert set(map(id, told)) == {id(last)}
    image = last.image(1)
    assert image is not None
    assert (image.height(), image.width()) == last.size_at(1)
