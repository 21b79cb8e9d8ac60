"""A whole training step against torchvision's: same pictures, weights, side, RoIs and number format.

From the decoded picture and its labels to the new weights: targets, forward, backward, optimizer. Steps
alternate, so that whatever else the machine does falls on both.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork

from engine.device import use_threads
from engine.models.card import IMAGENET_MEAN, IMAGENET_STD
from engine.models.families import build
from engine.models.spec import NetworkSpec
from engine.predict.prepare import set_roi_scales
from engine.predict.preprocess import resized_shape, to_batch
from engine.train.losses import detection_losses, prepare_for_training
from engine.train.recipe import Recipe
from engine.train.sample import Crop, Sample, resized
from engine.train.start import freeze
from engine.train.truth import Truth
from tests.bench.conftest import Row

HEIGHT, WIDTH, OBJECTS, SIDE, STEPS, WARM_UP = 480, 640, 8, 256, 7, 2
RECIPE = Recipe(
    rois=128, mask_rois=32, near_truth=0, proposals_before_nms=2000, proposals=1000, optimizer="sgd"
)
"""torchvision's numbers, but for 128 RoIs a picture in both in place of its 512."""


def a_picture(seed: int) -> Sample:
    """Ellipses of 40 to 160 pixels on noise."""
    chance = np.random.default_rng(seed)
    crops = []
    for _ in range(OBJECTS):
        h, w = (int(v) for v in chance.integers(40, 160, 2))
        y, x = np.ogrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]
        top, left = int(chance.integers(0, HEIGHT - h)), int(chance.integers(0, WIDTH - w))
        bitmap = (x**2 + y**2 <= 1).astype(np.uint8)
        crops.append(Crop(bitmap, (float(left), float(top), float(left + w), float(top + h))))
    boxes = np.array([crop.box_xyxy for crop in crops], np.float32)
    image: NDArray[np.uint8] = chance.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    return Sample(image, boxes, np.ones(OBJECTS, np.int64), tuple(crops))


def a_network() -> FasterRCNN:
    torch.manual_seed(0)
    network = build(NetworkSpec("maskrcnn_resnet50_fpn", 1, min_size=SIDE, max_size=2 * SIDE))
    set_roi_scales(network)
    prepare_for_training(network, RECIPE)
    freeze(network, RECIPE, live_norm=False)
    return network


def an_optimizer(network: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(
        [p for p in network.parameters() if p.requires_grad], lr=1e-4, momentum=0.9, weight_decay=1e-4
    )


def our_step(samples: list[Sample]) -> Callable[[], None]:
    network = a_network()
    network.to(memory_format=torch.channels_last)
    optimizer = an_optimizer(network)
    device = torch.device("cpu")

    def step() -> None:
        made = [resized(s, *resized_shape(*s.shape, SIDE, 2 * SIDE)) for s in samples]
        batch = to_batch(
            [s.image for s in made],
            [s.shape for s in made],
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            device=device,
        )
        losses = detection_losses(network, batch, [Truth.of(s, device) for s in made], RECIPE)
        _descend(losses, optimizer)

    return step


def their_step(samples: list[Sample]) -> Callable[[], None]:
    network = a_network()
    rpn, heads = cast(RegionProposalNetwork, network.rpn), cast(RoIHeads, network.roi_heads)
    assert rpn.pre_nms_top_n() == RECIPE.proposals_before_nms
    heads.fg_bg_sampler = BalancedPositiveNegativeSampler(RECIPE.rois, RECIPE.positive_share)
    optimizer = an_optimizer(network)

    def step() -> None:
        pictures, targets = [], []
        for s in samples:
            masks = np.zeros((OBJECTS, HEIGHT, WIDTH), np.uint8)
            for mask, crop in zip(masks, s.crops, strict=True):
                assert crop is not None
                x0, y0, x1, y1 = (int(edge) for edge in crop.box_xyxy)
                mask[y0:y1, x0:x1] = crop.bitmap
            pictures.append(torch.from_numpy(s.image).permute(2, 0, 1).float() / 255)
            targets.append(
                {
                    "boxes": torch.from_numpy(s.boxes_xyxy),
                    "labels": torch.from_numpy(s.labels),
                    "masks": torch.from_numpy(masks),
                }
            )
        _descend(network(pictures, targets), optimizer)

    return step


def _descend(losses: dict[str, Tensor], optimizer: torch.optim.SGD) -> None:
    optimizer.zero_grad()
    torch.autograd.backward(torch.stack(list(losses.values())).sum())
    optimizer.step()


@pytest.mark.bench
@pytest.mark.timeout(1200)
def test_a_whole_step_is_not_slower(row: Row) -> None:
    use_threads(window=False)
    samples = [a_picture(1), a_picture(2)]
    steps = {"ours": our_step(samples), "theirs": their_step(samples)}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(WARM_UP + STEPS):
        for name, step in steps.items():
            begun = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - begun)
    ours, theirs = (statistics.median(seconds[name][WARM_UP:]) for name in ("ours", "theirs"))
    row(
        f"training step, ResNet-50, 2 pictures, side {SIDE}",
        f"{ours:.2f} s",
        f"{theirs:.2f} s",
        f"{theirs / ours:.2f}x",
    )
    assert ours < 1.05 * theirs
