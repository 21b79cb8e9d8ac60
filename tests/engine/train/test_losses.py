"""What the losses count: ignored pixels nothing, negatives as background, boxes without masks as boxes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.models.detection import FasterRCNN

from engine.models.families import build
from engine.models.spec import NetworkSpec
from engine.predict.preprocess import to_batch
from engine.train import gradients
from engine.train.dataset import sample_of
from engine.train.gradients import add_gradients
from engine.train.losses import LEFT_OUT, detection_losses, prepare_for_training
from engine.train.recipe import Recipe
from engine.train.sample import Crop, Sample
from engine.train.truth import Truth, is_ignored
from tests.engine.train.toy import DISC, SIDE, toy_set

CPU = torch.device("cpu")
RECIPE = Recipe(rois=32, proposals=50, mask_rois=4)


@pytest.fixture(scope="module")
def network() -> FasterRCNN:
    torch.manual_seed(0)
    network = build(
        NetworkSpec("maskrcnn_resnet18_slim_fpn", 1, anchor_base=16, min_size=SIDE, max_size=SIDE)
    )
    prepare_for_training(network, RECIPE)
    return network


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    (image,) = toy_set(tmp_path, 1).images
    from engine.media.image import read_rgb

    return sample_of(image, read_rgb(image.path), {DISC.id: 1})


def losses(network: FasterRCNN, *samples: Sample, bf16: bool = False) -> dict[str, Tensor]:
    torch.manual_seed(1)
    batch = to_batch(
        [s.image for s in samples],
        [s.shape for s in samples],
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        device=CPU,
    )
    return detection_losses(network, batch, [Truth.of(s, CPU) for s in samples], RECIPE, bf16=bf16)


def test_that_bf16_changes_the_losses_by_its_rounding_alone(network: FasterRCNN, sample: Sample) -> None:
    plain, half = losses(network, sample), losses(network, sample, bf16=True)
    assert all(loss.dtype == torch.float32 for loss in half.values())
    for name, loss in plain.items():
        assert half[name].item() == pytest.approx(loss.item(), rel=0.03, abs=0.01), name
    assert half != plain
    torch.autograd.backward(torch.stack(list(half.values())).sum())
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    assert gradients
    assert all(bool(g.isfinite().all()) and g.dtype == torch.float32 for g in gradients)


def test_that_all_five_losses_are_finite_and_reach_their_heads(network: FasterRCNN, sample: Sample) -> None:
    found = losses(network, sample)
    assert set(found) == {"objectness", "rpn_box", "classes", "box", "mask"}
    assert all(bool(loss.isfinite()) for loss in found.values())
    gradients = torch.autograd.grad(found["mask"], list(network.roi_heads.mask_predictor.parameters()))
    assert any(bool(g.abs().sum() > 0) for g in gradients)


def test_that_a_picture_without_objects_teaches_background(network: FasterRCNN, sample: Sample) -> None:
    empty = Sample(sample.image, np.zeros((0, 4), np.float32), np.zeros(0, np.int64), ())
    found = losses(network, empty)
    assert found["mask"].item() == found["box"].item() == found["rpn_box"].item() == 0.0
    assert found["classes"].item() > 0.0
    assert found["objectness"].item() > 0.0


def test_that_an_object_known_by_its_box_alone_takes_no_part_in_the_mask_loss(
    network: FasterRCNN, sample: Sample
) -> None:
    boxed = dataclasses.replace(sample, crops=(None, None))
    found = losses(network, boxed)
    assert found["mask"].item() == 0.0
    assert found["box"].item() > 0.0


def test_that_a_picture_thatis_ignored_throughout_teaches_no_background(
    network: FasterRCNN, sample: Sample
) -> None:
    everywhere = Crop(np.ones((SIDE, SIDE), np.uint8), (0.0, 0.0, float(SIDE), float(SIDE)))
    ignored = Sample(sample.image, sample.boxes_xyxy, sample.labels, sample.crops, ignore=(everywhere,))
    truth = Truth.of(ignored, CPU)
    inside = torch.tensor([[1.0, 1.0, 30.0, 30.0]])
    assert bool(is_ignored(inside, truth, RECIPE)[0])
    seen: list[Tensor] = []
    original = network.roi_heads.subsample

    def watching(labels: list[Tensor]) -> list[Tensor]:
        seen.extend(label.clone() for label in labels)
        return original(labels)  # type: ignore[no-any-return]

    network.roi_heads.subsample = watching
    try:
        losses(network, ignored)
    finally:
        del network.roi_heads.subsample
    assert int((seen[0] == 0).sum()) <= 1  # no background but a sliver that rounding leaves empty
    assert int((seen[0] == LEFT_OUT).sum()) > 0
    assert int((seen[0] == 1).sum()) > 0  # the objects still count


def test_that_a_box_is_left_out_by_the_share_of_its_ignored_pixels() -> None:
    half = Crop(np.ones((100, 50), np.uint8), (0.0, 0.0, 50.0, 100.0))
    picture = Sample(
        np.zeros((100, 100, 3), np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int64), (), (half,)
    )
    boxes = torch.tensor([[40.0, 0.0, 59.0, 20.0], [42.0, 0.0, 61.0, 20.0], [-5.0, 5.0, 10.0, 20.0]])
    assert is_ignored(boxes, Truth.of(picture, CPU), Recipe()).tolist() == [True, False, True]


def test_that_pictures_one_by_one_add_up_to_the_losses_of_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = torch.ones(1, requires_grad=True)

    def losses(_network: object, batch: torch.Tensor, *_: object, **__: object) -> dict[str, torch.Tensor]:
        return {"classes": weight.sum() * batch.mean(), "box": weight.sum() * 2}

    monkeypatch.setattr(gradients, "detection_losses", losses)
    samples = [
        Sample(
            np.full((32, 32, 3), 40 * n, np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int64), ()
        )
        for n in range(5)
    ]
    found = list[tuple[float, float, float]]()
    network = cast(FasterRCNN, None)  # what would run it is played
    for at_once in (0, 2, 1):
        weight.grad = torch.zeros(1)
        named = add_gradients(
            network,
            samples,
            Recipe(),
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            device=torch.device("cpu"),
            at_once=at_once,
        )
        found.append((named["classes"].item(), named["box"].item(), float(weight.grad.item())))
    assert found[1] == pytest.approx(found[0], rel=1e-6)
    assert found[2] == pytest.approx(found[0], rel=1e-6)
