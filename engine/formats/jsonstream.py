"""Large JSON files, one element at a time: the lists at the top of a file are never held as a whole.

Works on memory-mapped bytes. The structure is found by the standard library's own scanner, so a file that
is read here is read by any other program too. Knows JSON; no format.
"""

from __future__ import annotations

import json
import mmap
import re
from array import array
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from engine.errors import DataError
from engine.formats.checks import kind_of, shortened
from engine.formats.source import MAX_BYTES, parse_json

_WINDOW = 4 << 20
_SPACE = re.compile(r"[ \t\n\r]*")
_COMMA = re.compile(r"[ \t\n\r]*,[ \t\n\r]*")
_decoder = json.JSONDecoder()
_scan_once: Callable[[str, int], tuple[object, int]] = cast(Any, _decoder).scan_once

NO_NUMBER = -(1 << 63)
"""Stands in a column for what is no whole number, or none of 63 bits."""


class JsonLists:
    """A JSON file whose top is an object: its values by key, and its lists element by element.

    `lists`: keys whose elements are to be reached one by one; every other value is held whole. `columns`: of
    a list, the keys of its objects whose whole numbers are noted on the way. `tick` is
    called now and then while the file is gone through, and may raise. Use it as a context manager. Raises
    DataError where the file cannot be read, or is not such JSON.
    """

    def __init__(
        self,
        path: Path,
        lists: frozenset[str],
        columns: Mapping[str, tuple[str, ...]] | None = None,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        self.path = path
        self.columns: dict[str, dict[str, array[int]]] = {}
        """Of each list and key: the number of every element, NO_NUMBER where it has no such one."""
        self._columns = columns or {}
        self._tick = tick
        self.values: dict[str, object] = {}
        self.spans: dict[str, array[int]] = {}
        """Of each list: where its elements begin and end, in turn, in bytes."""
        self._wanted = lists
        try:
            if path.stat().st_size > MAX_BYTES:
                raise DataError(f"{path} is larger than {MAX_BYTES >> 30} GiB: split it into several files.")
            self._file = path.open("rb")
        except OSError as e:
            raise DataError(f"{path} cannot be read: {e.strerror or e}.") from e
        try:
            self._data = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        except (ValueError, OSError) as e:
            self._file.close()
            raise DataError(f"{path} is not valid JSON (it is empty).") from e
        self._text, self._base = "", 0
        try:
            self._scan()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> JsonLists:
        return self

    def __exit__(self, *_of: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go."""
        self._data.close()
        self._file.close()

    def count(self, key: str) -> int:
        """How many elements a list has."""
        return len(self.spans.get(key, ())) // 2

    def elements(self, key: str) -> Iterator[object]:
        """Every element of a list, in order."""
        for number in range(self.count(key)):
            yield self.element(key, number)

    def element(self, key: str, number: int) -> object:
        """One element of a list, from 0."""
        return parse_element(self.text(key, number), f"{self.path}: '{key}' number {number + 1}")

    def text(self, key: str, number: int) -> bytes:
        """The JSON of one element, for `parse_element`."""
        spans = self.spans[key]
        return self._data[spans[2 * number] : spans[2 * number + 1]]

    # The scan. Bytes are looked at as Latin-1, one character each, so that places in the text are places in
    # the file; JSON's own characters are ASCII. What strings hold is decoded when an element is asked for.

    def _scan(self) -> None:
        at = 3 if self._data[:3] == b"\xef\xbb\xbf" else 0
        at = self._expect(at, "{", "an object")
        at = self._space(at)
        if self._char(at) == "}":
            at += 1
        else:
            at = self._members(at)
        if self._space(at) < len(self._data):
            raise self._wrong(at, "something follows the end")

    def _members(self, at: int) -> int:
        while True:
            key, at = self._value(self._space(at))
            if not isinstance(key, str):
                raise self._wrong(at, "a key must be text")
            if key in self.values or key in self.spans:
                raise DataError(f"{self.path} has the key '{shortened(key)}' twice in one object.")
            at = self._space(self._expect(at, ":", "a colon"))
            if key in self._wanted and self._char(at) == "[":
                at = self._list(key, at + 1)
            else:
                start = at
                _, at = self._value(at)
                self.values[key] = parse_json(self._data[start:at], f"{self.path}: '{shortened(key)}'")
            at = self._space(at)
            if self._char(at) == "}":
                return at + 1
            at = self._expect(at, ",", "a comma")

    def _list(self, key: str, at: int) -> int:
        spans = self.spans[key] = array("q")
        columns = self.columns[key] = {name: array("q") for name in self._columns.get(key, ())}
        at = self._space(at)
        if self._char(at) == "]":
            return at + 1
        while True:
            start = self._space(at) if self._text[at - self._base : at - self._base + 1] != "{" else at
            value, at = self._value(start)
            for name, column in columns.items():
                found = value.get(name) if isinstance(value, dict) else None
                column.append(found if type(found) is int and abs(found) < -NO_NUMBER else NO_NUMBER)
            spans.append(start)
            spans.append(at)
            if len(spans) % 4096 == 0:
                self._tick()
            next_ = _COMMA.match(self._text, at - self._base)
            if next_ is not None and next_.end() < len(self._text):
                at = self._base + next_.end()
                continue
            at = self._space(at)
            if self._char(at) == "]":
                return at + 1
            at = self._expect(at, ",", "a comma")

    def _value(self, at: int) -> tuple[object, int]:
        """The value that begins at a byte, its text still Latin-1, and where it ends."""
        size = _WINDOW
        while True:
            self._see(at, size)
            local = at - self._base
            reaches_end = self._base + len(self._text) >= len(self._data)
            try:
                value, end = _decoder.raw_decode(self._text, local)
            except json.JSONDecodeError as e:
                if reaches_end:
                    raise self._wrong(self._base + e.pos, e.msg) from e
            except RecursionError as e:
                raise DataError(f"{self.path} nests its values too deep to be a label file.") from e
            except ValueError as e:
                raise self._wrong(at, str(e)) from e
            else:
                # A number may go on beyond the window; anything else ends by itself.
                if reaches_end or end < len(self._text):
                    return value, self._base + end
            size *= 4
            self._text = ""

    def _see(self, at: int, size: int) -> None:
        """Have the text of at least some bytes from `at` on."""
        there = self._base + len(self._text)
        if (
            self._text
            and self._base <= at
            and (at + min(size, _WINDOW) // 8 <= there or there >= len(self._data))
        ):
            return
        self._base = at
        self._text = self._data[at : at + size].decode("latin-1")

    def _space(self, at: int) -> int:
        while True:
            self._see(at, _WINDOW)
            match = _SPACE.match(self._text, at - self._base)
            assert match is not None
            end = self._base + match.end()
            if match.end() < len(self._text) or end >= len(self._data):
                return end
            at = end

    def _char(self, at: int) -> str:
        return chr(self._data[at]) if at < len(self._data) else ""

    def _expect(self, at: int, char: str, what: str) -> int:
        at = self._space(at)
        found = self._char(at)
        if found != char:
            if at == 0 or (char == "{" and at <= 3):
                kind = {"[": "a list", '"': "text"}.get(found, "something else")
                raise (
                    DataError(f"{self.path} must be a JSON object, not {kind}.")
                    if found in '["' and found
                    else (self._wrong(at, "no object begins"))
                )
            raise self._wrong(at, f"{what} is missing")
        return at + 1

    def _wrong(self, at: int, why: str) -> DataError:
        return DataError(f"{self.path} is not valid JSON ({shortened(why)} at byte {at:,}).")


def parse_element(data: bytes, place: str) -> object:
    """The value of an element's JSON, as `parse_json` gives it and with its errors."""
    try:
        value, _ = _scan_once(data.decode(), 0)
    except (ValueError, RecursionError, StopIteration):
        value = None  # what is wrong is told below
    # An element was found to end where it does. Every key has a colon, one that comes twice too: with as
    # many colons as keys, none does.
    if data.count(b":") == _keys_of(value) and value is not None:
        return value
    return parse_json(data, place)


def _keys_of(value: object) -> int:
    """The keys of an object and of the objects that are its values; not of those in lists."""
    if not isinstance(value, dict):
        return 0
    return len(value) + sum(_keys_of(one) for one in value.values() if isinstance(one, dict))


def required(lists: JsonLists, key: str) -> None:
    """Raises DataError where the file has no such list."""
    if key not in lists.spans:
        found = kind_of(lists.values[key]) if key in lists.values else "nothing"
        raise DataError(f"{lists.path}: '{key}' must be a list, not {found}.")
