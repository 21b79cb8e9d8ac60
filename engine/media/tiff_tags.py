"""The directories of a TIFF or BigTIFF file, and of the EXIF block in other files, which has the same form.

Reads tags (TIFF 6.0, section 2), and writes a small file for a decoder that wants one; knows no pixels.
Every length is checked against the file before it is believed, and a directory chain that goes round in a
circle ends where it closes.
"""

import io
import struct
from collections.abc import Iterator
from itertools import accumulate
from typing import BinaryIO

from engine.media.picture import UnreadableError, cut_short, damaged

ORIENTATION = 274

#: Values of one tag: integers, or raw bytes for text and undefined data.
Value = tuple[int, ...] | bytes

_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_BYTES = {2, 7}
_MOST_ENTRIES = 4096


class TiffTags:
    """Reads the directories of an open TIFF file."""

    def __init__(self, file: BinaryIO) -> None:
        """Read the file header. Raises UnreadableError."""
        self._file = file
        self._size = file.seek(0, io.SEEK_END)
        file.seek(0)
        head = file.read(16)
        if len(head) < 8:
            raise cut_short()
        self.order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
        version = struct.unpack(f"{self.order}H", head[2:4])[0] if self.order else 0
        if version == 42:
            self._big = False
            (self._first,) = struct.unpack(f"{self.order}I", head[4:8])
        elif version == 43 and len(head) == 16 and struct.unpack(f"{self.order}H", head[4:6])[0] == 8:
            self._big = True
            (self._first,) = struct.unpack(f"{self.order}Q", head[8:16])
        else:
            raise damaged("its TIFF header is wrong")

    def directories(self) -> Iterator[int]:
        """The place of each page's directory in the file, in order."""
        place, seen = self._first, set[int]()
        while place and place not in seen:
            seen.add(place)
            yield place
            count, entries = self._entry_count(place)
            link = self._at(entries + count * (20 if self._big else 12), 8 if self._big else 4)
            if len(link) < (8 if self._big else 4):
                return  # the last directory of some writers has no link
            (place,) = struct.unpack(f"{self.order}{'Q' if self._big else 'I'}", link)

    def read(self, directory: int, wanted: frozenset[int]) -> dict[int, Value]:
        """The wanted tags of the directory at this place, those of integer or byte type."""
        count, entries = self._entry_count(directory)
        width, form = (20, "HHQ") if self._big else (12, "HHI")
        table = self._at(entries, count * width)
        if len(table) < count * width:
            raise cut_short()
        tags: dict[int, Value] = {}
        for i in range(count):
            entry = table[i * width : (i + 1) * width]
            tag, kind, number = struct.unpack(self.order + form, entry[: -8 if self._big else -4])
            if tag in wanted and tag not in tags:
                value = self._value(kind, number, entry[-8 if self._big else -4 :])
                if value is not None:
                    tags[tag] = value
        return tags

    def _value(self, kind: int, number: int, field: bytes) -> Value | None:
        if kind not in _BYTES and kind not in _INTEGERS:
            return None
        size = number * (1 if kind in _BYTES else struct.calcsize(f"={_INTEGERS[kind]}"))
        if size <= len(field):
            data = field[:size]
        else:
            (place,) = struct.unpack(f"{self.order}{'Q' if self._big else 'I'}", field)
            if size > self._size or place + size > self._size:
                raise cut_short()
            data = self._at(place, size)
        if kind in _BYTES:
            return data
        return struct.unpack(f"{self.order}{number}{_INTEGERS[kind]}", data)

    def _entry_count(self, directory: int) -> tuple[int, int]:
        """How many entries the directory has, and where they begin."""
        head = self._at(directory, 8 if self._big else 2)
        if len(head) < (8 if self._big else 2):
            raise cut_short()
        (count,) = struct.unpack(f"{self.order}{'Q' if self._big else 'H'}", head)
        if count > _MOST_ENTRIES:
            raise damaged("a TIFF directory of impossible size")
        return count, directory + len(head)

    def _at(self, place: int, size: int) -> bytes:
        if place > self._size:
            return b""
        self._file.seek(place)
        return self._file.read(size)


def small_tiff(tags: dict[int, Value], segments: list[bytes]) -> bytes:
    """A TIFF file of one page from integer and byte tags and the segments' data, without any other tag."""
    place_tag, count_tag = (324, 325) if 322 in tags else (273, 279)
    body = b"".join(segments)
    counts = tuple(len(segment) for segment in segments)
    places = tuple(accumulate(counts[:-1], initial=8))
    every = {**tags, place_tag: places, count_tag: counts}
    directory = 8 + len(body) + len(body) % 2
    beyond = directory + 2 + 12 * len(every) + 4
    entries, extra = [], b""
    for tag, value in sorted(every.items()):
        data = value if isinstance(value, bytes) else struct.pack(f"<{len(value)}I", *value)
        kind = 7 if isinstance(value, bytes) else 4
        field = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack("<I", beyond + len(extra))
        entries.append(struct.pack("<HHI", tag, kind, len(value)) + field)
        if len(data) > 4:
            extra += data + b"\0" * (len(data) % 2)
    head = struct.pack("<2sHI", b"II", 42, directory)
    table = struct.pack("<H", len(entries)) + b"".join(entries) + b"\0\0\0\0"
    return head + body + b"\0" * (len(body) % 2) + table + extra


def exif_orientation(exif: bytes) -> int:
    """Orientation 1-8 from an EXIF block; 1 where the block is damaged or does not say."""
    try:
        tags = TiffTags(io.BytesIO(exif))
        for directory in tags.directories():
            return valid_orientation(tags.read(directory, frozenset({ORIENTATION})).get(ORIENTATION))
    except UnreadableError:
        pass  # wrong metadata is no reason to refuse the picture
    return 1


def valid_orientation(value: Value | None) -> int:
    """The tag's value where it is one of 1-8, else 1, which changes nothing."""
    return value[0] if value and 1 <= value[0] <= 8 else 1
