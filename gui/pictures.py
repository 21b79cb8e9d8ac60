"""Decoded pictures that are likely to be looked at again: a small cache that counts bytes.

Used from several threads; two that want the same picture decode it once. A large JPEG is there at a part of
its size before it is there as a whole. Knows no project and no widget.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from engine.document.contrast import AUTOMATIC, Contrast
from engine.errors import MediaError
from engine.media.image import read_reduced, read_rgb
from engine.media.picture import Rgb

MAX_BYTES = 1 << 30
_Key = tuple[Path, int, Contrast]


@dataclass(frozen=True, eq=False)
class Coming:
    """A picture that was asked for in a hurry. shape: of the whole.

    small: it at 1 / 2**level, sides rounded up. read: decodes the whole, or waits for whoever does.
    """

    shape: tuple[int, int, int]
    level: int
    small: Rgb
    read: Callable[[], Rgb]

    @cached_property
    def whole(self) -> Rgb:
        """The picture itself, decoded here if nobody has. Raises MediaError."""
        return self.read()


class Pictures:
    """The pictures looked at last, up to `max_bytes`; the newest is kept whatever it takes."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._decoder = ThreadPoolExecutor(1, thread_name_prefix="decoder")
        self._kept: OrderedDict[_Key, Future[Rgb]] = OrderedDict()

    def read(self, path: Path, frame: int = 0, contrast: Contrast = AUTOMATIC) -> Rgb:
        """The picture (H x W x 3 uint8, read-only), decoded here unless it is kept. Raises MediaError."""
        key = (path, frame, contrast)
        with self._lock:
            future = self._kept.get(key)
            mine = future is None
            if future is None:
                future = self._kept[key] = Future()
            self._kept.move_to_end(key)
        if mine:
            self._decode(key, future)
        try:
            return future.result()
        except MediaError as e:
            raise MediaError(str(e)) from None  # the first one's traceback is not ours to grow

    def begin(
        self, path: Path, frame: int = 0, contrast: Contrast = AUTOMATIC, *, level: int = 0
    ) -> Callable[[], Rgb | Coming]:
        """Decode a picture on a thread of its own; returns what waits for it and raises as `read`.

        level: the picture is first wanted at 1 / 2**level, and may be `Coming`.
        """
        with self._lock:
            is_kept = (path, frame, contrast) in self._kept
        if is_kept:
            return lambda: self.read(path, frame, contrast)
        glance = self._decoder.submit(self._glance, path, frame, contrast, level)

        def wait() -> Rgb | Coming:
            found = glance.result()
            if not isinstance(found, tuple):
                return found
            small, size = found
            return Coming((*size, 3), min(level, 3), small, partial(self.read, path, frame, contrast))

        return wait

    def close(self) -> None:
        """End that thread."""
        self._decoder.shutdown(cancel_futures=True)

    def forget(self) -> None:
        """Drop all, so that files are read anew."""
        with self._lock:
            self._kept.clear()

    def _glance(
        self, path: Path, frame: int, contrast: Contrast, level: int
    ) -> Rgb | tuple[Rgb, tuple[int, int]]:
        found = read_reduced(path, level)
        return self.read(path, frame, contrast) if found is None else found

    def _decode(self, key: _Key, future: Future[Rgb]) -> None:
        try:
            pixels = read_rgb(*key)
        except BaseException as error:  # noqa: BLE001 - whoever waits for it gets it
            with self._lock:  # another try may succeed
                self._kept.pop(key, None)
            future.set_exception(error)
            return
        pixels.flags.writeable = False
        future.set_result(pixels)
        with self._lock:
            held = sum(one.result().nbytes for one in self._kept.values() if one.done())
            for old in list(self._kept):
                if held <= self._max_bytes or old == key:
                    break
                if self._kept[old].done():
                    held -= self._kept.pop(old).result().nbytes
