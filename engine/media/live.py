"""A camera: a thread that keeps its newest frame, and comes back when the camera does.

A webcam by its number, an RTSP or HTTP address, or a video file that is played as one. Whoever shows the
frames takes the newest; those that nobody took in time are counted. Nothing here listens on the network, and
a password in an address is in no name, sentence or log. Knows FFmpeg's demuxers and OpenCV's webcams.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from pathlib import Path
from urllib.parse import urlsplit

import av
import cv2
import numpy as np

from engine.errors import MediaError
from engine.media.picture import Rgb
from engine.media.scan import is_video_name
from engine.media.video import to_rgb
from engine.media.video_index import open_container, pixel_aspect, video_stream

SCHEMES = ("rtsp", "rtsps", "http", "https")
OPEN_SECONDS, READ_SECONDS = 8.0, 5.0
BACK_OFF = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds between tries to reach a camera that was lost; the last of them from then on."""

_BEHIND = 0.4  # seconds that a frame may be late before it is passed over, to catch up
_OTHER_CLOCK = 5.0  # a frame as late as this one has another clock
_PACE_OVER = 2.0  # seconds that the rate is counted over
_OPTIONS = {
    # Over TCP alone: for UDP a port would have to be opened.
    "rtsp_transport": "tcp",
    # A remote playlist must reach neither files nor other protocols.
    "protocol_whitelist": "rtsp,rtp,tcp,tls,http,https,crypto,httpproxy",
    "fflags": "nobuffer",
    "flags": "low_delay",
    "probesize": "1000000",
    "analyzeduration": "1000000",
}


class Kind(Enum):
    """What a source is."""

    WEBCAM = auto()
    NETWORK = auto()
    FILE = auto()


@dataclass(frozen=True, slots=True)
class Source:
    """Where frames come from. name: for people; address: what is opened, which may hold a password."""

    kind: Kind
    name: str
    address: str = field(repr=False)


def source_of(text: str) -> Source:
    """What a person means by "0", "rtsp://…", "http://…" or a file's name. Raises MediaError."""
    wanted = text.strip()
    if wanted.isdecimal() and len(wanted) < 4:
        return Source(Kind.WEBCAM, f"webcam {int(wanted)}", wanted)
    scheme, separator, _ = wanted.partition("://")
    if separator:
        return _network(scheme.lower(), wanted)
    path = Path(wanted)
    if not wanted or not path.is_file():
        raise MediaError(
            f"There is no camera '{wanted}': give a webcam's number (0 is the first), an address that begins "
            "with rtsp:// or http://, or a video file."
        )
    if not is_video_name(path.name):
        raise MediaError(f"{path.name} is no video by its name: only a video can be played as a camera.")
    return Source(Kind.FILE, path.name, str(path.absolute()))


def _network(scheme: str, address: str) -> Source:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    except ValueError:
        host = ""
    if scheme not in SCHEMES or not host:
        raise MediaError(
            f"A camera's address begins with {', '.join(f'{one}://' for one in SCHEMES)} and a host's name; "
            "this one cannot be opened."
        )
    # Neither user and password nor the query, where some cameras want the password.
    return Source(Kind.NETWORK, f"{scheme}://{host}{port}{parts.path}".rstrip("/"), address)


class Stage(Enum):
    """How a camera stands."""

    OPENING = auto()
    LIVE = auto()
    LOST = auto()  # it was there; it is tried again
    FAILED = auto()  # it was never there
    CLOSED = auto()


@dataclass(frozen=True, slots=True)
class Status:
    """sentence: why, for LOST and FAILED. received, dropped: frames so far. rate: frames a second of now."""

    stage: Stage = Stage.OPENING
    sentence: str = ""
    received: int = 0
    dropped: int = 0
    rate: float = 0.0


Frames = Generator[Rgb | None, None, None]
"""Frames as they come, None for one that was passed over to catch up."""

Feed = Callable[[Source, threading.Event], Frames]
"""Opens a source; what it waits for it gives up when the event is set. Raises MediaError."""


class Camera:
    """Reads a source on a thread until it is closed. `take` is for one consumer, on any thread."""

    def __init__(self, source: Source, *, back_off: tuple[float, ...] = (), feed: Feed | None = None) -> None:
        self.source = source
        self._back_off, self._feed = back_off or BACK_OFF, feed or frames_of
        self._status = Status()
        self._newest: Rgb | None = None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._times: deque[float] = deque()
        self._thread = threading.Thread(target=self._work, name="camera", daemon=True)
        self._thread.start()

    @property
    def status(self) -> Status:
        """How it stands now."""
        with self._lock:
            now = time.monotonic()
            while self._times and now - self._times[0] > _PACE_OVER:
                self._times.popleft()
            return replace(self._status, rate=len(self._times) / _PACE_OVER)

    def take(self) -> Rgb | None:
        """The newest frame, H x W x 3 uint8, once; None where there is no newer one."""
        with self._lock:
            found, self._newest = self._newest, None
            return found

    def close(self, seconds: float | None = None) -> None:
        """Let the camera go, and wait so long for that at most; a silent one takes until its time-out."""
        self._closing.set()
        self._thread.join(seconds)

    def _work(self) -> None:
        tries = 0
        while not self._closing.is_set():
            received = self._status.received
            try:
                with contextlib.closing(self._feed(self.source, self._closing)) as frames:
                    self._follow(frames)
                reason = f"{self.source.name} sends nothing more"
            except MediaError as error:
                reason = str(error).rstrip(".")
            if self._closing.is_set():
                break
            if not self._status.received:
                self._set(Stage.FAILED, f"{reason}.")
                return
            tries = 1 if self._status.received > received else tries + 1
            seconds = self._back_off[min(tries, len(self._back_off)) - 1]
            self._set(Stage.LOST, f"{reason}; it is tried again in {seconds:g} s.")
            self._closing.wait(seconds)
        self._set(Stage.CLOSED, "")

    def _follow(self, frames: Iterator[Rgb | None]) -> None:
        for pixels in frames:
            if self._closing.is_set():
                return
            with self._lock:
                was_taken = self._newest is None
                now = self._status
                dropped = now.dropped + (pixels is None or not was_taken)
                self._status = Status(Stage.LIVE, "", now.received + 1, dropped)
                self._times.append(time.monotonic())
                if pixels is not None:
                    self._newest = pixels

    def _set(self, stage: Stage, sentence: str) -> None:
        with self._lock:
            self._status = replace(self._status, stage=stage, sentence=sentence)


def frames_of(source: Source, closing: threading.Event) -> Frames:
    """The frames of a source as they come; a file's by its own clock, over and over. Raises MediaError."""
    match source.kind:
        case Kind.WEBCAM:
            yield from _of_webcam(source)
        case Kind.NETWORK:
            yield from _of_network(source)
        case Kind.FILE:
            while not closing.is_set():
                yield from _of_file(source, closing)


def _of_webcam(source: Source) -> Frames:
    device = cv2.VideoCapture(int(source.address))
    try:
        device.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        is_there = device.isOpened()
        while is_there:
            is_there, pixels = device.read()
            if is_there:
                yield np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)
    finally:
        device.release()
    raise MediaError(
        f"{source.name.capitalize()} cannot be read: is it plugged in, and does no other program use it?"
    )


def _of_network(source: Source) -> Frames:
    try:
        container = av.open(source.address, options=_OPTIONS, timeout=(OPEN_SECONDS, READ_SECONDS))
    except (av.FFmpegError, ValueError) as e:
        raise _unreachable(source, e) from None  # whose text holds the whole address
    try:
        stream = video_stream(Path(source.name), container)
        stream.thread_type = "SLICE"  # threads that take a frame each would hold back as many
        lag, aspect = _Lag(), pixel_aspect(stream)
        for frame in container.decode(stream):
            is_late = frame.pts is not None and lag.of(frame.time) > _BEHIND
            yield None if is_late else to_rgb(frame, aspect)
    except av.FFmpegError as e:
        raise _unreachable(source, e) from None
    finally:
        container.close()


def _unreachable(source: Source, error: Exception) -> MediaError:
    if isinstance(error, (av.ExitError, av.TimeoutError)):
        reason = f"it does not answer within {OPEN_SECONDS:g} seconds"
    elif isinstance(error, av.HTTPUnauthorizedError):
        reason = "it wants a user and a password: rtsp://USER:PASSWORD@HOST"
    elif isinstance(error, av.InvalidDataError):
        reason = "what it sends is no video"
    else:
        reason = getattr(error, "strerror", None) or type(error).__name__
    return MediaError(f"{source.name} cannot be read ({reason})")


def _of_file(source: Source, closing: threading.Event) -> Frames:
    path = Path(source.address)
    container = open_container(path)
    try:
        began, first = time.monotonic(), None
        stream = video_stream(path, container)
        aspect = pixel_aspect(stream)
        for frame in container.decode(stream):
            due = 0.0 if frame.pts is None else frame.time
            first = due if first is None else first
            wait = began + due - first - time.monotonic()
            if wait > 0 and closing.wait(wait):
                return
            yield None if wait < -_BEHIND else to_rgb(frame, aspect)
        if first is None:
            raise MediaError(f"{source.name}: no frame of the video can be decoded; convert it again")
    except av.FFmpegError as e:
        raise MediaError(f"{source.name} is damaged ({e.strerror or type(e).__name__})") from e
    finally:
        container.close()


class _Lag:
    """How late frames come, against the one that came soonest after it was made."""

    def __init__(self) -> None:
        self._least: float | None = None

    def of(self, made: float) -> float:
        """Seconds. made: the frame's own time, in seconds."""
        took = time.monotonic() - made
        if self._least is None or took < self._least or took - self._least > _OTHER_CLOCK:
            self._least = took
        return took - self._least
