"""How often each sample occurs: what a contrast is chosen by."""

from __future__ import annotations

import numpy as np

from engine.media import levels
from engine.media.levels import BARS, levels_of


def test_that_bars_count_every_sample_between_them() -> None:
    samples = np.random.default_rng(0).integers(500, 900, (100, 100, 1)).astype(np.uint16)
    found = levels_of(samples)
    assert found is not None
    assert len(found.counts) == BARS
    assert found.counts.sum() == samples.size
    assert (found.least, found.most, found.is_whole) == (samples.min(), samples.max(), True)


def test_that_a_few_hot_pixels_do_not_squeeze_the_bars() -> None:
    samples = np.random.default_rng(0).normal(1000, 50, (300, 300)).astype(np.float32)
    samples[0, :3] = (65_000, np.nan, np.inf)
    found = levels_of(samples)
    assert found is not None
    assert found.high < 1300
    assert found.most == 65_000
    assert not found.is_whole


def test_that_a_picture_of_one_value_or_of_none_is_no_fault() -> None:
    flat = levels_of(np.full((5, 5), 7, np.uint16))
    assert flat is not None
    assert flat.low < 7 < flat.high
    assert flat.counts.sum() == 25
    assert levels_of(np.full((5, 5), np.nan, np.float32)) is None


def test_that_of_a_large_picture_a_part_is_enough() -> None:
    samples = np.arange(4 * levels._ENOUGH, dtype=np.uint32)
    found = levels_of(samples)
    assert found is not None
    assert levels._ENOUGH * 0.9 < found.counts.sum() <= levels._ENOUGH * 1.1
    assert found.counts.min() > 0
