"""Runs of pixels: COCO's RLE both ways.

Both work on the crop: the full-size bitmap that an RLE speaks of is never built. What comes from
outside is validated before it is decoded, by this module itself: pycocotools crashes or never
returns on a hostile RLE. The format is that of the COCO API (`maskApi.c`): runs down the columns,
first of zeros then of ones in turn; the compressed form writes each count as its difference from
the one of the same kind before it, 5 bits a character.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.document.mask import EMPTY, Bitmap, Mask

Counts = NDArray[np.int64]

MAX_PIXELS = 1 << 40
"""Larger images are refused: sums of counts must stay far from the limits of 64 bits."""

FIRST_CHARACTER, MAX_CHARACTERS = 48, 12
"""Of a compressed count: what its characters begin at, and how many at most: 60 bits, more than any needs."""


class CocoRle(TypedDict):
    """An RLE as COCO's JSON holds it. size: [height, width] of the image. counts: the compressed form."""

    size: list[int]
    counts: str


def to_rle_counts(mask: Mask, height: int, width: int) -> list[int]:
    """The uncompressed counts of `mask` on an image of that size; pixels outside it are left out."""
    counts: list[int] = counts_of(mask, height, width).tolist()
    return counts


def to_rle(mask: Mask, height: int, width: int) -> CocoRle:
    """The compressed RLE of `mask` on an image of that size; pixels outside it are left out."""
    return {
        "size": [height, width],
        "counts": compress_counts(counts_of(mask, height, width)).decode("ascii"),
    }


def from_rle(rle: Mapping[str, object], *, height: int, width: int) -> Mask:
    """The mask of an RLE whose counts are a list of ints, or compressed as str or bytes.

    height and width are those of the image it belongs to. Raises ValueError, before anything is
    decoded, where `size` is another one or the counts are not those of such an image.
    """
    return mask_of(checked_counts(rle, height=height, width=width), height)


def checked_counts(rle: Mapping[str, object], *, height: int, width: int) -> Counts:
    """The counts of an RLE, as `from_rle` takes it, on an image of that size. Raises ValueError."""
    _check_size(rle.get("size"), height, width)
    counts = rle.get("counts")
    if isinstance(counts, str):
        if not counts.isascii():
            raise ValueError("the RLE's counts hold a character that is not ASCII")
        counts = counts.encode("ascii")
    if isinstance(counts, bytes):
        return decompress_counts(counts, height * width)
    if isinstance(counts, Sequence):
        return _checked_list(counts, height * width)
    raise ValueError(f"the RLE's counts are {type(counts).__name__}, not a list of ints or a string")


def fill_runs(boundaries: Counts, size: int) -> Bitmap:
    """`size` pixels, clear up to the first boundary, set up to the second, and so on in turn.

    boundaries: sorted int64 within 0..size; equal neighbours are runs of no length.
    """
    lengths = np.diff(boundaries, prepend=0, append=size)
    values = np.zeros(len(lengths), dtype=np.bool_)
    values[1::2] = True
    pixels: Bitmap = np.repeat(values, lengths)
    return pixels


def counts_of(mask: Mask, height: int, width: int) -> Counts:
    """Counts of the runs down the columns of the whole image, from the crop alone."""
    if height <= 0 or width <= 0 or height * width > MAX_PIXELS:
        raise ValueError(f"an image of {height} x {width} pixels has no RLE")
    inside = mask.clipped(height, width)
    if inside.is_empty:
        return np.array([height * width], dtype=np.int64)
    rows, columns = inside.bitmap.shape
    # A clear pixel before and after each column keeps runs of neighbouring columns apart.
    pixels = np.zeros((columns, rows + 2), dtype=np.uint8)
    pixels[:, 1:-1] = cv2.transpose(inside.bitmap.view(np.uint8))
    flat = pixels.reshape(-1)
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    column, row = np.divmod(changes, rows + 2)
    edges = (column + inside.x) * height + row + inside.y
    if rows == height:
        # Only a crop as high as the image has runs that go on in the next column: join them.
        joined = np.flatnonzero(edges[1:-1:2] == edges[2::2])
        edges = np.delete(edges, np.concatenate((joined * 2 + 1, joined * 2 + 2)))
    ends = [] if edges[-1] == height * width else [height * width]
    return np.diff(np.concatenate((edges, np.array(ends, dtype=np.int64))), prepend=0)


def mask_of(counts: Counts, height: int) -> Mask:
    """The mask of valid counts on an image of that height."""
    edges = np.cumsum(counts)
    starts, ends = edges[:-1:2], edges[1::2]
    some = ends > starts
    starts, ends = starts[some], ends[some]
    if starts.size == 0:
        return EMPTY
    first, last = starts // height, (ends - 1) // height
    left, right = int(first[0]), int(last[-1]) + 1
    top, bottom = 0, height
    if np.array_equal(first, last):
        top, bottom = int((starts % height).min()), int(((ends - 1) % height).max()) + 1
    rows = bottom - top
    local = np.empty(2 * len(starts), dtype=np.int64)
    local[0::2] = (first - left) * rows + starts % height - top
    local[1::2] = (last - left) * rows + (ends - 1) % height - top + 1
    pixels = fill_runs(local, rows * (right - left)).reshape(right - left, rows)
    return Mask.from_crop(left, top, cv2.transpose(pixels.view(np.uint8)))


def _check_size(size: object, height: int, width: int) -> None:
    if height <= 0 or width <= 0 or height * width > MAX_PIXELS:
        raise ValueError(f"an image of {height} x {width} pixels has no RLE")
    sides = list(size) if isinstance(size, (list, tuple)) else []
    if len(sides) != 2 or any(type(side) is not int for side in sides):
        raise ValueError(f"the RLE's size is {size!r}, not two ints")
    if sides != [height, width]:
        raise ValueError(f"the RLE's size is {sides}, but its image is [{height}, {width}]")


def _checked_list(counts: Sequence[object], total: int) -> Counts:
    try:
        values = np.asarray(counts)
    except ValueError as e:
        raise ValueError("the RLE's counts are not a flat list") from e
    if values.ndim != 1 or values.dtype.kind not in "iu":
        raise ValueError("the RLE's counts are not a flat list of ints")
    if values.size and (values.min() < 0 or values.max() > total):
        raise ValueError(f"the RLE holds a count outside 0..{total}")
    return _checked_sum(values.astype(np.int64), total)


def _checked_sum(counts: Counts, total: int) -> Counts:
    """`counts`, each within 0..total, if they sum to total. Raises ValueError."""
    edges = np.cumsum(counts)
    # The first sum past `total` is at most twice it, so it shows before any later one wraps around.
    if counts.size == 0 or edges[-1] != total or edges.max() > total or edges.min() < 0:
        raise ValueError(f"the RLE's counts do not sum to the image's {total} pixels")
    return counts


def compress_counts(counts: Counts) -> bytes:
    """The compressed string of valid counts."""
    values = counts.copy()
    values[3:] -= counts[1:-2]
    # A value takes as many groups of 5 bits as leave room for its sign.
    magnitude = np.where(values < 0, ~values, values)
    groups = np.ones(len(values), dtype=np.int64)
    for bits in range(4, int(magnitude.max()).bit_length(), 5):
        groups += magnitude >= 1 << bits
    ends = np.cumsum(groups)
    starts = ends - groups
    characters = np.empty(int(ends[-1]), dtype=np.uint8)
    for n in range(int(groups.max())):
        here = groups > n
        five = (values[here] >> (5 * n)) & 0x1F
        more = (groups[here] > n + 1).astype(np.int64) << 5
        characters[starts[here] + n] = five + more + FIRST_CHARACTER
    return characters.tobytes()


def decompress_counts(data: bytes, total: int) -> Counts:
    """The counts of a compressed string for an image of `total` pixels. Raises ValueError."""
    characters = np.frombuffer(data, dtype=np.uint8).astype(np.int64) - FIRST_CHARACTER
    if characters.size == 0:
        raise ValueError("the RLE's counts are empty")
    if characters.min() < 0 or characters.max() > 0x3F:
        raise ValueError("the RLE's counts hold a character that no RLE has")
    ends = np.flatnonzero(characters < 0x20)
    if ends.size == 0 or ends[-1] != characters.size - 1:
        raise ValueError("the RLE's last count is cut short")
    starts = np.concatenate((np.zeros(1, dtype=np.int64), ends[:-1] + 1))
    groups = ends - starts + 1
    if groups.max() > MAX_CHARACTERS:
        raise ValueError("the RLE holds a count too large for any image")
    place = np.arange(characters.size) - np.repeat(starts, groups)
    values = np.add.reduceat((characters & 0x1F) << (5 * place), starts)
    values -= np.where(characters[ends] & 0x10, np.int64(1) << (5 * groups), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    # A difference has 60 bits at most: the first count out of range shows before any later one wraps around.
    if values.min() < 0 or values.max() > total:
        raise ValueError(f"the RLE holds a count outside 0..{total}")
    return _checked_sum(values, total)
