"""Memory over 2,000 images: the last 500 within 2 % of the first 500 after a warm-up of 100."""

from __future__ import annotations

import numpy as np
import psutil
import pytest

from engine.models.card import ModelCard
from engine.models.families import NetworkSpec, build
from engine.models.version import save_version
from tests.bench.conftest import Row

IMAGES, WARM_UP, WINDOW = 2000, 100, 500


@pytest.mark.bench
@pytest.mark.timeout(3600)
def test_memory_over_a_long_run(
    row: Row, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cv2

    from engine.messages import ImageLabelled, LabelFolder, ModelChoice
    from engine.session import run_to_end

    root, store = tmp_path_factory.mktemp("pictures"), tmp_path_factory.mktemp("models")
    rng = np.random.default_rng(0)
    for n in range(IMAGES):
        size = rng.integers(200, 320, 2)
        picture = rng.integers(0, 256, (size[0] // 16, size[1] // 16, 3), dtype=np.uint8)
        _, encoded = cv2.imencode(".jpg", cv2.resize(picture, (int(size[1]), int(size[0]))))
        (root / f"{n}.jpg").write_bytes(encoded.tobytes())
    spec = NetworkSpec("maskrcnn_resnet18_slim_fpn", 2, min_size=256, max_size=384)
    save_version(store, "small", build(spec), ModelCard("small", spec, ("a", "b")))
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(store))

    this, held = psutil.Process(), list[int]()
    for event in run_to_end(LabelFolder(root, ModelChoice("small"))):
        if isinstance(event, ImageLabelled):
            held.append(this.memory_info().rss)
    first = np.mean(held[WARM_UP : WARM_UP + WINDOW]) / 2**20
    last = np.mean(held[-WINDOW:]) / 2**20
    growth = last / first - 1
    what = f"memory over {IMAGES} images, last {WINDOW} against first {WINDOW}"
    row(what, f"{last:.0f} MiB", f"{first:.0f} MiB", f"{growth:+.1%}")
    assert growth <= 0.02
