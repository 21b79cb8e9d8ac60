"""Ten thousand pictures, one in a hundred broken: each failure is told, memory stays flat.

What is on trial is the batch and not the network, so pictures and network are small: about 17 instances each.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
import torch

from engine.messages import ImageFailed, ImageLabelled, LabelFolder, ModelChoice
from engine.models.version import save_version
from engine.session import run_to_end
from tests.conftest import Figure
from tests.engine.networks import card_of, lively_network

IMAGES, BROKEN, WARM_UP, WINDOW = 10_000, 100, 500, 500
CACHES = 40  # MiB: the database's two connections keep up to 16 MB of pages each, and fill them first
ARCHITECTURE, SIDE = "maskrcnn_resnet18_slim_fpn", 32
BACKGROUND = 3.0  # how much likelier than an object, as a logit: some proposals an image, not all of them


def label_many(folder: Path, store: Path, images: int, every: int) -> tuple[list[int], list[str]]:
    """Memory held after each image, in bytes, and the sentences of the failures."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for n in range(images):
        pixels = cv2.resize(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), (80, 64))
        _, encoded = cv2.imencode(".jpg", pixels)
        data = encoded.tobytes()
        (folder / f"{n:05}.jpg").write_bytes(data[: len(data) // 3] if n % every == every // 2 else data)
    network = lively_network(ARCHITECTURE, SIDE, SIDE * 3 // 2)
    with torch.no_grad():
        network.roi_heads.box_predictor.cls_score.bias[0] = BACKGROUND
    save_version(store, "small", network, replace(card_of(network, ARCHITECTURE), name="small"))
    this, held, failures = psutil.Process(), list[int](), list[str]()
    for event in run_to_end(LabelFolder(folder, ModelChoice("small", device="cpu"))):
        if isinstance(event, ImageLabelled):
            held.append(this.memory_info().rss)
        elif isinstance(event, ImageFailed):
            failures.append(event.reason)
    return held, failures


def test_that_broken_pictures_are_told_and_cost_only_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(tmp_path / "models"))
    held, failures = label_many(tmp_path / "pictures", tmp_path / "models", 30, 10)
    assert len(held) == 27
    assert len(failures) == 3
    assert all(".jpg" in sentence for sentence in failures)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_that_ten_thousand_pictures_keep_memory_flat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(tmp_path / "models"))
    held, failures = label_many(tmp_path / "pictures", tmp_path / "models", IMAGES, IMAGES // BROKEN)
    assert len(failures) == BROKEN
    assert len(held) == IMAGES - BROKEN
    starts = (WARM_UP, len(held) // 4, len(held) // 2, len(held) - WINDOW)
    curve = [float(np.mean(held[start : start + WINDOW])) / 2**20 for start in starts]
    told = ", ".join(f"{size:.0f}" for size in curve)
    figure(f"pictures a batch, {BROKEN} broken and told; MiB first, a quarter, half, last: {told}", IMAGES)
    assert curve[-1] <= curve[0] + CACHES
    assert curve[-1] <= curve[2] * 1.01, "by half of it the caches are full"
