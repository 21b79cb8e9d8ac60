"""Frames of a video by exact number, decoded as they are asked for.

A seek is never believed: what comes after it is told by its time, and where it landed too late the seek is
repeated further back, twice as far each time. Readers stay open for a while, with the frames last decoded
kept undecorated (as the codec left them, half the size of RGB) up to a number of bytes. Used from many
threads; decoding and conversion release the interpreter's lock.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from engine.media.files import media_error, reason_of, system_path
from engine.media.picture import Rgb
from engine.media.video_index import (
    VideoIndex,
    no_frame,
    open_container,
    quarter_turns,
    read_index,
    square_size,
    video_stream,
)
from engine.media.video_index import reason_of as codec_reason

KEPT_BYTES = 256 << 20
"""Decoded frames that the reader in use keeps (20 of 4K): a group of pictures is walked backwards by them."""

_KEPT_ASIDE = 16 << 20  # what each of the others keeps

_NEAR = 12  # frames ahead that are sooner decoded than sought
_READERS = 4


class VideoReader:
    """One open video: `read(n)` is its n-th frame, whatever was read before. Any thread, one at a time."""

    def __init__(self, path: Path, kept_bytes: int = KEPT_BYTES) -> None:
        """Read the file's table of frames. Raises MediaError."""
        self.path = Path(path)
        self.index: VideoIndex = read_index(self.path)
        self._kept_bytes = kept_bytes
        self._kept: OrderedDict[int, av.VideoFrame] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()
        self._container: av.container.InputContainer | None = None
        self._coming: Iterator[tuple[int, av.VideoFrame]] = iter(())
        self._next = -1  # the frame that comes next, as far as is known

    def read(self, frame: int) -> Rgb:
        """The frame, H x W x 3 uint8, upright; an array of the caller's own. Raises MediaError."""
        if not 0 <= frame < self.index.count:
            raise media_error(self.path, str(no_frame(self.index.count, frame)))
        with self._lock:
            found = self._kept.get(frame)
            if found is None:
                try:
                    found = self._decode(frame)
                except av.FFmpegError as e:
                    self._let_go()
                    raise media_error(self.path, f"frame {frame}: {codec_reason(e)}") from e
            else:
                self._kept.move_to_end(frame)
        return to_rgb(found, self.index.aspect)

    def trim(self, bytes_: int) -> None:
        """Keep no more than so many bytes of frames; nothing where it is being read from."""
        if self._lock.acquire(blocking=False):
            try:
                self._keep_at_most(bytes_)
            finally:
                self._lock.release()

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            self._let_go()
            self._kept.clear()
            self._held = 0

    def _let_go(self) -> None:
        self._coming, self._next = iter(()), -1
        if self._container is not None:
            self._container.close()
            self._container = None

    def _decode(self, frame: int) -> av.VideoFrame:
        if self._is_near(frame) and (found := self._walk_to(frame)) is not None:
            return found
        back = 0
        while True:
            start = self.index.key_before(max(frame - back, 0)) if not self.index.by_count else -1
            from_start = start <= 0
            if from_start:
                self._restart()
            else:
                self._seek(start)
            if (found := self._walk_to(frame)) is not None:
                return found
            if from_start:
                self._let_go()
                raise media_error(
                    self.path,
                    f"frame {frame} cannot be decoded (the video is damaged there); convert the video again",
                )
            back = frame - start + max(2 * back, 1)

    def _is_near(self, frame: int) -> bool:
        ahead = frame - self._next
        return self._next >= 0 and ahead >= 0 and (ahead < _NEAR or self.index.key_before(frame) < self._next)

    def _walk_to(self, frame: int) -> av.VideoFrame | None:
        """Decode up to the frame; None where it has been passed or does not come."""
        for place, found in self._coming:
            self._next = place + 1
            if place <= frame:
                self._keep(place, found)
            if place == frame:
                return found
            if place > frame:
                return None
        return None

    def _keep(self, place: int, frame: av.VideoFrame) -> None:
        if place in self._kept:
            return
        self._kept[place] = frame
        self._held += _size(frame)
        self._keep_at_most(self._kept_bytes)

    def _keep_at_most(self, bytes_: int) -> None:
        while self._held > bytes_ and len(self._kept) > 1:
            self._held -= _size(self._kept.popitem(last=False)[1])

    def _restart(self) -> None:
        """Begin at the first frame, in a container opened anew."""
        self._let_go()
        self._container = open_container(self.path)
        stream = video_stream(self.path, self._container)
        frames = self._container.decode(stream)
        self._coming = enumerate(frames) if self.index.by_count else self._told(frames)
        self._next = 0

    def _seek(self, key: int) -> None:
        """Begin at a key frame, or where the container takes us, not before that key frame's time."""
        if self._container is None:
            self._container = open_container(self.path)
        stream = video_stream(self.path, self._container)
        pts = int(self.index.pts[key])
        self._container.seek(pts, stream=stream, backward=True, any_frame=False)
        self._coming = self._told(self._after_key(stream))
        self._next = -1

    def _after_key(self, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
        """Frames from the first key frame on: those shown before it may lack what they are made from.

        Ends at a key frame that the table does not know by its time and length: after a seek into a
        program stream FFmpeg gives packets their neighbours' times.
        """
        assert self._container is not None
        first: int | None = None
        for packet in self._container.demux(stream):
            if packet.is_keyframe and packet.size:
                if packet.pts is None or self.index.key_bytes.get(packet.pts) != packet.size:
                    return
                first = packet.pts if first is None else first
            if first is None:
                continue
            for frame in packet.decode():
                if frame.pts is not None and frame.pts >= first:
                    yield frame

    def _told(self, frames: Iterator[av.VideoFrame]) -> Iterator[tuple[int, av.VideoFrame]]:
        """Frames with their numbers; one that the table does not know is passed over."""
        for frame in frames:
            place = None if frame.pts is None else self.index.place(frame.pts)
            if place is not None:
                yield place, frame


def to_rgb(frame: av.VideoFrame, aspect: Fraction) -> Rgb:
    """A decoded frame as H x W x 3 uint8, upright, by the matrix (BT.601, BT.709) that it names.

    aspect: of its stored pixels, which become square ones.
    """
    # Not the frame's own converter: a kept frame may be read by two threads at once.
    if (converter := getattr(_threads, "converter", None)) is None:
        converter = _threads.converter = VideoReformatter()
    width, height = square_size(frame, aspect)
    pixels = converter.reformat(frame, width, height, "rgb24").to_ndarray().astype(np.uint8, copy=False)
    turns = quarter_turns(frame)
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


_threads = threading.local()


def reader_of(path: Path) -> VideoReader:
    """An open reader of the file as it is now, from a small pool. Raises MediaError."""
    return _POOL.get(Path(path))


def close_readers() -> None:
    """Let all pooled files go, so that they can be moved or deleted on every system."""
    _POOL.clear()


class _Pool:
    """The readers used last. A file that was changed meanwhile is opened anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opening: dict[tuple[object, ...], threading.Lock] = {}
        self._open: OrderedDict[tuple[object, ...], VideoReader] = OrderedDict()

    def get(self, path: Path) -> VideoReader:
        try:
            status = Path(system_path(path)).stat()
        except OSError as e:
            raise media_error(path, reason_of(e)) from e
        # The process too: a child that was forked must not share its parent's decoder.
        key = (os.getpid(), path, status.st_size, status.st_mtime_ns)
        with self._lock:
            mine = self._opening.setdefault(key, threading.Lock())
        with mine:  # of several threads one reads the table
            with self._lock:
                found = self._open.get(key)
                if found is not None:
                    last = next(reversed(self._open.values()))
                    self._open.move_to_end(key)
                    if last is not found:
                        last.trim(_KEPT_ASIDE)
                    return found
            made = VideoReader(path)
            with self._lock:
                self._open[key] = made
                old = [self._open.popitem(last=False)[1] for _ in range(len(self._open) - _READERS)]
                self._opening.pop(key, None)
                others = [reader for reader in self._open.values() if reader is not made]
        for reader in old:
            reader.close()
        for reader in others:
            reader.trim(_KEPT_ASIDE)
        return made

    def clear(self) -> None:
        with self._lock:
            readers = list(self._open.values())
            self._open.clear()
        for reader in readers:
            reader.close()


_POOL = _Pool()


def _size(frame: av.VideoFrame) -> int:
    return sum(plane.buffer_size for plane in frame.planes)
