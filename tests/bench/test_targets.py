"""Training targets from crops against torchvision's from full-size masks, and that they are the same.

50 instances on a 2000 x 3000 picture, resized to a short side of 800, mask targets for 64 boxes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.models.detection.roi_heads import project_masks_on_boxes
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from engine.predict.preprocess import resized_shape
from engine.train.sample import Crop, Sample, resized
from engine.train.targets import mask_targets
from tests.bench.conftest import Row
from tests.bench.peak import cost_of

HEIGHT, WIDTH, COUNT, BOXES, SIDE = 2000, 3000, 50, 64, 28

Scene = tuple[NDArray[np.uint8], list[Crop], NDArray[np.int64]]
"""A picture, its objects, and the object of each box."""


def scene() -> Scene:
    """Ellipses of 100 to 500 pixels."""
    chance = np.random.default_rng(0)
    crops = []
    for _ in range(COUNT):
        h, w = (int(v) for v in chance.integers(100, 500, 2))
        y, x = np.ogrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]
        top, left = int(chance.integers(0, HEIGHT - h)), int(chance.integers(0, WIDTH - w))
        bitmap = (x**2 + y**2 <= 1).astype(np.uint8)
        crops.append(Crop(bitmap, (float(left), float(top), float(left + w), float(top + h))))
    image = chance.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    return image, crops, chance.integers(0, COUNT, BOXES)


def ours(image: NDArray[np.uint8], crops: list[Crop], of: NDArray[np.int64]) -> Tensor:
    boxes = np.array([crop.box_xyxy for crop in crops], np.float32)
    sample = Sample(image, boxes, np.ones(COUNT, np.int64), tuple(crops))
    sample = resized(sample, *resized_shape(HEIGHT, WIDTH, 800, 1333))
    own = [crop for i in of if (crop := sample.crops[i]) is not None]
    return mask_targets(own, torch.from_numpy(sample.boxes_xyxy[of]), SIDE, sample.shape)


def theirs(image: NDArray[np.uint8], crops: list[Crop], of: NDArray[np.int64]) -> Tensor:
    full = np.zeros((COUNT, HEIGHT, WIDTH), np.uint8)
    for mask, crop in zip(full, crops, strict=True):
        x0, y0, x1, y1 = (int(edge) for edge in crop.box_xyxy)
        mask[y0:y1, x0:x1] = crop.bitmap
    boxes = torch.tensor([crop.box_xyxy for crop in crops])
    target = {"boxes": boxes, "masks": torch.from_numpy(full), "labels": torch.ones(COUNT)}
    transform = GeneralizedRCNNTransform(800, 1333, [0.0] * 3, [1.0] * 3).train()
    pixels = torch.from_numpy(image).permute(2, 0, 1).float() / 255
    _, moved = transform([pixels], [target])
    matched = torch.from_numpy(of)
    # Half a pixel back: torchvision samples to the right and below (see engine.train.targets).
    boxes = moved[0]["boxes"][matched] - 0.5
    targets: Tensor = project_masks_on_boxes(moved[0]["masks"], boxes, matched, SIDE)
    return targets


def prepare_ours() -> Callable[[], object]:
    made = scene()
    ours(*made)
    return lambda: ours(*made)


def prepare_theirs() -> Callable[[], object]:
    made = scene()
    return lambda: theirs(*made)


@pytest.mark.bench
@pytest.mark.timeout(1200)
def test_training_targets_of_a_6_megapixel_picture(row: Row) -> None:
    made = scene()
    # Theirs resizes the masks to the nearest pixel before it samples them.
    assert (ours(*made) - theirs(*made)).abs().mean() < 0.02
    a, b = cost_of(prepare_ours), cost_of(prepare_theirs)
    what = f"targets of {COUNT} instances at {HEIGHT} x {WIDTH}"
    row(
        f"{what}, time",
        f"{1000 * a.seconds:.0f} ms",
        f"{1000 * b.seconds:.0f} ms",
        f"{b.seconds / a.seconds:.0f}x",
    )
    peaks = [max(cost.peak_bytes, 2**18) / 2**20 for cost in (a, b)]
    row(f"{what}, peak memory", f"{peaks[0]:.1f} MiB", f"{peaks[1]:.0f} MiB", f"{peaks[1] / peaks[0]:.0f}x")
    assert b.seconds > 5 * a.seconds
    assert peaks[1] > 2 * peaks[0]
