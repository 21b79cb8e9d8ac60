"""What masks cost at 4000 x 6000; printed with `pytest -m bench -s`."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from pycocotools import mask as coco

from engine.document.mask import Mask
from engine.document.paint import MaskCanvas
from engine.document.rle import to_rle

pytestmark = pytest.mark.bench

HEIGHT, WIDTH = 4000, 6000


def _milliseconds(run: Callable[[], object], times: int = 3) -> float:
    """The least time of several runs: what the machine can do when it is left alone."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        spent.append(time.perf_counter() - start)
    return 1e3 * min(spent)


def _discs(count: int) -> list[Mask]:
    rng = np.random.default_rng(0)
    discs = []
    for radius, x, y in zip(rng.integers(50, 300, count), rng.random(count), rng.random(count), strict=True):
        across = np.arange(-radius, radius + 1)
        disc = across[:, None] ** 2 + across**2 <= radius**2
        discs.append(Mask.from_crop(int(x * (WIDTH - 2 * radius)), int(y * (HEIGHT - 2 * radius)), disc))
    return discs


def test_that_a_crops_rle_takes_a_fraction_of_the_whole_images() -> None:
    discs = _discs(100)
    ours = _milliseconds(lambda: [to_rle(disc, HEIGHT, WIDTH) for disc in discs])
    whole = [np.asfortranarray(disc.to_full(HEIGHT, WIDTH).view(np.uint8)) for disc in discs[:4]]
    theirs = _milliseconds(lambda: [coco.encode(full) for full in whole], times=1) * len(discs) / len(whole)
    print(
        f"\nRLE of 100 instances at 4000 x 6000: {ours:.1f} ms; pycocotools on whole images: {theirs:.0f} ms"
    )
    assert ours * 10 < theirs


def _stroke_milliseconds(height: int, width: int) -> float:
    canvas = MaskCanvas(Mask.from_full(np.ones((height, width))), height=height, width=width)
    path = 200 + np.random.default_rng(1).uniform(-8, 8, (201, 2)).cumsum(axis=0)
    spent = []
    for n in range(200):
        start = time.perf_counter()
        canvas.erase(path[n : n + 2], 40)
        spent.append(time.perf_counter() - start)
    return 1e3 * float(np.median(spent))


def test_that_a_stroke_costs_the_same_on_a_small_and_a_large_image() -> None:
    small = min(_stroke_milliseconds(400, 600) for _ in range(3))
    large = min(_stroke_milliseconds(HEIGHT, WIDTH) for _ in range(3))
    canvas = MaskCanvas(Mask.from_full(np.ones((HEIGHT, WIDTH))), height=HEIGHT, width=WIDTH)
    canvas.erase((300, 300), 40)
    ending = _milliseconds(canvas.to_mask)
    print(f"\na stroke of radius 40: {small:.3f} ms at 400 x 600, {large:.3f} ms at 4000 x 6000;")
    print(f"ending the gesture on a mask of all 4000 x 6000 pixels: {ending:.1f} ms")
    assert large < 2 * small
    assert large < 4
