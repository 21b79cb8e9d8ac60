"""BMP, GIF and WebP: small header checks here, pixels by Pillow. Of an animation, the first frame."""

import io
import struct
from typing import BinaryIO

from PIL import BmpImagePlugin, GifImagePlugin, WebPImagePlugin

from engine.media.picture import Rgb, UnreadableError, cut_short, damaged
from engine.media.tiff_tags import exif_orientation
from engine.media.tone import pillow_to_rgb

_MOST_EXIF = 1 << 20
# Where Pillow begins to warn; a GIF, of 256 colours, is hardly ever a large photograph.
_MOST_GIF_PIXELS = 89_000_000


class BmpPicture:
    """The picture of a BMP file."""

    orientation = 1
    frames = 1

    def __init__(self, file: BinaryIO) -> None:
        """Read the header. Raises what Pillow raises."""
        self._image = BmpImagePlugin.BmpImageFile(file)
        self.width, self.height = self._image.size

    def decode(self) -> Rgb:
        """The pixels, H x W x 3. Raises what Pillow raises."""
        return pillow_to_rgb(self._image)


class GifPicture:
    """The first frame of a GIF file (GIF89a, CompuServe 1990).

    As for WebP, Pillow's reader allocates before it can be asked the size.
    """

    orientation = 1
    frames = 1

    def __init__(self, file: BinaryIO) -> None:
        """Read the headers of the file and of its first frame. Raises UnreadableError."""
        self._file = file
        file.seek(6)
        screen = file.read(7)
        if len(screen) < 7:
            raise cut_short()
        width, height, flags = struct.unpack("<HHB", screen[:5])
        if flags & 0x80:
            file.seek(3 << (flags & 7) + 1, io.SEEK_CUR)
        left, top, across, down = self._first_frame()
        # A frame that reaches beyond the screen makes the picture larger, as in Pillow.
        self.width, self.height = max(width, left + across), max(height, top + down)

    def decode(self) -> Rgb:
        """The pixels, H x W x 3. Raises UnreadableError and what Pillow raises."""
        if self.width * self.height > _MOST_GIF_PIXELS:
            raise UnreadableError(
                f"a GIF of {self.width} x {self.height} pixels is not supported; save it as PNG"
            )
        self._file.seek(0)
        return pillow_to_rgb(GifImagePlugin.GifImageFile(self._file))

    def _first_frame(self) -> tuple[int, int, int, int]:
        """Left, top, width and height of the first frame."""
        while block := self._file.read(1):
            if block == b",":
                extent = self._file.read(8)
                if len(extent) < 8:
                    break
                left, top, width, height = struct.unpack("<4H", extent)
                return left, top, width, height
            if block == b";":
                raise damaged("it holds no frame")
            if block == b"!":
                self._file.seek(1, io.SEEK_CUR)
                while (size := self._file.read(1)) and size != b"\0":
                    self._file.seek(size[0], io.SEEK_CUR)
        raise cut_short()


class WebpPicture:
    """The first frame of a WebP file (RFC 9649).

    The header is read here because Pillow's reader allocates the canvas before it can be asked its size.
    """

    frames = 1

    def __init__(self, file: BinaryIO) -> None:
        """Read the header. Raises UnreadableError."""
        self._file = file
        self.orientation = 1
        file.seek(4)
        self._length = int.from_bytes(file.read(4), "little") + 8
        file.seek(12)
        head = file.read(18)
        if len(head) < 18:
            raise cut_short()
        kind, body = head[:4], head[8:]
        if kind == b"VP8X":
            self.width = int.from_bytes(body[4:7], "little") + 1
            self.height = int.from_bytes(body[7:10], "little") + 1
            if body[0] & 0x08:
                self.orientation = self._find_orientation()
        elif kind == b"VP8L" and body[0] == 0x2F:
            packed = int.from_bytes(body[1:5], "little")
            self.width, self.height = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
        elif kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
            width, height = struct.unpack("<HH", body[6:10])
            self.width, self.height = width & 0x3FFF, height & 0x3FFF
        else:
            raise damaged("it does not begin with a WebP picture")

    def decode(self) -> Rgb:
        """The pixels, H x W x 3. Raises UnreadableError and what Pillow raises."""
        self._file.seek(0)
        data = self._file.read(self._length)
        if len(data) < self._length:
            raise cut_short()
        with WebPImagePlugin.WebPImageFile(io.BytesIO(data)) as image:
            return pillow_to_rgb(image)

    def _find_orientation(self) -> int:
        place = 12
        while place < self._length:
            self._file.seek(place)
            head = self._file.read(8)
            if len(head) < 8:
                break
            kind, length = struct.unpack("<4sI", head)
            if kind == b"EXIF":
                return exif_orientation(self._file.read(min(length, _MOST_EXIF)).removeprefix(b"Exif\0\0"))
            place += 8 + length + (length & 1)
        return 1
