"""Writes pictures as a video file: H.264 in whatever container the name asks for, each at its own time.

Knows FFmpeg's encoders through PyAV. The file is whole or not there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from engine.errors import MediaError
from engine.media.picture import Rgb

_CLOCK = Fraction(1, 90_000)
_CODECS = ("libx264", "mpeg4")


def write_film(path: Path, frames: Iterable[tuple[float, Rgb]]) -> int:
    """Write (seconds, H x W x 3 uint8) pairs, ascending in time and all of one size; how many there were.

    A side of odd length gets one more row or column, as the codec wants it. Nothing is written where there
    are no frames. Raises MediaError where the file cannot be written or its name ends in no video format.
    """
    # The suffix stays last: FFmpeg takes the format from it.
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        count = _encode(partial, frames)
        if count:
            os.replace(partial, path)  # noqa: PTH105 - one call on every system
    except (av.FFmpegError, OSError, ValueError) as e:
        reason = getattr(e, "strerror", None) or e
        raise MediaError(
            f"{path} cannot be written ({reason}): choose a place that can be written, and a name "
            "that ends in .mp4, .mkv or .mov."
        ) from e
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return count


def _encode(path: Path, frames: Iterable[tuple[float, Rgb]]) -> int:
    count, stream, size = 0, None, (0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(os.fspath(path), "w") as container:
        for seconds, pixels in frames:
            height, width = pixels.shape[:2]
            if stream is None:
                size = width + width % 2, height + height % 2
                stream = _stream(container, size)
            frame = av.VideoFrame.from_ndarray(_fitted(pixels, size), format="rgb24")
            frame.pts, frame.time_base = round(seconds / _CLOCK), _CLOCK
            container.mux(stream.encode(frame))
            count += 1
        if stream is not None:
            container.mux(stream.encode())
    return count


def _fitted(pixels: Rgb, size: tuple[int, int]) -> Rgb:
    """The picture at width and height `size`: edges repeated where it is smaller, cut where larger."""
    width, height = size
    right, below = width - pixels.shape[1], height - pixels.shape[0]
    if (right, below) == (0, 0):
        return pixels
    padded = cv2.copyMakeBorder(pixels, 0, max(below, 0), 0, max(right, 0), cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(padded[:height, :width], np.uint8)


def _stream(container: av.container.OutputContainer, size: tuple[int, int]) -> av.VideoStream:
    codec = next(name for name in _CODECS if name in av.codecs_available)
    stream = container.add_stream(codec, rate=30)
    assert isinstance(stream, av.VideoStream)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = _CLOCK
    if codec == "libx264":
        stream.options = {"crf": "20", "preset": "veryfast"}
    return stream
