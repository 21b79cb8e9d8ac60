"""JPEG files (ITU-T T.81): markers up to the first scan here, the scans by Pillow.

Pillow is given the file without its metadata, so that damaged metadata cannot disturb it. OpenCV would need a
third less time, but its libjpeg prints to the terminal about every odd byte, which many sound cameras leave.
"""

import io
import struct
from typing import BinaryIO

from PIL import ImageChops, JpegImagePlugin

from engine.media.picture import Rgb, UnreadableError, cut_short, damaged
from engine.media.tiff_tags import exif_orientation
from engine.media.tone import cmyk_to_rgb, pillow_to_rgb

SIGNATURE = b"\xff\xd8\xff"

_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SOS, _EOI, _APP1, _APP2, _APP14 = 0xDA, 0xD9, 0xE1, 0xE2, 0xEE
_METADATA = (frozenset(range(0xE0, 0xF0)) - {_APP14}) | {0xFE}
_EXIF = b"Exif\0\0"
_ICC = b"ICC_PROFILE\0"
# A picture of ten scans is usual; thousands of empty ones keep a decoder busy for hours.
_MOST_SCANS = 500


class JpegPicture:
    """The picture of a JPEG file."""

    frames = 1

    def __init__(self, file: BinaryIO, *, colour: bytes | None = None) -> None:
        """Read the header up to the first scan.

        ``colour`` takes the place of the file's own word on its colours (Adobe's marker APP14), for
        JPEG data embedded in another format, which knows better. Raises UnreadableError.
        """
        self._file = file
        self._kept = [b"\xff\xd8", colour or b""]
        self._embedded = colour is not None
        self._dropped = _METADATA | {_APP14} if self._embedded else _METADATA
        self._profile: list[bytes] = []
        self.orientation = 1
        self.width = self.height = self._channels = self._bits = 0
        file.seek(2)
        while self._read_segment():
            pass
        if not self.width:
            raise damaged("no frame header before the first scan")
        if not self.height:
            raise UnreadableError("its height is given only after the pixels (DNL), which is not supported")

    def decode(self) -> Rgb:
        """The pixels, H x W x 3. Raises UnreadableError and what Pillow raises."""
        return self._decoded(0)

    def reduced(self, level: int) -> Rgb | None:
        """The pixels at 1 / 2**level, sides rounded up, in a third of the time; None where that is no use.

        level: 1 to 3. Raises as `decode`.
        """
        # From another corner the last row or column, of fewer pixels, would be the first.
        is_even = not (self.width | self.height) & (1 << level) - 1
        can = 1 <= level <= 3 and self._channels != 4 and (self.orientation == 1 or is_even)
        return self._decoded(level) if can and min(self.width, self.height) >= 64 else None

    def _decoded(self, level: int) -> Rgb:
        if self._bits != 8:
            raise UnreadableError(
                f"JPEG with {self._bits} bits a channel is not supported; save it as PNG or TIFF"
            )
        self._file.seek(self._scan_start)
        # What a JPEG of this size can need at most; anything beyond is not the picture.
        scans = self._file.read(self.width * self.height * self._channels * 4 + (64 << 20))
        if scans.count(b"\xff\xda") > _MOST_SCANS:
            raise UnreadableError(f"it has more than {_MOST_SCANS} scans, which only hostile files have")
        with JpegImagePlugin.JpegImageFile(io.BytesIO(b"".join([*self._kept, scans]))) as image:
            image.draft(None, (self.width >> level, self.height >> level))
            image.load()
            if image.mode == "CMYK":
                # Pillow takes all CMYK for Adobe's, which is inverted, and turns it to 255 for full ink.
                inks = ImageChops.invert(image) if self._embedded else image
                return cmyk_to_rgb(inks, b"".join(self._profile))
            return pillow_to_rgb(image)

    def _read_segment(self) -> bool:
        """Read one marker segment; False at the first scan."""
        marker = self._next_marker()
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a segment
            return True
        if marker == _EOI:
            raise damaged("it ends before the first scan")
        size = self._file.read(2)
        length = int.from_bytes(size, "big") - 2
        body = self._file.read(max(length, 0))
        if len(size) < 2 or len(body) < length:
            raise cut_short()
        if length < 0:
            raise damaged("a JPEG segment of impossible length")
        self._note(marker, body)
        if marker not in self._dropped:
            self._kept.append(bytes([0xFF, marker]) + size + body)
        self._scan_start = self._file.tell()
        return marker != _SOS

    def _next_marker(self) -> int:
        """The next marker's code, with what lies before it skipped as every decoder does."""
        before = b""
        while byte := self._file.read(1):
            if before == b"\xff" and byte not in b"\x00\xff":
                return byte[0]
            before = byte
        raise cut_short()

    def _note(self, marker: int, body: bytes) -> None:
        if marker in _SOF and not self._channels:
            if len(body) < 6:
                raise damaged("its frame header is too short")
            self._bits, self.height, self.width, self._channels = struct.unpack(">BHHB", body[:6])
        elif marker == _APP1 and body.startswith(_EXIF):
            self.orientation = exif_orientation(body[len(_EXIF) :])
        elif marker == _APP2 and body.startswith(_ICC):
            self._profile.append(body[len(_ICC) + 2 :])
