"""TIFF pages whose compression yields pixels, not bytes: JPEG by Pillow, fax and YCbCr by OpenCV's libtiff.

Each decoder gets a file of its own with what it needs and nothing else.
"""

import io
from typing import BinaryIO

import cv2
import numpy as np

from engine.media.jpeg import JpegPicture
from engine.media.picture import Rgb, UnreadableError, cut_short, damaged
from engine.media.tiff_segments import Layout, places
from engine.media.tiff_tags import Value, small_tiff

# JPEG works in blocks; a strip's or tile's picture may be padded to the next one.
_BLOCK = 32
# Adobe's marker, to which the colour transform (off or on) is added: the page knows it, not the segments.
_ADOBE = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0"


def decode_by_libtiff(file: BinaryIO, tags: dict[int, Value], layout: Layout) -> Rgb:
    """A page of fax or YCbCr data, H x W x 3. Raises UnreadableError."""
    _check_sizes(file, layout)
    page = small_tiff(tags, [_stored(file, layout, index) for index in range(len(layout.offsets))])
    pixels = cv2.imdecode(np.frombuffer(page, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None or pixels.shape != (layout.height, layout.width, 3):
        raise damaged("its TIFF data cannot be decoded")
    return pixels.astype(np.uint8, copy=False)


def decode_jpeg_page(file: BinaryIO, tables: bytes, layout: Layout, *, ycbcr: bool) -> Rgb:
    """A page whose strips or tiles are JPEG pictures (TIFF technical note 2), H x W x 3.

    Raises UnreadableError and what Pillow raises.
    """
    if layout.planar or layout.channels not in (1, 3, 4):
        raise UnreadableError(f"JPEG in TIFF with {layout.channels} channels is not supported")
    _check_sizes(file, layout)
    shared = tables.removeprefix(b"\xff\xd8").removesuffix(b"\xff\xd9")
    colour = _ADOBE + bytes([ycbcr]) if layout.channels == 3 else b""
    page = np.zeros((layout.height, layout.width, 3), np.uint8)
    for index, (_, y, x) in enumerate(places(layout)):
        stored = _stored(file, layout, index)
        if not stored:
            continue  # a sparse file
        picture = JpegPicture(
            io.BytesIO(b"\xff\xd8" + shared + stored.removeprefix(b"\xff\xd8")), colour=colour
        )
        into = page[y : y + layout.segment_height, x : x + layout.segment_width]
        least, most = into.shape, (layout.segment_height + _BLOCK, layout.segment_width + _BLOCK)
        if not (least[0] <= picture.height <= most[0] and least[1] <= picture.width <= most[1]):
            raise damaged("a TIFF strip or tile of another size than its page says")
        into[...] = picture.decode()[: into.shape[0], : into.shape[1]]
    return page


def _check_sizes(file: BinaryIO, layout: Layout) -> None:
    # Strips that overlap can name the same megabytes a million times.
    if sum(layout.byte_counts) > file.seek(0, io.SEEK_END):
        raise cut_short()


def _stored(file: BinaryIO, layout: Layout, index: int) -> bytes:
    if index >= len(layout.offsets):
        raise cut_short()
    file.seek(layout.offsets[index])
    data = file.read(layout.byte_counts[index])
    if len(data) < layout.byte_counts[index]:
        raise cut_short()
    return data
