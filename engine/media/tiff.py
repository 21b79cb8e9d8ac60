"""TIFF and BigTIFF files: every page is a frame.

Knows what a page's samples mean (grey, palette, RGB, CMYK, L*a*b*, alpha); `tiff_segments` gets them out of
the file. A grey page of three or more channels, as microscopes write them, shows its first three as red,
green and blue; of two channels that are not colour and alpha, the first is shown.
"""

import itertools
from typing import BinaryIO

import numpy as np
from PIL import Image

from engine.document.contrast import AUTOMATIC, Contrast
from engine.media.picture import Rgb, Samples, UnreadableError, damaged
from engine.media.tiff_segments import Layout, read_samples
from engine.media.tiff_tags import ORIENTATION, TiffTags, Value, valid_orientation
from engine.media.tiff_whole import decode_by_libtiff, decode_jpeg_page
from engine.media.tone import cmyk_to_rgb, grey_to_rgb, lab_to_rgb, over_white, to_8_bit

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 259, 262, 266
_STRIPS, _CHANNELS, _STRIP_ROWS, _STRIP_BYTES = 273, 277, 278, 279
_PLANAR, _PREDICTOR, _COLOUR_MAP = 284, 317, 320
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES = 322, 323, 324, 325
_EXTRA, _FORMAT, _JPEG_TABLES, _ICC = 338, 339, 347, 34675
_FAX, _JPEG = (2, 3, 4), 7
# What libtiff needs to decode a page by itself: also fax options and YCbCr sampling.
_FOR_LIBTIFF = frozenset(
    {_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _CHANNELS, _STRIP_ROWS, _PLANAR}
    | {_TILE_WIDTH, _TILE_HEIGHT, _FORMAT, 292, 293, 530, 531}
)
_WANTED = _FOR_LIBTIFF | {
    _JPEG_TABLES,
    _STRIPS,
    _STRIP_BYTES,
    _PREDICTOR,
    _COLOUR_MAP,
    _TILES,
    _TILE_BYTES,
    _EXTRA,
    _ICC,
    ORIENTATION,
}

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _MASK, _CMYK, _YCBCR, _LAB, _ICC_LAB = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    8,
    9,
)
_PREMULTIPLIED, _ALPHA = 1, 2
# Four 64-bit channels; what has more bytes a pixel is refused before anything is allocated.
_MOST_BYTES_A_PIXEL = 32


class TiffPicture:
    """One page of a TIFF file."""

    def __init__(self, file: BinaryIO, frame: int) -> None:
        """Read the directory of page ``frame``. Raises UnreadableError, also where there is no such page."""
        self._file = file
        self._tags = TiffTags(file)
        directory = next(itertools.islice(self._tags.directories(), frame, None), None)
        if directory is None:
            raise UnreadableError(
                f"it has {self.frames} frames (pages), counted from 0, and no frame {frame}"
            )
        self._page = self._tags.read(directory, _WANTED)
        self.width, self.height = self._number(_WIDTH), self._number(_HEIGHT)
        self.orientation = valid_orientation(self._page.get(ORIENTATION))

    @property
    def frames(self) -> int:
        """How many pages the file has; reads the links between them."""
        return sum(1 for _ in self._tags.directories())

    def decode(self, contrast: Contrast = AUTOMATIC) -> Rgb:
        """The pixels of the page, H x W x 3; contrast: of deep samples. Raises UnreadableError."""
        layout = self._layout()
        photometric = self._number(_PHOTOMETRIC, _BLACK_IS_ZERO)
        if layout.compression == _JPEG:
            tables = self._page.get(_JPEG_TABLES, b"")
            return decode_jpeg_page(self._file, bytes(tables), layout, ycbcr=photometric == _YCBCR)
        if layout.compression in _FAX or photometric == _YCBCR:
            page = {tag: value for tag, value in self._page.items() if tag in _FOR_LIBTIFF}
            return decode_by_libtiff(self._file, page, layout)
        if layout.channels * layout.bits > 8 * _MOST_BYTES_A_PIXEL:
            raise UnreadableError(
                f"it has {layout.channels} channels of {layout.bits} bits, more than can be shown"
            )
        samples = read_samples(self._file, layout)
        colour = self._colour(samples, layout, photometric, contrast if self.is_deep else AUTOMATIC)
        return self._over_white(colour, samples, layout, photometric)

    @property
    def is_deep(self) -> bool:
        """Whether it is grey or RGB of more than 8 bits, signed, or floating point."""
        try:
            layout = self._layout()
        except UnreadableError:
            return False  # `decode` says why
        colours = (_BLACK_IS_ZERO, _RGB)
        return (
            self._number(_PHOTOMETRIC, _BLACK_IS_ZERO) in colours
            and layout.compression not in (*_FAX, _JPEG)
            and layout.channels * layout.bits <= 8 * _MOST_BYTES_A_PIXEL
            and (layout.bits > 8 or layout.sample_format != 1)
        )

    @property
    def bits(self) -> int:
        """The depth of a sample. Raises UnreadableError."""
        return self._layout().bits

    def samples(self) -> Samples:
        """H x W x 1 (grey) or 3 (RGB), as stored. Raises UnreadableError."""
        samples = read_samples(self._file, self._layout())
        return samples[..., : 3 if samples.shape[2] >= 3 else 1]

    def _colour(self, samples: Samples, layout: Layout, photometric: int, contrast: Contrast) -> Rgb:
        if photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _MASK) and layout.channels < 3:
            grey = to_8_bit(samples[..., 0], layout.bits, contrast)
            return grey_to_rgb(255 - grey if photometric == _WHITE_IS_ZERO else grey)
        if photometric == _PALETTE:
            return self._from_palette(samples[..., 0])
        if photometric in (_BLACK_IS_ZERO, _RGB) and layout.channels >= 3:
            return to_8_bit(samples[..., :3], layout.bits, contrast)
        if photometric == _CMYK and layout.channels >= 4:
            inks = np.ascontiguousarray(to_8_bit(samples[..., :4], layout.bits))
            profile = self._page.get(_ICC)
            return cmyk_to_rgb(
                Image.frombytes("CMYK", (layout.width, layout.height), inks.tobytes()),
                profile if isinstance(profile, bytes) else None,
            )
        if photometric in (_LAB, _ICC_LAB) and layout.channels >= 3 and layout.bits in (8, 16):
            return _from_lab(samples, layout.bits, signed=photometric == _LAB)
        kind = f"{layout.channels} channels of {layout.bits} bits"
        raise UnreadableError(f"TIFF of colour model {photometric} with {kind} is not supported")

    def _from_palette(self, indices: Samples) -> Rgb:
        flat = np.array(self._numbers(_COLOUR_MAP), np.int64)
        if indices.dtype.kind != "u" or len(flat) < 3 or len(flat) % 3:
            raise damaged("its colour map")
        # Some writers store 8 bits where the specification has 16.
        colours = (flat >> 8 if flat.max() > 255 else flat).astype(np.uint8).reshape(3, -1).T
        return colours[np.minimum(indices, len(colours) - 1)]

    def _over_white(self, colour: Rgb, samples: Samples, layout: Layout, photometric: int) -> Rgb:
        inks = 3 if photometric in (_RGB, _LAB, _ICC_LAB) else 4 if photometric == _CMYK else 1
        extra = self._numbers(_EXTRA)
        # Four channels of RGB without a word about the fourth: alpha, as libtiff and Pillow take it.
        kind = extra[0] if extra else _ALPHA if inks == 3 and layout.channels == 4 else 0
        if kind not in (_PREMULTIPLIED, _ALPHA) or layout.channels <= inks or layout.dtype.kind != "u":
            return colour
        full = 2**layout.bits - 1
        alpha = (samples[..., inks].astype(np.float64) * (255 / full)).round().astype(np.uint8)
        return over_white(colour, alpha, premultiplied=kind == _PREMULTIPLIED)

    def _layout(self) -> Layout:
        channels = self._number(_CHANNELS, 1)
        bits = (self._numbers(_BITS) or (1,))[:channels]
        formats = (self._numbers(_FORMAT) or (1,))[:channels]
        if len(set(bits)) != 1 or len(set(formats)) != 1:
            raise UnreadableError("TIFF channels of different depths are not supported")
        tiled = _TILES in self._page
        width = self._number(_TILE_WIDTH) if tiled else self.width
        height = (
            self._number(_TILE_HEIGHT) if tiled else min(self._number(_STRIP_ROWS, self.height), self.height)
        )
        offsets = self._numbers(_TILES if tiled else _STRIPS)
        counts = self._numbers(_TILE_BYTES if tiled else _STRIP_BYTES)
        # With tiles the page is padded: a tile far larger than its page is a trap.
        if not (0 < width < self.width + 65536 and 0 < height < self.height + 65536 and channels > 0):
            raise damaged("TIFF strips or tiles of impossible size")
        compression = self._number(_COMPRESSION, 1)
        if not counts and compression == 1 and len(offsets) == 1:
            counts = (self.height * (self.width * channels * bits[0] + 7) // 8,)
        if not offsets or len(offsets) != len(counts):
            raise damaged("TIFF strips or tiles without a place")
        return Layout(
            width=self.width,
            height=self.height,
            channels=channels,
            bits=bits[0],
            sample_format=1 if formats[0] == 4 else formats[0],
            compression=compression,
            predictor=self._number(_PREDICTOR, 1),
            planar=self._number(_PLANAR, 1) == 2 and channels > 1,
            tiled=tiled,
            segment_width=width,
            segment_height=height,
            offsets=offsets,
            byte_counts=counts,
            little_endian=self._tags.order == "<",
            reversed_bits=self._number(_FILL_ORDER, 1) == 2,
        )

    def _numbers(self, tag: int) -> tuple[int, ...]:
        value: Value = self._page.get(tag, ())
        return tuple(value)

    def _number(self, tag: int, default: int = 0) -> int:
        return next(iter(self._numbers(tag)), default)


def _from_lab(samples: Samples, bits: int, *, signed: bool) -> Rgb:
    """L* unsigned; a* and b* signed (CIE L*a*b*) or shifted by half (ICC L*a*b*)."""
    values = samples[..., :3].astype(np.float32) / np.float32(2 ** (bits - 8))
    lightness = values[..., 0] * np.float32(100 / 255)
    shift = np.float32(128)
    colours = values[..., 1:]
    # Adding half, modulo 256, turns two's complement into the shifted form.
    shifted = np.mod(colours + shift, np.float32(256)) if signed else colours
    return lab_to_rgb(lightness, shifted[..., 0] - shift, shifted[..., 1] - shift)
