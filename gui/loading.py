"""Brings an image from the disk with all that is shown of it, and has its neighbours ready ahead of time.

Everything here runs on threads. What was made ready is used only where the project still says the same of the
image. Knows the project and what is visible; no signals, no widgets.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from PySide6.QtCore import QCoreApplication

from engine.document.document import Document
from engine.document.records import ClassDef, Instance, MediaItem, ReviewState
from engine.errors import ProjectError
from engine.media.image import contrast_in_force, frame_size, probe
from engine.media.picture import Rgb
from engine.project import Project
from engine.project.journal import Past
from engine.project.project import Stamp
from engine.proposing import was_seen_with
from gui.canvas.labels import LabelMap, layers_of
from gui.editor import Shown, Sight
from gui.pictures import Pictures

_TOO_MUCH_AHEAD = 50_000_000  # pixels: a picture larger than this is decoded when it is asked for
_KEPT = 3  # documents made ready

Hides = Callable[[tuple[Instance, ...], tuple[ClassDef, ...]], frozenset[int]]
"""Which proposals better ones hide, of all instances of an image and the project's classes. Any thread."""


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """What loading an image gave. has_more: the file turned out to hold more frames than the project knew."""

    project: Project
    shown: Shown
    past: Past
    classes: tuple[ClassDef, ...]
    is_other_content: bool
    has_more: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Ready:
    """A document as the project had it at `stamp`, with where its masks lie. project: whose it is."""

    project: Project
    stamp: Stamp
    document: Document
    suppressed: frozenset[int]
    labels: LabelMap


class Loader:
    """Loads images, on any thread. sight: what is visible now."""

    def __init__(self, sight: Callable[[], Sight]) -> None:
        self.pictures = Pictures()
        self.hides: Hides = lambda _instances, _classes: frozenset()
        self._sight = sight
        self._lock = threading.Lock()
        self._ready: OrderedDict[int, _Ready] = OrderedDict()

    def load(self, project: Project, item: MediaItem, level: int = 0) -> Loaded:
        """The image with its document, to be swapped in. level: as of `begin`. Raises MaskwrightError."""
        if item.missing:
            raise ProjectError(
                QCoreApplication.translate(
                    "Desk", "{} is gone: bring it back, then refresh the folder; its instances are kept."
                ).format(project.path_of(item))
            )
        path = project.path_of(item)
        picture_of = self.pictures.begin(path, item.frame, item.contrast, level=level)
        ready = self._take(project, item.id)
        if ready is None:  # a header tells the size at once: the masks need not wait for the pixels
            width, height = frame_size(path, item.frame) if not item.width else (item.width, item.height)
            ready = self._make_ready(project, item.id, height, width)
        picture = picture_of()
        height, width = picture.shape[:2]
        has_more = False
        if (item.width, item.height) != (width, height) and not project.read_only:
            with suppress(ProjectError):  # a disk that refuses must not hide the picture
                has_more = _note_size(project, item, width, height)
        # An edit may have come while the picture was decoded.
        if ready.labels.labels.shape != (height, width) or not self._holds(ready, item.id):
            ready = self._make_ready(project, item.id, height, width)
        sized = replace(item, width=width, height=height)
        stale = _is_stale(project, item, ready.document)
        shown = Shown(sized, picture, ready.document, ready.suppressed, ready.labels, stale)
        # The classes too: a batch may have made one since they were read.
        return Loaded(
            project,
            shown,
            project.history(item.id),
            project.classes(),
            item.id in project.changed_media(),
            has_more,
        )

    def prepare(self, project: Project, item: MediaItem) -> None:
        """Have an image ready that is likely to be asked for soon. Raises MaskwrightError."""
        path = project.path_of(item)
        info = probe(path, item.frame)
        if info.width * info.height > _TOO_MUCH_AHEAD:
            return
        pixels: Rgb = self.pictures.read(path, item.frame, item.contrast)
        with self._lock:
            ready = self._ready.get(item.id)
        if ready is None or ready.project is not project or not self._holds(ready, item.id):
            ready = self._make_ready(project, item.id, *pixels.shape[:2])
        with self._lock:
            self._ready[item.id] = ready
            self._ready.move_to_end(item.id)
            while len(self._ready) > _KEPT:
                self._ready.popitem(last=False)

    def forget(self) -> None:
        """Read everything anew: another project, or the files may be others."""
        self.pictures.forget()
        with self._lock:
            self._ready.clear()

    def close(self) -> None:
        """End the thread that decodes."""
        self.forget()
        self.pictures.close()

    def _take(self, project: Project, media_id: int) -> _Ready | None:
        """What was made ready, which now belongs to who asks: a document has one owner."""
        with self._lock:
            ready = self._ready.pop(media_id, None)
        return ready if ready is not None and ready.project is project else None

    @staticmethod
    def _holds(ready: _Ready, media_id: int) -> bool:
        """Whether the project still says of the image what it said when this was made ready."""
        return ready.project.stamp(media_id) == ready.stamp

    def _make_ready(self, project: Project, media_id: int, height: int, width: int) -> _Ready:
        stamp = project.stamp(media_id)  # before the document: what comes in between makes it look older
        document = project.load(media_id)
        suppressed = self.hides(document.instances, project.classes())
        sight = replace(self._sight(), suppressed=suppressed)
        labels = LabelMap(height, width)
        if not sight.hide_all:
            labels.update(layers_of(document, filter(sight.shows, document.instances)))
        return _Ready(project, stamp, document, suppressed, labels)


def _is_stale(project: Project, item: MediaItem, document: Document) -> bool:
    """Whether a model saw the picture by another contrast when it made the image's proposals."""
    if document.state.review is not ReviewState.PROPOSED:
        return False
    contrast = contrast_in_force(project.path_of(item), item.frame, item.contrast)
    return not was_seen_with(project.prediction_key(item.id) or "", contrast)


def _note_size(project: Project, item: MediaItem, width: int, height: int) -> bool:
    """Record the size; whether the file's first look found more frames in it."""
    first_look = item.width == 0
    project.set_size(item.id, width, height)
    if first_look and item.frame == 0 and item.path.lower().endswith((".tif", ".tiff")):
        frames = probe(project.path_of(item)).frames
        if frames > 1:
            project.add_frames(item.path, range(frames))
            return True
    return False
