"""Smart scissors: the path finds the edge, whatever the zoom, and soon."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from engine.document.boolean import iou
from engine.document.mask import Mask
from engine.media.picture import Rgb
from gui.tools.livewire import LiveWire
from gui.tools.tool import Line
from tests.gui.drive import TestEditor


def disc(side: int, radius: int) -> tuple[Rgb, Mask]:
    """A grainy picture of a disc in its middle, and the disc."""
    plain = cv2.circle(
        np.full((side, side, 3), 60, np.uint8), (side // 2, side // 2), radius, (150, 140, 90), -1
    )
    noise = np.random.default_rng(5).integers(0, 16, plain.shape).astype(np.uint8)
    full = cv2.circle(np.zeros((side, side), np.uint8), (side // 2, side // 2), radius, 1, -1)
    return np.add(cv2.GaussianBlur(plain, (3, 3), 0.8), noise, dtype=np.uint8), Mask.from_full(full)


def around(side: int, radius: int, count: int) -> list[tuple[float, float]]:
    middle = side // 2 + 0.5
    angles = [2 * math.pi * place / count for place in range(count)]
    return [(middle + radius * math.cos(angle), middle + radius * math.sin(angle)) for angle in angles]


@pytest.mark.parametrize(
    ("side", "radius", "clicks", "reach", "least"),
    [
        (200, 60, 4, 4.0, 0.97),
        (200, 60, 12, 4.0, 0.97),
        (1500, 500, 5, 4.0, 0.98),
        (1500, 500, 6, 16.0, 0.98),
    ],
)
def test_that_a_few_clicks_outline_a_disc_better_than_their_polygon(
    side: int, radius: int, clicks: int, reach: float, least: float
) -> None:
    pixels, truth = disc(side, radius)
    points = around(side, radius, clicks)
    found = []
    for tool in ("scissors", "polygon"):
        e = TestEditor(pixels=pixels).use(tool)
        e.reach = reach
        for point in points:
            e.click(*point)
        e.editor.commit()
        mask = e.only().mask
        assert mask is not None
        found.append(iou(mask, truth))
    assert found[0] > least
    if clicks < 12:
        assert found[0] > found[1]


def test_that_the_path_begins_and_ends_where_it_was_asked_to() -> None:
    pixels, _ = disc(600, 200)
    wire = LiveWire(pixels)
    wire.start(500.0, 300.0, 1.0)
    for goal in ((300.0, 500.0), (505.0, 310.0), (500.2, 300.1), (-20.0, 900.0), (599.5, 0.5)):
        path = wire.path(*goal)
        assert path[-1].tolist() == list(goal)
        assert np.isfinite(path).all()
        assert len(path) == 1 or math.dist(path[0], (500, 300)) < 30


def test_that_a_picture_of_one_colour_or_one_pixel_gives_a_path_too() -> None:
    for shape in ((1, 1, 3), (1, 300, 3), (40, 40, 3)):
        wire = LiveWire(np.full(shape, 9, np.uint8))
        wire.start(0.0, 0.0, 1.0)
        assert wire.path(shape[1] - 1.0, shape[0] - 1.0)[-1].tolist() == [shape[1] - 1.0, shape[0] - 1.0]


def test_that_the_path_to_come_is_shown_and_backspace_takes_the_last_stretch() -> None:
    pixels, _ = disc(200, 60)
    e = TestEditor(pixels=pixels).use("scissors")
    points = around(200, 60, 4)
    e.click(*points[0])
    e.hover(*points[1])
    assert len(e.shapes(Line)[0].points) > 20
    e.click(*points[1])
    stretch = len(e.shapes(Line)[0].points)
    e.click(*points[2])
    e.editor.back()
    assert len(e.shapes(Line)[0].points) == stretch
    e.editor.cancel()
    assert (e.editor.tool.preview, e.edits) == ((), [])


def test_that_it_closes_on_the_first_point_and_forgets_an_image_that_is_gone() -> None:
    pixels, _ = disc(200, 60)
    e = TestEditor(pixels=pixels).use("scissors")
    points = around(200, 60, 4)
    for point in (*points, points[0]):
        e.click(*point)
    assert e.names == ["Smart scissors"]
    e.click(*points[0])
    e.click(*points[1])
    e.show(pixels=np.zeros((50, 50, 3), np.uint8))
    e.editor.commit()
    assert len(e.edits) == 1
    for point in ((5, 5), (45, 5), (45, 45), (5, 45)):
        e.click(*point)
    e.editor.commit()
    assert e.only().mask is not None
