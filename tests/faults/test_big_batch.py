"""Ten thousand pictures, one in a hundred broken: each failure is told, memory stays flat."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from engine.messages import ImageFailed, ImageLabelled, LabelFolder, ModelChoice
from engine.models.card import ModelCard
from engine.models.families import build
from engine.models.spec import NetworkSpec
from engine.models.version import save_version
from engine.session import run_to_end

IMAGES, BROKEN, WARM_UP, WINDOW = 10_000, 100, 500, 1000
SIDE = 64


def label_many(folder: Path, store: Path, images: int, every: int) -> tuple[list[int], list[str]]:
    """Memory held after each image, in bytes, and the sentences of the failures."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for n in range(images):
        pixels = cv2.resize(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), (80, 64))
        _, encoded = cv2.imencode(".jpg", pixels)
        data = encoded.tobytes()
        (folder / f"{n:05}.jpg").write_bytes(data[: len(data) // 3] if n % every == every // 2 else data)
    spec = NetworkSpec("maskrcnn_resnet18_slim_fpn", 2, min_size=SIDE, max_size=96)
    save_version(store, "small", build(spec), ModelCard("small", spec, ("a", "b")))
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
def test_that_ten_thousand_pictures_keep_memory_flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(tmp_path / "models"))
    held, failures = label_many(tmp_path / "pictures", tmp_path / "models", IMAGES, IMAGES // BROKEN)
    assert len(failures) == BROKEN
    assert len(held) == IMAGES - BROKEN
    first = float(np.mean(held[WARM_UP : WARM_UP + WINDOW]))
    last = float(np.mean(held[-WINDOW:]))
    print(
        f"\n{IMAGES} pictures, {BROKEN} broken and told; memory {first / 2**20:.0f} MiB at first,"
        f" {last / 2**20:.0f} MiB at the end ({last / first - 1:+.1%})"
    )
    assert last <= first * 1.02
