"""A diff comes back from its bytes, which hold what changed and no more."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.document.codec import from_bytes, to_bytes
from engine.document.diff import Diff
from engine.document.mask import Mask
from engine.document.paint import erase_disc
from engine.document.records import IMAGE_STATE_ID, IgnoreRegion, ImageState, Instance, Record
from tests.engine.document.strategies import contents, often, seldom

Contents = dict[int, Record]


@seldom
@given(contents(), contents())
def test_that_a_diff_comes_back_with_the_records_of_either_side(before: Contents, after: Contents) -> None:
    diff = Diff.between(before, after)
    assert from_bytes(to_bytes(diff), before) == diff
    assert from_bytes(to_bytes(diff), after) == diff


@seldom
@given(contents(), contents())
def test_that_the_same_diff_gives_the_same_bytes(before: Contents, after: Contents) -> None:
    backwards = dict(reversed(after.items()))
    assert to_bytes(Diff.between(before, after)) == to_bytes(Diff.between(before, backwards))


@seldom
@given(contents(), contents(), st.data())
def test_that_damage_is_noticed(before: Contents, after: Contents, data: st.DataObject) -> None:
    stored = bytearray(to_bytes(Diff.between(before, after)))
    stored[data.draw(st.integers(0, len(stored) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(ValueError, match="damaged"):
        from_bytes(bytes(stored), before)


def test_that_any_flipped_bit_is_noticed() -> None:
    """Every one of them, of an edit without a mask, where a header's wrong length does the least harm."""
    stored = to_bytes(Diff(updated={IMAGE_STATE_ID: (ImageState(), ImageState(skip=True))}))
    for place in range(8 * len(stored)):
        flipped = bytearray(stored)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(ValueError, match="damaged"):
            from_bytes(bytes(flipped), {IMAGE_STATE_ID: ImageState()})


@often
@given(st.binary(max_size=60))
def test_that_bytes_of_something_else_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="damaged"):
        from_bytes(data, {})
    with pytest.raises(ValueError, match="damaged"):
        from_bytes(b"MWD\x01" + data, {})


def test_that_every_field_of_a_record_is_stored_and_read() -> None:
    """Fails where a field was added to a record and the codec does not know it."""
    mask = Mask.from_full(np.ones((2, 2)))
    records: Contents = {0: ImageState(), 1: Instance(1, 1, mask=mask), 2: IgnoreRegion(2, mask)}
    found = from_bytes(to_bytes(Diff(added=records)), {}).added
    assert found == records
    for id_, record in records.items():
        assert fields(found[id_]) == fields(record)


def test_that_a_stroke_on_a_large_mask_is_stored_as_its_own_pixels() -> None:
    rng = np.random.default_rng(1)
    old = Instance(1, 1, mask=Mask.from_full(rng.random((600, 800)) < 0.5))
    assert old.mask is not None
    stroke = erase_disc(old.mask, 300.0, 200.0, 4.0, height=600, width=800)
    data = to_bytes(Diff(updated={1: (old, replace(old, mask=stroke))}))
    assert len(data) < 400
    assert len(to_bytes(Diff(added={1: old}))) > 50_000
    assert from_bytes(data, {1: old}).updated[1][1] == replace(old, mask=stroke)


def test_that_an_update_takes_what_it_did_not_change_from_the_record_as_it_is() -> None:
    old = Instance(1, 1, z=0)
    data = to_bytes(Diff(updated={1: (old, replace(old, class_id=2))}))
    now = Instance(1, 2, z=7, track_id=3)
    assert from_bytes(data, {1: now}).updated == {1: (replace(now, class_id=1), now)}


def test_that_an_update_of_what_was_replaced_meanwhile_is_left_out() -> None:
    old = Instance(1, 1, mask=Mask.from_full(np.ones((3, 3))))
    new = replace(old, mask=Mask.from_full(np.ones((3, 2))))
    data = to_bytes(Diff(updated={1: (old, new)}))
    third = replace(old, mask=Mask.from_full(np.ones((1, 1))))
    assert from_bytes(data, {}).is_empty
    assert from_bytes(data, {1: third}).is_empty
    assert from_bytes(data, {1: replace(old, mask=None)}).is_empty
    assert from_bytes(data, {1: IgnoreRegion(1, Mask.from_full(np.ones((3, 3))))}).is_empty


def test_that_numpy_numbers_are_stored_as_numbers() -> None:
    x0, y0, x1, y1 = np.array([0.1, 0.2, 0.3, 0.4], dtype=np.float32)
    instance = Instance(1, int(np.int64(3)), box_xyxy=(x0, y0, x1, y1), score=np.float32(0.7))  # type: ignore[arg-type]
    assert from_bytes(to_bytes(Diff(added={1: instance})), {}).added == {1: instance}


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_that_a_number_that_is_not_finite_is_refused(score: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        to_bytes(Diff(added={1: Instance(1, 1, score=score)}))


def test_that_a_record_that_changed_its_kind_is_refused() -> None:
    region = IgnoreRegion(1, Mask.from_full(np.ones((1, 1))))
    with pytest.raises(ValueError, match="keeps the kind"):
        to_bytes(Diff(updated={1: (Instance(1, 1), region)}))
    with pytest.raises(ValueError, match="which no edit can store"):
        to_bytes(Diff(updated={IMAGE_STATE_ID: (ImageState(), ImageState(flags=(object(),)))}))  # type: ignore[arg-type]
