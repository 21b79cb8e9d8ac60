"""An SSD's boxes are torchvision's own; it has no masks and one size."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models.detection.ssd import SSD

from engine.device import NumberFormat
from engine.errors import ModelError
from engine.models.card import ModelCard
from engine.models.spec import NetworkSpec
from engine.models.ssd import SSDS, build_ssd
from engine.predict.network import at_once
from engine.predict.prompts import Prompter
from engine.predict.settings import Mode, PredictSettings
from engine.predict.ssd import SsdRunner
from engine.prediction import Prediction
from tests.engine.iou import box_iou
from tests.engine.networks import CLASSES, picture

LITE = "ssdlite320_mobilenet_v3_large"
IMAGES = [picture(120, 200), picture(333, 250, 1)]
SETTINGS = PredictSettings(score_threshold=0.4, nms_iou=0.45, max_detections=50)


def lively_ssd(name: str) -> tuple[SSD, ModelCard]:
    """Random weights whose scores and boxes differ from one anchor to the next."""
    torch.manual_seed(3)
    network = build_ssd(NetworkSpec(name, len(CLASSES)))
    with torch.inference_mode():
        batch = network.transform([torch.from_numpy(IMAGES[0]).permute(2, 0, 1) / 255])[0].tensors
        features = list(network.backbone(batch).values())
    with torch.no_grad():
        for head, spread in ((network.head.classification_head, 2.0), (network.head.regression_head, 1.0)):
            factor = spread / head(features).std()
            for layer in head.module_list:
                last = layer if isinstance(layer, nn.Conv2d) else layer[-1]
                last.weight *= factor
    return network, ModelCard("boxes", NetworkSpec(name, len(CLASSES)), CLASSES)


@pytest.mark.parametrize("name", SSDS)
def test_that_the_reference_is_torchvisions_own(name: str) -> None:
    network, card = lively_ssd(name)
    theirs = copy.deepcopy(network)
    theirs.score_thresh, theirs.nms_thresh, theirs.detections_per_img = 0.4, 0.45, 50
    with torch.inference_mode():
        want = theirs([torch.from_numpy(image).permute(2, 0, 1).float() / 255 for image in IMAGES])
    runner = SsdRunner(network, card, replace(SETTINGS, mode=Mode.REFERENCE))
    assert not runner.has_masks
    for found, own, image in zip(runner.predict(IMAGES), want, IMAGES, strict=True):
        assert len(found) > 10
        assert (found.height, found.width) == image.shape[:2]
        assert found.mask_probs is None
        np.testing.assert_allclose(found.boxes_xyxy, own["boxes"].numpy(), atol=1e-3)
        np.testing.assert_allclose(found.scores, own["scores"].numpy(), atol=1e-5)
        np.testing.assert_array_equal(found.labels, own["labels"].numpy())


@pytest.mark.parametrize("name", SSDS)
def test_that_the_fast_path_finds_the_same(name: str) -> None:
    reference = SsdRunner(*lively_ssd(name), replace(SETTINGS, mode=Mode.REFERENCE)).predict(IMAGES)
    quick = NumberFormat(bf16=False, channels_last=True, gain=1.0, reason="", winograd=True)
    fast = SsdRunner(*lively_ssd(name), SETTINGS, number_format=quick).predict(IMAGES)
    for own, want in zip(fast, reference, strict=True):
        assert np.mean(best_overlaps(own, want)) > 0.97


def best_overlaps(own: Prediction, want: Prediction) -> list[float]:
    """Of each wanted box, the IoU with the nearest one of its class."""
    met = box_iou(want.boxes_xyxy, own.boxes_xyxy)
    met[want.labels[:, None] != own.labels] = 0
    return [float(row.max()) for row in met]


def test_that_no_other_size_is_asked_of_it_and_that_what_needs_a_second_stage_is_told() -> None:
    with pytest.raises(ModelError, match="320 x 320"):
        SsdRunner(*lively_ssd(LITE), PredictSettings(min_size=800))
    runner = SsdRunner(*lively_ssd(LITE))
    with pytest.raises(ModelError, match="boxes alone"):
        Prompter(runner)
    with pytest.raises(ModelError, match="no stages"):
        at_once(runner.explain(IMAGES[0]))


def test_that_damaged_numbers_fail_the_picture() -> None:
    network, card = lively_ssd(LITE)
    torch.nn.init.constant_(next(network.head.parameters()), float("nan"))
    (answer,) = SsdRunner(network, card).predict_each(IMAGES[:1])
    assert isinstance(answer, ModelError)
