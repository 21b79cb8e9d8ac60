"""What hypothesis draws masks, records and changes from, and how often."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.document.codec import to_bytes
from engine.document.diff import Diff
from engine.document.mask import Bitmap, Mask
from engine.document.records import (
    IMAGE_STATE_ID,
    IgnoreRegion,
    ImageState,
    Instance,
    Keypoint,
    Provenance,
    Record,
    ReviewState,
)

often = settings(max_examples=80, deadline=None)
seldom = settings(max_examples=25, deadline=None)

IDS = (1, 2, 3, 4)
SIDE = 9

_numbers = st.floats(-100, 100, allow_nan=False)
_texts = st.text(max_size=3)


@st.composite
def bitmaps(draw: st.DrawFn, largest: int = SIDE) -> Bitmap:
    """h x w bool of at least one pixel: scattered, nearly full or anything between."""
    height, width = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    return draw(arrays(np.bool_, (height, width), elements=st.booleans(), fill=st.booleans()))


@st.composite
def masks(draw: st.DrawFn, lowest: int = 0) -> Mask:
    """A small mask at `lowest` or further; may be empty."""
    return Mask.from_crop(draw(st.integers(lowest, 5)), draw(st.integers(lowest, 5)), draw(bitmaps()))


def some_masks() -> st.SearchStrategy[Mask]:
    """Masks that hold a pixel."""
    return masks().filter(lambda mask: not mask.is_empty)


_keypoints = st.builds(Keypoint, x=_numbers, y=_numbers, visibility=st.integers(0, 2))
_boxes = st.tuples(_numbers, _numbers, _numbers, _numbers)


def instances(id_: int) -> st.SearchStrategy[Instance]:
    """An instance of that id with every field filled somehow."""
    return st.builds(
        Instance,
        id=st.just(id_),
        class_id=st.integers(1, 3),
        mask=st.none() | masks(),
        box_xyxy=st.none() | _boxes,
        score=st.none() | st.floats(0, 1),
        provenance=st.sampled_from(Provenance),
        z=st.integers(-3, 3),
        keypoints=st.lists(_keypoints, max_size=2).map(tuple),
        track_id=st.none() | st.integers(0, 5),
        attributes=st.lists(st.tuples(_texts, _texts), max_size=2).map(tuple),
        rings=st.lists(st.lists(_numbers, max_size=6).map(tuple), max_size=2).map(tuple),
    )


def states() -> st.SearchStrategy[ImageState]:
    """A state of an image."""
    return st.builds(
        ImageState,
        review=st.sampled_from(ReviewState),
        flags=st.lists(_texts, max_size=2).map(tuple),
        skip=st.booleans(),
    )


def records_of(id_: int) -> st.SearchStrategy[Record]:
    """A record that may stand under that id: odd ids are instances, even ones ignore regions."""
    if id_ == IMAGE_STATE_ID:
        return states()
    return instances(id_) if id_ % 2 else st.builds(IgnoreRegion, id=st.just(id_), mask=masks())


@st.composite
def contents(draw: st.DrawFn) -> dict[int, Record]:
    """All records of an image: its state, and some of IDS."""
    ids = [IMAGE_STATE_ID, *draw(st.lists(st.sampled_from(IDS), unique=True))]
    return {id_: draw(records_of(id_)) for id_ in ids}


def as_bytes(records: Mapping[int, Record]) -> bytes:
    """Records as bytes, equal for equal records."""
    return to_bytes(Diff(added=records))
