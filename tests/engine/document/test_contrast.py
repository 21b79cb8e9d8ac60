"""A contrast is written in one word and read again; limits that are none are refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.document.contrast import AUTOMATIC, Contrast, Way

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=64)


@given(st.sampled_from(Way), NUMBERS, NUMBERS, st.floats(0.05, 20))
def test_that_a_contrast_is_read_as_it_was_written(way: Way, a: float, b: float, gamma: float) -> None:
    if way is Way.PERCENTILE:
        a, b = (abs(math.remainder(one, 100)) for one in (a, b))
    low, high = sorted((a, b)) if way in (Way.PERCENTILE, Way.WINDOW) else (0.0, 0.0)
    if low == high and way in (Way.PERCENTILE, Way.WINDOW):
        return
    contrast = Contrast(way, low, high, gamma)
    assert " " not in str(contrast)
    assert Contrast.parse(str(contrast)) == contrast


def test_that_the_automatic_one_is_the_usual() -> None:
    assert str(AUTOMATIC) == "auto"
    assert Contrast.parse("auto") == AUTOMATIC


@pytest.mark.parametrize(
    "text",
    [
        "", "window", "window:1", "window:2:1", "window:1:1", "window:a:b", "window:0:nan", "window:0:inf",
        "percentile:-1:50", "percentile:1:101", "auto:gamma=0", "auto:gamma=x", "curve:1:2", "full:1:2:3",
    ],
)  # fmt: skip
def test_that_what_is_no_contrast_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Contrast.parse(text)
