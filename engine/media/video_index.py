"""The frames of a video file by number: one demux, and a table of presentation times in order.

A frame's number is its place in the table. Containers count frames badly (variable rate, cut streams,
broken headers), so nothing here believes a rate or a count that a header states. Knows FFmpeg's containers
through PyAV; decodes no more than the first frames, to learn which of the announced ones really come.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from engine.media.files import media_error, open_for_reading, system_path
from engine.media.picture import UnreadableError

_MOST_ASPECT = 4
_HEAD = 300
"""Frames that are decoded at most to get past the first key frame."""


@dataclass(frozen=True, slots=True, eq=False)
class VideoIndex:
    """What a video holds. `pts` (int64, ascending, in `time_base`) has one entry a frame.

    keys: the places in `pts` of the frames where decoding can begin; key_bytes: how long the packet of
    each is, by its time, to know it again. width, height: as shown: upright, of square pixels.
    aspect: width over height of a stored pixel.
    by_count: the container states no presentation times, so frames can only be counted from the start.
    """

    pts: NDArray[np.int64]
    keys: NDArray[np.int64]
    time_base: Fraction
    width: int
    height: int
    codec: str
    by_count: bool = False
    key_bytes: dict[int, int] = field(default_factory=dict)
    aspect: Fraction = Fraction(1)
    _places: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._places.update((int(pts), place) for place, pts in enumerate(self.pts))

    @property
    def count(self) -> int:
        """How many frames there are."""
        return len(self.pts)

    def place(self, pts: int) -> int | None:
        """The number of the frame with this time; None for a time that is not in the table."""
        return self._places.get(pts)

    def seconds(self, frame: int) -> float:
        """When a frame is shown, counted from the first one."""
        return float(int(self.pts[frame] - self.pts[0]) * self.time_base)

    def at(self, seconds: float) -> int:
        """The frame that is on the screen so long after the first one."""
        wanted = int(self.pts[0]) + seconds / float(self.time_base)
        return int(np.clip(np.searchsorted(self.pts, wanted + 0.5, "right") - 1, 0, self.count - 1))

    @property
    def rate(self) -> float:
        """Frames a second on average; 0 for a single frame."""
        length = self.seconds(self.count - 1)
        return (self.count - 1) / length if length > 0 else 0.0

    def key_before(self, frame: int) -> int:
        """The last frame up to this one where decoding can begin; -1 where there is none."""
        place = int(np.searchsorted(self.keys, frame, "right")) - 1
        return int(self.keys[place]) if place >= 0 else -1


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """The file's container and its first real video stream, closed in the end. Raises MediaError."""
    container = open_container(path)
    try:
        yield container, video_stream(path, container)
    except av.FFmpegError as e:
        raise media_error(path, reason_of(e)) from e
    finally:
        container.close()


def open_container(path: Path) -> av.container.InputContainer:
    """Open a file for demuxing, and nothing that it may point to. Raises MediaError."""
    with open_for_reading(path) as file:
        if not file.read(1):
            raise media_error(path, "the file is empty (0 bytes)")
    try:
        # A playlist in disguise must reach neither other files nor the network.
        return av.open(system_path(path.absolute()), options={"protocol_whitelist": "file"})
    except (av.FFmpegError, ValueError) as e:
        raise media_error(path, reason_of(e)) from e


def video_stream(path: Path, container: av.container.InputContainer) -> av.VideoStream:
    """The first video stream that is no cover picture, set to decode on several threads."""
    for stream in container.streams.video:
        if not stream.disposition & stream.disposition.attached_pic:
            if not hasattr(stream.codec_context, "is_open"):  # None where a damaged header names no decoder
                break
            if not stream.codec_context.is_open:
                stream.thread_type = "AUTO"
            return stream
    raise media_error(path, "it holds no video that can be decoded")


def reason_of(error: Exception) -> str:
    """What FFmpeg complains of, as a reason."""
    if isinstance(error, av.InvalidDataError):
        return "the video is damaged or cut short, or it is no video at all; copy or convert it again"
    detail = " ".join(str(error).split())[:120]
    return f"the video is damaged or of an unusual kind ({detail or type(error).__name__})"


def read_index(path: Path) -> VideoIndex:
    """Demux the file once and tell its frames. Reads the whole file, decodes its beginning.

    Raises MediaError, also for a file without a frame that can be decoded.
    """
    with opened(path) as (container, stream):
        packets = [
            (packet.pts, bool(packet.is_keyframe), packet.size)
            for packet in _packets(container, stream)
            if packet.size
        ]
        time_base, codec = stream.time_base, stream.codec_context.name
    if not packets:
        raise media_error(path, "the video holds no frames (a recording that was cut short?)")
    timed = [(pts, is_key, size) for pts, is_key, size in packets if pts is not None]
    times = [pts for pts, _, _ in timed]
    if len(times) < len(packets) or time_base is None or len(set(times)) < len(times):
        return _counted(path, time_base or Fraction(1, 25), codec)
    first_key = next((pts for pts, is_key, _ in timed if is_key), times[0])
    shown, width, height, aspect = _head(path, first_key)
    # Frames that need what lies before the file's beginning are announced and never come.
    table = np.unique(np.array([pts for pts in times if pts >= first_key or pts in shown], np.int64))
    key_bytes = {pts: size for pts, is_key, size in timed if is_key}
    keys = np.searchsorted(table, np.array(sorted(key_bytes), np.int64))
    return VideoIndex(table, keys, time_base, width, height, codec, key_bytes=key_bytes, aspect=aspect)


def pixel_aspect(stream: av.VideoStream) -> Fraction:
    """Width over height of a stored pixel; 1 where the file states none, or one that nobody means."""
    found = stream.sample_aspect_ratio
    return Fraction(found) if found and 1 / _MOST_ASPECT <= found <= _MOST_ASPECT else Fraction(1)


def square_size(frame: av.VideoFrame, aspect: Fraction) -> tuple[int, int]:
    """Width and height of a frame of square pixels, not turned yet: the shorter side is stretched."""
    if aspect >= 1:
        return round(frame.width * aspect), frame.height
    return frame.width, round(frame.height / aspect)


def upright_size(frame: av.VideoFrame, aspect: Fraction) -> tuple[int, int]:
    """Width and height of a frame as shown, turned as its display matrix says."""
    width, height = square_size(frame, aspect)
    return (height, width) if quarter_turns(frame) % 2 else (width, height)


def quarter_turns(frame: av.VideoFrame) -> int:
    """How many quarter turns counter-clockwise bring the frame upright."""
    return round(frame.rotation / 90) % 4


def _packets(
    container: av.container.InputContainer, stream: av.VideoStream
) -> Iterator[av.Packet[av.VideoStream]]:
    """Every packet up to the end, or up to where the file is broken off."""
    try:
        yield from container.demux(stream)
    except (av.InvalidDataError, av.EOFError):
        return


def _head(path: Path, first_key: int) -> tuple[frozenset[int], int, int, Fraction]:
    """The times of the frames that come out first, up to the first key frame; width, height, pixel aspect."""
    shown: set[int] = set()
    size = None
    with opened(path) as (container, stream):
        aspect = pixel_aspect(stream)
        for frame in container.decode(stream):
            size = size or upright_size(frame, aspect)
            if frame.pts is not None:
                shown.add(frame.pts)
            if (frame.pts or 0) >= first_key or len(shown) > _HEAD:
                break
    if size is None:
        raise media_error(path, "no frame of the video can be decoded (damaged?); convert it again")
    return frozenset(shown), *size, aspect


def _counted(path: Path, time_base: Fraction, codec: str) -> VideoIndex:
    """The table of a container without times: all frames are decoded and counted."""
    count, size = 0, None
    with opened(path) as (container, stream):
        rate, aspect = stream.average_rate or Fraction(25), pixel_aspect(stream)
        with contextlib.suppress(av.InvalidDataError, av.EOFError):
            for frame in container.decode(stream):
                size = size or upright_size(frame, aspect)
                count += 1
    if size is None:
        raise media_error(path, "no frame of the video can be decoded (damaged?); convert it again")
    step = max(round(1 / rate / time_base), 1)
    table, keys = np.arange(count, dtype=np.int64) * step, np.zeros(1, np.int64)
    return VideoIndex(table, keys, time_base, *size, codec, by_count=True, aspect=aspect)


def no_frame(count: int, frame: int) -> UnreadableError:
    """The error of a number beyond the table."""
    return UnreadableError(f"it has {count:,} frames, counted from 0, and no frame {frame}")
