"""Picture files for the tests, written independently of the code under test."""

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.generic]


def scene(height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """A colourful smooth picture without symmetry, H x W x 3."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = 255 * x // (width - 1), 255 * y // (height - 1)
    blue = (x * 5 + y * 3) % 256
    picture = np.stack([red, green, blue], axis=2).astype(np.uint8)
    picture[2:10, 3:20] = (250, 10, 30)
    return picture


def encoded(picture: Image.Image | NDArray[np.uint8], kind: str, **options: object) -> bytes:
    """A file of this kind as Pillow writes it."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(ihdr: Sequence[int], rows: bytes, *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG of width, height, depth, colour type from unfiltered rows (each with its filter byte)."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", *ihdr, 0, 0, 0)),
        *extra,
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def exif(orientation: int, order: str = "<") -> bytes:
    """An EXIF block that says this orientation and nothing else."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return head + struct.pack(f"{order}HHHIHHI", 1, 274, 3, 1, orientation, 0, 0)


Page = tuple[dict[int, tuple[int, ...] | bytes], list[bytes]]


def tiff(*pages: Page, order: str = "<", big: bool = False) -> bytes:
    """A TIFF or BigTIFF of pages: tags (integers as LONG, bytes as UNDEFINED), strips or tiles."""
    offset, field = ("Q", 8) if big else ("I", 4)
    head = (b"II" if order == "<" else b"MM") + (
        struct.pack(f"{order}HHHQ", 43, 8, 0, 0) if big else struct.pack(f"{order}HI", 42, 0)
    )
    out = bytearray(head)
    link = 8 if big else 4  # where the place of the next directory is written
    for tags, segments in pages:
        places = []
        for segment in segments:
            places.append(len(out))
            out += segment
        tiled = 322 in tags
        every: dict[int, tuple[int, ...] | bytes] = {
            **tags,
            324 if tiled else 273: tuple(places),
            325 if tiled else 279: tuple(len(s) for s in segments),
        }
        entries = b""
        for tag, value in sorted(every.items()):
            data = value if isinstance(value, bytes) else struct.pack(f"{order}{len(value)}I", *value)
            if len(data) > field:
                where = struct.pack(f"{order}{offset}", len(out))
                out += data
            else:
                where = data.ljust(field, b"\0")
            entries += (
                struct.pack(f"{order}HH{offset}", tag, 7 if isinstance(value, bytes) else 4, len(value))
                + where
            )
        struct.pack_into(f"{order}{offset}", out, link, len(out))
        out += struct.pack(f"{order}{'Q' if big else 'H'}", len(every)) + entries
        link = len(out)
        out += struct.pack(f"{order}{offset}", 0)
    return bytes(out)


def page(samples: Array, *, photometric: int, order: str = "<", **more: tuple[int, ...]) -> Page:
    """A TIFF page of uncompressed samples (H x W x channels) in one strip; ``t338=(1,)`` sets tag 338."""
    height, width, channels = samples.shape
    tags = {
        256: (width,),
        257: (height,),
        258: (samples.dtype.itemsize * 8,) * channels,
        259: (1,),
        262: (photometric,),
        277: (channels,),
        278: (height,),
        339: ({"u": 1, "i": 2, "f": 3}[samples.dtype.kind],) * channels,
    }
    tags.update({int(name[1:]): value for name, value in more.items()})
    data = samples.astype(samples.dtype.newbyteorder("<" if order == "<" else ">")).tobytes()
    return {**tags}, [data]
