"""RLE both ways against pycocotools, hostile RLE refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from engine.document.mask import EMPTY, Bitmap, Mask
from engine.document.rle import from_rle, to_rle, to_rle_counts
from tests.engine.document.strategies import bitmaps, masks, often


@often
@given(bitmaps())
def test_that_an_rle_is_the_one_pycocotools_writes(full: Bitmap) -> None:
    height, width = full.shape
    theirs = coco.encode(np.asfortranarray(full.astype(np.uint8)))
    ours = to_rle(Mask.from_full(full), height, width)
    assert ours["size"] == list(theirs["size"])
    assert ours["counts"].encode() == theirs["counts"]


def test_that_long_runs_are_written_as_pycocotools_writes_them() -> None:
    rng = np.random.default_rng(3)
    full = np.repeat(np.repeat(rng.random((30, 20)) < 0.5, 37, axis=0), 53, axis=1)
    theirs = coco.encode(np.asfortranarray(full.astype(np.uint8)))
    assert to_rle(Mask.from_full(full), *full.shape)["counts"].encode() == theirs["counts"]
    assert from_rle(theirs, height=full.shape[0], width=full.shape[1]) == Mask.from_full(full)


@often
@given(bitmaps())
def test_that_a_mask_comes_back_from_every_form_of_its_rle(full: Bitmap) -> None:
    height, width = full.shape
    mask = Mask.from_full(full)
    rle = to_rle(mask, height, width)
    counts = to_rle_counts(mask, height, width)
    assert sum(counts) == height * width
    assert from_rle(rle, height=height, width=width) == mask
    assert (
        from_rle({"size": (height, width), "counts": rle["counts"].encode()}, height=height, width=width)
        == mask
    )
    assert from_rle({"size": [height, width], "counts": counts}, height=height, width=width) == mask


@often
@given(masks(lowest=-9), st.integers(1, 9), st.integers(1, 9))
def test_that_an_rle_holds_what_lies_inside_the_image(mask: Mask, height: int, width: int) -> None:
    assert to_rle(mask, height, width) == to_rle(mask.clipped(height, width), height, width)
    assert from_rle(to_rle(mask, height, width), height=height, width=width) == mask.clipped(height, width)


@often
@given(st.lists(st.integers(0, 4), min_size=1, max_size=20))
def test_that_runs_of_no_length_change_nothing(counts: list[int]) -> None:
    width = max(sum(counts), 1)
    counts.append(width - sum(counts))
    full = np.repeat(np.arange(len(counts)) % 2 == 1, counts)[None, :]
    assert from_rle({"size": [1, width], "counts": counts}, height=1, width=width) == Mask.from_full(full)


@pytest.mark.parametrize(
    ("rle", "why"),
    [
        ({}, "size"),
        ({"size": [2, 3]}, "counts are NoneType"),
        ({"size": [3, 2], "counts": [6]}, r"size is \[3, 2\]"),
        ({"size": [2, 3, 1], "counts": [6]}, "size"),
        ({"size": ["2", "3"], "counts": [6]}, "not two ints"),
        ({"size": [2.0, 3.0], "counts": [6]}, "not two ints"),
        ({"size": "23", "counts": [6]}, "not two ints"),
        ({"size": [2, 3], "counts": 6}, "counts are int"),
        ({"size": [2, 3], "counts": []}, "flat list of ints"),
        ({"size": [2, 3], "counts": [2, 5, -1]}, "outside"),
        ({"size": [2, 3], "counts": [1, 2]}, "sum"),
        ({"size": [2, 3], "counts": [5, 5]}, "sum"),
        ({"size": [2, 3], "counts": [7]}, "outside"),
        ({"size": [2, 3], "counts": [6.0]}, "flat list of ints"),
        ({"size": [2, 3], "counts": [float("nan")]}, "flat list of ints"),
        ({"size": [2, 3], "counts": ["6"]}, "flat list of ints"),
        ({"size": [2, 3], "counts": [None]}, "flat list of ints"),
        ({"size": [2, 3], "counts": [[1], [5, 0]]}, "flat list"),
        ({"size": [2, 3], "counts": [2**70]}, "flat list of ints"),
        ({"size": [2, 3], "counts": [2**63, 6]}, "flat list of ints"),
        ({"size": [2, 3], "counts": ""}, "empty"),
        ({"size": [2, 3], "counts": "\x00"}, "no RLE has"),
        ({"size": [2, 3], "counts": "~"}, "no RLE has"),
        ({"size": [2, 3], "counts": "ü"}, "ASCII"),
        ({"size": [2, 3], "counts": "o"}, "cut short"),
        ({"size": [2, 3], "counts": "o" * 5000}, "cut short"),
        ({"size": [2, 3], "counts": "o" * 5000 + "0"}, "too large"),
        ({"size": [2, 3], "counts": "O"}, "outside"),  # -1
        ({"size": [2, 3], "counts": "7"}, "outside"),
        ({"size": [2, 3], "counts": "5"}, "sum"),
        ({"size": [2, 3], "counts": "66"}, "sum"),
    ],
)
def test_that_a_hostile_rle_is_refused_with_a_reason(rle: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        from_rle(rle, height=2, width=3)


@often
@given(st.binary(max_size=40) | st.lists(st.integers(48, 111), max_size=40).map(bytes), st.integers(1, 9))
def test_that_any_counts_are_refused_or_are_a_mask(counts: bytes, side: int) -> None:
    try:
        mask = from_rle({"size": [side, side], "counts": counts}, height=side, width=side)
    except ValueError:
        return
    assert mask.clipped(side, side) is mask


def test_that_an_image_without_a_size_has_no_rle() -> None:
    for height, width in ((0, 3), (3, -1), (1 << 21, 1 << 21)):
        with pytest.raises(ValueError, match="no RLE"):
            to_rle(EMPTY, height, width)
        with pytest.raises(ValueError, match="no RLE"):
            from_rle({"size": [height, width], "counts": []}, height=height, width=width)


def test_that_an_rle_of_a_huge_image_costs_only_its_crop() -> None:
    mask = Mask.from_crop(900_000, 700_000, np.eye(3))
    rle = to_rle(mask, 1_000_000, 1_000_000)
    assert from_rle(rle, height=1_000_000, width=1_000_000) == mask
