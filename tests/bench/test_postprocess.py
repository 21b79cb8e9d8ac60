"""Masks of 100 instances at 4000 x 6000: made inside their boxes against torchvision's full-size paste."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import psutil
import pytest

from engine.prediction import Prediction
from engine.refilter import masks
from tests.bench.conftest import Row
from tests.bench.peak import cost_of

HEIGHT, WIDTH = 4000, 6000
FULL_SIZE_BYTES = 4 * HEIGHT * WIDTH
"""One float32 mask as torchvision pastes it; it holds a list of them and their stack at once."""


def prediction(count: int) -> Prediction:
    """Round masks in boxes of 100 to 900 pixels."""
    rng = np.random.default_rng(0)
    sides = rng.uniform(100, 900, (count, 2))
    corner = rng.uniform(0, 1, (count, 2)) * ((WIDTH, HEIGHT) - sides)
    boxes = np.concatenate((corner, corner + sides), axis=1).astype(np.float32)
    y, x = np.mgrid[:28, :28] - 13.5
    disc = 1 / (1 + np.exp((np.hypot(x, y) - 12).astype(np.float32)))
    probs = np.repeat(disc[None].astype(np.float32), count, axis=0)
    ones = np.ones(count, dtype=np.int64)
    return Prediction(WIDTH, HEIGHT, ("part",), boxes, ones.astype(np.float32), ones, probs)


def prepare_ours(count: int) -> Callable[[], object]:
    found = prediction(count)
    list(masks(prediction(1)))
    return lambda: list(masks(found))


def prepare_theirs(count: int) -> Callable[[], object]:
    import torch
    from torchvision.models.detection.roi_heads import paste_masks_in_image

    found = prediction(count)
    assert found.mask_probs is not None
    probs = torch.from_numpy(found.mask_probs)[:, None]
    boxes = torch.from_numpy(found.boxes_xyxy)
    return lambda: paste_masks_in_image(probs, boxes, (HEIGHT, WIDTH))


@pytest.mark.bench
@pytest.mark.timeout(1200)
def test_masks_of_a_24_megapixel_picture(row: Row) -> None:
    room = int(psutil.virtual_memory().available * 0.9 / (2 * FULL_SIZE_BYTES))
    count = min(100, room)
    ours, theirs = cost_of(partial(prepare_ours, count)), cost_of(partial(prepare_theirs, count))
    what = f"masks of {count} instances at {HEIGHT} x {WIDTH}"
    row(
        f"{what}, time",
        f"{ours.seconds * 1e3:.0f} ms",
        f"{theirs.seconds:.1f} s",
        f"{theirs.seconds / ours.seconds:.0f}x",
    )
    row(
        f"{what}, peak memory",
        f"{ours.peak_bytes / 2**20:.1f} MiB",
        f"{theirs.peak_bytes / 2**20:.0f} MiB",
        f"{theirs.peak_bytes / max(ours.peak_bytes, 1):.0f}x",
    )
    assert theirs.seconds / ours.seconds >= 100
    assert theirs.peak_bytes / max(ours.peak_bytes, 1) >= 200
