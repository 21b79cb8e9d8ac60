"""Masks between RLE and the stored form in batches: byte for byte what one at a time gives."""

from __future__ import annotations

import pickle
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.document import many, runs
from engine.document.many import from_rle_strings, from_stored, to_rles
from engine.document.mask import EMPTY, Mask
from engine.document.packing import PackedMask, pack, unpack
from engine.document.rle import compress_counts, from_rle, to_rle
from tests.engine.document.strategies import masks, often


def strings_of(some: list[Mask], sizes: list[tuple[int, int]]) -> list[bytes]:
    return [to_rle(mask, *size)["counts"].encode() for mask, size in zip(some, sizes, strict=True)]


def content(packed: bytes) -> bytes:
    """What is stored, however hard it was squeezed."""
    return packed[:1] + zlib.decompress(packed[1:])


@st.composite
def images(draw: st.DrawFn) -> tuple[list[Mask], list[tuple[int, int]]]:
    """Masks with the sizes of their images, some as high as the mask itself, some cutting it."""
    some = draw(st.lists(masks(), min_size=1, max_size=9))
    sizes = []
    for mask in some:
        x, y, width, height = mask.bbox_xywh
        sizes.append(
            (max(y + height + draw(st.integers(-1, 3)), 1), max(x + width + draw(st.integers(-1, 3)), 1))
        )
    return some, sizes


@often
@given(images())
def test_that_rles_are_packed_together_as_one_by_one(drawn: tuple[list[Mask], list[tuple[int, int]]]) -> None:
    some, sizes = drawn
    strings = strings_of(some, sizes)
    one_by_one = [
        from_rle({"size": list(size), "counts": string}, height=size[0], width=size[1])
        for string, size in zip(strings, sizes, strict=True)
    ]
    together = from_rle_strings(strings, sizes)
    assert together == one_by_one
    assert [content(pack(mask)) for mask in together] == [content(pack(mask)) for mask in one_by_one]
    assert [unpack(pack(mask)) for mask in together] == one_by_one
    for mask, single in zip(together, one_by_one, strict=True):
        assert (mask.area, mask.bbox_xywh, mask.box_xyxy) == (single.area, single.bbox_xywh, single.box_xyxy)
        assert mask.checksum() == single.checksum()


@often
@given(images())
def test_that_stored_masks_become_rles_together_as_one_by_one(
    drawn: tuple[list[Mask], list[tuple[int, int]]],
) -> None:
    some, sizes = drawn
    stored = from_stored([pack(mask) for mask in some])
    assert stored == some
    assert to_rles(stored, sizes) == [to_rle(mask, *size) for mask, size in zip(some, sizes, strict=True)]
    assert to_rles(some, sizes) == to_rles(stored, sizes)


def test_that_no_bitmap_is_made_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    some = [Mask.from_crop(n, 3, np.eye(n)) for n in range(1, 40)]
    sizes = [(50, 90)] * len(some)
    strings = strings_of(some, sizes)
    monkeypatch.setattr(many, "_TOGETHER", 7)
    monkeypatch.setattr(PackedMask, "bitmap", property(lambda _: pytest.fail("a bitmap was made")))
    together = from_rle_strings(strings, sizes)
    assert together is not None
    assert [
        rle["counts"].encode() for rle in to_rles(from_stored([pack(m) for m in together]), sizes)
    ] == strings


@pytest.mark.parametrize(
    "string",
    [b"", b"0", b"`", b"\x00", b"\xff", b"PPPPPPPPPPPPPPPP0", b"o" * 13 + b"0", b"99", b"0:;", b"O0", b"N2"],
)
def test_that_a_batch_with_a_wrong_one_is_left_to_be_read_one_by_one(string: bytes) -> None:
    sound = to_rle(Mask.from_crop(1, 1, np.ones((2, 2))), 4, 5)["counts"].encode()
    assert from_rle_strings([sound, sound], [(4, 5), (4, 5)]) is not None
    assert from_rle_strings([sound, string, sound], [(4, 5)] * 3) is None
    with pytest.raises(ValueError, match="RLE"):
        from_rle({"size": [4, 5], "counts": string}, height=4, width=5)


def test_that_runs_of_no_length_between_two_are_joined() -> None:
    counts = compress_counts(np.array([3, 2, 0, 4, 11]))
    (found,) = from_rle_strings([counts], [(4, 5)]) or []
    assert found == from_rle({"size": [4, 5], "counts": counts}, height=4, width=5)
    assert content(pack(found)) == content(pack(Mask(found.x, found.y, found.bitmap)))
    assert from_rle_strings([compress_counts(np.array([20]))], [(4, 5)]) == [EMPTY]
    assert from_rle_strings([], []) == []


def test_that_a_packed_mask_is_one_like_any_other() -> None:
    mask = Mask.from_crop(2, 3, np.array([[1, 0], [1, 1]]))
    (stored,) = from_stored([pack(mask)])
    assert isinstance(stored, PackedMask)
    assert (stored, hash(stored), repr(stored)) == (mask, hash(mask), repr(mask))
    assert mask == stored
    assert not stored.is_empty
    assert stored.clipped(9, 9) is stored
    assert stored.clipped(4, 9) == mask.clipped(4, 9)
    assert not stored.bitmap.flags.writeable
    assert pickle.loads(pickle.dumps(stored)) == mask  # noqa: S301 - our own
    with pytest.raises(ValueError, match="version"):
        from_stored([pack(mask), b"\x09"])


def test_that_a_batch_of_runs_is_bounded() -> None:
    assert runs.read([b"0" * runs.LONGEST, b"0"], np.array([4, 4])) is None
    assert runs.read([b"4"], np.array([runs.MAX_TOTAL + 1])) is None
