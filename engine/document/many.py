"""Many masks at once between COCO's RLE and the stored form, run by run: no bitmap is made of any.

What a batch is refused for is read again one by one, so that errors and results are those of `from_rle`,
`pack`, `unpack` and `to_rle`. Knows masks; no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from engine.document import runs
from engine.document.mask import EMPTY, Mask
from engine.document.packing import PackedMask, packed, small, unpack
from engine.document.rle import CocoRle, to_rle

_TOGETHER = 2048
_LONG = 1 << 10  # bytes of a mask's runs that are worth squeezing
_MOST_PIXELS = 1 << 31
"""Of a mask's area: its place in a stored mask has 32 bits."""


def from_rle_strings(strings: Sequence[bytes], sizes: Sequence[tuple[int, int]]) -> list[Mask] | None:
    """The masks of compressed RLE strings; sizes: height and width of each one's image.

    None where any of them is not right: `from_rle` tells of each.
    """
    found: list[Mask] = []
    for some in _slices(len(strings)):
        batch = _from_rle_strings(strings[some], sizes[some])
        if batch is None:
            return None
        found += batch
    return found


def _from_rle_strings(strings: Sequence[bytes], sizes: Sequence[tuple[int, int]]) -> list[Mask] | None:
    heights, widths = np.array(sizes, np.int64).reshape(-1, 2).T
    totals = heights * widths
    if totals.max() > _MOST_PIXELS:
        return None
    counts = runs.read(strings, totals)
    if counts is None:
        return None
    local, boxes = runs.cut(runs.runs_of(counts), heights)
    areas = runs.areas_of(local, len(strings)).tolist()
    some = np.flatnonzero(boxes.height)
    number = np.zeros(len(strings), np.int64)
    number[some] = np.arange(len(some))
    kept = runs.Runs(local.starts, local.ends, number[local.owners])
    written = iter(runs.write(runs.counts_of(kept, (boxes.height * boxes.width)[some])) if len(some) else [])
    found: list[Mask] = []
    places = zip(boxes.x.tolist(), boxes.y.tolist(), boxes.height.tolist(), boxes.width.tolist(), areas,
                 strict=True)  # fmt: skip
    for x, y, height, width, area in places:
        if not area:
            found.append(EMPTY)
            continue
        string = next(written)
        # Runs hardly shrink any further, and squeezing them would take half of the time.
        data = packed(x, y, height, width, string, level=0 if len(string) < _LONG else 1)
        found.append(PackedMask(x, y, height, width, string, data, area))
    return found


def from_stored(stored: Sequence[bytes]) -> list[Mask]:
    """The masks that `pack` stored, without a bitmap where they are small. Raises ValueError as `unpack`."""
    found: list[Mask] = []
    for some in _slices(len(stored)):
        found += _from_stored(stored[some])
    return found


def _from_stored(stored: Sequence[bytes]) -> list[Mask]:
    read = [small(place, data) for place, data in enumerate(stored)]
    batch = [one for one in read if one is not None]
    areas: list[int] | None = []
    if batch:
        totals = np.array([one.height * one.width for one in batch], np.int64)
        counts = runs.read([one.runs for one in batch], totals)
        areas = None if counts is None else runs.areas_of(runs.runs_of(counts), len(batch)).tolist()
    if areas is None:
        return [unpack(data) for data in stored]
    area = iter(areas)
    return [
        unpack(data)
        if one is None
        else PackedMask(one.x, one.y, one.height, one.width, one.runs, data, next(area))
        for one, data in zip(read, stored, strict=True)
    ]


def to_rles(masks: Sequence[Mask], sizes: Sequence[tuple[int, int]]) -> list[CocoRle]:
    """The compressed RLE of each mask, as `to_rle` gives it; sizes: height and width of each one's image."""
    found: list[CocoRle | None] = [None] * len(masks)
    whole = [
        place for place, (mask, size) in enumerate(zip(masks, sizes, strict=True)) if _is_inside(mask, size)
    ]
    for some in _slices(len(whole)):
        places = whole[some]
        written = _to_rle_strings([masks[n] for n in places], [sizes[n] for n in places])
        for place, string in zip(places, written, strict=False):
            found[place] = {"size": list(sizes[place]), "counts": string.decode("ascii")}
    return [
        rle if rle is not None else to_rle(mask, *size)
        for rle, mask, size in zip(found, masks, sizes, strict=True)
    ]


def _is_inside(mask: Mask, size: tuple[int, int]) -> bool:
    x, y, width, height = mask.bbox_xywh
    return (
        isinstance(mask, PackedMask)
        and x >= 0
        and y >= 0
        and y + height <= size[0]
        and x + width <= size[1]
        and size[0] * size[1] <= runs.MAX_TOTAL
    )


def _to_rle_strings(masks: Sequence[Mask], sizes: Sequence[tuple[int, int]]) -> list[bytes]:
    """None at all where any of them is not right."""
    place = np.array([mask.bbox_xywh for mask in masks], np.int64).reshape(-1, 4)
    boxes = runs.Boxes(*place.T)
    counts = runs.read(
        [mask.runs for mask in masks if isinstance(mask, PackedMask)], boxes.height * boxes.width
    )
    if counts is None:
        return []
    heights, widths = np.array(sizes, np.int64).reshape(-1, 2).T
    pasted = runs.paste(runs.runs_of(counts), boxes, heights)
    return runs.write(runs.counts_of(pasted, heights * widths))


def _slices(count: int) -> Iterator[slice]:
    for start in range(0, count, _TOGETHER):
        yield slice(start, start + _TOGETHER)
