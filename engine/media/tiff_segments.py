"""Strips and tiles of a TIFF page to an array of samples.

Knows compression, predictors, bit packing and the layout of segments (TIFF 6.0 and its technical notes);
does not know what the samples mean. Deflate and LZMA are undone by Python's own modules, PackBits by Pillow,
LZW by OpenCV's libtiff, which is given the bytes as a grey picture of its own. So any number of channels, any
depth and both layouts come out right, nothing is printed, and memory follows from the header alone.
"""

import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.media.picture import Samples, UnreadableError, cut_short, damaged
from engine.media.tiff_tags import Value, small_tiff

COMPRESSIONS = {
    1: "none",
    2: "CCITT",
    3: "CCITT fax 3",
    4: "CCITT fax 4",
    5: "LZW",
    6: "old JPEG",
    7: "JPEG",
    8: "deflate",
    32773: "PackBits",
    32946: "deflate",
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34712: "JPEG 2000",
    34887: "LERC",
    34925: "LZMA",
    50000: "Zstandard",
    50001: "WebP",
}
_NONE, _LZW, _PACKBITS, _LZMA = 1, 5, 32773, 34925
_DEFLATE = (8, 32946)
_LZW_CLEAR, _LZW_END, _LZW_FIRST = 256, 257, 258
# Bits of the n-th code after a clear code, and where it starts. A table of 2^12 entries is full; as many
# codes more as libtiff bears.
_LZW_WIDTHS = np.clip([9] + [(_LZW_FIRST + n).bit_length() for n in range(1, 4860)], 9, 12).astype(np.int64)
_LZW_STARTS = np.concatenate([[0], np.cumsum(_LZW_WIDTHS)])
_LZMA_MEMORY = 256 << 20
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


@dataclass(frozen=True, slots=True)
class Layout:
    """How the samples of one page lie in the file. Sizes in pixels, ``segment`` is a strip or a tile."""

    width: int
    height: int
    channels: int
    bits: int
    sample_format: int  # 1 unsigned, 2 signed, 3 floating point
    compression: int
    predictor: int
    planar: bool
    tiled: bool
    segment_width: int
    segment_height: int
    offsets: tuple[int, ...]
    byte_counts: tuple[int, ...]
    little_endian: bool
    reversed_bits: bool

    @property
    def dtype(self) -> np.dtype[np.integer | np.floating]:
        """Type of the samples in native byte order."""
        if self.sample_format == 3:
            return np.dtype(f"f{self.bits // 8}")
        size = 1 if self.bits <= 8 else 2 if self.bits <= 16 else self.bits // 8
        return np.dtype(f"{'i' if self.sample_format == 2 else 'u'}{size}")

    @property
    def together(self) -> int:
        """How many channels one segment holds."""
        return 1 if self.planar else self.channels

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of a segment."""
        return (self.segment_width * self.together * self.bits + 7) // 8


def read_samples(file: BinaryIO, layout: Layout) -> Samples:
    """All samples of the page, H x W x channels in the native type. Raises UnreadableError."""
    _check_supported(layout)
    samples = np.zeros((layout.height, layout.width, layout.channels), layout.dtype)
    for index, (channel, y, x) in enumerate(places(layout)):
        if index >= len(layout.offsets):
            raise cut_short()
        if layout.offsets[index] == 0 and layout.byte_counts[index] == 0:
            continue  # a sparse file leaves out segments that are zero
        rows = layout.segment_height if layout.tiled else min(layout.segment_height, layout.height - y)
        block = _segment(file, layout, index, rows)
        into = samples[y : y + rows, x : x + layout.segment_width, channel : channel + layout.together]
        into[...] = block[: into.shape[0], : into.shape[1]]
    return samples


def places(layout: Layout) -> Iterator[tuple[int, int, int]]:
    """First channel, row and column of each segment in the file's order."""
    for channel in range(layout.channels if layout.planar else 1):
        for y in range(0, layout.height, layout.segment_height):
            for x in range(0, layout.width, layout.segment_width):
                yield channel, y, x


def _check_supported(layout: Layout) -> None:
    depths = {1: (1, 2, 4, 8, 10, 12, 14, 16, 32, 64), 2: (8, 16, 32, 64), 3: (16, 32, 64)}
    if layout.bits not in depths.get(layout.sample_format, ()):
        raise UnreadableError(
            f"TIFF samples of {layout.bits} bits in format {layout.sample_format} are not supported"
        )
    if layout.compression not in (_NONE, _LZW, _PACKBITS, _LZMA, *_DEFLATE):
        name = COMPRESSIONS.get(layout.compression, str(layout.compression))
        raise UnreadableError(f"TIFF compression {name} is not supported here; save it with deflate or LZW")
    if layout.predictor not in (1, 2, 3) or (layout.predictor == 3) > (layout.sample_format == 3):
        raise damaged(f"TIFF predictor {layout.predictor}")
    if layout.predictor == 2 and layout.bits not in (8, 16, 32, 64):
        raise UnreadableError(f"TIFF prediction on samples of {layout.bits} bits is not supported")


def _segment(file: BinaryIO, layout: Layout, index: int, rows: int) -> Samples:
    """One segment, decompressed: rows x segment width x channels together."""
    size = rows * layout.row_bytes
    file.seek(layout.offsets[index])
    # No sound compressor makes bytes more than this much longer.
    stored = file.read(min(layout.byte_counts[index], 2 * size + 1024))
    data = _decompressed(stored, layout, rows)
    if len(data) < size:
        raise cut_short()
    lines = np.frombuffer(data, np.uint8, size).reshape(rows, layout.row_bytes)
    values = _float_predicted(lines, layout) if layout.predictor == 3 else _unpacked(lines, layout)
    block = values.reshape(rows, layout.segment_width, layout.together)
    if layout.predictor == 2:
        # Sums wrap around in the samples' own width, as the specification wants.
        whole = block.view(f"u{layout.bits // 8}")
        block = np.cumsum(whole, axis=1, dtype=whole.dtype).view(layout.dtype)
    return block


def _decompressed(stored: bytes, layout: Layout, rows: int) -> bytes:
    size = rows * layout.row_bytes
    if layout.compression == _NONE:
        return stored.translate(_REVERSED) if layout.reversed_bits else stored
    try:
        if layout.compression in _DEFLATE:
            return zlib.decompressobj().decompress(stored, size)
        if layout.compression == _LZMA:
            return lzma.LZMADecompressor(memlimit=_LZMA_MEMORY).decompress(stored, size)
    except (zlib.error, lzma.LZMAError, EOFError) as e:
        raise damaged("a TIFF strip or tile cannot be decompressed") from e
    if layout.compression == _PACKBITS:
        try:
            return Image.frombytes("L", (layout.row_bytes, rows), stored, "packbits", "L").tobytes()
        except ValueError as e:
            raise cut_short() from e
    return _undo_lzw(stored, rows, layout.row_bytes)


def _undo_lzw(stored: bytes, rows: int, row_bytes: int) -> bytes:
    tags: dict[int, Value] = {256: (row_bytes,), 257: (rows,), 258: (8,), 259: (_LZW,), 262: (1,), 277: (1,)}
    page = small_tiff({**tags, 278: (rows,)}, [stored])
    grey = cv2.imdecode(np.frombuffer(page, np.uint8), cv2.IMREAD_UNCHANGED)
    if grey is None or grey.shape != (rows, row_bytes):
        raise damaged("a TIFF strip or tile cannot be decompressed")
    # libtiff leaves the rest black where the data ends too early, and OpenCV does not tell.
    if not grey[-1, -1] and lzw_length(stored) < grey.size:
        raise cut_short()
    return grey.tobytes()


def lzw_length(stored: bytes) -> int:
    """How many bytes TIFF's LZW data (TIFF 6.0, section 13) stands for, up to where it ends or goes wrong.

    Between two clear codes the widths of all codes are known, so each such run is read at once.
    """
    padded = np.frombuffer(stored + b"\0\0", np.uint8).astype(np.uint32)
    total, place = 0, 0
    while True:
        count = int(np.searchsorted(_LZW_STARTS[1:], len(stored) * 8 - place, "right"))
        starts = place + _LZW_STARTS[:count]
        first = starts >> 3
        words = padded[first] << 16 | padded[first + 1] << 8 | padded[first + 2]
        codes = (words >> (24 - (starts & 7) - _LZW_WIDTHS[:count]) & (1 << _LZW_WIDTHS[:count]) - 1).astype(
            np.int64
        )
        # A run ends with a clear or end code, or with a code that is not in the table yet.
        ends = (codes == _LZW_CLEAR) | (codes == _LZW_END) | (codes >= np.arange(count) + _LZW_FIRST)
        stop = int(ends.argmax()) if ends.any() else count
        total += int(_string_lengths(codes[:stop]).sum())
        if stop == count or codes[stop] != _LZW_CLEAR:
            return total
        place += int(_LZW_STARTS[stop + 1])


def _string_lengths(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Lengths of the strings of one run: a new string is that of the code before, and one byte."""
    count = len(codes)
    lengths = np.ones(count + 1, np.int64)
    lengths[count] = 0
    # Each code points at the earlier code whose string it lengthens; `count` is the end of every chain.
    earlier = np.append(np.where(codes < _LZW_FIRST, count, codes - _LZW_FIRST), count)
    while (earlier != count).any():
        lengths += lengths[earlier]
        earlier = earlier[earlier]
    return lengths[:count]


def _unpacked(lines: NDArray[np.uint8], layout: Layout) -> Samples:
    """Rows of bytes to rows of samples, without prediction."""
    per_row = layout.segment_width * layout.together
    if layout.bits in (8, 16, 32, 64):
        stored = layout.dtype.newbyteorder("<" if layout.little_endian else ">")
        return np.ascontiguousarray(lines).view(stored).astype(layout.dtype)
    # Big-endian bits in rows padded to bytes, whatever the byte order of the file.
    singles = np.unpackbits(lines, axis=1, count=per_row * layout.bits)
    weights = (1 << np.arange(layout.bits - 1, -1, -1)).astype(np.uint16)
    packed = singles.reshape(len(lines), per_row, layout.bits)
    values: NDArray[np.uint16] = (packed * weights).sum(axis=2, dtype=np.uint16)
    return values.astype(layout.dtype)


def _float_predicted(lines: NDArray[np.uint8], layout: Layout) -> Samples:
    """Undo the floating-point predictor (Adobe technical note 3): byte planes, most significant first."""
    size = layout.bits // 8
    sums = lines.reshape(len(lines), -1, layout.together).cumsum(axis=1, dtype=np.uint8)
    planes = sums.reshape(len(lines), size, -1).transpose(0, 2, 1)
    return np.ascontiguousarray(planes).view(f">f{size}")[..., 0].astype(layout.dtype)
