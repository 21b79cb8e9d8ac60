"""Videos for the tests, written by FFmpeg with frames that say which one they are."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray


def frame_picture(number: int, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """Frame `number`, H x W x 3: its bits as eight black or white fields above a moving bar."""
    picture = np.full((height, width, 3), 96, np.uint8)
    field = width // 8
    for bit in range(8):
        picture[: height // 2, bit * field : (bit + 1) * field] = 230 if number >> bit & 1 else 20
    at = number * 3 % (width - 6)
    picture[height // 2 + 4 :, at : at + 6] = (220, 60, 40)
    return picture


def number_of(picture: NDArray[np.uint8]) -> int:
    """Which frame a decoded picture shows (its number modulo 256)."""
    height, width = picture.shape[:2]
    field = width // 8
    centres = [picture[height // 4, bit * field + field // 2].mean() for bit in range(8)]
    return sum(1 << bit for bit, value in enumerate(centres) if value > 128)


def write_film(
    path: Path,
    count: int = 40,
    *,
    codec: str = "libx264",
    size: tuple[int, int] = (64, 48),
    times: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    rate: int = 25,
    aspect: Fraction = Fraction(1),
) -> Path:
    """Write `count` numbered frames. times: their presentation times in 1/1000 s, for a variable rate.

    aspect: width over height of a pixel.
    """
    width, height = size
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if aspect != 1:
            stream.codec_context.sample_aspect_ratio = aspect
        stream.codec_context.time_base = Fraction(1, 1000) if times else Fraction(1, rate)
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(frame_picture(number, height, width), format="rgb24")
            frame.pts = times[number] if times else number
            frame.time_base = stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
