"""PNG files (W3C PNG, third edition): chunks here, pixels by Pillow, 16-bit colour by OpenCV.

The decoders are given the critical chunks and transparency alone, checksums verified: no text bombs, no
colour profiles to complain of, and of an animated PNG the default image.
"""

import io
import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import PngImagePlugin

from engine.document.contrast import AUTOMATIC, Contrast
from engine.media.picture import Rgb, Samples, UnreadableError, cut_short, damaged
from engine.media.tiff_tags import exif_orientation
from engine.media.tone import grey_to_rgb, over_white, pillow_to_rgb, to_8_bit

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_GREY, _COLOUR, _PALETTE, _GREY_ALPHA, _COLOUR_ALPHA = 0, 2, 3, 4, 6
_LEGAL_DEPTHS = {
    _GREY: (1, 2, 4, 8, 16),
    _COLOUR: (8, 16),
    _PALETTE: (1, 2, 4, 8),
    _GREY_ALPHA: (8, 16),
    _COLOUR_ALPHA: (8, 16),
}
_NEEDED = (b"PLTE", b"tRNS", b"IDAT")
_MOST_EXIF = 1 << 20


@dataclass(frozen=True, slots=True)
class _Chunk:
    kind: bytes
    start: int  # of its data in the file
    length: int


class PngPicture:
    """The default image of a PNG file."""

    frames = 1

    def __init__(self, file: BinaryIO) -> None:
        """Read the chunk headers. Raises UnreadableError."""
        self._file = file
        self.orientation = 1
        self._chunks = self._list_chunks()
        if not self._chunks or self._chunks[0].kind != b"IHDR" or self._chunks[0].length != 13:
            raise damaged("it does not begin with a PNG header")
        self._header = self._checked(self._chunks[0])
        self.width, self.height, self._depth, self._colour = struct.unpack(">IIBB", self._header[:10])
        if self._depth not in _LEGAL_DEPTHS.get(self._colour, ()):
            raise damaged(f"no PNG has colour type {self._colour} with {self._depth} bits")
        for chunk in self._chunks:
            if chunk.kind == b"eXIf" and chunk.length <= _MOST_EXIF:
                self.orientation = exif_orientation(self._read(chunk))

    def decode(self, contrast: Contrast = AUTOMATIC) -> Rgb:
        """The pixels, H x W x 3. Raises UnreadableError and what Pillow raises."""
        needed = [(c.kind, self._checked(c)) for c in self._chunks if c.kind in _NEEDED]
        if not any(kind == b"IDAT" for kind, _ in needed):
            raise cut_short() if self._chunks[-1].kind != b"IEND" else damaged("it holds no pixels")
        if self._colour == _PALETTE and not any(kind == b"PLTE" for kind, _ in needed):
            raise damaged("it has no palette")
        data = self._assemble(needed)
        with PngImagePlugin.PngImageFile(io.BytesIO(data)) as image:
            image.load()
            if self._depth < 16:
                return pillow_to_rgb(image)
        # Pillow keeps 8 of the 16 bits. It has just found the data sound, so that libpng, which prints
        # its complaints, will have none.
        clear = next((body for kind, body in needed if kind == b"tRNS"), b"")
        return self._decode_16_bit(
            [(kind, body) for kind, body in needed if kind != b"tRNS"], clear, contrast
        )

    @property
    def is_deep(self) -> bool:
        """Whether it has 16 bits."""
        return self.bits == 16

    @property
    def bits(self) -> int:
        """The depth of a sample."""
        return int(self._depth)

    def samples(self) -> Samples:
        """H x W x 1 (grey) or 3 (RGB) uint16. Raises UnreadableError and what Pillow raises."""
        needed = [(c.kind, self._checked(c)) for c in self._chunks if c.kind == b"IDAT"]
        with PngImagePlugin.PngImageFile(io.BytesIO(self._assemble(needed))) as image:
            image.load()  # finds damage, without libpng's complaints
        stored = self._stored_16_bit(needed)
        return stored[..., None] if stored.ndim == 2 else np.ascontiguousarray(stored[..., 2::-1])

    def _stored_16_bit(self, chunks: list[tuple[bytes, bytes]]) -> NDArray[np.uint16]:
        """As OpenCV gives it: H x W, or H x W x 3 or 4 with blue first."""
        samples = cv2.imdecode(np.frombuffer(self._assemble(chunks), np.uint8), cv2.IMREAD_UNCHANGED)
        if samples is None:
            raise damaged("the PNG data cannot be decoded")
        if samples.dtype != np.uint16:
            raise UnreadableError(f"16-bit PNG decoded as {samples.dtype}")
        return samples.astype(np.uint16, copy=False)

    def _decode_16_bit(self, chunks: list[tuple[bytes, bytes]], clear: bytes, contrast: Contrast) -> Rgb:
        samples = self._stored_16_bit(chunks)
        if samples.ndim == 2:
            rgb = grey_to_rgb(to_8_bit(samples, 16, contrast))
            bgr = samples[..., None]
        else:
            bgr = samples[..., :3]
            rgb = to_8_bit(np.ascontiguousarray(bgr[..., ::-1]), 16, contrast)
            if samples.shape[2] == 4:
                return over_white(rgb, (samples[..., 3] // 257).astype(np.uint8))
        if len(clear) == 2 * bgr.shape[2]:
            key = np.array(struct.unpack(f">{bgr.shape[2]}H", clear)[::-1], np.uint16)
            rgb[(bgr == key).all(axis=2)] = 255
        return rgb

    def _assemble(self, chunks: list[tuple[bytes, bytes]]) -> bytes:
        parts = [SIGNATURE]
        for kind, body in [(b"IHDR", self._header), *chunks, (b"IEND", b"")]:
            parts += [
                struct.pack(">I", len(body)),
                kind,
                body,
                struct.pack(">I", zlib.crc32(body, zlib.crc32(kind))),
            ]
        return b"".join(parts)

    def _list_chunks(self) -> list[_Chunk]:
        chunks: list[_Chunk] = []
        place = len(SIGNATURE)
        while True:
            self._file.seek(place)
            head = self._file.read(8)
            if len(head) < 8:
                return chunks  # no end chunk: `decode` finds out whether pixels are missing
            length, kind = struct.unpack(">I4s", head)
            if not kind.isalpha():
                raise damaged("a PNG chunk without a name")
            chunks.append(_Chunk(kind, place + 8, length))
            if kind == b"IEND":
                return chunks
            place += 12 + length

    def _read(self, chunk: _Chunk) -> bytes:
        self._file.seek(chunk.start)
        return self._file.read(chunk.length)

    def _checked(self, chunk: _Chunk) -> bytes:
        body = self._read(chunk)
        checksum = self._file.read(4)
        if len(body) < chunk.length or len(checksum) < 4:
            raise cut_short()
        if zlib.crc32(body, zlib.crc32(chunk.kind)) != int.from_bytes(checksum, "big"):
            raise damaged(f"checksum of PNG chunk {chunk.kind.decode('latin-1')}")
        return body
