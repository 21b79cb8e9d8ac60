"""The stored form of a mask, one by one and many at once; damaged ones refused."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.document import packing
from engine.document.mask import EMPTY, Mask
from engine.document.packing import pack, unpack, unpack_all
from tests.engine.document.strategies import masks, often

Outcome = list[Mask] | str


def stored(place: tuple[int, int, int, int], runs: bytes) -> bytes:
    """As `pack` writes it, of whatever is wanted."""
    return b"\x01" + zlib.compress(struct.pack("<iiII", *place) + runs)


def outcome(read: Callable[[Sequence[bytes]], list[Mask]], packed: Sequence[bytes]) -> Outcome:
    try:
        return read(packed)
    except ValueError as error:
        return str(error)


@often
@given(st.lists(masks(lowest=-9), max_size=12))
def test_that_many_masks_come_back_as_one_by_one(some: list[Mask]) -> None:
    assert unpack_all([pack(mask) for mask in some]) == some


def test_that_many_masks_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    some = [Mask.from_crop(n, 3, np.eye(n)) for n in range(1, 40)]
    packed = [pack(mask) for mask in some]
    monkeypatch.setattr(packing, "_BATCH_PIXELS", 2000)  # several batches
    monkeypatch.setattr(packing, "unpack", lambda _data: pytest.fail("one was read by itself"))
    assert unpack_all(packed) == some


@often
@given(
    st.tuples(*[st.integers(0, 3)] * 2, *[st.integers(0, 3)] * 2),
    st.binary(max_size=9) | st.text("0123456PQ`", max_size=6).map(str.encode),
    masks(),
)
def test_that_what_is_damaged_among_many_is_told_as_ever(
    place: tuple[int, int, int, int], runs: bytes, sound: Mask
) -> None:
    packed = [pack(sound), stored(place, runs), pack(sound)]
    one_by_one = outcome(lambda data: [unpack(one) for one in data], packed)
    assert outcome(unpack_all, packed) == one_by_one


@often
@given(masks(lowest=-9))
def test_that_a_mask_comes_back_from_its_stored_form(mask: Mask) -> None:
    assert unpack(pack(mask)) == mask


@often
@given(masks(), st.data())
def test_that_damage_to_a_stored_mask_is_noticed(mask: Mask, data: st.DataObject) -> None:
    packed = bytearray(pack(mask))
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = unpack(bytes(packed))
    except ValueError:
        return
    assert found == mask  # a bit of zlib's own header that means nothing


@often
@given(masks(), st.integers(0, 30))
def test_that_a_stored_mask_cut_short_or_too_long_is_refused(mask: Mask, length: int) -> None:
    packed = pack(mask)
    with pytest.raises(ValueError, match="stored mask"):
        unpack(packed[:length] if length < len(packed) else packed + b"\0")


def test_that_a_mask_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version 9"):
        unpack(b"\x09" + pack(EMPTY)[1:])


@pytest.mark.parametrize(
    ("place", "runs", "why"),
    [
        ((0, 0, 3, 2), b"06", None),
        ((0, 0, 3, 3), b"063", "own box"),
        ((0, 0, 3, 2), b"05", "sum"),
        ((0, 0, 3, 2), b"07", "outside"),
        ((0, 0, 3, 2), b"0V", "cut short"),
        ((0, 0, 3, 2), b"0`6", "outside"),
        ((0, 0, 2**31, 2**31), b"06", "claims"),
        ((0, 0, 0, 0), b"0", "empty"),
        ((0, 0, 0, 5), b"", "empty"),
        ((1, 0, 0, 0), b"", "empty"),
        ((0, 0, 1, 1), b"0" * 10_000_000, "too long"),
    ],
)
def test_that_a_stored_mask_is_checked_before_it_is_believed(
    place: tuple[int, int, int, int], runs: bytes, why: str | None
) -> None:
    packed = stored(place, runs)
    if why is None:
        assert unpack(packed) == Mask.from_full(np.ones((3, 2)))
        return
    with pytest.raises(ValueError, match=why):
        unpack(packed)
    with pytest.raises(ValueError, match=why):
        unpack_all([pack(EMPTY), packed])
