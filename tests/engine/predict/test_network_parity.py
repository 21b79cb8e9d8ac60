"""In reference mode the results are torchvision's; the fast mode stays close to them."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.document.masks import Mask
from engine.errors import ModelError
from engine.predict import network as stages
from engine.predict.predictor import Predictor
from engine.predict.settings import PredictSettings
from engine.prediction import Prediction
from engine.refilter import masks
from tests.engine.networks import card_of, lively_network, picture, torchvision_answer, torchvision_answers

BOX_TOLERANCE = 1e-3  # pixels
SCORE_TOLERANCE = 1e-5


def assert_equal_to_torchvision(got: Prediction, want: dict[str, torch.Tensor]) -> None:
    assert len(got) == len(want["scores"]) > 0
    assert np.array_equal(got.labels, want["labels"].numpy())
    np.testing.assert_allclose(got.scores, want["scores"].numpy(), atol=SCORE_TOLERANCE)
    np.testing.assert_allclose(got.boxes_xyxy, want["boxes"].numpy(), atol=BOX_TOLERANCE)
    if "masks" not in want:
        assert got.mask_probs is None
        return
    for mask, truth in zip(masks(got), want["masks"], strict=True):
        assert mask is not None
        assert iou(mask, truth[0].numpy() > 0.5) >= 0.999


def iou(mask: Mask, truth: NDArray[np.bool_]) -> float:
    full = mask.to_full(*truth.shape)
    union = int((full | truth).sum())
    return float((full & truth).sum()) / union if union else 1.0


@pytest.mark.parametrize(
    "size", [(100, 4000), (4000, 100), (31, 47), (480, 640), (333, 1000), (800, 800)], ids=str
)
def test_that_reference_mode_equals_torchvision_on_every_shape_of_picture(size: tuple[int, int]) -> None:
    architecture = "maskrcnn_resnet18_slim_fpn"
    network = lively_network(architecture)
    image = picture(*size)
    want = torchvision_answer(copy.deepcopy(network), image)
    got = Predictor(network, card_of(network, architecture), PredictSettings.reference()).predict([image])
    assert_equal_to_torchvision(got[0], want)


def test_that_reference_mode_equals_torchvision_on_a_24_megapixel_picture() -> None:
    architecture = "maskrcnn_resnet18_slim_fpn"
    network = lively_network(architecture)
    network.roi_heads.detections_per_img = 8  # torchvision needs 100 MB a mask here
    image = picture(4000, 6000)
    want = torchvision_answer(copy.deepcopy(network), image)
    settings = PredictSettings.reference(max_detections=8)
    got = Predictor(network, card_of(network, architecture), settings).predict([image])
    assert_equal_to_torchvision(got[0], want)


@pytest.mark.parametrize(
    "architecture",
    ["maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2", "fasterrcnn_resnet50_fpn"],
)
def test_that_reference_mode_equals_torchvision_for_every_head(architecture: str) -> None:
    network = lively_network(architecture, 192, 320)
    image = picture(300, 420)
    want = torchvision_answer(copy.deepcopy(network), image)
    got = Predictor(network, card_of(network, architecture), PredictSettings.reference()).predict([image])
    assert_equal_to_torchvision(got[0], want)


def test_that_a_strip_seen_first_does_not_spoil_the_pictures_after_it() -> None:
    architecture = "maskrcnn_resnet18_slim_fpn"
    network = lively_network(architecture)
    image = picture(480, 640)
    want = torchvision_answer(copy.deepcopy(network), image)
    predictor = Predictor(network, card_of(network, architecture), PredictSettings.reference())
    predictor.predict([picture(100, 4000)])
    assert_equal_to_torchvision(predictor.predict([image])[0], want)


def test_that_a_batch_of_several_shapes_equals_torchvisions_batch() -> None:
    architecture = "maskrcnn_resnet18_slim_fpn"
    network = lively_network(architecture)
    images = [picture(256, 300, seed=1), picture(300, 256, seed=2), picture(90, 700, seed=3)]
    wanted = torchvision_answers(copy.deepcopy(network), images)
    got = Predictor(network, card_of(network, architecture), PredictSettings.reference()).predict(images)
    for one, want in zip(got, wanted, strict=True):
        assert_equal_to_torchvision(one, want)


@pytest.mark.parametrize("architecture", ["maskrcnn_resnet18_slim_fpn", "maskrcnn_mobilenet_v3_large_fpn"])
def test_that_folding_the_normalisation_leaves_the_features_alone(architecture: str) -> None:
    from engine.predict.prepare import fold_batch_norm

    network = lively_network(architecture)
    generator = torch.Generator().manual_seed(1)
    for name, buffer in network.backbone.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
    batch = torch.rand(1, 3, 128, 160, generator=generator)
    with torch.inference_mode():
        before = network.backbone(batch)
        fold_batch_norm(network.backbone)
        after = network.backbone(batch)
    kinds = {type(module).__name__ for module in network.backbone.modules()}
    assert not any("BatchNorm" in kind for kind in kinds)
    for level in before:
        torch.testing.assert_close(after[level], before[level], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("architecture", ["maskrcnn_resnet18_slim_fpn", "maskrcnn_resnet50_fpn_v2"])
def test_that_small_steps_come_to_the_same_as_large_ones(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = lively_network(architecture, 96, 160)
    predictor = Predictor(network, card_of(network, architecture), PredictSettings.reference())
    image = picture(90, 130)
    counts: list[int] = []
    answers: list[Prediction | ModelError] = []
    for pixels, rois in ((10**9, 10**9), (150, 7)):
        monkeypatch.setattr(stages, "BOXES_A_STEP", rois)
        monkeypatch.setattr(stages, "PIXELS_A_STEP", pixels)
        monkeypatch.setattr(stages, "ROIS_A_STEP", rois)
        steps, count = predictor.predict_in_steps([image]), 0
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                answers += stop.value
                break
            count += 1
        counts.append(count)
    assert counts[1] > counts[0] + 25
    large, small = answers
    assert isinstance(large, Prediction)
    assert isinstance(small, Prediction)
    assert large.mask_probs is not None
    assert small.mask_probs is not None
    assert len(large) > 5
    np.testing.assert_allclose(small.boxes_xyxy, large.boxes_xyxy, atol=BOX_TOLERANCE)
    np.testing.assert_allclose(small.scores, large.scores, atol=SCORE_TOLERANCE)
    np.testing.assert_allclose(small.mask_probs, large.mask_probs, atol=1e-4)


def test_that_levels_come_to_roi_align_as_they_are() -> None:
    level = torch.rand(1, 24, 70, 90)
    for images in (1, 2):
        for kind in (torch.float32, torch.bfloat16):
            last = level.expand(images, -1, -1, -1).to(kind).contiguous(memory_format=torch.channels_last)
            found = stages._for_roi_align(last)
            assert found.is_contiguous()
            torch.testing.assert_close(found, last.float(), rtol=0, atol=0)
