"""An explanation says what the prediction came from: nothing more, nothing less, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.errors import ModelError
from engine.explanation import (
    Contest,
    Explanation,
    Fate,
    candidates_near,
    finder_of,
    story_of,
)
from engine.media.image import read_rgb
from engine.models.store import default_store
from engine.models.version import load_network
from engine.predict.network import at_once
from engine.predict.predictor import Predictor
from engine.predict.runner import Image
from engine.predict.settings import PredictSettings
from engine.prediction import Prediction
from tests.engine.iou import box_iou
from tests.engine.networks import card_of, lively_network, picture

SAMPLE = Path(__file__).parents[3] / "resources" / "samples" / "tray_900018.jpg"
TOY = "maskrcnn_resnet18_slim_fpn"


@pytest.fixture(scope="module")
def sample() -> tuple[Explanation, Prediction]:
    """A bundled picture as the bundled model sees it: explained, and predicted as ever."""
    version = default_store().resolve("starter")
    settings = PredictSettings(fine_masks=False)  # what is explained is the first look
    predictor = Predictor(load_network(version), version.card, settings)
    image = read_rgb(SAMPLE)
    return at_once(predictor.explain(image)), predictor.predict([image])[0]


@pytest.fixture(scope="module")
def toy() -> tuple[Explanation, Prediction]:
    """A model of random weights that finds more than it may keep."""
    network = lively_network(TOY, 96, 160)
    settings = PredictSettings(max_detections=5, proposals=40)
    predictor = Predictor(network, card_of(network, TOY), settings)
    image = picture(120, 200)
    return at_once(predictor.explain(image)), predictor.predict([image])[0]


@pytest.fixture(params=["sample", "toy"])
def both(request: pytest.FixtureRequest) -> tuple[Explanation, Prediction]:
    found: tuple[Explanation, Prediction] = request.getfixturevalue(request.param)
    return found


def groups_of(explanation: Explanation) -> list[tuple[Contest, NDArray[np.int64], NDArray[np.int64], float]]:
    """Both contests: with the group of each box, the rows that were kept, and the IoU that decides."""
    first, second = explanation.first, explanation.second
    return [
        (first.contest, first.levels, first.proposals, explanation.first_iou),
        (second.contest, second.labels, second.detections, explanation.second_iou),
    ]


def test_that_the_survivors_are_the_prediction(both: tuple[Explanation, Prediction]) -> None:
    explanation, prediction = both
    kept, second = explanation.second.detections, explanation.second
    assert len(prediction) == len(kept) > 0
    for said in (explanation.prediction, prediction):
        np.testing.assert_allclose(second.contest.boxes_xyxy[kept], said.boxes_xyxy, rtol=0, atol=1e-3)
        assert np.array_equal(second.contest.scores[kept], said.scores)
        assert np.array_equal(second.labels[kept], said.labels)
    assert prediction.mask_probs is not None
    assert explanation.prediction.mask_probs is not None
    assert np.array_equal(explanation.prediction.mask_probs, prediction.mask_probs)


def test_that_what_was_removed_is_exactly_what_is_not_left(both: tuple[Explanation, Prediction]) -> None:
    for contest, _, kept, _ in groups_of(both[0]):
        survivors = np.flatnonzero(contest.fates == Fate.KEPT)
        assert np.array_equal(survivors, np.sort(kept))
        assert sum(contest.count(fate) for fate in Fate) == len(contest)
        assert np.array_equal(contest.beaten_by >= 0, contest.fates == Fate.BEATEN)


def test_that_each_suppressed_box_names_a_better_survivor_that_overlaps_it(
    both: tuple[Explanation, Prediction],
) -> None:
    for contest, groups, _, limit in groups_of(both[0]):
        rows = np.flatnonzero(contest.fates == Fate.BEATEN)
        assert len(rows)
        winners = contest.beaten_by[rows]
        assert set(contest.fates[winners].tolist()) <= {Fate.KEPT, Fate.SURPLUS}
        assert np.array_equal(groups[winners], groups[rows])
        assert (contest.scores[winners] >= contest.scores[rows]).all()
        assert (contest.iou[rows] > limit - 2e-3).all()
        for row, winner in list(zip(rows.tolist(), winners.tolist(), strict=True))[:50]:
            want = box_iou(contest.boxes_xyxy[[row]], contest.boxes_xyxy[[winner]])[0, 0]
            assert contest.iou[row] == pytest.approx(want, abs=1e-3)


def test_that_no_survivor_should_have_been_suppressed(both: tuple[Explanation, Prediction]) -> None:
    for contest, groups, kept, limit in groups_of(both[0]):
        iou = box_iou(contest.boxes_xyxy[kept], contest.boxes_xyxy[kept])
        np.fill_diagonal(iou, 0.0)
        same = groups[kept][:, None] == groups[kept][None, :]
        assert iou[same].max(initial=0.0) <= limit + 1e-3


def test_that_a_low_score_is_the_only_reason_below_the_threshold_and_none_above(
    both: tuple[Explanation, Prediction],
) -> None:
    explanation = both[0]
    contest = explanation.second.contest
    low = contest.scores <= explanation.score
    assert low.any()
    assert np.array_equal(low, contest.fates == Fate.LOW_SCORE)
    assert explanation.first.contest.count(Fate.LOW_SCORE) == 0


def test_that_only_a_full_house_turns_boxes_away(toy: tuple[Explanation, Prediction]) -> None:
    explanation, prediction = toy
    contest = explanation.second.contest
    assert contest.count(Fate.KEPT) == len(prediction) == 5
    turned_away = contest.scores[contest.fates == Fate.SURPLUS]
    assert len(turned_away)
    assert turned_away.max() <= prediction.scores.min()


def test_that_boxes_outside_the_picture_are_too_small(sample: tuple[Explanation, Prediction]) -> None:
    contest = sample[0].first.contest
    small = contest.boxes_xyxy[contest.fates == Fate.SMALL]
    sides = small[:, 2:] - small[:, :2]
    assert len(small)
    assert (sides.min(axis=1) < 0.1).all()


def test_that_no_proposal_is_forgotten(both: tuple[Explanation, Prediction]) -> None:
    explanation = both[0]
    rois = explanation.second.rois
    assert set(rois.tolist()) == set(range(len(explanation.first.proposals)))
    chances = np.zeros(len(explanation.first.proposals))
    np.add.at(chances, rois, explanation.second.contest.scores)
    assert (chances + explanation.second.background <= 1 + 1e-4).all()


def test_that_anchors_are_centred_on_cells_of_their_level(both: tuple[Explanation, Prediction]) -> None:
    explanation = both[0]
    first = explanation.first
    height, width = explanation.resized
    scale = np.array([width / explanation.prediction.width, height / explanation.prediction.height])
    strides = {level.number: level.stride for level in explanation.levels}
    assert list(strides) == [2, 3, 4, 5, 6]
    stride = np.array([strides[number][::-1] for number in first.levels.tolist()])
    middles = (first.anchors_xyxy[:, :2] + first.anchors_xyxy[:, 2:]) / 2 * scale
    off = np.abs(middles / stride - np.round(middles / stride)) * stride
    assert off.max() < 1.0  # torchvision rounds a cell's anchors to whole pixels


def test_that_rois_are_read_from_the_level_that_the_paper_says(both: tuple[Explanation, Prediction]) -> None:
    """FPN, equation 1: k = 4 + log2(sqrt(w h) / 224), between P2 and P5."""
    explanation = both[0]
    height, width = explanation.resized
    scale = np.array([width / explanation.prediction.width, height / explanation.prediction.height])
    for boxes, levels in (
        (explanation.first.rois_xyxy, explanation.second.roi_levels),
        (explanation.prediction.boxes_xyxy, explanation.mask_levels),
    ):
        sides = (boxes[:, 2:] - boxes[:, :2]) * scale
        exact = 4 + np.log2(np.sqrt(sides.prod(axis=1)) / 224)
        sure = np.abs(exact - np.round(exact)) > 1e-3
        assert np.array_equal(levels[sure], np.clip(np.floor(exact[sure]), 2, 5))


def test_that_feature_pictures_use_their_whole_range_and_stay_small() -> None:
    network = lively_network(TOY)
    explanation = at_once(Predictor(network, card_of(network, TOY)).explain(picture(100, 4000)))
    for level in explanation.levels:
        assert level.norm.min() == 0
        assert level.norm.max() == 255
        assert max(level.norm.shape) <= 256
        assert level.channels.shape[1:] == level.norm.shape
        assert len(set(level.channel_numbers)) == len(level.channels) == 6
    assert explanation.nbytes < 4_000_000


def leaves(of: object) -> list[object]:
    if is_dataclass(of):
        return [leaf for field in fields(of) for leaf in leaves(getattr(of, field.name))]
    return [leaf for one in of for leaf in leaves(one)] if isinstance(of, tuple) else [of]


def test_that_an_explanation_holds_no_tensor(toy: tuple[Explanation, Prediction]) -> None:
    assert {type(leaf) for leaf in leaves(toy[0])} == {np.ndarray, int, float, str, type(None)}


def test_that_a_model_of_boxes_alone_is_explained_too() -> None:
    architecture = "fasterrcnn_resnet18_slim_fpn"
    network = lively_network(architecture, 96, 160)
    explanation = at_once(Predictor(network, card_of(network, architecture)).explain(picture(120, 200)))
    assert explanation.prediction.mask_probs is None
    assert explanation.mask_bins == 0
    assert len(explanation.second.detections) == len(explanation.prediction) > 0


def test_that_memory_that_ends_shrinks_the_picture_and_then_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    network = lively_network(TOY, 96, 160)
    predictor = Predictor(network, card_of(network, TOY))
    whole, tries, enough = predictor._pass, [], 0.6

    def run(images: Sequence[Image], device: torch.device, shrink: float, *, fine: bool) -> Any:
        tries.append(shrink)
        if shrink > enough:
            raise torch.OutOfMemoryError("out of memory")
        assert not fine  # what is explained are the class branch's cells
        return whole(images, device, shrink, fine=fine)

    monkeypatch.setattr(predictor, "_pass", run)
    assert at_once(predictor.explain(picture(120, 200))).resized[0] < 96
    assert tries == [1.0, 0.75, 0.5]
    enough = 0.0
    with pytest.raises(ModelError, match="200 x 120"):
        at_once(predictor.explain(picture(120, 200)))


def test_that_damaged_weights_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    network = lively_network(TOY, 96, 160)
    with torch.no_grad():
        next(network.backbone.body.parameters()).fill_(float("nan"))
    with pytest.raises(ModelError, match="not finite"):
        at_once(Predictor(network, card_of(network, TOY)).explain(picture(60, 80)))


def test_that_a_story_leads_from_the_anchor_to_the_detection(sample: tuple[Explanation, Prediction]) -> None:
    explanation, prediction = sample
    second, first = explanation.second, explanation.first
    beaten = 0
    for n, candidate in enumerate(second.detections.tolist()):
        story = story_of(explanation, candidate)
        assert story.detection == n
        assert first.contest.fates[story.anchor] == Fate.KEPT
        roi = first.rois_xyxy[[story.roi]]
        assert np.array_equal(first.contest.boxes_xyxy[[story.anchor]], roi)
        if prediction.scores[n] > 0.5:
            assert box_iou(roi, prediction.boxes_xyxy[[n]])[0, 0] > 0.2  # the box head refines, no more
        scores = second.contest.scores[list(story.beaten)]
        assert (np.diff(scores) <= 0).all()
        beaten += len(story.beaten)
        assert all(second.rois[other] == story.roi for other in story.others)
    assert beaten == second.contest.count(Fate.BEATEN) - sum(
        len(story_of(explanation, row).beaten)
        for row in np.flatnonzero(second.contest.fates == Fate.SURPLUS).tolist()
    )


def test_that_a_missed_object_is_explained_by_what_was_near_it(
    sample: tuple[Explanation, Prediction],
) -> None:
    explanation, prediction = sample
    box = prediction.boxes_xyxy[0]
    x0, y0, x1, y1 = (float(edge) for edge in box)
    assert finder_of(explanation, (x0, y0, x1, y1)) == 0
    away = (x0 + 2 * (x1 - x0), y0, x1 + 2 * (x1 - x0), y1)
    assert finder_of(explanation, (-50.0, -50.0, -20.0, -20.0)) is None
    near = candidates_near(explanation, away)
    assert [iou for _, iou in near] == sorted((iou for _, iou in near), reverse=True)
    for row, iou in candidates_near(explanation, (x0, y0, x1, y1)):
        want = box_iou(box[None], explanation.second.contest.boxes_xyxy[[row]])[0, 0]
        assert iou == pytest.approx(want, abs=1e-4)
        assert iou >= 0.1
