"""Prompts: what the second stage answers from kept features is what the whole network would say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.document.boolean import iou
from engine.edges import masks_at_edges
from engine.errors import ModelError
from engine.models.card import FINE_AP, PLAIN_AP
from engine.models.prompt_head import NAME, PromptHead
from engine.predict.network import at_once
from engine.predict.predictor import Held, Predictor
from engine.predict.prompts import FeatureCache, Prompter, _Candidates
from engine.predict.runner import Image
from engine.predict.settings import PredictSettings
from engine.prediction import Prediction
from engine.prompt import Click
from engine.refilter import masks
from tests.engine.networks import card_of, lively_network, picture

ARCHITECTURE = "maskrcnn_resnet18_slim_fpn"
IMAGE = picture(150, 210)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    network = lively_network(ARCHITECTURE, 96, 160)
    return Predictor(network, card_of(network, ARCHITECTURE))


@pytest.fixture(scope="module")
def prompter(predictor: Predictor) -> Prompter:
    return Prompter(predictor)


@pytest.fixture(scope="module")
def held(prompter: Prompter) -> Held:
    return prompter.set_image("a", lambda: IMAGE)


def probs(answer: Prediction) -> NDArray[np.float32]:
    assert answer.mask_probs is not None
    return answer.mask_probs


def test_that_a_box_gives_the_mask_the_whole_network_gives_it(
    predictor: Predictor, prompter: Prompter, held: Held
) -> None:
    whole = predictor.predict([IMAGE])[0]
    assert len(whole) > 10
    for row in range(0, len(whole), 5):
        name = whole.classes[whole.labels[row] - 1]
        answer = prompter.predict_box(held, whole.boxes_xyxy[row].tolist(), name)
        assert answer.labels.tolist() == [whole.labels[row]]
        np.testing.assert_allclose(answer.boxes_xyxy[0], whole.boxes_xyxy[row], atol=1e-3)
        np.testing.assert_allclose(probs(answer)[0], probs(whole)[row], atol=1e-3)


def test_that_the_mask_follows_its_box(prompter: Prompter, held: Held) -> None:
    boxes = [(20.0, 20.0, 80.0, 90.0), (60.0, 40.0, 120.0, 110.0)]
    first, second = (prompter.predict_box(held, box, "bolt") for box in boxes)
    assert not np.allclose(probs(first), probs(second), atol=1e-2)
    for answer, (x0, y0, x1, y1) in zip((first, second), boxes, strict=True):
        (mask,) = masks(answer, 0.2)
        assert mask is not None
        assert not mask.is_empty
        left, top, right, bottom = mask.box_xyxy
        # torchvision pads the mask by one cell of the grid on each side.
        assert left >= x0 - 5
        assert top >= y0 - 5
        assert right <= x1 + 5
        assert bottom <= y1 + 5


def test_that_a_box_without_a_class_gets_the_most_likely_one(prompter: Prompter, held: Held) -> None:
    for box in ((20, 20, 80, 90), (5, 60, 150, 140), (100, 10, 200, 60)):
        free = prompter.predict_box(held, box)
        named = [float(prompter.predict_box(held, box, name).scores[0]) for name in free.classes]
        assert sum(named) == pytest.approx(1.0, abs=1e-4)
        assert int(free.labels[0]) - 1 == int(np.argmax(named))
        unknown = prompter.predict_box(held, box, "no class of this model")
        np.testing.assert_array_equal(probs(unknown), probs(free))


def test_that_a_click_gives_several_candidates_that_hold_it_best_first(
    prompter: Prompter, held: Held
) -> None:
    click = Click(100, 70)
    answer = prompter.predict_points(held, [click])
    assert 1 < len(answer) <= 5
    assert ((answer.boxes_xyxy[:, :2] <= (100, 70)) & (answer.boxes_xyxy[:, 2:] > (100, 70))).all()
    column = (100 - answer.boxes_xyxy[:, 0]) / (answer.boxes_xyxy[:, 2] - answer.boxes_xyxy[:, 0])
    down = (70 - answer.boxes_xyxy[:, 1]) / (answer.boxes_xyxy[:, 3] - answer.boxes_xyxy[:, 1])
    said = [p[int(d * 28), int(c * 28)] for p, d, c in zip(probs(answer), down, column, strict=True)]
    weights = answer.scores * np.array(said)
    assert (np.diff(weights) <= 1e-6).all()


def test_that_the_best_candidate_does_not_wait_for_the_masks_of_those_that_cannot_be_better(
    prompter: Prompter, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored, masked, made = prompter._scored, prompter._masks, 0

    def certain(held: Held, wanted: Sequence[Click]) -> _Candidates:
        found = scored(held, wanted)
        falling = torch.tensor([0.9, 0.02, 0.01, 0.008, 0.005][: len(found.boxes)])
        return _Candidates(found.boxes, falling, found.labels)

    def counted(held: Held, found: _Candidates, clicks: Sequence[Click]) -> tuple[torch.Tensor, torch.Tensor]:
        nonlocal made
        made += len(found.boxes)
        return masked(held, found, clicks)

    monkeypatch.setattr(prompter, "_scored", certain)
    monkeypatch.setattr(prompter, "_masks", counted)
    click = Click(100, 70)
    every = prompter.predict_points(held, [click])
    made = 0
    one_by_one = prompter.points_one_by_one(held, [click])
    best = next(one_by_one)
    assert made == 1 < len(every)
    np.testing.assert_array_equal(best.boxes_xyxy[0], every.boxes_xyxy[0])
    rest = [one.boxes_xyxy[0].tolist() for one in one_by_one]
    assert rest == every.boxes_xyxy[1:].tolist()


def test_that_candidates_whose_order_their_masks_must_tell_get_them_together(
    prompter: Prompter, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored, masked = prompter._scored, prompter._masks
    made: list[int] = []

    def alike(held: Held, wanted: Sequence[Click]) -> _Candidates:
        found = scored(held, wanted)
        return _Candidates(found.boxes, torch.ones(len(found.boxes)), found.labels)

    def counted(held: Held, found: _Candidates, clicks: Sequence[Click]) -> tuple[torch.Tensor, torch.Tensor]:
        made.append(len(found.boxes))
        return masked(held, found, clicks)

    monkeypatch.setattr(prompter, "_scored", alike)
    monkeypatch.setattr(prompter, "_masks", counted)
    answer = prompter.predict_points(held, [Click(100, 70)])
    assert made == [1, len(answer) - 1]
    assert len(answer) > 2


def test_that_a_negative_click_is_in_no_mask_and_a_positive_one_in_each(
    prompter: Prompter, held: Held
) -> None:
    wanted = Click(100, 70)
    (mask, *_) = masks_at_edges(prompter.predict_points(held, [wanted]), held.picture, [wanted], 0.5)
    rows, columns = np.nonzero(mask.bitmap)
    far = int(np.hypot(columns + mask.x - 100, rows + mask.y - 70).argmax())
    x, y = int(columns[far]) + mask.x, int(rows[far]) + mask.y
    clicks = [wanted, Click(x + 0.5, y + 0.5, positive=False)]
    after = prompter.predict_points(held, clicks)
    assert len(after)
    for one in masks_at_edges(after, held.picture, clicks, 0.5):
        assert not one.window(x, y, x + 1, y + 1).any()
        assert one.window(100, 70, 101, 71).all()


def test_that_refining_grows_the_box_to_a_click(prompter: Prompter, held: Held) -> None:
    box = (40.0, 30.0, 100.0, 90.0)
    plain = prompter.refine(held, box, [Click(50, 40, positive=False)])
    np.testing.assert_array_equal(probs(plain), probs(prompter.predict_box(held, box)))
    grown = prompter.refine(held, box, [Click(120, 60)])
    assert grown.boxes_xyxy[0].tolist() == [40, 30, 120, 90]


def test_that_the_cache_keeps_to_its_bytes_and_drops_the_oldest(predictor: Predictor) -> None:
    one = predictor.hold(IMAGE)
    assert one.nbytes > 10_000
    cache = FeatureCache(max_bytes=2 * one.nbytes)
    cache.put("a", one)
    cache.put("b", predictor.hold(IMAGE))
    assert cache.get("a") is one
    cache.put("c", predictor.hold(IMAGE))
    assert ["a" in cache, "b" in cache, "c" in cache] == [True, False, True]
    assert cache.nbytes <= cache.max_bytes
    small = FeatureCache(max_bytes=1)
    small.put("a", one)
    assert "a" in small, "the picture at hand is kept whatever it takes"


def test_that_a_picture_is_looked_at_once_for_many_prompts(predictor: Predictor) -> None:
    prompter, reads = Prompter(predictor), 0

    def read() -> Image:
        nonlocal reads
        reads += 1
        return IMAGE

    for _ in range(3):
        prompter.set_image("a", read)
    assert reads == 1


def test_that_looking_at_a_picture_keeps_it_for_prompts_and_the_other_way_round(predictor: Predictor) -> None:
    whole = predictor.predict([IMAGE])[0]
    prompter, reads = Prompter(predictor), 0

    def read() -> Image:
        nonlocal reads
        reads += 1
        return IMAGE

    for may_be_left in (30, 5):  # so often at least, the second time by the second stage alone
        looking, steps = prompter.predict("a", read), 0
        while True:
            try:
                next(looking)
            except StopIteration as stop:
                found = stop.value
                break
            steps += 1
        assert steps >= may_be_left
        np.testing.assert_array_equal(found.boxes_xyxy, whole.boxes_xyxy)
        np.testing.assert_array_equal(found.labels, whole.labels)
        np.testing.assert_array_equal(probs(found), probs(whole))
    prompter.set_image("a", read)
    assert reads == 1


def test_that_a_prompt_amid_a_look_goes_on_from_there(predictor: Predictor) -> None:
    prompter, reads = Prompter(predictor), 0

    def read() -> Image:
        nonlocal reads
        reads += 1
        return IMAGE

    looking = prompter.predict("a", read)
    for _ in range(4):
        next(looking)
    assert not torch.is_inference_mode_enabled()
    assert "a" not in prompter.cache
    prompter.set_image("a", read)
    assert reads == 1
    np.testing.assert_array_equal(at_once(looking).scores, predictor.predict([IMAGE])[0].scores)
    assert reads == 1
    dropped = prompter.predict("b", read)
    next(dropped)
    dropped.close()
    prompter.set_image("b", read)
    assert "b" in prompter.cache


def test_that_a_picture_without_room_is_held_smaller(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    batch = predictor._batch

    def full(images: list[Image], device: torch.device, shrink: float) -> object:
        asked.append(shrink)
        if shrink == 1.0:
            raise MemoryError
        return batch(images, device, shrink)

    monkeypatch.setattr(predictor, "_batch", full)
    held = predictor.hold(IMAGE)
    assert asked == [1.0, 0.75]
    assert (held.width, held.height) == (210, 150)
    assert len(Prompter(predictor).predict_box(held, (10, 10, 60, 60))) == 1
    monkeypatch.setattr(predictor, "_batch", lambda *_: (_ for _ in ()).throw(MemoryError))
    with pytest.raises(ModelError, match="half its size"):
        predictor.hold(IMAGE)


def test_that_prompts_that_cannot_be_answered_say_why(prompter: Prompter, held: Held) -> None:
    with pytest.raises(ModelError, match="holds no pixel"):
        prompter.predict_box(held, (300, 300, 400, 400))
    with pytest.raises(ModelError, match="Click on the object first"):
        prompter.predict_points(held, [Click(5, 5, positive=False)])
    network = lively_network("fasterrcnn_resnet18_slim_fpn", 64, 96)
    boxes_only = Predictor(network, card_of(network, "fasterrcnn_resnet18_slim_fpn"))
    with pytest.raises(ModelError, match="boxes alone"):
        Prompter(boxes_only)


def with_branch() -> Prompter:
    network = lively_network(ARCHITECTURE, 96, 160)
    network.roi_heads.add_module(NAME, PromptHead([64, 128, 256, 512], 32))
    return Prompter(Predictor(network, card_of(network, ARCHITECTURE)))


def test_that_a_branch_for_prompts_hears_the_clicks() -> None:
    network = lively_network(ARCHITECTURE, 96, 160)
    plain = Prompter(Predictor(network, card_of(network, ARCHITECTURE)))
    box = (20.0, 20.0, 118.0, 118.0)
    before = next(masks(plain.predict_box(plain.set_image("a", lambda: IMAGE), box, "bolt")))
    told = with_branch()
    held = told.set_image("a", lambda: IMAGE)
    answer = told.predict_box(held, box, "bolt")
    np.testing.assert_allclose(answer.boxes_xyxy, [box])
    np.testing.assert_allclose(answer.frames, [(0.4, 0.4, 137.6, 137.6)], atol=1e-3)
    after = next(masks(answer))
    assert before is not None
    assert after is not None
    assert iou(before, after) > 0.9  # at another grain
    spot = (69.0, 69.0)
    on, off = (
        probs(told.predict_boxes(held, [box], ["bolt"], [Click(*spot, positive=positive)]))[0]
        for positive in (True, False)
    )
    unheard = probs(answer)[0]
    assert on[28, 28] > max(unheard[28, 28], 0.6)
    assert off[28, 28] < min(unheard[28, 28], 0.4)
    np.testing.assert_allclose(on[0, 55], unheard[0, 55], atol=1e-2)


def test_that_what_the_branch_learned_tells_it_from_the_class_branch() -> None:
    told = with_branch()
    branch = told._predictor.network.roi_heads.get_submodule(NAME)
    assert isinstance(branch, PromptHead)
    torch.nn.init.normal_(branch.change.weight)
    held = told.set_image("a", lambda: IMAGE)
    boxes = [(10.0 * n, 10.0, 10.0 * n + 60, 90.0) for n in range(7)]
    many = probs(told.predict_boxes(held, boxes * 12, ["bolt"] * 84))  # more than are taken at once
    alone = probs(told.predict_box(held, boxes[5], "bolt"))[0]
    np.testing.assert_allclose(many[5 + 7 * 11], alone, atol=1e-4)


def test_that_detections_are_drawn_by_the_branch_where_that_was_measured_to_be_better(
    predictor: Predictor,
) -> None:
    told = with_branch()._predictor
    measured = {PLAIN_AP: 0.5, FINE_AP: 0.51}
    told.card = replace(told.card, metrics=measured)
    fine, plain = told.predict([IMAGE, IMAGE[:, ::-1]]), predictor.predict([IMAGE, IMAGE[:, ::-1]])
    for ours, theirs in zip(fine, plain, strict=True):
        np.testing.assert_allclose(ours.boxes_xyxy, theirs.boxes_xyxy, atol=1e-3)
        assert ours.mask_probs is not None
        assert ours.mask_probs.shape == (len(theirs), 56, 56)
        # Untrained: the class's masks at another grain.
        pairs = [(a, b) for a, b in zip(masks(ours), masks(theirs), strict=True) if a and b and b.area > 400]
        assert pairs
        assert np.mean([iou(a, b) for a, b in pairs]) > 0.85
    held = told.hold(IMAGE)
    np.testing.assert_allclose(probs(at_once(told.finish(held))), probs(fine[0]), atol=1e-4)
    told.card = replace(told.card, metrics={**measured, FINE_AP: 0.49})
    assert probs(told.predict([IMAGE])[0]).shape[-1] == probs(at_once(told.finish(held))).shape[-1] == 28


def test_that_the_reference_is_torchvisions_masks() -> None:
    network = lively_network(ARCHITECTURE, 96, 160)
    network.roi_heads.add_module(NAME, PromptHead([64, 128, 256, 512], 32))
    reference = Predictor(network, card_of(network, ARCHITECTURE), PredictSettings.reference())
    assert reference.predict([IMAGE])[0].mask_frames is None
