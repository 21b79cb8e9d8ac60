"""The film that is open: which of its frames is shown, stepping, scrubbing and playing.

A frame that rests is an image as any other, shown by the desk. While frames move, by play or drag, they
are pictures only, with what is on record drawn over them, and nothing can be edited. Knows the desk and how
frames are read; no widget.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QElapsedTimer, QObject, Qt, QTimer, Signal, Slot

from engine.document.contrast import AUTOMATIC, Contrast
from engine.document.records import ClassDef, MediaItem
from engine.errors import MaskwrightError
from engine.media.frame_files import export_frames
from engine.media.image import probe, read_rgb
from engine.media.picture import Rgb
from engine.media.playing import Ahead
from engine.media.scan import is_video_name
from engine.media.video import reader_of
from engine.media.video_index import VideoIndex
from engine.overlay import draw
from engine.project import Project
from gui.desk import Desk
from gui.editor import Sight

_STACK_RATE = 10.0  # pages a second: a stack states no times
_TICK_MS = 8
_REST_MS = 160  # frames that follow each other faster are not made images of the project
_REREAD_MS = 1000
_STACKS = (".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class Clip:
    """A file of several frames. path: as the project names it. index: None for a stack, that has no times."""

    path: str
    file: Path
    count: int
    index: VideoIndex | None
    contrast: Contrast = AUTOMATIC

    @property
    def rate(self) -> float:
        """Frames a second on average."""
        return (self.index.rate if self.index else 0.0) or _STACK_RATE

    def seconds(self, frame: int) -> float:
        """When a frame is shown, from the first one on."""
        return self.index.seconds(frame) if self.index else frame / _STACK_RATE

    def at(self, seconds: float) -> int:
        """Which frame is shown then."""
        if self.index:
            return self.index.at(seconds)
        return min(max(int(seconds * _STACK_RATE + 1e-6), 0), self.count - 1)


class Frames(QObject):
    """Lives on the GUI thread. `frame` is the one that is shown or asked for, from 0."""

    clip_changed = Signal()  # another film, or none
    frame_changed = Signal()
    playing_changed = Signal()
    moving = Signal(object)  # H x W x 3 uint8: show this, until an image is shown
    exporting = Signal(int, int)  # frames written, of how many; equal when it has ended
    failed = Signal(str)  # a sentence
    said = Signal(str)

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.clip: Clip | None = None
        self.frame = 0
        self._desk = desk
        self._ahead: Ahead | None = None
        self._first = 0  # the frame that playing began with
        self._clock = QElapsedTimer()
        self._since_step = QElapsedTimer()
        self._generation = 0
        self._previewing: int | None = None
        self._stop_export = threading.Event()
        self._tick = QTimer(self, interval=_TICK_MS)
        self._tick.setTimerType(Qt.TimerType.PreciseTimer)
        self._tick.timeout.connect(self._on_tick)
        self._rest = QTimer(self, interval=_REST_MS, singleShot=True)
        self._rest.timeout.connect(self._settle)
        self._reread = QTimer(self, interval=_REREAD_MS, singleShot=True)
        self._reread.timeout.connect(desk.reread)
        desk.current_changed.connect(self._follow)
        desk.project_closing.connect(self._drop)
        desk.item_changed.connect(self._on_item)

    @property
    def is_playing(self) -> bool:
        """Whether the film plays."""
        return self._ahead is not None

    @property
    def dropped(self) -> int:
        """How many frames came too late since it plays."""
        return self._ahead.dropped if self._ahead else 0

    # Which film

    @Slot()
    def _follow(self) -> None:
        item, project = self._desk.current, self._desk.project
        if item is None or project is None or not is_film(item):
            self._take_clip(None)
            return
        if self.clip is not None and self.clip.path == item.path:
            self.clip = replace(self.clip, contrast=item.contrast)
            if item.frame != self.frame:
                self._halt()
                self._set_frame(item.frame)
            return
        self._take_clip(None)
        generation, file = self._generation, project.path_of(item)

        def found(clip: Clip | None) -> None:
            if generation == self._generation and clip is not None:
                self.clip, self.frame = clip, item.frame
                self.clip_changed.emit()

        # What cannot be read says so when it is shown.
        self._desk.background.run(lambda: _clip_of(item, file), found, lambda _sentence: None)

    def _take_clip(self, clip: Clip | None) -> None:
        self._halt()
        self._generation += 1
        self.clip, self.frame = clip, 0
        self.clip_changed.emit()

    @Slot()
    def _drop(self) -> None:
        self._reread.stop()
        self._stop_export.set()
        self._take_clip(None)

    @Slot(int)
    def _on_item(self, media_id: int) -> None:
        if not self._desk.knows(media_id) and not self._reread.isActive():
            self._reread.start()  # a run makes images of frames

    # Going to a frame

    def go(self, frame: int) -> None:
        """Show a frame: at once as a picture, and as an image when it rests."""
        if self.clip is None:
            return
        frame = min(max(frame, 0), self.clip.count - 1)
        if frame == self.frame and not self.is_playing:
            return
        self._stop_playing()
        is_first = not self._rest.isActive() and (
            not self._since_step.isValid() or self._since_step.elapsed() > 2 * _REST_MS
        )
        self._since_step.start()
        self._set_frame(frame)
        if is_first:
            self._settle()
            return
        self._rest.start()
        self._preview()

    def step(self, by: int) -> None:
        """Go some frames on or back."""
        self.go(self.frame + by)

    def _set_frame(self, frame: int) -> None:
        self.frame = frame
        self.frame_changed.emit()

    def _preview(self) -> None:
        """Show the frame that is wanted now; of those asked for meanwhile the last only."""
        clip = self.clip
        if self._previewing is not None or clip is None:
            return
        frame = self._previewing = self.frame
        generation, make = self._generation, self._maker(clip)

        def made(pixels: Rgb) -> None:
            self._previewing = None
            if generation != self._generation:
                return
            if self._rest.isActive():
                if self._desk.editor.shown is not None:
                    self._desk.rest()
                self.moving.emit(pixels)
                if self.frame != frame:
                    self._preview()

        def failed(_sentence: str) -> None:
            self._previewing = None  # it is told when the frame rests

        self._desk.background.run(lambda: make(frame), made, failed)

    @Slot()
    def _settle(self) -> None:
        """The frame rests: it becomes an image of the project, if it is not one yet."""
        clip, project = self.clip, self._desk.project
        if clip is None or project is None:
            return
        self._rest.stop()
        frame, generation = self.frame, self._generation

        def found(item: MediaItem) -> None:
            if generation == self._generation and frame == self.frame and not self.is_playing:
                self._desk.show_item(item)

        self._desk.background.run(lambda: project.frame_item(clip.path, frame), found, self.failed.emit)

    # Playing

    def play(self) -> None:
        """Play from the shown frame on; from the first where it is the last."""
        clip = self.clip
        if clip is None or self.is_playing:
            return
        self._rest.stop()
        self._first = 0 if self.frame >= clip.count - 1 else self.frame
        self._desk.rest()
        self._ahead = Ahead(range(self._first, clip.count), self._maker(clip))
        self._clock.start()
        self._tick.start()
        self.playing_changed.emit()

    def pause(self) -> None:
        """Stop at the frame that is seen and make it an image."""
        if self.is_playing:
            self._stop_playing()
            self._settle()

    def toggle(self) -> None:
        """Play, or pause."""
        if self.is_playing:
            self.pause()
        else:
            self.play()

    def stop(self) -> None:
        """End the threads: at the program's end."""
        self._stop_export.set()
        self._rest.stop()
        self._reread.stop()
        ahead = self._ahead
        self._stop_playing()
        if ahead is not None:
            ahead.close()

    def _halt(self) -> None:
        self._rest.stop()
        self._stop_playing()

    def _stop_playing(self) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            self._tick.stop()
            ahead.close(wait=False)
            self.playing_changed.emit()

    @Slot()
    def _on_tick(self) -> None:
        clip, ahead = self.clip, self._ahead
        if clip is None or ahead is None:
            return
        due = clip.at(clip.seconds(self._first) + self._clock.elapsed() / 1000)
        found = ahead.take(due - self._first)
        if found is not None:
            self._set_frame(self._first + found[0])
            self.moving.emit(found[1])
        elif ahead.is_over:
            if ahead.problem:
                self.failed.emit(ahead.problem)
            self.pause()

    def _maker(self, clip: Clip) -> Callable[[int], Rgb]:
        """Makes a picture of a frame with what is on record drawn over it; on any thread."""
        desk = self._desk
        items = {item.frame: item.id for item in desk.media if item.path == clip.path}
        project, sight, classes = desk.project, desk.editor.sight, desk.editor.classes
        colors = {one.id: one for one in classes}

        def make(frame: int) -> Rgb:
            pixels = read_rgb(clip.file, frame, clip.contrast)
            if frame not in items or project is None or sight.hide_all:
                return pixels
            return _drawn(pixels, project, items[frame], sight, colors)

        return make

    # Frames as files

    @property
    def is_exporting(self) -> bool:
        """Whether frames are being written."""
        return self._is_exporting

    _is_exporting = False

    def export(self, folder: Path, every: int) -> None:
        """Write each n-th frame as a PNG into a folder; those that are there already stay."""
        clip = self.clip
        if clip is None or self._is_exporting:
            return
        self._is_exporting = True
        self._stop_export.clear()
        frames = range(0, clip.count, every)
        background = self._desk.background

        def tell(count: int) -> None:
            background.call(lambda: self.exporting.emit(count, len(frames)))

        def work() -> int:
            count = 0
            for count in export_frames(clip.file, frames, folder, clip.contrast):
                if self._stop_export.is_set():
                    break
                tell(count)
            return count

        def done(count: int) -> None:
            self._end_export(len(frames))
            self.said.emit(self.tr("Frames written to {}: {:,}").format(folder, count))

        def failed(sentence: str) -> None:
            self._end_export(len(frames))
            self.failed.emit(sentence)

        background.run(work, done, failed)

    def stop_export(self) -> None:
        """Write no more; the next export into the same folder goes on there."""
        self._stop_export.set()

    def _end_export(self, total: int) -> None:
        self._is_exporting = False
        self.exporting.emit(total, total)


def is_film(item: MediaItem) -> bool:
    """Whether an image may be one frame of several."""
    return is_video_name(item.path) or item.path.lower().endswith(_STACKS)


def _clip_of(item: MediaItem, file: Path) -> Clip | None:
    if is_video_name(item.path):
        index = reader_of(file).index
        return Clip(item.path, file, index.count, index) if index.count > 1 else None
    count = probe(file).frames
    return Clip(item.path, file, count, None, item.contrast) if count > 1 else None


def _drawn(pixels: Rgb, project: Project, media_id: int, sight: Sight, classes: dict[int, ClassDef]) -> Rgb:
    try:
        instances = project.load(media_id).instances
    except MaskwrightError:
        return pixels
    shown = [one for one in instances if sight.shows(one) and one.class_id in classes]
    return draw(pixels, shown, classes) if shown else pixels
