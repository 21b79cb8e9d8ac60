"""Thresholds on a cached prediction, and masks made inside their boxes."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine import refilter as module
from engine.prediction import Prediction
from engine.refilter import Thresholds, mask_in_box, masks, overlaps, refilter
from tests.engine.iou import box_iou


def prediction(
    boxes: list[list[float]], scores: list[float], labels: list[int], probs: float | None = 0.9
) -> Prediction:
    count = len(scores)
    return Prediction(
        width=100,
        height=80,
        classes=("bolt", "nut"),
        boxes_xyxy=np.array(boxes, dtype=np.float32).reshape(-1, 4),
        scores=np.array(scores, dtype=np.float32),
        labels=np.array(labels, dtype=np.int64),
        mask_probs=None if probs is None else np.full((count, 28, 28), probs, dtype=np.float32),
    )


SAME, BESIDE = [10.0, 10.0, 30.0, 30.0], [50.0, 10.0, 70.0, 30.0]
NEARLY = [12.0, 10.0, 32.0, 30.0]  # IoU with SAME: 18 / 22


def test_that_the_score_threshold_keeps_what_reaches_it() -> None:
    found = prediction([SAME, BESIDE, NEARLY], [0.9, 0.5, 0.49], [1, 1, 1])
    assert refilter(found, Thresholds(score=0.5)).scores.tolist() == pytest.approx([0.9, 0.5])


def test_that_only_the_classes_asked_for_are_shown() -> None:
    found = prediction([SAME, BESIDE], [0.9, 0.8], [1, 2])
    shown = refilter(found, Thresholds(score=0, classes=frozenset({"nut"})))
    assert shown.labels.tolist() == [2]
    assert len(refilter(found, Thresholds(score=0, classes=frozenset()))) == 0


@pytest.mark.parametrize(
    ("overlap", "across", "labels", "left"),
    [
        (0.9, False, [1, 1, 1], 3),
        (0.7, False, [1, 1, 1], 2),
        (0.7, False, [1, 1, 2], 3),
        (0.7, True, [1, 1, 2], 2),
        (0.0, False, [1, 1, 1], 2),
    ],
)
def test_that_of_two_boxes_that_overlap_the_better_stays(
    overlap: float, across: bool, labels: list[int], left: int
) -> None:
    found = prediction([SAME, BESIDE, NEARLY], [0.9, 0.8, 0.7], labels)
    shown = refilter(found, Thresholds(score=0, overlap=overlap, across_classes=across))
    assert len(shown) == left
    assert shown.scores[0] == pytest.approx(0.9)


def test_that_a_suppressed_box_suppresses_nobody() -> None:
    chain = [[0.0, 0, 20, 20], [5.0, 0, 25, 20], [10.0, 0, 30, 20]]  # IoU 0.6 with the neighbour, 1/3 else
    found = prediction(chain, [0.9, 0.8, 0.7], [1, 1, 1])
    shown = refilter(found, Thresholds(score=0, overlap=0.5))
    assert shown.scores.tolist() == pytest.approx([0.9, 0.7])


def test_that_iou_is_that_of_areas() -> None:
    a = np.array([SAME], dtype=np.float32)
    b = np.array([SAME, NEARLY, BESIDE], dtype=np.float32)
    assert box_iou(a, b)[0].tolist() == pytest.approx([1.0, 18 / 22, 0.0])
    nothing = np.zeros((1, 4), dtype=np.float32)
    assert box_iou(nothing, nothing)[0, 0] == 0.0


BOXES = st.lists(
    st.tuples(*[st.integers(-3, 12)] * 2, *[st.integers(0, 9)] * 2).map(
        lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])
    ),
    max_size=14,
).map(lambda boxes: np.array(boxes, np.float32).reshape(-1, 4))


@given(BOXES, BOXES, st.sampled_from([0.0, 0.1, 0.5, 0.8, 1.0]))
def test_that_every_pair_of_boxes_that_meet_is_found(
    a: NDArray[np.float32], b: NDArray[np.float32], least: float
) -> None:
    rows, columns, iou = overlaps(a, b, least)
    expected = box_iou(a, b)
    wanted = np.argwhere((expected >= least) & (expected > 0))
    assert sorted(zip(rows, columns, strict=True)) == [tuple(pair) for pair in wanted]
    assert iou.tolist() == expected[rows, columns].tolist()
    assert (np.diff(rows) >= 0).all()


def test_that_a_higher_cut_off_makes_smaller_masks() -> None:
    y, x = np.mgrid[:28, :28] - 13.5
    cone = np.clip(1 - np.hypot(x, y) / 14, 0, 1).astype(np.float32)
    found = prediction([[10, 10, 70, 60]], [0.9], [1])
    found.mask_probs[0] = cone  # type: ignore[index]
    areas = [next(masks(found, cutoff)).area for cutoff in (0.2, 0.5, 0.8)]  # type: ignore[union-attr]
    assert areas[0] > areas[1] > areas[2] > 0


def test_that_masks_end_at_the_edge_of_the_image() -> None:
    found = prediction([[0, 0, 100, 80], [90, 70, 100, 80], [-5, -5, 3, 3]], [0.9, 0.8, 0.7], [1, 1, 1])
    for mask in masks(found):
        assert mask is not None
        x0, y0, x1, y1 = mask.box_xyxy
        assert x0 >= 0
        assert y0 >= 0
        assert x1 <= 100
        assert y1 <= 80
        assert mask.area


def test_that_a_boxes_only_model_has_no_masks() -> None:
    assert list(masks(prediction([SAME], [0.9], [1], probs=None))) == [None]


def test_that_nothing_found_is_filtered_to_nothing() -> None:
    assert len(refilter(prediction([], [], []), Thresholds(overlap=0.3))) == 0


@given(
    seed=st.integers(0, 1000),
    box=st.tuples(st.integers(-30, 90), st.integers(-30, 70), st.integers(0, 130), st.integers(0, 120)),
)
def test_that_bands_give_the_pixels_of_the_whole(seed: int, box: tuple[int, int, int, int]) -> None:
    x0, y0, w, h = box
    probs = np.random.default_rng(seed).random((28, 28), dtype=np.float32)
    padded = np.pad(probs, 1)
    size = (w + 1, h + 1)
    window = (max(0, -x0), max(0, -y0), min(size[0], 100 - x0), min(size[1], 80 - y0))
    if window[2] <= window[0] or window[3] <= window[1]:
        return
    whole = cv2.resize(padded, size, interpolation=cv2.INTER_LINEAR)
    want = whole[window[1] : window[3], window[0] : window[2]]
    got = module._resize_in_bands(padded, size, window, 0.5)
    clear = np.abs(want - 0.5) > 1e-5
    assert np.array_equal(got[clear], want[clear] > 0.5)


def test_that_a_huge_box_costs_no_more_memory_than_its_bits() -> None:
    import tracemalloc

    probs = np.full((28, 28), 0.9, dtype=np.float32)
    tracemalloc.start()
    try:
        mask = mask_in_box(probs, np.array([0, 0, 5999, 3999]), width=6000, height=4000, cutoff=0.5)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert mask.area > 0.8 * 24e6
    assert peak < 3 * 24e6  # the crop, its copy, and bands; 96 MB a float picture otherwise


def test_that_thresholds_need_no_torch() -> None:
    code = "import sys, engine.refilter; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
