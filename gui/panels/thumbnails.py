"""Small pictures for the rows of a list that are seen: decoded on threads, kept while they are likely needed.

What scrolled away before its turn is dropped. Knows files; no project and no view.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage, QPixmap

from engine.document.contrast import AUTOMATIC, Contrast
from engine.errors import MaskwrightError
from engine.media.files import system_path
from engine.media.image import probe, read_rgb
from engine.media.picture import Rgb
from gui.background import Background

WIDTH, HEIGHT = 64, 48
"""Device-independent pixels of the box that a thumbnail fits into."""

KEPT = 1000
_THREADS = 2
_REDUCED = (
    (8, cv2.IMREAD_REDUCED_COLOR_8),
    (4, cv2.IMREAD_REDUCED_COLOR_4),
    (2, cv2.IMREAD_REDUCED_COLOR_2),
)
_TOO_LARGE = 40_000_000  # pixels: decoding a larger one whole for a stamp would hold up everything


@dataclass(frozen=True, slots=True)
class Wanted:
    """A row that is seen."""

    media_id: int
    path: Path
    frame: int
    contrast: Contrast = AUTOMATIC


class Thumbnails(QObject):
    """`get` answers at once, with None for what is not there yet; `ready` tells when it is."""

    ready = Signal(int)  # media id

    def __init__(self, ratio: float = 1.0) -> None:
        super().__init__()
        self._ratio = ratio
        self._kept: OrderedDict[int, QPixmap | None] = OrderedDict()
        self._lock = threading.Lock()
        self._pending: OrderedDict[int, Wanted] = OrderedDict()
        self._running: set[int] = set()
        self._generation = 0
        self._background = Background(_THREADS, "thumbnails")

    @property
    def waiting(self) -> int:
        """How many are asked for and not begun."""
        with self._lock:
            return len(self._pending)

    def get(self, media_id: int) -> QPixmap | None:
        """The thumbnail; None where there is none yet, or none can be made."""
        found = self._kept.get(media_id)
        if found is not None:
            self._kept.move_to_end(media_id)
        return found

    def want(self, rows: Iterable[Wanted]) -> None:
        """Make these, the first first, and nothing else that was asked for before and not begun."""
        with self._lock:
            self._pending = OrderedDict(
                (one.media_id, one)
                for one in rows
                if one.media_id not in self._kept and one.media_id not in self._running
            )
            count = len(self._pending)
        generation = self._generation
        for _ in range(count):
            self._background.run(self._make_next, lambda made: self._take(generation, made))

    def forget(self) -> None:
        """Drop all: another project, or other files."""
        self._generation += 1
        self._kept.clear()
        with self._lock:
            self._pending.clear()

    def close(self) -> None:
        """End the threads."""
        with self._lock:
            self._pending.clear()
        self._background.close()

    def _make_next(self) -> tuple[int, QImage | None] | None:
        with self._lock:
            if not self._pending:
                return None
            media_id, wanted = self._pending.popitem(last=False)
            self._running.add(media_id)
        try:
            return media_id, _decode(wanted, self._ratio)
        except (MaskwrightError, OSError, cv2.error):
            return media_id, None  # opening the picture says why
        finally:
            with self._lock:
                self._running.discard(media_id)

    def _take(self, generation: int, made: tuple[int, QImage | None] | None) -> None:
        if made is None or generation != self._generation:
            return
        media_id, image = made
        pixmap = None
        if image is not None:
            pixmap = QPixmap.fromImage(image)
            pixmap.setDevicePixelRatio(self._ratio)
        self._kept[media_id] = pixmap
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        self.ready.emit(media_id)


def _decode(wanted: Wanted, ratio: float) -> QImage | None:
    path, frame = wanted.path, wanted.frame
    info = probe(path, frame)
    scale = min(WIDTH * ratio / info.width, HEIGHT * ratio / info.height)
    width, height = max(round(info.width * scale), 1), max(round(info.height * scale), 1)
    pixels = _reduced(path, scale) if info.format == "JPEG" else None
    if pixels is None:
        if info.width * info.height > _TOO_LARGE:
            return None
        pixels = read_rgb(path, frame, wanted.contrast)
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    # `copy` holds the interpreter's lock, for a stamp no longer than a blink.
    return QImage(small.data, width, height, small.strides[0], QImage.Format.Format_RGB888).copy()


def _reduced(path: Path, scale: float) -> Rgb | None:
    """A JPEG at a half, a fourth or an eighth, which libjpeg decodes straight away; None for a larger scale.

    Upright: OpenCV turns it as its EXIF tag says.
    """
    for part, flag in _REDUCED:
        if scale * part <= 1:
            data = np.fromfile(system_path(path), np.uint8)
            found = cv2.imdecode(data, flag)
            return None if found is None else np.ascontiguousarray(found[..., ::-1], np.uint8)
    return None
