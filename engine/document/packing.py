"""The compact bytes in which a project stores a mask, one by one and thousands at once.

One version byte, then zlib of place, size and COCO's compressed runs of the crop. zlib's checksum covers all
of it, so that damage is noticed.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.document.mask import EMPTY, Bitmap, Mask
from engine.document.rle import (
    FIRST_CHARACTER,
    MAX_CHARACTERS,
    MAX_PIXELS,
    Counts,
    compress_counts,
    counts_of,
    decompress_counts,
    mask_of,
)

_PACK_VERSION = 1
_PACK_HEADER = struct.Struct("<iiII")  # x, y, height, width
_SMALL_BYTES, _SMALL_PIXELS = 1 << 18, 1 << 22  # of a mask that is read together with others
_BATCH_PIXELS = 1 << 25  # of all boxes in a batch: 32 MiB for as long as it takes


def pack(mask: Mask) -> bytes:
    """The bytes of a mask."""
    height, width = mask.bitmap.shape
    runs = b"" if mask.is_empty else compress_counts(counts_of(Mask(0, 0, mask.bitmap), height, width))
    head = _PACK_HEADER.pack(mask.x, mask.y, height, width)
    return bytes([_PACK_VERSION]) + zlib.compress(head + runs, level=1)


def unpack(data: bytes) -> Mask:
    """The mask that `pack` stored. Raises ValueError for damaged bytes or another version."""
    if not data or data[0] != _PACK_VERSION:
        found = data[0] if data else "none"
        raise ValueError(f"the stored mask has version {found}, not {_PACK_VERSION}")
    inflate = zlib.decompressobj()
    try:
        head = inflate.decompress(data[1:], _PACK_HEADER.size)
        if len(head) < _PACK_HEADER.size:
            raise ValueError("the stored mask is cut short")
        x, y, height, width = _PACK_HEADER.unpack(head)
        if height * width > MAX_PIXELS:
            raise ValueError(f"the stored mask claims {height} x {width} pixels")
        # No count is written longer than this, so a larger answer is a damaged or hostile one.
        longest = 4 * height * width + 16
        runs = inflate.decompress(inflate.unconsumed_tail, longest)
    except zlib.error as e:
        raise ValueError(f"the stored mask is damaged: {e}") from e
    if not inflate.eof or inflate.unused_data:
        raise ValueError("the stored mask is cut short or too long")
    if height * width == 0:
        if (x, y, height, width) != (0, 0, 0, 0) or runs:
            raise ValueError("the stored mask claims to be empty and holds something")
        return EMPTY
    local = mask_of(decompress_counts(runs, height * width), height)
    if local.bbox_xywh != (0, 0, width, height):
        raise ValueError("the stored mask does not fill its own box")
    return Mask(x, y, local.bitmap)


def unpack_all(stored: Sequence[bytes]) -> list[Mask]:
    """The masks that `pack` stored, in order; many cost a fifth of what one by one would.

    Raises ValueError as `unpack`.
    """
    found: list[Mask | None] = [None] * len(stored)
    for batch in _batches(stored):
        for packed, mask in zip(batch, _read_together(batch), strict=True):
            found[packed.place] = mask
    # What is large, empty or amiss is read by itself, which tells of any damage.
    return [mask if mask is not None else unpack(stored[place]) for place, mask in enumerate(found)]


@dataclass(frozen=True, slots=True)
class _Packed:
    """A stored mask with its size read and its runs as they were stored. place: among those asked for."""

    place: int
    x: int
    y: int
    height: int
    width: int
    runs: bytes


def _batches(stored: Sequence[bytes]) -> Iterator[list[_Packed]]:
    batch: list[_Packed] = []
    pixels = 0
    for place, data in enumerate(stored):
        packed = _small(place, data)
        if packed is None:
            continue
        pixels += packed.height * packed.width
        if pixels > _BATCH_PIXELS and batch:
            yield batch
            batch, pixels = [], packed.height * packed.width
        batch.append(packed)
    if batch:
        yield batch


def _small(place: int, data: bytes) -> _Packed | None:
    """A stored mask that can be read with others; None for a large or an empty one, and for a damaged one."""
    if not data or data[0] != _PACK_VERSION:
        return None
    inflate = zlib.decompressobj()
    try:
        content = inflate.decompress(memoryview(data)[1:], _SMALL_BYTES)
    except zlib.error:
        return None
    if not inflate.eof or inflate.unused_data or len(content) <= _PACK_HEADER.size:
        return None
    x, y, height, width = _PACK_HEADER.unpack_from(content)
    if not 0 < height * width <= _SMALL_PIXELS:
        return None
    return _Packed(place, x, y, height, width, content[_PACK_HEADER.size :])


def _read_together(batch: Sequence[_Packed]) -> Sequence[Mask | None]:
    """The masks of a batch; None for all where any of them is amiss."""
    counts = _counts_together(batch)
    if counts is None:
        return [None] * len(batch)
    values, is_set = counts
    pixels = np.repeat(is_set, values).view(np.uint8)  # column by column, one mask after the other
    masks, start = [], 0
    for one in batch:
        end = start + one.height * one.width
        bitmap = cv2.transpose(pixels[start:end].reshape(one.width, one.height)).view(np.bool_)
        bitmap.flags.writeable = False
        try:
            masks.append(Mask(one.x, one.y, bitmap))
        except ValueError:  # it does not fill its box
            return [None] * len(batch)
        start = end
    return masks


def _counts_together(batch: Sequence[_Packed]) -> tuple[Counts, Bitmap] | None:
    """The counts of all masks, one after the other, and whether each is of set pixels.

    As `decompress_counts` works them out and checks them; None where a check fails. A mask with an odd number
    of counts gets one more of no pixel, so that clear and set ones alternate throughout.
    """
    lengths = np.array([len(one.runs) for one in batch], dtype=np.int64)
    totals = np.array([one.height * one.width for one in batch], dtype=np.int64)
    characters = np.frombuffer(b"".join(one.runs for one in batch), dtype=np.uint8)
    characters = characters - np.uint8(FIRST_CHARACTER)  # below it wraps to above the largest
    last = np.cumsum(lengths) - 1
    ends = np.flatnonzero(characters < 0x20)
    if characters.max() > 0x3F or (characters[last] >= 0x20).any():
        return None
    numbers = np.searchsorted(ends, last, side="right")  # of counts up to the end of each mask
    sizes = np.diff(numbers, prepend=0)
    is_odd = sizes % 2 == 1
    added = np.cumsum(is_odd) - is_odd
    values = np.zeros(len(ends) + np.count_nonzero(is_odd), dtype=np.int64)
    differences = _differences(characters, ends)
    if differences is None:
        return None
    values[np.arange(len(ends)) + np.repeat(added, sizes)] = differences
    firsts = (numbers - sizes + added) // 2  # the first pair of counts of each mask
    pairs = (sizes + 1) // 2
    clear, full = values[0::2], values[1::2]
    ahead = clear[firsts].copy()  # this one is no difference
    clear[:] = _summed(clear, firsts, pairs, ahead)
    clear[firsts] = ahead
    full[:] = _summed(full, firsts, pairs, np.zeros_like(ahead))
    full[(firsts + pairs - 1)[is_odd]] = 0
    if values.min() < 0 or values.max() > _SMALL_PIXELS:
        return None
    # Each is at most 2**22 and there are at most 2**18 of a mask: no sum wraps around.
    if (np.add.reduceat(values, 2 * firsts) != totals).any():
        return None
    return values, np.tile(np.array([False, True]), len(clear))


def _differences(characters: NDArray[np.uint8], ends: NDArray[np.int64]) -> Counts | None:
    """The numbers whose last characters these are; None where one is longer than a small mask needs."""
    groups = np.diff(ends, prepend=-1)
    if groups.max() > MAX_CHARACTERS:
        return None
    starts = ends - groups + 1
    values: Counts = (characters[starts] & np.uint8(0x1F)).astype(np.int64)
    for place in range(1, int(groups.max())):  # hardly any has many
        longer = np.flatnonzero(groups > place)
        values[longer] |= (characters[starts[longer] + place] & np.uint8(0x1F)).astype(np.int64) << 5 * place
    negative = np.flatnonzero(characters[ends] & 0x10)
    values[negative] -= np.int64(1) << 5 * groups[negative]
    return values


def _summed(differences: Counts, firsts: Counts, sizes: Counts, ahead: Counts) -> Counts:
    """Running sums that begin anew at each first one, without what stands ahead of it."""
    sums = np.cumsum(differences)
    before = sums[firsts] - differences[firsts] + ahead
    summed: Counts = sums - np.repeat(before, sizes)
    return summed
