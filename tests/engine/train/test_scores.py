"""What AP says of detections: perfect, shifted, surplus, in ignored pixels."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from engine.document.masks import Mask
from engine.document.records import ClassDef, IgnoreRegion, Instance
from engine.formats.coco import read_coco
from engine.formats.labelled import LabelledImage, LabelledSet
from engine.train.scores import score

A, B = ClassDef(5, "a", "#ff0000"), ClassDef(2, "b", "#00ff00")


def square(x: int, y: int, side: int = 20) -> Mask:
    return Mask.from_crop(x, y, np.ones((side, side), np.bool_))


def image(name: str, *instances: Instance, ignore: tuple[Mask, ...] = ()) -> LabelledImage:
    regions = tuple(IgnoreRegion(100 + i, mask) for i, mask in enumerate(ignore))
    return LabelledImage(Path(name), 200, 200, instances, regions)


def found(*masks: Mask, score: float = 0.9, class_id: int = A.id) -> tuple[Instance, ...]:
    return tuple(Instance(i + 1, class_id, mask, score=score) for i, mask in enumerate(masks))


def test_that_perfect_detections_have_an_ap_of_one() -> None:
    masks = [square(10, 10), square(100, 50, 60), square(40, 120, 9)]
    truth = LabelledSet((A,), (image("x", *found(*masks)),))
    metrics = score(truth, [found(*masks)]).metrics
    assert metrics["mask_ap"] == metrics["box_ap"] == metrics["mask_recall"] == 1.0
    assert metrics["mask_ap_small"] == metrics["mask_ap_medium"] == 1.0
    assert "mask_ap_large" not in metrics  # nothing large to find
    assert metrics["boundary_ap"] == metrics["boundary_ap_small"] == 1.0
    assert score(truth, [found(*masks)]).sizes == {"small": 2, "medium": 1, "large": 0}


def test_that_finding_nothing_has_an_ap_of_nought() -> None:
    truth = LabelledSet((A,), (image("x", *found(square(10, 10))),))
    assert score(truth, [()]).metrics["mask_ap"] == 0.0


def test_that_a_detection_shifted_to_half_overlap_counts_at_the_low_thresholds_only() -> None:
    truth = LabelledSet((A,), (image("x", *found(square(10, 10))),))
    # 16 of 20 columns in common: IoU 16 / 24 passes 0.5, 0.55, 0.6 and 0.65, four of ten.
    metrics = score(truth, [found(square(14, 10))]).metrics
    assert metrics["mask_ap"] == pytest.approx(0.4)
    assert metrics["mask_ap50"] == 1.0
    assert metrics["mask_ap75"] == 0.0


def test_that_each_class_has_its_own_ap_under_its_own_name() -> None:
    mask = square(10, 10)
    other = dataclasses.replace(found(square(80, 80))[0], id=9, class_id=B.id)
    truth = LabelledSet((A, B), (image("x", *found(mask), other),))
    scores = score(truth, [found(mask)])
    names = [f"{kind}_ap{at}" for kind in ("mask", "boundary", "box") for at in ("", "50", "75")]
    assert scores.per_class == {"a": dict.fromkeys(names, 1.0), "b": dict.fromkeys(names, 0.0)}
    assert scores.instances == {"a": 1, "b": 1}
    assert scores.metrics["mask_ap"] == 0.5
    assert scores.curves["mask"].shape == (10, 101, 2)
    assert (scores.curves["mask"][:, :, 0] == 1.0).all()
    assert (scores.curves["mask"][:, :, 1] == 0.0).all()


def test_that_what_is_found_in_an_ignore_region_costs_nothing() -> None:
    mask, crowd = square(10, 10), square(100, 100, 80)
    surplus = found(square(110, 110), score=0.99)
    ignored = LabelledSet((A,), (image("x", *found(mask), ignore=(crowd,)),))
    plain = LabelledSet((A,), (image("x", *found(mask)),))
    detections = [(*found(mask), *surplus)]
    assert score(ignored, detections).metrics["mask_ap"] == 1.0
    assert score(ignored, detections).metrics["box_ap"] == 1.0
    assert score(plain, detections).metrics["mask_ap"] < 1.0


def test_that_a_frame_of_ignored_pixels_forgives_no_box_inside_it() -> None:
    frame = np.ones((200, 200), np.bool_)
    frame[5:-5, 5:-5] = False
    truth = LabelledSet((A,), (image("x", *found(square(10, 10)), ignore=(Mask.from_full(frame),)),))
    detections = [(*found(square(10, 10)), *found(square(100, 100), score=0.99))]
    assert score(truth, detections).metrics["box_ap"] == pytest.approx(0.5)


def test_that_detections_without_a_truth_leave_every_figure_out() -> None:
    truth = LabelledSet((A,), (image("x"),))
    scores = score(truth, [found(square(10, 10))])
    assert (scores.metrics, scores.per_class) == ({}, {})


def test_that_detections_beyond_the_hundredth_count() -> None:
    masks = [square(x, y, 4) for x in range(0, 200, 10) for y in range(0, 100, 10)]
    truth = LabelledSet((A,), (image("x", *found(*masks)),))
    assert len(masks) == 200
    assert score(truth, [found(*masks)]).metrics["mask_recall"] == 1.0


def test_that_a_set_without_masks_is_measured_by_box() -> None:
    boxed = Instance(1, A.id, None, (10.0, 10.0, 30.0, 30.0))
    truth = LabelledSet((A,), (image("x", boxed),))
    metrics = score(truth, [(dataclasses.replace(boxed, score=0.8),)]).metrics
    assert metrics["box_ap"] == 1.0
    assert not any(name.startswith(("mask", "boundary")) for name in metrics)
    assert score(truth, [()]).main == "box"


def test_that_perfect_detections_of_real_data_have_an_ap_of_one(shared_data: Path) -> None:
    truth = read_coco(shared_data / "pennfudan" / "val.json")
    perfect = [[dataclasses.replace(one, score=0.5) for one in image.instances] for image in truth.images]
    metrics = score(truth, perfect).metrics
    assert metrics["mask_ap"] == metrics["boundary_ap"] == metrics["box_ap"] == 1.0
