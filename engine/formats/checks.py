"""Values of label files, each checked before it is used: text, whole and finite numbers, rings, boxes.

`place` names the file and the thing in it; every check that fails raises DataError with one sentence
that begins with it. Knows no format.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from engine.document.masks import Mask
from engine.document.records import Box
from engine.errors import DataError

Object: TypeAlias = Mapping[str, object]
FlatRing: TypeAlias = tuple[float, ...]
"""x, y, x, y ... of one closed ring, image pixels."""

FAR = 1.0
"""How far a shape may reach beyond its image, in shares of the image's longer side."""

MAX_SIDE = 1 << 20
MAX_PIXELS = 1 << 32
MAX_POINTS = 1_000_000
MAX_PATH = 1 << 23
"""Pixels that the outline of a polygon may run along: more take seconds to follow."""

_LARGEST_ID = 1 << 62
_NUMBERS = {int, float}


def as_object(value: object, place: str) -> Object:
    """The value as a JSON object."""
    if not isinstance(value, dict):
        raise DataError(f"{place} must be a JSON object, not {kind_of(value)}.")
    return cast(Object, value)


def as_list(value: object, what: str) -> Sequence[object]:
    """The value as a JSON list."""
    if not isinstance(value, list):
        raise DataError(f"{what} must be a list, not {kind_of(value)}.")
    return cast(Sequence[object], value)


def objects(data: Object, key: str, place: str) -> Iterator[Object]:
    """The objects in the list under a key."""
    for position, item in enumerate(as_list(data.get(key), f"{place}: '{key}'")):
        yield as_object(item, f"{place}: '{key}' number {position + 1}")


def integer(item: Object, key: str, place: str) -> int:
    """The whole number under a key; 3.0 is one."""
    value = item.get(key)
    if type(value) is int and -_LARGEST_ID <= value < 2 * _LARGEST_ID:
        return value
    return whole(value, f"{place}: '{key}'")


def whole(value: object, what: str) -> int:
    """A whole number that fits into 63 bits."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise DataError(f"{what} must be a whole number.")
    if not -_LARGEST_ID <= value < 2 * _LARGEST_ID:
        raise DataError(f"{what} is larger than any number that can be kept.")
    return value


def text(item: Object, key: str, place: str) -> str:
    """The text under a key, not blank."""
    value = item.get(key)
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{place}: '{key}' must be text.")
    return encodable(value, f"{place}: '{key}'")


def encodable(value: str, what: str) -> str:
    """Text without halves of characters or nulls, which no database or file can keep."""
    if "\0" in value or not _is_unicode(value):
        raise DataError(f"{what} holds characters that are no text.")
    return value


def number(value: object, what: str) -> float:
    """A finite number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise DataError(f"{what} must be a finite number.")
    try:
        plain = float(value)
    except OverflowError:
        plain = math.inf
    if not math.isfinite(plain):
        raise DataError(f"{what} must be a finite number.")
    return plain


def parsed_number(value: str, what: str) -> float:
    """A finite number written as text."""
    try:
        return number(float(value), what)
    except ValueError as e:
        raise DataError(f"{what} must be a number, not '{shortened(value)}'.") from e


def parsed_whole(value: str, what: str) -> int:
    """A whole number written as text."""
    try:
        return whole(int(value.strip()), what)
    except ValueError as e:
        raise DataError(f"{what} must be a whole number, not '{shortened(value)}'.") from e


def size(width: int, height: int, place: str) -> tuple[int, int]:
    """An image's width and height, if any image has such."""
    if width < 1 or height < 1:
        raise DataError(f"{place} has a width or height below 1.")
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        raise DataError(f"{place} claims to be {width} x {height} pixels, larger than any picture.")
    return width, height


def ring(points: Sequence[float], width: int, height: int, place: str) -> FlatRing:
    """A ring of at least three points, finite and not far outside its image."""
    if len(points) < 6 or len(points) % 2:
        raise DataError(f"{place}: a polygon must be a list of at least three x, y pairs.")
    if len(points) > 2 * MAX_POINTS:
        raise DataError(f"{place}: a polygon has more than {MAX_POINTS:,} points.")
    near(points, width, height, place)
    if len(points) * max(width, height) > MAX_PATH and _path(points) > MAX_PATH:
        raise DataError(
            f"{place}: the outline of a polygon goes to and fro over more pixels than can be followed."
        )
    return tuple(points)


def _path(points: Sequence[float]) -> float:
    corners = np.array(points, np.float64).reshape(-1, 2)
    return float(np.abs(np.diff(corners, axis=0, append=corners[:1])).max(axis=1).sum())


def near(points: Sequence[float], width: int, height: int, place: str) -> None:
    """Raises DataError where a point of x, y, x, y ... lies far outside the image."""
    reach = FAR * max(width, height)
    if min(points) < -reach or max(points[0::2]) > width + reach or max(points[1::2]) > height + reach:
        raise DataError(f"{place}: a shape lies far outside its {width} x {height} image.")


def flat_numbers(value: object, what: str) -> list[float]:
    """x, y, x, y ... of a list of numbers, or of a list of pairs of numbers."""
    items = as_list(value, what)
    if len(items) % 2 == 0 and (plain := _plain_numbers(items)) is not None:
        return plain
    flat: list[float] = []
    for item in items:
        if isinstance(item, list):
            if len(item) != 2:
                raise DataError(f"{what}: a point must be two numbers.")
            flat.extend(number(one, f"{what}: a coordinate") for one in item)
        else:
            flat.append(number(item, f"{what}: a coordinate"))
    if len(flat) % 2:
        raise DataError(f"{what}: the coordinates do not come in pairs.")
    return flat


def _plain_numbers(items: Sequence[object]) -> list[float] | None:
    """The values as floats where they are plainly finite numbers; None where each is to be looked at."""
    if not set(map(type, items)) <= _NUMBERS:
        return None
    try:
        found = list(map(float, cast(Sequence[float], items)))
    except OverflowError:
        return None
    return found if math.isfinite(sum(found)) else None


def box_of(xywh: Sequence[float], width: int, height: int, place: str) -> Box:
    """x0, y0, x1, y1 of x, y, width and height."""
    x, y, wide, high = xywh
    if wide < 0 or high < 0:
        raise DataError(f"{place}: its box has a negative width or height.")
    near((x, y, x + wide, y + high), width, height, place)
    return x, y, x + wide, y + high


def filled(box: Box, width: int, height: int) -> Mask:
    """The mask of a box: every pixel that it touches, inside the image."""
    x0, y0, x1, y1 = box
    left, top = max(math.floor(x0), 0), max(math.floor(y0), 0)
    right, bottom = min(math.ceil(x1), width), min(math.ceil(y1), height)
    return Mask.from_crop(left, top, np.ones((max(bottom - top, 0), max(right - left, 0)), np.bool_))


def labels_of(pixels: NDArray[np.integer]) -> Iterator[tuple[int, Mask]]:
    """Every value but 0 of an H x W array, ascending, with the mask of its pixels; as fast as one sort."""
    flat = pixels.reshape(-1)
    if flat.size == 0:
        return
    values, inverse = np.unique(flat, return_inverse=True)
    index = inverse.reshape(pixels.shape).astype(np.int32)
    rows_of, columns_of = _extents(index, len(values))
    for number_, value in enumerate(values.tolist()):
        if value == 0:
            continue
        (top, bottom), (left, right) = rows_of[number_], columns_of[number_]
        yield int(value), Mask.from_crop(left, top, index[top:bottom, left:right] == number_)


def _extents(index: NDArray[np.int32], count: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """First and one past the last row, and column, of each of `count` values."""
    from scipy import ndimage

    # Every value up to `count` is there, so none is None.
    found = ndimage.find_objects(index + 1, max_label=count)
    rows = [(one[0].start, one[0].stop) for one in found]
    columns = [(one[1].start, one[1].stop) for one in found]
    return rows, columns


def kept_json(value: object, what: str) -> str:
    """A value as compact JSON text, to be kept as it is. Raises DataError for a number not finite."""
    try:
        return json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError) as e:
        raise DataError(f"{what} holds a number that is not finite, or nests too deep.") from e


def kind_of(value: object) -> str:
    """What a JSON value is, for people."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")


def shortened(value: str) -> str:
    """Text for a message: printable and not long."""
    plain = value.encode("utf-8", "backslashreplace").decode("utf-8")
    clean = "".join(c if c.isprintable() else "?" for c in plain)
    return clean if len(clean) <= 60 else f"{clean[:57]}..."


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
