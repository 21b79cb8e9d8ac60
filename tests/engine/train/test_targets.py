"""Mask targets from crops equal torchvision's from full-size masks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.models.detection.roi_heads import project_masks_on_boxes

from engine.document.masks import Mask
from engine.train.sample import Crop, Sample, mirrored, resized
from engine.train.targets import mask_targets

HEIGHT, WIDTH, SIDE = 90, 120, 28


def blob(chance: np.random.Generator, *, touching: bool) -> np.ndarray:
    """An irregular full-size mask, inside the picture or cut off by its edges."""
    full = np.zeros((HEIGHT, WIDTH), np.bool_)
    y, x = (0, 0) if touching else (12, 17)
    bottom, right = (HEIGHT, WIDTH) if touching else (70, 88)
    full[y:bottom, x:right] = chance.random((bottom - y, right - x)) > 0.3
    full[y, x] = full[bottom - 1, right - 1] = True
    return full


def boxes(chance: np.random.Generator, count: int) -> torch.Tensor:
    corners = chance.uniform((0, 0), (WIDTH - 30, HEIGHT - 30), (count, 2))
    sizes = chance.uniform(2, 30, (count, 2))
    return torch.tensor(np.hstack([corners, corners + sizes]), dtype=torch.float32)


def crop_of(full: np.ndarray) -> Crop:
    mask = Mask.from_full(full)
    return Crop(mask.bitmap.view(np.uint8), mask.box_xyxy)


@pytest.mark.parametrize("touching", [False, True])
def test_that_targets_from_crops_equal_torchvisions_from_full_masks(touching: bool) -> None:
    chance = np.random.default_rng(3)
    full, rois = blob(chance, touching=touching), boxes(chance, 40)
    # torchvision samples half a pixel to the right and below; its boxes are moved to undo that.
    theirs = project_masks_on_boxes(
        torch.from_numpy(full)[None], rois - 0.5, torch.zeros(len(rois), dtype=torch.int64), SIDE
    )
    ours = mask_targets([crop_of(full)] * len(rois), rois, SIDE, (HEIGHT, WIDTH))
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_that_a_target_of_the_objects_own_box_is_its_mask() -> None:
    full = np.zeros((HEIGHT, WIDTH), np.bool_)
    full[10:38, 20:48] = np.tri(28, dtype=np.bool_)
    crop = crop_of(full)
    target = mask_targets([crop], torch.tensor([crop.box_xyxy]), SIDE, (HEIGHT, WIDTH))
    assert torch.equal(target[0] > 0.5, torch.from_numpy(np.tri(28, dtype=np.bool_)))


def test_that_resizing_a_sample_leaves_its_targets_where_the_object_is() -> None:
    chance = np.random.default_rng(5)
    full, rois = blob(chance, touching=False), boxes(chance, 20)
    crop = crop_of(full)
    sample = Sample(
        np.zeros((HEIGHT, WIDTH, 3), np.uint8),
        np.array([crop.box_xyxy], np.float32),
        np.ones(1, np.int64),
        (crop,),
    )
    before = mask_targets([crop] * 20, rois, SIDE, (HEIGHT, WIDTH))
    large = resized(sample, 2 * HEIGHT, 2 * WIDTH)
    assert large.crops[0] is not None
    after = mask_targets([large.crops[0]] * 20, 2 * rois, SIDE, large.shape)
    assert torch.allclose(before, after, atol=1e-5)
    assert np.array_equal(large.boxes_xyxy, 2 * sample.boxes_xyxy)


def test_that_a_mirrored_sample_has_mirrored_targets() -> None:
    chance = np.random.default_rng(6)
    full, rois = blob(chance, touching=False), boxes(chance, 20)
    crop = crop_of(full)
    sample = Sample(
        chance.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8),
        np.array([crop.box_xyxy], np.float32),
        np.ones(1, np.int64),
        (crop,),
    )
    other = mirrored(sample)
    assert other.crops[0] is not None
    turned = torch.stack([WIDTH - rois[:, 2], rois[:, 1], WIDTH - rois[:, 0], rois[:, 3]], dim=1)
    before = mask_targets([crop] * 20, rois, SIDE, (HEIGHT, WIDTH))
    after = mask_targets([other.crops[0]] * 20, turned, SIDE, (HEIGHT, WIDTH))
    assert torch.allclose(before.flip(2), after, atol=1e-5)
    assert np.array_equal(other.image[:, ::-1], sample.image)
