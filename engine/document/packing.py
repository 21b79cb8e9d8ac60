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

from engine.document import runs
from engine.document.mask import EMPTY, Bitmap, Mask
from engine.document.rle import MAX_PIXELS, compress_counts, counts_of, decompress_counts, mask_of

_PACK_VERSION = 1
_VERSION = bytes([_PACK_VERSION])
_PACK_HEADER = struct.Struct("<iiII")  # x, y, height, width
_SMALL_BYTES, _SMALL_PIXELS = 1 << 18, 1 << 22  # of a mask that is read together with others
_BATCH_PIXELS = 1 << 22  # of all boxes in a batch: more would be no faster, and each time fresh memory


class PackedMask(Mask):
    """A mask whose bitmap is made of its runs when it is first asked for; in all else a mask like any other.

    So that a hundred thousand images come and go through files without a bitmap being made of each mask.
    runs: compressed counts of the box, right and tight. data: what `pack` gives. pixels: the area.
    """

    __slots__ = ("_bitmap", "data", "height", "pixels", "runs", "width")
    height: int
    width: int
    runs: bytes
    data: bytes
    pixels: int
    _bitmap: Bitmap | None

    def __init__(
        self, x: int, y: int, height: int, width: int, runs: bytes, data: bytes, pixels: int
    ) -> None:
        put = object.__setattr__
        put(self, "x", x)
        put(self, "y", y)
        put(self, "height", height)
        put(self, "width", width)
        put(self, "runs", runs)
        put(self, "data", data)
        put(self, "pixels", pixels)
        put(self, "_bitmap", None)

    @property
    def bitmap(self) -> Bitmap:
        """As any mask's. Raises ValueError for runs that are damaged."""
        made = self._bitmap
        if made is None:
            made = mask_of(decompress_counts(self.runs, self.height * self.width), self.height).bitmap
            object.__setattr__(self, "_bitmap", made)
        return made

    @property
    def is_empty(self) -> bool:
        """Never."""
        return False

    @property
    def area(self) -> int:
        """Count of pixels."""
        return self.pixels

    @property
    def bbox_xywh(self) -> tuple[int, int, int, int]:
        """As any mask's."""
        return self.x, self.y, self.width, self.height

    @property
    def box_xyxy(self) -> tuple[float, float, float, float]:
        """As any mask's."""
        return float(self.x), float(self.y), float(self.x + self.width), float(self.y + self.height)

    def __reduce__(self) -> tuple[object, ...]:
        """For other processes."""
        return PackedMask, (self.x, self.y, self.height, self.width, self.runs, self.data, self.pixels)


def pack(mask: Mask) -> bytes:
    """The bytes of a mask."""
    if isinstance(mask, PackedMask):
        return mask.data
    height, width = mask.bitmap.shape
    counts = b"" if mask.is_empty else compress_counts(counts_of(Mask(0, 0, mask.bitmap), height, width))
    return packed(mask.x, mask.y, height, width, counts)


def packed(x: int, y: int, height: int, width: int, counts: bytes, *, level: int = 1) -> bytes:
    """The bytes of a mask of that box and those compressed counts of it. level: zlib's; 0 for as it is."""
    return _VERSION + zlib.compress(_PACK_HEADER.pack(x, y, height, width) + counts, level=level)


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
class Packed:
    """A stored mask with its size read and its runs as they were stored. place: among those asked for."""

    place: int
    x: int
    y: int
    height: int
    width: int
    runs: bytes


def _batches(stored: Sequence[bytes]) -> Iterator[list[Packed]]:
    batch: list[Packed] = []
    pixels = 0
    for place, data in enumerate(stored):
        packed = small(place, data)
        if packed is None:
            continue
        pixels += packed.height * packed.width
        if pixels > _BATCH_PIXELS and batch:
            yield batch
            batch, pixels = [], packed.height * packed.width
        batch.append(packed)
    if batch:
        yield batch


def small(place: int, data: bytes) -> Packed | None:
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
    return Packed(place, x, y, height, width, content[_PACK_HEADER.size :])


def _read_together(batch: Sequence[Packed]) -> Sequence[Mask | None]:
    """The masks of a batch; None for all where any of them is amiss."""
    totals = np.array([one.height * one.width for one in batch], dtype=np.int64)
    counts = runs.read([one.runs for one in batch], totals)
    if counts is None:
        return [None] * len(batch)
    # Column by column, one mask after the other.
    is_set = np.tile(np.array([False, True]), len(counts.values) // 2)
    pixels = np.repeat(is_set, counts.values).view(np.uint8)
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
