"""Runs of many masks at once: compressed counts read, checked, cut to their boxes and written in batches.

A mask by itself costs a dozen calls of numpy whatever its size; a thousand together cost a few more. No
bitmap is made on the way. The rules are those of `engine.document.rle`, which reads what is refused here.
Knows arrays; no image and no file.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.document.rle import FIRST_CHARACTER

Numbers = NDArray[np.int64]

LONGEST = 1 << 22
"""Characters of a batch at most."""

MAX_TOTAL = 1 << 32
"""Pixels of an image at most, whose masks are read in batches."""

_MAX_CHARACTERS = 8  # of a count: 2**22 sums of 40 bits stay below 63


@dataclass(frozen=True, eq=False)
class Counts:
    """The counts of M masks, one after the other. values: N int64. firsts: M int64, where each mask's begin.

    Every mask has at least one count; the first, third ... of each are of clear pixels.
    """

    values: Numbers
    firsts: Numbers

    @cached_property
    def sizes(self) -> Numbers:
        """M: how many counts each mask has."""
        return np.diff(self.firsts, append=len(self.values))


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """The runs of set pixels of M masks, each down the columns of an area of its own height.

    starts, ends: R int64, pixels of the area; no run is empty. owners: R int64, ascending, the run's mask.
    """

    starts: Numbers
    ends: Numbers
    owners: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Where M masks lie in their images, in pixels, each M int64; all 0 for a mask without a pixel."""

    x: Numbers
    y: Numbers
    width: Numbers
    height: Numbers


def read(strings: Sequence[bytes], totals: Numbers) -> Counts | None:
    """The counts of compressed strings. totals: M int64, the pixels of each mask's area, 2**32 at most.

    As `decompress_counts` works them out and checks them; None where a check fails, or a batch is too long.
    A mask with an odd number of counts gets one more of no pixel, so that clear and set ones alternate.
    """
    lengths = np.fromiter(map(len, strings), np.int64, len(strings))
    if not len(lengths) or lengths.min() == 0 or lengths.sum() > LONGEST or totals.max() > MAX_TOTAL:
        return None
    characters = np.frombuffer(b"".join(strings), dtype=np.uint8)
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
    if values.min() < 0 or values.max() > MAX_TOTAL:
        return None
    # Each is at most 2**32 and there are at most 2**22: no sum wraps around, and none is above its total.
    if (np.add.reduceat(values, 2 * firsts) != totals).any():
        return None
    return Counts(values, 2 * firsts)


def _differences(characters: NDArray[np.uint8], ends: NDArray[np.int64]) -> Numbers | None:
    """The numbers whose last characters these are; None where one is longer than a batch takes."""
    groups = np.diff(ends, prepend=-1)
    if groups.max() > _MAX_CHARACTERS:
        return None
    starts = ends - groups + 1
    values: Numbers = (characters[starts] & np.uint8(0x1F)).astype(np.int64)
    for place in range(1, int(groups.max())):  # hardly any has many
        longer = np.flatnonzero(groups > place)
        values[longer] |= (characters[starts[longer] + place] & np.uint8(0x1F)).astype(np.int64) << 5 * place
    negative = np.flatnonzero(characters[ends] & 0x10)
    values[negative] -= np.int64(1) << 5 * groups[negative]
    return values


def _summed(differences: Numbers, firsts: Numbers, sizes: Numbers, ahead: Numbers) -> Numbers:
    """Running sums that begin anew at each first one, without what stands ahead of it."""
    sums = np.cumsum(differences)
    before = sums[firsts] - differences[firsts] + ahead
    summed: Numbers = sums - np.repeat(before, sizes)
    return summed


def write(counts: Counts) -> list[bytes]:
    """The compressed strings of counts, as `compress_counts` writes each."""
    values = counts.values.copy()
    values[2:] -= counts.values[:-2]
    for n in range(3):  # the first three of each mask are written as they are
        place = counts.firsts[counts.sizes > n] + n
        values[place] = counts.values[place]
    # A value takes as many groups of 5 bits as leave room for its sign.
    magnitude = values ^ (values >> 63)
    groups = np.ones(len(values), np.int64)
    for bits in range(4, int(magnitude.max(initial=0)).bit_length(), 5):
        groups += magnitude >= 1 << bits
    ends = np.cumsum(groups)
    starts = ends - groups
    characters = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
    left, at, to_come = values, starts, groups
    while len(left):
        goes_on = to_come > 1
        characters[at] = (left & 0x1F) + (goes_on << 5) + FIRST_CHARACTER
        left, at, to_come = left[goes_on] >> 5, at[goes_on] + 1, to_come[goes_on] - 1
    data = characters.tobytes()
    edges = [*starts[counts.firsts].tolist(), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def runs_of(counts: Counts) -> Runs:
    """The set runs of counts as `read` gives them."""
    sums = np.cumsum(counts.values)
    before = sums[counts.firsts] - counts.values[counts.firsts]
    owners = np.repeat(np.arange(len(counts.firsts)), counts.sizes // 2)
    lengths = counts.values[1::2]
    found = np.flatnonzero(lengths)
    owners, ends = owners[found], sums[1::2][found] - before[owners[found]]
    return Runs(ends - lengths[found], ends, owners)


def counts_of(runs: Runs, totals: Numbers) -> Counts:
    """The counts of runs, those that touch joined. totals: M int64, the pixels of each mask's area."""
    touch = (runs.owners[1:] == runs.owners[:-1]) & (runs.starts[1:] == runs.ends[:-1])
    begins, stops = np.append(True, ~touch)[: len(runs.starts)], np.append(~touch, True)[-len(runs.ends) :]
    if not len(runs.starts):
        begins = stops = np.zeros(0, np.bool_)
    starts, ends, owners = runs.starts[begins], runs.ends[stops], runs.owners[begins]
    number = np.bincount(owners, minlength=len(totals))
    last = np.zeros(len(totals), np.int64)
    last[owners] = ends  # the last one of each mask stays
    tail = totals - last
    sizes = 2 * number + (tail > 0)
    firsts = np.cumsum(sizes) - sizes
    edges = np.empty(int(sizes.sum()), np.int64)
    at = firsts[owners] + 2 * (np.arange(len(owners)) - (np.cumsum(number) - number)[owners])
    edges[at], edges[at + 1] = starts, ends
    with_tail = tail > 0
    edges[(firsts + sizes - 1)[with_tail]] = totals[with_tail]
    values = np.diff(edges, prepend=0)
    values[firsts] = edges[firsts]
    return Counts(values, firsts)


def cut(runs: Runs, heights: Numbers) -> tuple[Runs, Boxes]:
    """The runs of whole images within their masks' own boxes. heights: M int64, of the images."""
    count = len(heights)
    height = heights[runs.owners]
    first, last = runs.starts // height, (runs.ends - 1) // height
    top, bottom = runs.starts % height, (runs.ends - 1) % height + 1
    left, right = np.zeros(count, np.int64), np.zeros(count, np.int64)
    upper, lower = np.zeros(count, np.int64), np.zeros(count, np.int64)
    if len(runs.starts):
        there = np.flatnonzero(np.diff(runs.owners, prepend=-1))
        of = runs.owners[there]
        left[of] = first[there]
        right[of] = np.maximum.reduceat(last, there) + 1
        goes_on = np.logical_or.reduceat(first != last, there)  # into the next column: all rows are in use
        upper[of] = np.where(goes_on, 0, np.minimum.reduceat(top, there))
        lower[of] = np.where(goes_on, heights[of], np.maximum.reduceat(bottom, there))
    rows = lower - upper
    mine = runs.owners
    starts = (first - left[mine]) * rows[mine] + top - upper[mine]
    ends = (last - left[mine]) * rows[mine] + bottom - upper[mine]
    return Runs(starts, ends, mine), Boxes(left, upper, right - left, rows)


def paste(runs: Runs, boxes: Boxes, heights: Numbers) -> Runs:
    """The runs of masks within their boxes as runs of the whole images, inside which the boxes lie."""
    rows, whole = boxes.height[runs.owners], heights[runs.owners]
    first, last = runs.starts // rows, (runs.ends - 1) // rows
    # A run of a lower box ends with its column; in a box as high as the image it goes on in the next.
    pieces = np.where(rows == whole, 1, last - first + 1)
    of = np.repeat(np.arange(len(pieces)), pieces)
    step = np.arange(len(of)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    is_first, is_last = step == 0, step == pieces[of] - 1
    mine = runs.owners[of]
    start = np.where(is_first, runs.starts[of] % rows[of], 0)
    end = np.where(is_last, (runs.ends[of] - 1) % rows[of] + 1, rows[of])
    begin_column = (first[of] + step + boxes.x[mine]) * whole[of] + boxes.y[mine]
    end_column = (np.where(is_last, last[of], first[of] + step) + boxes.x[mine]) * whole[of] + boxes.y[mine]
    return Runs(begin_column + start, end_column + end, mine)


def areas_of(runs: Runs, count: int) -> Numbers:
    """The pixels of each of `count` masks."""
    found = np.zeros(count, np.int64)
    np.add.at(found, runs.owners, runs.ends - runs.starts)
    return found
