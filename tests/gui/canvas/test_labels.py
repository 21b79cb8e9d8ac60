"""The label map: the topmost visible mask of each pixel, kept by rectangles."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.document.mask import EMPTY, Mask
from engine.document.paint import MaskCanvas
from gui.canvas.labels import BEING_PAINTED, LabelMap, Layer

HEIGHT, WIDTH = 60, 90


def mask(x: int, y: int, width: int, height: int) -> Mask:
    return Mask.from_crop(x, y, np.ones((height, width)))


def ids(labels: LabelMap) -> NDArray[np.int64]:
    """The map as ids."""
    of_label = np.zeros(labels.capacity, dtype=np.int64)
    for id_ in [*labels._layers, BEING_PAINTED]:
        of_label[labels.label_of(id_)] = id_
    of_label[0] = 0
    return of_label[labels.labels]


def painted_from_below(layers: list[Layer]) -> NDArray[np.int64]:
    """The truth, with nothing clever: whole masks, one over the other."""
    found = np.zeros((HEIGHT, WIDTH), dtype=np.int64)
    for layer in sorted(layers, key=lambda layer: (layer.z, layer.id)):
        found[layer.mask.to_full(HEIGHT, WIDTH)] = layer.id
    return found


def random_mask(rng: np.random.Generator) -> Mask:
    height, width = rng.integers(1, 25, 2)
    x, y = int(rng.integers(-10, WIDTH)), int(rng.integers(-10, HEIGHT))
    return Mask.from_crop(x, y, rng.random((height, width)) < 0.7)


def random_change(layers: dict[int, Layer], next_id: int, rng: np.random.Generator) -> None:
    """Add, remove, restack or reshape one layer."""
    what = rng.integers(4) if layers else 0
    id_ = int(rng.choice(list(layers))) if layers else 0
    if what == 0:
        layers[next_id] = Layer(next_id, random_mask(rng), int(rng.integers(5)))
    elif what == 1:
        del layers[id_]
    elif what == 2:
        layers[id_] = layers[id_]._replace(z=int(rng.integers(5)))
    else:
        layers[id_] = layers[id_]._replace(mask=random_mask(rng))


@pytest.mark.parametrize("seed", range(4))
def test_that_after_any_edits_the_map_is_what_painting_all_masks_gives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = LabelMap(HEIGHT, WIDTH)
    layers: dict[int, Layer] = {}
    for step in range(150):
        for number in range(int(rng.integers(1, 4))):
            random_change(layers, 10 * step + number + 1, rng)
        before = ids(labels)
        rectangles = labels.update(layers.values())
        assert np.array_equal(ids(labels), painted_from_below(list(layers.values())))
        outside = np.ones((HEIGHT, WIDTH), dtype=np.bool_)
        for x, y, width, height in rectangles:
            outside[y : y + height, x : x + width] = False
        assert np.array_equal(ids(labels)[outside], before[outside]), "a change was not told"


def test_that_an_edit_looks_at_its_own_rectangle_only() -> None:
    labels = LabelMap(HEIGHT, WIDTH)
    layers = [Layer(1, mask(0, 0, 60, 50), 0), Layer(2, mask(10, 10, 5, 5), 1)]
    labels.update(layers)
    labels.labels[40, 40] = 99  # would be overwritten by whoever paints there
    rectangles = labels.update([layers[0], Layer(2, mask(12, 12, 5, 5), 1)])
    assert sorted(rectangles) == [(10, 10, 5, 5), (12, 12, 5, 5)]
    assert labels.labels[40, 40] == 99


def test_that_the_higher_mask_covers_the_lower_and_gives_it_back_when_it_goes() -> None:
    labels = LabelMap(HEIGHT, WIDTH)
    lower, upper = Layer(1, mask(0, 0, 20, 20), 0), Layer(2, mask(10, 10, 20, 20), 1)
    labels.update([lower, upper])
    assert ids(labels)[15, 15] == 2
    labels.update([lower, upper._replace(z=-1)])
    assert ids(labels)[15, 15] == 1
    labels.update([lower])
    assert (ids(labels)[15, 15], ids(labels)[25, 25]) == (1, 0)


def test_that_a_stroke_shows_in_its_place_in_the_stack_and_is_gone_when_it_is_dropped() -> None:
    labels = LabelMap(HEIGHT, WIDTH)
    below, above = Layer(1, mask(0, 0, 20, 20), 0), Layer(2, mask(15, 0, 10, 10), 1)
    labels.update([below, above])
    before = labels.labels.copy()
    canvas = MaskCanvas(below.mask, height=HEIGHT, width=WIDTH)
    labels.paint(1, canvas, canvas.paint([(22, 5), (22, 30)], 4))
    assert (ids(labels)[5, 22], ids(labels)[25, 22]) == (2, 1)
    labels.paint(1, canvas, canvas.erase([(2, 2)], 3))
    assert ids(labels)[2, 2] == 0
    labels.end_painting()
    assert np.array_equal(labels.labels, before)


def test_that_a_stroke_of_a_new_instance_lies_on_top() -> None:
    labels = LabelMap(HEIGHT, WIDTH)
    labels.update([Layer(1, mask(0, 0, 20, 20), 7)])
    canvas = MaskCanvas(EMPTY, height=HEIGHT, width=WIDTH)
    labels.paint(None, canvas, canvas.paint([(10, 10)], 3))
    assert ids(labels)[10, 10] == BEING_PAINTED
    labels.update([Layer(1, mask(0, 0, 20, 20), 7), Layer(2, canvas.to_mask(), 8)])
    labels.end_painting()
    assert ids(labels)[10, 10] == 2
    assert labels.label_of(BEING_PAINTED) == 0


def test_that_an_engine_s_change_in_the_middle_of_a_stroke_keeps_the_stroke() -> None:
    labels = LabelMap(HEIGHT, WIDTH)
    mine = Layer(1, mask(0, 0, 20, 20), 0)
    labels.update([mine])
    canvas = MaskCanvas(mine.mask, height=HEIGHT, width=WIDTH)
    labels.paint(1, canvas, canvas.paint([(30, 10)], 5))
    labels.update([mine, Layer(2, mask(25, 30, 20, 20), 1)])
    labels.update([mine, Layer(2, mask(25, 5, 20, 20), -1)])
    assert ids(labels)[10, 30] == 1


def test_that_a_painted_instance_that_is_removed_meanwhile_leaves_nothing() -> None:
    labels = LabelMap(HEIGHT, WIDTH)
    mine = Layer(1, mask(0, 0, 20, 20), 0)
    labels.update([mine])
    canvas = MaskCanvas(mine.mask, height=HEIGHT, width=WIDTH)
    labels.paint(1, canvas, canvas.paint([(30, 10)], 5))
    labels.update([])
    labels.end_painting()
    assert not labels.labels.any()


def test_that_labels_are_used_again_and_do_not_run_out() -> None:
    labels = LabelMap(HEIGHT, WIDTH)
    for id_ in range(1, 500):
        labels.update([Layer(id_, mask(id_ % 50, 0, 5, 5), 0)])
    assert labels.capacity == 64


def test_that_more_instances_than_sixteen_bits_can_name_are_told_apart() -> None:
    labels = LabelMap(HEIGHT, WIDTH)
    labels.update([Layer(1, mask(0, 0, 5, 5), 0)])
    # As if so many were there.
    labels._used = 65_535
    labels._ids, labels._boxes = np.zeros(65_536, np.int64), np.zeros((65_536, 4), np.int64)
    labels._ids[1], labels._boxes[1] = 1, (0, 0, 5, 5)
    labels.update([Layer(1, mask(0, 0, 5, 5), 0), *(Layer(id_, mask(id_, 20, 1, 1), 0) for id_ in (20, 30))])
    assert labels.labels.dtype == np.int32
    assert [int(labels.labels[y, x]) for x, y in ((2, 2), (20, 20), (30, 20))] == [1, 65_535, 65_536]


def test_that_the_largest_instances_within_a_rectangle_come_first_and_small_ones_can_be_left_out() -> None:
    labels = LabelMap(HEIGHT, WIDTH)
    labels.update(
        [Layer(1, mask(0, 0, 5, 5), 0), Layer(2, mask(3, 3, 20, 2), 0), Layer(3, mask(60, 40, 9, 9), 0)]
    )
    assert labels.ids_within(0, 0, 30, 30) == [2, 1]
    assert labels.ids_within(0, 0, 30, 30, least=6) == [2]
    assert labels.ids_within(0, 0, WIDTH, HEIGHT) == [2, 3, 1]
