"""Picture files and frames of videos as RGB arrays, the way a viewer shows them.

Knows which format a file is in (by its content, whatever its suffix says), the cap on pixels, and EXIF
orientation; the format modules know the rest. Picture files are only ever read.
"""

import contextlib
import math
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.document.contrast import AUTOMATIC, Contrast
from engine.media import jpeg, png, simple, tiff, video
from engine.media.files import media_error, open_for_reading
from engine.media.picture import DeepPicture, Picture, Rgb, Samples, UnreadableError, cut_short
from engine.media.scan import is_video_name
from engine.media.video_index import no_frame

#: Pictures of more pixels are refused unless the caller allows more: 300 million need about 1 GB to decode.
MAX_PIXELS = 300_000_000

# OpenCV tells of faults by its answer; its log lines would only add noise.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
_AnySamples = TypeVar("_AnySamples", Rgb, Samples)

# What the decoders raise on files that are not as they should be.
_DECODER_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    IndexError,
    KeyError,
    AttributeError,
    AssertionError,
    EOFError,
    OverflowError,
    RuntimeError,
    struct.error,
    zlib.error,
    cv2.error,
    Image.DecompressionBombError,
)

_OF_ONE_FRAME: dict[str, Callable[[BinaryIO], Picture]] = {
    "JPEG": jpeg.JpegPicture,
    "PNG": png.PngPicture,
    "GIF": simple.GifPicture,
    "WebP": simple.WebpPicture,
    "BMP": simple.BmpPicture,
}

_FOREIGN = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML file"),
    (b"<!DOCTYPE", "a web page"),
    (b"<html", "a web page"),
    (b"8BPS", "a Photoshop file"),
    (b"%!PS", "a PostScript file"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\1\0", "an icon"),
    (b"qoif", "a QOI picture"),
    (b"\x76\x2f\x31\x01", "an OpenEXR picture"),
)


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What a picture's header says. ``width`` and ``height`` in pixels as shown, the orientation applied."""

    width: int
    height: int
    frames: int
    format: str


def probe(path: Path, frame: int = 0) -> ImageInfo:
    """Read the header of a picture, without decoding: milliseconds whatever its size.

    ``frame`` counts from 0 (a frame of a video, a TIFF page; other formats have one frame). A video is
    demuxed once for it, which takes a second for some 200,000 frames. Raises MediaError.
    """
    if is_video_name(path.name):
        index = video.reader_of(path).index
        if not 0 <= frame < index.count:
            raise media_error(path, str(no_frame(index.count, frame)))
        return ImageInfo(index.width, index.height, index.count, "video")
    with _opened(path, frame) as (kind, picture):
        width, height = _shown_size(picture)
        return ImageInfo(width, height, picture.frames, kind)


def frame_size(path: Path, frame: int = 0) -> tuple[int, int]:
    """Width and height of one frame as shown; `probe` without the count of frames. Raises MediaError."""
    if is_video_name(path.name):
        info = probe(path, frame)
        return info.width, info.height
    with _opened(path, frame) as (_, picture):
        return _shown_size(picture)


def read_rgb(
    path: Path, frame: int = 0, contrast: Contrast = AUTOMATIC, *, max_pixels: int = MAX_PIXELS
) -> Rgb:
    """Decode one frame to H x W x 3 uint8, RGB as a viewer shows it (see `engine.media.tone`), upright.

    ``frame`` counts from 0 (a frame of a video, a TIFF page; other formats have one frame). ``contrast``
    acts on samples of more than 8 bits only. A picture of more than ``max_pixels`` pixels is refused before
    anything is decoded. Raises MediaError, also for a file that is cut short: half a picture is never
    returned.
    """
    if is_video_name(path.name):
        reader = video.reader_of(path)
        if reader.index.width * reader.index.height > max_pixels:
            raise media_error(path, str(_too_large(reader.index.width, reader.index.height, max_pixels)))
        return reader.read(frame)
    with _opened(path, frame) as (_, picture):
        if picture.width * picture.height > max_pixels:
            raise _too_large(picture.width, picture.height, max_pixels)
        deep = _deep(picture)
        pixels = picture.decode() if deep is None else deep.decode(contrast)
        return _upright(pixels, picture.orientation)


def read_reduced(path: Path, level: int) -> tuple[Rgb, tuple[int, int]] | None:
    """A JPEG file's picture at 1 / 2**level, sides rounded up, and the height and width of the whole one.

    In a third of the time and a tenth of the memory, or less. None where `read_rgb` is no slower: for any
    other file, and for a level below 1. Raises MediaError.
    """
    if level < 1 or is_video_name(path.name):
        return None
    with _opened(path, 0) as (_, picture):
        if not isinstance(picture, jpeg.JpegPicture) or picture.width * picture.height > MAX_PIXELS:
            return None
        pixels = picture.reduced(min(level, 3))
        width, height = _shown_size(picture)
        return None if pixels is None else (_upright(pixels, picture.orientation), (height, width))


def contrast_in_force(path: Path, frame: int, contrast: Contrast) -> Contrast:
    """The contrast where it acts on the picture; the automatic one for a picture of no more than 8 bits.

    Reads the header. Raises MediaError.
    """
    if contrast == AUTOMATIC or is_video_name(path.name):
        return AUTOMATIC
    with _opened(path, frame) as (_, picture):
        return AUTOMATIC if _deep(picture) is None else contrast


def read_deep(path: Path, frame: int = 0) -> tuple[Samples, int] | None:
    """The samples of one frame, H x W x 1 or 3, upright, and their depth in bits, as the file has them.

    None for a picture of no more than 8 bits. Raises MediaError.
    """
    if is_video_name(path.name):
        return None
    with _opened(path, frame) as (_, picture):
        deep = _deep(picture)
        if deep is None:
            return None
        if picture.width * picture.height > MAX_PIXELS:
            raise _too_large(picture.width, picture.height, MAX_PIXELS)
        return _upright(deep.samples(), picture.orientation), deep.bits


def _deep(picture: Picture) -> DeepPicture | None:
    return picture if isinstance(picture, DeepPicture) and picture.is_deep else None


def read_samples(path: Path, frame: int = 0) -> Samples:
    """One frame upright, H x W x 1 or 3 in the file's own type and range where that is deeper than 8 bits.

    Else what `read_rgb` gives. Raises MediaError.
    """
    found = read_deep(path, frame)
    return read_rgb(path, frame) if found is None else found[0]


def read_grey(path: Path, frame: int = 0) -> NDArray[np.float32]:
    """How bright one frame is, H x W, upright: a grey picture's own values, of colours the luma (BT.709).

    In the file's own range, 0..255 for 8 bits. Raises MediaError.
    """
    samples = read_samples(path, frame)
    if samples.shape[2] == 1:
        return samples[..., 0].astype(np.float32)
    return samples.astype(np.float32) @ _LUMA


def _too_large(width: int, height: int, max_pixels: int) -> UnreadableError:
    return UnreadableError(
        f"it has {width} x {height} pixels, more than the {max_pixels:,} allowed; "
        f"if there is memory for it, allow it with --max-megapixels {math.ceil(width * height / 1e6)}"
    )


@contextlib.contextmanager
def _opened(path: Path, frame: int) -> Iterator[tuple[str, Picture]]:
    """The picture with its header read; whatever goes wrong inside becomes a MediaError about this file."""
    path = Path(path)
    with open_for_reading(path) as file:
        try:
            yield _open(file, frame)
        except UnreadableError as e:
            raise media_error(path, str(e)) from e
        except MemoryError as e:
            raise media_error(path, "there is not enough memory to decode it") from e
        except _DECODER_ERRORS as e:
            raise media_error(path, _reason(e)) from e


def _open(file: BinaryIO, frame: int) -> tuple[str, Picture]:
    kind = _format_of(file.read(64))
    file.seek(0)
    if frame < 0 or (frame > 0 and kind != "TIFF"):
        raise UnreadableError(f"a {kind} file has one frame, number 0, and no frame {frame}")
    picture = tiff.TiffPicture(file, frame) if kind == "TIFF" else _OF_ONE_FRAME[kind](file)
    if picture.width <= 0 or picture.height <= 0:
        size = f"{picture.width} x {picture.height}"
        raise UnreadableError(f"the file is damaged (it says it has {size} pixels)")
    return kind, picture


def _format_of(head: bytes) -> str:
    if head.startswith(jpeg.SIGNATURE):
        return "JPEG"
    if head.startswith(png.SIGNATURE):
        return "PNG"
    if head.startswith(tiff.SIGNATURES):
        return "TIFF"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head.startswith(b"BM"):
        return "BMP"
    raise UnreadableError(_what_it_is(head))


def _what_it_is(head: bytes) -> str:
    """Why a file of unknown content is no picture we read, naming its kind where that is cheap."""
    kind = next((name for magic, name in _FOREIGN if head.lstrip(b"\xef\xbb\xbf \r\n").startswith(magic)), "")
    if head[4:8] == b"ftyp":
        kinds = {b"avif": "an AVIF picture", b"heic": "a HEIC picture", b"mif1": "a HEIF picture"}
        kind = kinds.get(head[8:12], "a video or HEIF file")
    if not head:
        return "the file is empty (0 bytes)"
    if not head.strip(b"\0"):
        return "the file holds only zeros (an interrupted copy?); copy it again"
    if kind:
        return f"it is {kind}, not a picture of a kind that can be read (JPEG, PNG, TIFF, BMP, WebP, GIF)"
    return "its content is no JPEG, PNG, TIFF, BMP, WebP or GIF, whatever its name says"


def _reason(error: Exception) -> str:
    """What a decoder complains of, as a reason."""
    detail = " ".join(str(error).split())[:120]
    if "truncated" in detail.lower():
        return str(cut_short())
    return f"the file is damaged or of an unusual kind ({detail or type(error).__name__})"


def _shown_size(picture: Picture) -> tuple[int, int]:
    turned = picture.orientation > 4
    return (picture.height, picture.width) if turned else (picture.width, picture.height)


def _upright(stored: _AnySamples, orientation: int) -> _AnySamples:
    """Apply an EXIF orientation (1-8), C-contiguous."""
    turned = stored.transpose(1, 0, 2) if orientation > 4 else stored
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    return np.ascontiguousarray(turned)
