"""Masks at the grain of the picture: closer to its edges, right under clicks, else the same."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from engine.document.boolean import iou
from engine.document.mask import Mask
from engine.edges import candidates_at_edges, masks_at_edges
from engine.media.picture import Rgb
from engine.prediction import Prediction
from engine.prompt import Click
from engine.refilter import masks

SIDE = 400


@pytest.fixture(scope="module")
def star() -> tuple[Rgb, Mask]:
    """A grainy star, whose points 28 cells cannot say."""
    angles = np.arange(16) * np.pi / 8
    radii = np.where(np.arange(16) % 2, 60, 160)
    ring = np.stack((200 + radii * np.cos(angles), 200 + radii * np.sin(angles)), axis=1).astype(np.int32)
    full = cv2.fillPoly(np.zeros((SIDE, SIDE), np.uint8), [ring], 1)
    plain = np.where(full[..., None] > 0, (200, 120, 60), (60, 80, 70))
    noise = np.random.default_rng(1).integers(-9, 10, plain.shape)
    return np.clip(plain + noise, 0, 255).astype(np.uint8), Mask.from_full(full)


def said_of(mask: Mask, *, side: int = 28) -> Prediction:
    """What a perfect mask head could say of it."""
    cells = cv2.resize(mask.bitmap.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    box = np.array([mask.box_xyxy], np.float32)
    one = np.ones(1, np.float32)
    return Prediction(SIDE, SIDE, ("star",), box, one, np.ones(1, np.int64), cells[None].astype(np.float32))


def test_that_a_coarse_mask_is_drawn_to_the_edges(star: tuple[Rgb, Mask]) -> None:
    pixels, true = star
    said = said_of(true)
    (plain,) = masks(said)
    (drawn,) = masks_at_edges(said, pixels, (), 0.5)
    assert plain is not None
    assert iou(plain, true) < 0.96
    assert iou(drawn, true) > 0.97
    (small,) = masks_at_edges(said, cv2.resize(pixels, (200, 200)).astype(np.uint8), (), 0.5)
    assert iou(small, true) > 0.965, "a smaller copy of the picture does as well"


def test_that_a_frame_around_the_box_is_room_enough(
    star: tuple[Rgb, Mask], monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels, true = star
    full = np.pad(true.to_full(SIDE, SIDE), 24).astype(np.float32)
    cells = cv2.resize(full, (56, 56), interpolation=cv2.INTER_AREA)[None].astype(np.float32)
    frame = np.array([(-24, -24, SIDE + 24, SIDE + 24)], np.float32)
    framed = replace(said_of(true), mask_probs=cells, mask_frames=frame)
    (drawn,) = masks_at_edges(framed, pixels, (), 0.5)
    assert iou(drawn, true) > 0.97
    monkeypatch.setattr("engine.edges._MARGIN", 2.0)
    assert masks_at_edges(framed, pixels, (), 0.5) == [drawn], "no margin is added to it"


def test_that_a_mask_as_fine_as_the_picture_stays_as_it_is(star: tuple[Rgb, Mask]) -> None:
    pixels, _ = star
    said = said_of(Mask.from_crop(100, 100, np.ones((24, 24))))
    assert masks_at_edges(said, pixels, (), 0.5) == list(masks(said))


def test_that_clicks_are_right_and_change_their_neighbourhood_alone(star: tuple[Rgb, Mask]) -> None:
    pixels, true = star
    said = said_of(true)
    (before,) = masks_at_edges(said, pixels, (), 0.5)
    clicks = [Click(330.5, 255.5), Click(150.5, 200.5, positive=False)]
    (after,) = masks_at_edges(said, pixels, clicks, 0.5)
    assert not before.window(330, 255, 331, 256).any()
    assert after.window(330, 255, 331, 256).all()
    assert not after.window(150, 200, 151, 201).any()
    far = after.to_full(SIDE, SIDE) != before.to_full(SIDE, SIDE)
    rows, columns = np.nonzero(far)
    near = [np.hypot(columns + 0.5 - one.x, rows + 0.5 - one.y) for one in clicks]
    assert np.minimum(*near).max() < 60
    assert masks_at_edges(said, pixels, [Click(200.5, 200.5)], 0.5) == [before], (
        "a click that agrees says nothing"
    )


def test_that_a_detection_without_a_pixel_is_no_candidate(star: tuple[Rgb, Mask]) -> None:
    pixels, true = star
    said = said_of(true)
    assert [one.class_name for one in candidates_at_edges(said, pixels, (), 0.5)] == ["star"]
    nothing = Prediction(
        SIDE, SIDE, said.classes, said.boxes_xyxy, said.scores, said.labels, np.zeros((1, 28, 28), np.float32)
    )
    assert candidates_at_edges(nothing, pixels, (), 0.5) == ()
