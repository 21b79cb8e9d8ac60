"""What was taken for what, counted by hand."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import numpy as np
import pytest

from engine.document.masks import Mask
from engine.document.records import Box, ClassDef, IgnoreRegion, Instance
from engine.formats.labelled import LabelledImage, LabelledSet
from engine.train.confusion import Matches, match

BOLT, NUT = ClassDef(5, "bolt", "#ff0000"), ClassDef(2, "nut", "#00ff00")


def square(x: int, y: int = 10, side: int = 20) -> Mask:
    return Mask.from_crop(x, y, np.ones((side, side), np.bool_))


def true(mask: Mask | None, cls: ClassDef = BOLT, box: Box | None = None) -> Instance:
    return Instance(1, cls.id, mask, box)


def found(score: float, mask: Mask | None, cls: ClassDef = BOLT, box: Box | None = None) -> Instance:
    return Instance(1, cls.id, mask, box, score=score)


def matched(instances: list[Instance], detections: list[Instance], ignore: tuple[Mask, ...] = ()) -> Matches:
    regions = tuple(IgnoreRegion(n, mask) for n, mask in enumerate(ignore, start=90))
    image = LabelledImage(Path("x"), 400, 100, tuple(instances), regions)
    return match(LabelledSet((BOLT, NUT), (image,)), [detections])


def test_that_right_confused_missed_and_extra_each_have_their_cell() -> None:
    instances = [true(square(0)), true(square(50)), true(square(100), NUT), true(square(150), NUT)]
    detections = [
        found(0.9, square(2)),  # the first bolt
        found(0.8, square(50), NUT),  # the second, taken for a nut
        found(0.7, square(100), NUT),  # the first nut
        found(0.6, square(300)),  # nothing there
    ]
    counts = matched(instances, detections).at(0.5)
    assert counts.classes == ("bolt", "nut")
    assert counts.table.tolist() == [[1, 1, 0], [0, 1, 1], [1, 0, 0]]
    assert (counts.true, counts.found) == (4, 4)
    assert (counts.right, counts.confused, counts.missed, counts.extra) == (2, 1, 1, 1)
    assert (counts.precision, counts.recall, counts.f1) == (0.5, 0.5, 0.5)
    assert counts.of_class("bolt") == (0.5, 0.5)
    assert counts.of_class("nut") == (0.5, 0.5)


def test_that_the_surest_detection_has_the_instance_and_a_second_one_is_extra() -> None:
    twice = [found(0.6, square(10)), found(0.9, square(13))]
    matches = matched([true(square(10))], twice)
    assert [(one.found, one.true) for one in matches.images[0].matches] == [(1, 0), (0, None)]
    assert matches.at(0.5).table.tolist() == [[1, 0, 0], [0, 0, 0], [1, 0, 0]]
    assert matches.at(0.7).extra == 0


def test_that_an_instance_that_only_an_unsure_detection_meets_is_missed() -> None:
    matches = matched([true(square(10))], [found(0.4, square(10))])
    assert (matches.at(0.5).missed, matches.at(0.5).right) == (1, 0)
    assert (matches.at(0.4).missed, matches.at(0.4).right) == (0, 1)


def test_that_less_than_half_an_overlap_is_no_match() -> None:
    # 13 of 20 columns in common: 13 / 27 is below 0.5; with 14 it is 14 / 26.
    assert matched([true(square(10))], [found(0.9, square(17))]).at(0.5).right == 0
    assert matched([true(square(10))], [found(0.9, square(16))]).at(0.5).right == 1


def test_that_what_lies_in_an_ignore_region_counts_neither_way() -> None:
    detections = [found(0.9, square(10)), found(0.9, square(210))]
    region = (square(200, 0, 60),)
    counts = matched([true(square(10))], detections, region).at(0.5)
    assert counts.table.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
    # An instance that lies in one is found all the same.
    assert matched([true(square(210))], detections[1:], region).at(0.5).right == 1


def test_that_boxes_are_compared_where_there_is_no_mask() -> None:
    box = (10.0, 10.0, 30.0, 30.0)
    shifted = (12.0, 10.0, 32.0, 30.0)
    assert matched([true(None, box=box)], [found(0.9, None, box=shifted)]).at(0.5).right == 1
    assert matched([true(square(10))], [found(0.9, None, box=shifted)]).at(0.5).right == 1
    assert matched([true(None, box=box)], [found(0.9, square(12), box=shifted)]).at(0.5).right == 1
    # Where both have masks, equal boxes do not help.
    cross = np.eye(20, dtype=np.bool_)
    counts = matched([true(square(10))], [found(0.9, Mask.from_crop(10, 10, cross))]).at(0.5)
    assert (counts.right, counts.extra) == (0, 1)


def test_that_a_frame_of_ignored_pixels_forgives_no_box_inside_it() -> None:
    frame = np.ones((100, 400), np.bool_)
    frame[5:-5, 5:-5] = False
    ignored = (Mask.from_full(frame),)
    box = (100.0, 30.0, 140.0, 70.0)
    assert matched([], [found(0.9, None, box=box)], ignored).at(0.5).extra == 1
    edge = (100.0, 0.0, 140.0, 6.0)
    assert matched([], [found(0.9, None, box=edge)], ignored).at(0.5).extra == 0


def test_that_the_best_threshold_lies_between_what_should_count_and_what_should_not() -> None:
    instances = [true(square(0)), true(square(50)), true(square(100))]
    detections = [
        found(0.9, square(0)), found(0.8, square(50)), found(0.7, square(100)),
        found(0.32, square(200)), found(0.2, square(250)), found(0.1, square(300)),
    ]  # fmt: skip
    matches = matched(instances, detections)
    assert matches.best_threshold() == 0.52  # the middle of 0.33 .. 0.70
    best = matches.at(0.52)
    assert (best.precision, best.recall, best.f1) == (1.0, 1.0, 1.0)


def test_that_no_threshold_parts_equal_scores() -> None:
    # Without the tie, the first of the two alone would be best.
    matches = matched([true(square(0))], [found(0.8, square(0)), found(0.8, square(50))])
    threshold = matches.best_threshold()
    assert threshold is not None
    assert matches.at(threshold).f1 == pytest.approx(2 / 3)


def test_that_the_best_threshold_is_the_best_of_all() -> None:
    chance = random.Random(7)
    instances = [true(square(40 * n), chance.choice([BOLT, NUT])) for n in range(9)]
    detections = [
        found(
            chance.random(),
            square(40 * chance.randrange(9) + chance.randrange(12)),
            chance.choice((BOLT, NUT)),
        )
        for _ in range(60)
    ]
    matches = matched(instances, detections)
    threshold = matches.best_threshold()
    assert threshold is not None
    every = [matches.at(n / 100).f1 or 0.0 for n in range(1, 100)]
    assert len(set(every)) > 30
    assert matches.at(threshold).f1 == max(every)


def test_that_where_nothing_is_right_no_threshold_is_proposed_and_no_share_made_up() -> None:
    nothing = matched([true(square(0))], [])
    assert nothing.best_threshold() is None
    assert (nothing.at(0.5).precision, nothing.at(0.5).recall, nothing.at(0.5).f1) == (None, 0.0, 0.0)
    negative = matched([], [found(0.9, square(0))])
    assert negative.best_threshold() is None
    assert (negative.at(0.5).precision, negative.at(0.5).recall) == (0.0, None)
    empty = matched([], [])
    assert (empty.at(0.5).precision, empty.at(0.5).recall, empty.at(0.5).f1) == (None, None, None)


def test_that_the_counts_of_the_images_add_up_to_those_of_the_set() -> None:
    image = LabelledImage(Path("x"), 400, 100, (true(square(0)), true(square(50), NUT)))
    other = dataclasses.replace(image, path=Path("y"), instances=())
    detections = [[found(0.9, square(0))], [found(0.8, square(0), NUT)]]
    matches = match(LabelledSet((BOLT, NUT), (image, other)), detections)
    tables = [matches.of_image(n, 0.5).table for n in range(2)]
    assert tables[1].tolist() == [[0, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert matches.at(0.5).table.tolist() == (tables[0] + tables[1]).tolist()
