"""Rough outlines beside a model's word: what is made of both, and the clicks that stand for an outline."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.document.boolean import iou
from engine.document.mask import EMPTY, Mask
from engine.hint import Hint, fitted
from engine.media.picture import Rgb
from engine.predict.predictor import Predictor
from engine.predict.prompts import Prompter
from engine.prediction import Prediction
from tests.engine.networks import card_of, lively_network, picture

SIDE = 200
GREY: Rgb = np.full((SIDE, SIDE, 3), 120, np.uint8)
"""A picture whose colours say nothing."""


def ellipse(wide: int, high: int, x: int = 100, y: int = 100) -> Mask:
    full = cv2.ellipse(np.zeros((SIDE, SIDE), np.uint8), (x, y), (wide, high), 0, 0, 360, 1, -1)
    return Mask.from_full(full)


def said_in(hint: Hint, of: Mask, *, chance: float = 0.95) -> Prediction:
    """What a model says in the hint's box: that mask."""
    x0, y0, x1, y1 = (int(edge) for edge in hint.box_xyxy)
    full = of.to_full(SIDE, SIDE)[y0:y1, x0:x1].astype(np.float32)
    cells = cv2.resize(full, (28, 28), interpolation=cv2.INTER_AREA) * (2 * chance - 1) + 1 - chance
    box = np.array([(x0, y0, x1, y1)], np.float32)
    one = np.ones(1, np.float32)
    return Prediction(SIDE, SIDE, ("disc",), box, one, np.ones(1, np.int64), cells[None].astype(np.float32))


def made(answer: Prediction, hint: Hint, picture: Rgb = GREY) -> Mask:
    candidate = fitted(answer, picture, hint)
    assert candidate is not None
    return candidate.mask


def rough_of(corners: int = 7) -> Mask:
    """A polygon of few corners, off by some pixels, where a disc of 50 is meant."""
    angles = np.arange(corners) * 2 * np.pi / corners
    radii = 50 + np.array([4, -6, 5, -4, 6, -5, 3])[:corners]
    ring = np.stack((100 + radii * np.cos(angles), 100 + radii * np.sin(angles)), axis=1)
    return Mask.from_full(cv2.fillPoly(np.zeros((SIDE, SIDE), np.uint8), [ring.round().astype(np.int32)], 1))


def hint_of(mask: Mask) -> Hint:
    return Hint(mask, SIDE, SIDE)


def test_that_a_model_that_agrees_decides_near_the_outline() -> None:
    true, rough = ellipse(50, 50), rough_of()
    told = made(said_in(hint_of(rough), true), hint_of(rough))
    assert iou(rough, true) < 0.88
    assert iou(told, true) > 0.94


@pytest.mark.parametrize("knows", [ellipse(12, 12, 60, 60), ellipse(0, 0, 0, 0), ellipse(99, 99)])
def test_that_a_model_that_knows_nothing_of_it_does_not_spoil_what_was_drawn(knows: Mask) -> None:
    rough = rough_of()
    told = made(said_in(hint_of(rough), knows, chance=0.99), hint_of(rough))
    assert iou(told, rough) > 0.97


def test_that_colours_speak_where_the_model_has_nothing_to_say() -> None:
    true, rough = ellipse(50, 50), rough_of()
    draw = np.random.default_rng(1).integers(-12, 13, (SIDE, SIDE, 3))
    colours = np.where(true.to_full(SIDE, SIDE)[..., None], (200, 120, 60), (60, 80, 70)) + draw
    told = made(said_in(hint_of(rough), ellipse(0, 0, 0, 0)), hint_of(rough), colours.astype(np.uint8))
    assert iou(told, true) > 0.96
    small = cv2.resize(colours.astype(np.uint8), (SIDE // 2, SIDE // 2), interpolation=cv2.INTER_AREA)
    told = made(said_in(hint_of(rough), true), hint_of(rough), small.astype(np.uint8))
    assert iou(told, true) > 0.95, "a smaller copy of the picture does as well"


def test_that_clicks_stand_well_inside_and_well_outside_the_outline() -> None:
    slanted = Mask.from_full(cv2.line(np.zeros((SIDE, SIDE), np.uint8), (20, 20), (180, 180), 1, 30))
    hint = hint_of(slanted)
    clicks = hint.clicks(GREY)
    assert 2 <= sum(one.positive for one in clicks) <= 3
    assert 2 <= sum(not one.positive for one in clicks) <= 3
    near = cv2.GaussianBlur(slanted.to_full(SIDE, SIDE).astype(np.float32), (9, 9), 0)
    x0, y0, x1, y1 = hint.box_xyxy
    for one in clicks:
        assert near[int(one.y), int(one.x)] == float(one.positive)
        assert x0 <= one.x < x1
        assert y0 <= one.y < y1
    assert hint_of(Mask.from_crop(5, 5, np.ones((2, 2)))).clicks(GREY) == (), "nothing is sure of so little"


def test_that_a_hint_may_be_the_whole_picture_but_not_lie_outside_it() -> None:
    whole = hint_of(Mask.from_crop(0, 0, np.ones((SIDE, SIDE))))
    assert list(whole.box_xyxy) == [0, 0, SIDE, SIDE]
    assert all(one.positive for one in whole.clicks(GREY))
    assert iou(made(said_in(whole, ellipse(60, 60)), whole), whole.mask) > 0.97
    x0, y0, x1, y1 = hint_of(ellipse(20, 40)).box_xyxy
    assert 74 < x0 < 79
    assert 122 < x1 < 127
    assert 54 < y0 < 59
    assert 142 < y1 < 147
    for wrong in (EMPTY, Mask.from_crop(-3, 5, np.ones((9, 9)))):
        with pytest.raises(ValueError, match="inside"):
            hint_of(wrong)


def test_that_a_prompter_is_asked_about_the_hints_box_and_class() -> None:
    network = lively_network("maskrcnn_resnet18_slim_fpn", 96, 160)
    prompter = Prompter(Predictor(network, card_of(network, "maskrcnn_resnet18_slim_fpn")))
    held = prompter.set_image("a", lambda: picture(SIDE, SIDE))
    hint = hint_of(ellipse(40, 30, 80, 70))
    answer = prompter.predict_polygon_hint(held, hint, "nut")
    assert answer.boxes_xyxy[0].tolist() == pytest.approx(hint.box_xyxy)
    candidate = fitted(answer, held.picture, hint)
    assert candidate is not None
    assert (candidate.class_name, candidate.box_xyxy) == ("nut", candidate.mask.box_xyxy)
    assert iou(candidate.mask, hint.mask) > 0.7
